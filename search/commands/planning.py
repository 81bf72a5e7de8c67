"""``plan``: how many seeds or validation samples would tell a study's values apart."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import chosen
from coarsefine.search.console import say, say_json, tell
from coarsefine.search.errors import UsageError
from coarsefine.search.hints import spelled
from coarsefine.search.options import OutputOptions, StorageOptions, StudyArgument
from coarsefine.search.options.declaring import OUTPUT, number_option
from coarsefine.studies.results.judging.statistics import INDIFFERENT
from coarsefine.studies.results.notes.planning import planned, seconds_a_seed
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.scoring.splits import Splits
from coarsefine.studies.results.similar import Known, Question, in_words, known_from


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a plan is for."""

    indifference: Annotated[
        float | None,
        number_option(
            OUTPUT,
            "--indifference",
            "The largest difference that does not matter, in percentage points (default: 0.5).",
        ),
    ] = None


def plan(
    study: StudyArgument, what: PlanOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Say how many seeds or validation samples would tell a study's values apart.

    The first from the second, and all tied values to within --indifference, from the noise that the
    study's runs show: what seeds are of it and what samples, and how long more seeds would take.
    Where each value has one seed, from a similar study of the same file. Trains nothing and changes
    nothing.

    Examples:
        python -m search plan
        python -m search plan mnist/lambda --indifference 0.2 --json
    """
    delta = INDIFFERENT if what.indifference is None else what.indifference / 100
    if not 0 < delta < 1:
        raise UsageError(
            f"--indifference must be above 0 and below 100 points, got {what.indifference:g}"
        )
    known = None
    with open_database(storage.url, read_only=True) as database:
        named = chosen(database, study, quiet=output.quiet)
        ranking = read_ranking(database, named, indifference=delta)
        comparison = ranking.comparison
        told = comparison is not None and (comparison.to_second or not comparison.n_tied)
        if Splits.of(named) is None and not told:
            known = known_from(database, Question.of(database, named), delta)
    if output.json:
        say_json(_to_json(ranking, delta, known))
        return
    say(f"{ranking.study.name}: what would tell its values apart\n")
    for line in planned(ranking, delta):
        tell(spelled(line))
    if known is not None or ranking.comparison is None:
        tell(spelled(in_words(known, delta)))


def _to_json(ranking: Ranking, delta: float, known: Known | None) -> dict[str, Any]:
    comparison = ranking.comparison
    second = None if comparison is None else comparison.to_second
    every = None if comparison is None else comparison.to_all_tied
    tied, complete = seconds_a_seed(ranking)
    return {
        "study": ranking.study.name,
        "indifference": delta,
        "n_tied": 0 if comparison is None else comparison.n_tied,
        "to_second": second and asdict(second),
        "to_all_tied": every and asdict(every),
        "seconds_a_seed": {"tied": tied, "complete": complete},
        "similar": known and known.ranking.study.name,
        "similar_to_second": known and asdict(known.second),
    }
