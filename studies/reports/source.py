"""What the sections of a report are written from, and the words that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import RunRecord, StudyRecord, TestOpeningRecord, TestRunRecord
from coarsefine.hints import Spelling
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.states import UNFINISHED


@dataclass(frozen=True, slots=True)
class Source:
    """All that the sections are written from.

    Attributes:
        spelling: Words hints, such as the command to type.
        figures: Kinds of figures that have a place beside the ranking, where the search suits them.
    """

    database: Database
    ranking: Ranking
    recipe: Recipe
    openings: Sequence[TestOpeningRecord]
    runs: Sequence[RunRecord]
    spelling: Spelling = str
    figures: Sequence[str] = ()

    @property
    def study(self) -> StudyRecord:
        """Return whose report it is."""
        return self.ranking.study

    @property
    def without_test(self) -> bool:
        """Return whether no samples were set aside for a test."""
        return bool(self.study.recipe["data"].get("test") == "none")

    @property
    def n_left(self) -> int:
        """Return how many trials are still to be trained."""
        return sum(trial.state in UNFINISHED for trial in self.ranking.trials)

    @property
    def symbols(self) -> str:
        """Return what was searched, in letters or words."""
        stages = self.ranking.stages
        names = [each["name"] for each in stages[0].dimensions] if stages else []
        names = names or list(dict.fromkeys(n for t in self.ranking.trials[:1] for n in t.params))
        return " and ".join(map(self.ranking.symbol, names)) or self.study.search

    def point(self, params: Mapping[str, Any]) -> str:
        """Return some parameters in words."""
        return self.ranking.point(params)


def read_source(
    database: Database, ranking: Ranking, spelling: Spelling = str, figures: Sequence[str] = ()
) -> Source:
    """Return what the sections of a study's report are written from."""
    study = ranking.study
    return Source(
        database=database,
        ranking=ranking,
        recipe=from_json(study.recipe, f"the recipe of study {study.name}"),
        openings=repository.openings(database, study),
        runs=repository.run_rows(database, study),
        spelling=spelling,
        figures=figures,
    )


def steps_of(recipe: Recipe, study: StudyRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arithmetic of the length, and what is wrong with it."""
    try:
        steps = resolve(recipe, int(study.data["n_train"]))
    except (StudyError, KeyError):
        return (), ()  # of a search over batch sizes, the recipe's own may not fit
    return steps.lines, steps.warnings


def first_result(
    openings: Sequence[TestOpeningRecord],
) -> tuple[TestOpeningRecord, TestRunRecord] | None:
    """Return what the first opening found for the best of the trials that it tested."""
    for opening in openings:
        for run in opening.runs:
            if run.test_accuracy is not None:
                return opening, run
    return None


def percent(trial: RankedTrial) -> str:
    """Return a trial's validation accuracy."""
    return "–" if trial.validation_accuracy is None else f"{100 * trial.validation_accuracy:.2f} %"


def ends(low: float, high: float) -> str:
    """Return an interval of shares in percent."""
    return f"{100 * low:.1f} to {100 * high:.1f}"


def made_with(study: StudyRecord) -> tuple[tuple[str, str], ...]:
    """Return with what a study was begun: programs and their versions, and the machine."""
    return tuple(
        (what, ", ".join(f"{name} {text}" for name, text in known.items()))
        for what, known in (("made with", study.versions), ("machine", study.machine))
    )


def moment(at: datetime) -> str:
    """Return a time to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def times(n: int) -> str:
    """Return how often something happened."""
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def plural(symbols: str) -> str:
    """Return what was searched, where it has a plural."""
    return "variants" if symbols == "variant" else symbols


def duration(seconds: float) -> str:
    """Return a time in the units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return (
        f"{whole // 3600} h {whole % 3600 // 60:02d} min"
        if whole >= 3600
        else (f"{whole // 60} min {whole % 60:02d} s")
    )
