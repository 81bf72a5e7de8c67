"""Studies side by side: what their recipes differ in, and what each found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import TestOpeningRecord, TestRunRecord
from coarsefine.hints import command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import from_json, to_json
from coarsefine.studies.reports.source import first_result
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import named_study, read_ranking
from coarsefine.studies.results.statistics import Interval, wilson
from coarsefine.studies.spaces.dimensions import PARAMETERS
from coarsefine.studies.states import UNFINISHED

SEARCHED = "searched"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the studies.

    Attributes:
        settings: What its recipe says where the recipes differ, by key; ``SEARCHED`` for what it
            searched, ``None`` for what plays no part in it.
        n_left: Trials that are not trained yet.
        opening: The first opening of the test set with a result.
        tested: What that found for the best trial that it tested.
        n_openings: All openings for this study.
    """

    ranking: Ranking
    settings: dict[str, Any]
    n_left: int
    opening: TestOpeningRecord | None
    tested: TestRunRecord | None
    n_openings: int

    @property
    def best(self) -> RankedTrial | None:
        """Return the best trial."""
        return self.ranking.best

    @property
    def test_interval(self) -> Interval | None:
        """Return the 95 % interval of the test accuracy."""
        if self.opening is None or self.tested is None or self.tested.test_accuracy is None:
            return None
        return wilson(self.tested.test_accuracy, self.opening.n_test)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Studies side by side.

    Attributes:
        keys: Of the recipes, where these differ.
        notes: Why figures of different studies may not be comparable.
    """

    sides: tuple[Side, ...]
    keys: tuple[str, ...]
    notes: tuple[str, ...]


def side_by_side(database: Database, names: Sequence[str]) -> SideBySide:
    """Return studies side by side, in the order they are named.

    Raises:
        StudyError: If there are fewer than two, one is named twice, or is not there.
    """
    if len(names) < 2:
        raise StudyError(
            f"studies to compare must be two or more, got {len(names)}; `",
            command("list"),
            "` shows what there is",
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise StudyError(f"studies to compare must differ, got {twice} twice")
    rankings = [read_ranking(database, named_study(database, name)) for name in names]
    stated = [_stated(ranking) for ranking in rankings]
    every = dict.fromkeys(key for settings in stated for key in settings)
    keys = tuple(key for key in every if len({repr(s.get(key)) for s in stated}) > 1)
    sides = tuple(
        _side(database, ranking, {key: settings.get(key) for key in keys})
        for ranking, settings in zip(rankings, stated, strict=True)
    )
    return SideBySide(sides, keys, tuple(_notes(sides)))


def _stated(ranking: Ranking) -> dict[str, Any]:
    """Return a study's recipe by key, with what it searched marked as such."""
    study = ranking.study
    settings = flat(to_json(from_json(study.recipe, f"the recipe of study {study.name}")))
    for stage in ranking.stages[:1]:
        for dimension in stage.dimensions:
            for variant in (dimension.get("variants") or {}).values():
                settings |= dict.fromkeys(variant, SEARCHED)
            known = PARAMETERS.get(dimension["name"])
            if known is not None and known.key in settings:
                settings[known.key] = SEARCHED
    return settings


def _side(database: Database, ranking: Ranking, settings: dict[str, Any]) -> Side:
    openings = repository.openings(database, ranking.study)
    opening, tested = first_result(openings) or (None, None)
    return Side(
        ranking=ranking,
        settings=settings,
        n_left=sum(trial.state in UNFINISHED for trial in ranking.trials),
        opening=opening,
        tested=tested,
        n_openings=len(openings),
    )


def _notes(sides: Sequence[Side]) -> list[str]:
    studies = [side.ranking.study for side in sides]
    notes = []
    if len({study.data_fingerprint for study in studies}) > 1:
        notes.append("the data differ, so accuracies of different studies are of different tasks")
    elif len({study.data.get("split_fingerprint") for study in studies}) > 1:
        notes.append(
            "the splits differ: validation accuracies are on different samples, and differ by "
            "chance, too"
        )
    if len({study.seed for study in studies}) == 1 and len(notes) == 0:
        notes.append(
            "same data, split and seed: what differs is due to the settings, as far as one seed "
            "can tell"
        )
    notes += [
        f"{side.ranking.study.name} is not finished, {side.n_left} trials are not trained yet"
        for side in sides
        if side.n_left
    ]
    n_tested = sum(side.n_openings for side in sides)
    if n_tested > 1:
        notes.append(
            f"the test set was opened {n_tested} times in all: whoever chooses a study by test "
            "accuracy has tuned on it"
        )
    return notes
