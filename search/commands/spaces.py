"""``space``: a search over anything that recipes say, several parameters at once."""

from dataclasses import dataclass, replace
from typing import Annotated

from coarsefine.db.connections.engine import open_database
from coarsefine.search.commands.searches import wanted_stage
from coarsefine.search.commands.searching import run_search
from coarsefine.search.errors import UsageError
from coarsefine.search.options import SEARCH, StageOptions, option
from coarsefine.search.options.requesting import stage_request
from coarsefine.search.options.searches import Options
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.results.reading import named_study
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.varying import EXAMPLE, space_kind, varied


@dataclass(frozen=True, slots=True)
class VaryOptions:
    """What is varied."""

    vary: Annotated[
        list[str] | None,
        option(
            SEARCH,
            "--vary",
            metavar="KEY=RANGE",
            help="A key of the recipe and where it may lie, as in eta=1e-4..1e-1, "
            "momentum=0.5..0.99:logit, batch_size=16..512, hidden=16..256:int, "
            "params.dropout=0..0.8:linear:step=0.1; or its values, as in optimizer=sgd,adam; "
            "momentum=0.5..0.99:when=optimizer=momentum where a choice has that value. Given "
            "again for each key (default: as the study varies them).",
        ),
    ] = None


def space(vary: VaryOptions, stage: StageOptions, options: Options) -> None:
    """Search over any keys of the recipe at once: ranges on several scales, and choices.

    --vary names a key with a range LOW..HIGH on a log scale, or :linear or :logit; :int has whole
    numbers, :step=S steps. Every key stays inside its natural limits. One or two ranges are a grid
    unless --sampler says otherwise; three and more are covered evenly by a Sobol sequence (qmc).
    --fine narrows all ranges to where the best points lie, keeps the sampler (tpe follows qmc of
    three ranges and more), begins with the best point and has as many trials as --coarse was asked
    for. A choice keeps its best value. η is constant, and the optimizer momentum where that is
    varied, unless the recipe says otherwise.

    Examples:
        python -m search space --coarse --vary eta=1e-3..1 --vary hidden=16..256
        python -m search space --fine
        python -m search space --coarse --vary momentum=0.5..0.99:logit --sampler tpe
    """
    for flag, said in (("--values", stage.values), ("--low", stage.low), ("--high", stage.high)):
        if said is not None:
            raise UsageError(f"{flag} is of searches over one parameter: state ranges with --vary")
    stated = vary.vary or ([] if stage.study else [EXAMPLE])
    wanted = wanted_stage("space", stage, options, [w for text in stated for w in ("--vary", text)])
    kind = _kind(vary, stage, options, wanted)
    request = stage_request(kind, stage)
    if vary.vary:
        request = replace(request, dimensions=kind.dimensions)
    run_search(kind, request, wanted, stage, options)


def _kind(vary: VaryOptions, stage: StageOptions, options: Options, wanted: str) -> SearchKind:
    """Return the search that is stated, or that of the study that goes on."""
    if vary.vary:
        return space_kind([varied(text) for text in vary.vary])
    if wanted in {"coarse", "auto"} and stage.study is None:
        return space_kind([])
    with open_database(options.storage.url, read_only=True) as database:
        study = named_study(database, stage.study, search="space")
        first = searched_stages(database, study)[0]
        return space_kind(Stage.of(first).dimensions)
