"""``run`` and ``presets``: whole labs from one file, part by part."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.errors import DONE, FAILED, UsageError
from coarsefine.search.hints import command as typed
from coarsefine.search.options import (
    SEARCH,
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    option,
)

if TYPE_CHECKING:
    from coarsefine.search.progress import Watch
    from coarsefine.studies.labs.files import Lab, Part
    from coarsefine.studies.results.ranking import Ranking
    from coarsefine.studies.running.final_test import FinalTest
    from coarsefine.studies.running.resources import Resources


Quick = Annotated[
    bool,
    option(
        SEARCH,
        "--quick",
        help="A first look: less data and fewer epochs, as the file says, in studies of their own "
        "(default: the whole lab).",
    ),
]
Parts = Annotated[
    list[str] | None,
    option(
        SEARCH,
        "--part",
        metavar="NAME",
        help="Only this part; may be said several times (default: all parts).",
    ),
]
Fresh = Annotated[
    bool,
    option(
        SEARCH,
        "--fresh",
        help="Train again what was trained before in the file of studies (default: take it over).",
    ),
]


@dataclass(frozen=True, slots=True)
class LabOptions:
    """Which lab, and how much of it."""

    lab: Annotated[
        str,
        typer.Argument(
            metavar="FILE|PRESET",
            help="A lab file (docs/recipes.md), or a preset as `presets` lists them.",
            show_default=False,
        ),
    ]
    quick: Quick = False
    part: Parts = None
    fresh: Fresh = False
    figures: Annotated[
        Path | None,
        option(
            SEARCH,
            "--figures",
            metavar="FOLDER",
            help="Draw the figures of each part into this folder (default: none).",
        ),
    ] = None
    data_dir: DataDir = None


def run(lab: LabOptions, storage: StorageOptions, jobs: JobsOptions, output: OutputOptions) -> int:
    """Run a whole lab: every search, check and final test of a file, with the lab's own figures.

    Stopped, the same command carries on; what was trained before is not trained again, and a test
    set that was opened stays opened once.

    Examples:
        python -m search run cifar-two-layer --quick
        python -m search run fashion-batch-size --figures figures
        python -m search run my-lab.toml --part eta
    """
    from coarsefine.db.engine import open_database
    from coarsefine.search.interrupts import stoppable
    from coarsefine.search.progress import watching
    from coarsefine.studies.labs.files import read_lab
    from coarsefine.studies.running.resources import Resources

    found = read_lab(lab.lab, quick=lab.quick)
    parts = _chosen(found, lab.part)
    jobs.check()
    if not output.json:
        _print_head(found)
    status, answers = DONE, []
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        jobs.opened(watch.said) as workers,
        open_database(storage.url, create=True) as database,
    ):
        resources = Resources(
            database, data_dir=lab.data_dir, observer=watch, progress=watch, **workers
        )
        for part in parts:
            found_out = answer(resources, found, part, lab, storage, output, watch)
            answers.append({"part": part.name, "does": part.does, **found_out})
            if found_out.get("passed") is False:
                status = FAILED
    if output.json:
        say_json({"lab": found.name, "quick": lab.quick, "parts": answers})
    return status


def answer(
    resources: "Resources",
    lab: "Lab",
    part: "Part",
    options: LabOptions,
    storage: StorageOptions,
    output: OutputOptions,
    watch: "Watch",
) -> dict[str, Any]:
    """Carry out a part of a lab, and return what ``--json`` says of it."""
    asked = _Asked(lab, part, options, storage, output, watch)
    found: dict[str, Any] = _DOES[part.does](resources, asked)
    return found


def presets(output: OutputOptions) -> None:
    """List the labs that come with the program.

    Examples:
        python -m search presets
    """
    from coarsefine.studies.labs.files import presets as names
    from coarsefine.studies.labs.files import read_lab

    labs = [read_lab(name) for name in names()]
    if output.json:
        listed = [
            {
                "name": lab.name,
                "title": lab.table.title,
                "source": lab.table.source,
                "asks": lab.table.asks,
                "parts": [part.name for part in lab.parts],
            }
            for lab in labs
        ]
        say_json({"presets": listed})
        return
    for lab in labs:
        say(f"{lab.name}: {lab.table.title}")
        for line in (lab.table.asks, f"parts: {', '.join(part.name for part in lab.parts)}"):
            tell(f"    {line}")
        say("")
    say(f"next: {typed('run', labs[0].name, '--quick')}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A part, and what was asked about it."""

    lab: "Lab"
    part: "Part"
    options: LabOptions
    storage: StorageOptions
    output: OutputOptions
    watch: "Watch"

    @property
    def prints(self) -> bool:
        return not self.output.json


def _chosen(lab: "Lab", names: list[str] | None) -> "list[Part]":
    from coarsefine.studies.errors import did_you_mean

    known = {part.name: part for part in lab.parts}
    for name in names or ():
        if name not in known:
            raise UsageError(
                f"--part must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
            )
    return [part for name, part in known.items() if not names or name in names]


def _print_head(lab: "Lab") -> None:
    table = lab.table
    for line in (table.title, table.source and f"source: {table.source}", table.asks):
        if line:
            tell(line)
    for paragraph in filter(None, table.notes.strip().split("\n\n")):
        say("")
        tell(" ".join(paragraph.split()))
    if lab.is_quick:
        say("")
        tell("a quick look: the figures are not those of the whole lab")


def _print_part(asked: _Asked) -> None:
    if not asked.prints:
        return
    part = asked.part
    title = f"{part.name}: {part.title}" if part.title else part.name
    if title:
        say("")
        say(title)
        say("─" * min(len(title), 78))


def _print_explanation(asked: _Asked) -> None:
    if asked.prints and asked.part.explains:
        say("")
        tell(" ".join(asked.part.explains.split()))


# ------------------------------------------------------------------------------------- searches


def _search(resources: "Resources", asked: _Asked) -> dict[str, Any]:
    from coarsefine.studies.labs.files import kind_of, request_of
    from coarsefine.studies.planning.stages import first_name
    from coarsefine.studies.recipes.layers import Asked
    from coarsefine.studies.results.reading import read_ranking
    from coarsefine.studies.running.search import Search

    lab, part = asked.lab, asked.part
    _print_part(asked)
    search, recipe = lab.search(part), lab.recipe(part)
    kind = kind_of(search)
    from dataclasses import replace

    request = replace(request_of(search), fresh=asked.options.fresh)
    name = lab.study_name(part)
    stages = search.stages if search.stages is not None else (2 if kind.refines else 1)
    searched = Search.begin(resources, kind, Asked.of(recipe), request, name)
    if stages == 1:
        searched.stage(first_name(kind), request)
    elif stages == "auto":
        searched.auto(request)
    else:
        searched.auto(request, stages, until_resolved=False)
    final = _tested(resources, asked, searched.study.name) if search.test else None
    ranking = read_ranking(resources.database, searched.study)
    if asked.prints:
        _print_search(resources, asked, ranking, final)
    _print_explanation(asked)
    _draw(resources, asked, ranking)
    from coarsefine.search.commands.testing import to_json

    return {
        "study": searched.study.name,
        "ranking": ranking.to_json(),
        "test": None if final is None else to_json(final),
    }


def _tested(resources: "Resources", asked: _Asked, study_name: str) -> "FinalTest":
    """Return the final test of a study: the one on record, or one made now."""
    from coarsefine.db import repository
    from coarsefine.studies.results.reading import named_study
    from coarsefine.studies.running.final_test import FinalTest, final_test

    study = named_study(resources.database, study_name)
    # One that was killed before anything was measured shows nothing yet: the same look goes on.
    before = [o for o in repository.openings(resources.database, study) if o.runs]
    if before:
        when = f"{before[-1].opened_at:%Y-%m-%d %H:%M}"
        note(
            f"the test set was opened for {study.name} on {when} UTC: shown, not opened again",
            quiet=asked.output.quiet,
        )
        return FinalTest(study, before[-1], len(before) - 1)
    return final_test(resources, study, trainer=asked.lab.recipe(asked.part).trainer)


def _print_search(
    resources: "Resources", asked: _Asked, ranking: "Ranking", final: "FinalTest | None"
) -> None:
    from coarsefine.search.commands.ranking import print_comparison, print_ranking
    from coarsefine.search.commands.testing import print_test
    from coarsefine.search.tables.comparison import lab_table
    from coarsefine.search.words import value
    from coarsefine.studies.labs.files import lab_figures
    from coarsefine.studies.results.comparison import compared

    console = stdout()
    rows = compared(resources.database, ranking)
    refined = any(stage.low is not None and stage.parent for stage in ranking.stages)
    if refined or (ranking.stages and ranking.stages[0].low is not None and len(rows) > 12):
        print_ranking(console, ranking, None)
    else:
        print_comparison(console, ranking, rows, None)
    if asked.part.curves:
        _print_curves(resources, ranking)
    tested: dict[str, float] = {}
    if final is not None:
        say("")
        print_test(final)
        tested = {
            ", ".join(value(v) for v in run.params.values()): run.test_accuracy
            for run in final.opening.runs
            if run.test_accuracy is not None
        }
    figures = lab_figures(asked.part)
    if figures:
        say("")
        title = "the lab's figures and ours"
        print_table(console, lab_table(console, title, rows, figures, tested))


def _print_curves(resources: "Resources", ranking: "Ranking") -> None:
    """Print a thinned curve of each of the best trials."""
    from coarsefine.search.tables.curves import curve_table
    from coarsefine.studies.results.reading import first_curve
    from coarsefine.studies.running.mirror import thinned

    console = stdout()
    for trial in ranking.trials[:4]:
        curve = {row.epoch: row for row in first_curve(resources.database, ranking, trial)}
        shown = [curve[epoch] for epoch in thinned(list(curve), 10)]
        say("")
        title = f"curve of {ranking.point(trial.params)}"
        print_table(console, curve_table(console, title, shown))


def _draw(resources: "Resources", asked: _Asked, ranking: "Ranking") -> None:
    folder = asked.options.figures
    if folder is None:
        return
    from coarsefine.search.errors import FigureError
    from coarsefine.search.figures.kinds import KINDS, Subject
    from coarsefine.search.figures.rendering import rendered
    from coarsefine.search.files import write

    where = folder / (asked.part.name or asked.lab.name)
    where.mkdir(parents=True, exist_ok=True)
    subject = Subject(resources.database, ranking, n_best=4)
    for kind in asked.part.figures or KINDS:
        try:
            contents = rendered(KINDS[kind].draw(subject), "png")
        except FigureError as error:
            if asked.part.figures:
                note(f"left out: {error}", quiet=asked.output.quiet)
            continue
        write(where / f"{kind}.png", contents)
        note(f"{where / kind}.png", quiet=asked.output.quiet)


# --------------------------------------------------------------------------------- checks


def _params(resources: "Resources", asked: _Asked) -> dict[str, Any]:
    from coarsefine.models.parameter_count import count_parameters
    from coarsefine.search.tables.networks import layers_table
    from coarsefine.studies.checks.network import network_of

    _print_part(asked)
    recipe = asked.lab.recipe(asked.part)
    data = resources.prepare(recipe)
    networks = [tuple(widths) for widths in asked.part.networks] or [recipe.network.hidden]
    counted = []
    console = stdout()
    for hidden in networks:
        changed = recipe.model_copy(
            update={"network": recipe.network.model_copy(update={"hidden": hidden})}
        )
        spec = network_of(changed, data.n_features, data.n_classes)
        layers = count_parameters(spec)
        title = "-".join(map(str, spec.widths))
        if asked.prints:
            print_table(console, layers_table(console, title, layers))
            say("")
        counted.append(
            {
                "network": title,
                "parameters": sum(layer.n_parameters for layer in layers),
                "parameters_bias_trick": sum(layer.n_parameters_bias_trick for layer in layers),
            }
        )
    _print_explanation(asked)
    return {"networks": counted}


def _gradcheck(resources: "Resources", asked: _Asked) -> dict[str, Any]:
    from coarsefine.search.commands.networks import (
        checked_networks,
        gradcheck_json,
        print_gradcheck,
    )

    _print_part(asked)
    recipe = asked.lab.recipe(asked.part)
    checks, label = checked_networks(recipe, resources.data_dir, asked.watch)
    if asked.prints:
        print_gradcheck(checks, label, every=False)
    _print_explanation(asked)
    return gradcheck_json(checks)


def _crosscheck(resources: "Resources", asked: _Asked) -> dict[str, Any]:
    from coarsefine.search.commands.crosschecking import crosschecked, print_crosscheck
    from coarsefine.studies.checks.crosscheck import FrameworkMissingError

    _print_part(asked)
    recipe = asked.lab.recipe(asked.part)
    try:
        found = crosschecked(recipe, resources.prepare(recipe), asked.part.against)
    except FrameworkMissingError as error:
        if asked.prints:
            tell(f"skipped: {error}")
        return {"skipped": str(error)}
    if asked.prints:
        print_crosscheck(found)
    folder = asked.options.figures
    if folder is not None:
        from coarsefine.search.commands.crosschecking import draw_crosscheck

        where = folder / asked.part.name
        where.mkdir(parents=True, exist_ok=True)
        draw_crosscheck(found, where / "overlay.png", recipe.data.name)
    _print_explanation(asked)
    return {"passed": found.agrees}


def _optimum(resources: "Resources", asked: _Asked) -> dict[str, Any]:
    """Print the exact least-squares optimum, and how large η may be."""
    from coarsefine.search.words import percent
    from coarsefine.studies.checks.reference_lines import reference_lines

    _print_part(asked)
    recipe = asked.lab.recipe(asked.part)
    found = reference_lines(recipe, resources.prepare(recipe))
    if asked.prints:
        tell(
            f"exact least-squares optimum: training loss {found.train_loss:.4f}, training accuracy "
            f"{percent(found.train_accuracy)} %, validation accuracy "
            f"{percent(found.validation_accuracy)} %"
        )
        tell(
            f"largest eigenvalue of XᵀX/N, by power iteration: {found.largest_eigenvalue:.4g}; "
            f"gradient descent on the squared loss is stable up to η = {found.largest_eta:.4g}"
        )
    _print_explanation(asked)
    return found.to_json()


_DOES: Mapping[str, Any] = {
    "search": _search,
    "params": _params,
    "gradcheck": _gradcheck,
    "crosscheck": _crosscheck,
    "optimum": _optimum,
}
