"""Studies side by side: what their recipes differ in, what each found, and what a test says."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import TestOpeningRecord, TestRunRecord
from coarsefine.hints import Message, command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import from_json, to_json
from coarsefine.studies.reports.source import first_result
from coarsefine.studies.results.comparing.pairs import (
    MOST_TRIALS,
    Entry,
    Pair,
    compared_pairs,
)
from coarsefine.studies.results.comparing.tuning import Tuning, tuning_of
from coarsefine.studies.results.final.evidence import evidence_of
from coarsefine.studies.results.judging.statistics import INDIFFERENT, Interval
from coarsefine.studies.results.known_seeds import known_seeds
from coarsefine.studies.results.notes.studies import (
    on_pair,
    on_recipes,
    on_studies,
    on_tests,
    on_tuning,
)
from coarsefine.studies.results.outcomes import read_outcomes
from coarsefine.studies.results.ranking import Place, RankedTrial, Ranking, top
from coarsefine.studies.results.reading import find_trial, named_study, read_ranking
from coarsefine.studies.spaces.dimensions import PARAMETERS
from coarsefine.studies.states import UNFINISHED

SEARCHED = "searched"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the studies.

    Attributes:
        label: What sentences call it: the study's name, with the trial where a study is there
            twice.
        entry: The study and the trial that stands for it.
        settings: What its recipe says where the recipes differ, by key; ``SEARCHED`` for what it
            searched, ``None`` for what plays no part in it.
        tuning: How much was searched for the trial.
        n_left: Trials that are not trained yet.
        opening: The first opening of the test set with a result.
        tested: What that found for the best trial that it tested.
        test_interval: 95 % interval of its test accuracy.
        n_openings: All openings for this study.
    """

    label: str
    entry: Entry
    settings: dict[str, Any]
    tuning: Tuning
    n_left: int
    opening: TestOpeningRecord | None
    tested: TestRunRecord | None
    test_interval: Interval | None
    n_openings: int

    @property
    def ranking(self) -> Ranking:
        """Return the study's ranking."""
        return self.entry.ranking

    @property
    def trial(self) -> RankedTrial | None:
        """Return the trial that is compared: the best one unless named."""
        return self.entry.trial


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Studies side by side.

    Attributes:
        keys: Of the recipes, where these differ.
        pairs: What a test says of each two studies.
        indifference: The largest difference that does not matter; accuracies are in [0, 1].
        before: What differs and how the studies were tuned: to be read before the verdicts.
        verdicts: A sentence a pair.
        notes: What the tests are based on, and what figures should not be read without.
    """

    sides: tuple[Side, ...]
    keys: tuple[str, ...]
    pairs: tuple[Pair, ...]
    indifference: float
    before: tuple[Message, ...]
    verdicts: tuple[Message, ...]
    notes: tuple[Message, ...]


def side_by_side(
    database: Database,
    names: Sequence[str],
    trials: Sequence[Place | None] = (),
    indifference: float = INDIFFERENT,
) -> SideBySide:
    """Return studies side by side, in the order they are named.

    Args:
        database: Where they are.
        names: Two or more.
        trials: Which trial stands for each study, ``None`` for its best; nothing for all best.
        indifference: The largest difference that does not matter; accuracies are in [0, 1].

    Raises:
        StudyError: If there are fewer than two, one is there twice with the same trial, a study or
            a trial is not there, or ``indifference`` is no such difference.
    """
    if len(names) < 2:
        raise StudyError(
            f"studies to compare must be two or more, got {len(names)}; `",
            command("list"),
            "` shows what there is",
        )
    if not (math.isfinite(indifference) and 0 < indifference < 1):
        raise StudyError(
            "the indifference must be above 0 and below 100 points, got "
            f"{100 * indifference:g} points"
        )
    if trials and len(trials) != len(names):
        raise StudyError(
            f"name a trial for each of the {len(names)} studies, in their order, or none: got "
            f"{len(trials)}; `best` stands for the best trial of a study"
        )
    places = list(trials) or [None] * len(names)
    rankings = {
        name: read_ranking(database, named_study(database, name)) for name in dict.fromkeys(names)
    }
    entries = [
        _entry(database, rankings[name], place) for name, place in zip(names, places, strict=True)
    ]
    _check_twice(entries)
    stated = [_stated(entry.ranking) for entry in entries]
    every = dict.fromkeys(key for settings in stated for key in settings)
    keys = tuple(key for key in every if len({repr(s.get(key)) for s in stated}) > 1)
    sides = tuple(
        _side(database, entry, {key: settings.get(key) for key in keys}, names)
        for entry, settings in zip(entries, stated, strict=True)
    )
    pairs = compared_pairs(entries, indifference)
    n_tested = sum(pair.contrast is not None for pair in pairs)
    return SideBySide(
        sides,
        keys,
        pairs,
        indifference,
        before=(on_recipes(sides, keys), *on_tuning(sides)),
        verdicts=tuple(on_pair(pair, sides, indifference, n_tested) for pair in pairs),
        notes=(*on_tests(pairs, sides), *on_studies(sides), *_on_metrics(rankings, entries)),
    )


def _on_metrics(rankings: Mapping[str, Ranking], entries: Sequence[Entry]) -> Iterator[Message]:
    """Yield which trials stand for their study for being the best by another metric."""
    for entry in entries:
        metric = rankings[entry.study.name].metric
        if metric.name != "accuracy" and not entry.chosen_by_hand and entry.trial is not None:
            yield Message(
                f"{entry.study.name} is ranked by {metric.words}: the best trial by that is here, "
                "with its accuracy"
            )


def _entry(database: Database, ranking: Ranking, place: Place | None) -> Entry:
    trial = ranking.best if place is None else find_trial(ranking, place)
    if trial is None:
        return Entry(ranking, None, None)
    if trial.rank is None:
        raise StudyError(
            f"trial {trial.stage}:{trial.trial} of study {ranking.study.name} must be complete to "
            f"be compared, it is {trial.state}"
        )
    if ranking.by != "accuracy":
        # The best by the study's own metric stands for it, and accuracies are what is compared.
        ranking = read_ranking(database, ranking.study, "accuracy")
        trial = find_trial(ranking, (trial.stage, trial.trial))
    others: list[RankedTrial] = []
    if trial.replicates > 1:
        best = top(ranking.trials, MOST_TRIALS)
        others = [each for each in best if dict(each.params) != dict(trial.params)]
    outcomes, *of_others = read_outcomes(database, ranking, [trial, *others[: MOST_TRIALS - 1]])
    return Entry(
        ranking,
        trial,
        outcomes,
        tuple(of_others),
        chosen_by_hand=place is not None,
        seeds=known_seeds(database, ranking.study, "accuracy"),
    )


def _check_twice(entries: Sequence[Entry]) -> None:
    known = [(e.study.name, e.trial and (e.trial.stage, e.trial.trial)) for e in entries]
    twice = next(((name, trial) for name, trial in known if known.count((name, trial)) > 1), None)
    if twice is not None:
        raise StudyError(
            f"studies to compare must differ, got {twice[0]} twice with the same trial"
        )


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


def _side(database: Database, entry: Entry, settings: dict[str, Any], names: Sequence[str]) -> Side:
    ranking, trial = entry.ranking, entry.trial
    label = ranking.study.name
    if names.count(label) > 1 and trial is not None:
        label += f" {trial.stage}:{trial.trial}"
    openings = repository.openings(database, ranking.study)
    opening, tested = first_result(openings) or (None, None)
    interval = None
    if opening is not None and tested is not None:
        interval = evidence_of(database, opening).of(tested).interval
    return Side(
        label=label,
        entry=entry,
        settings=settings,
        tuning=tuning_of(ranking),
        n_left=sum(each.state in UNFINISHED for each in ranking.trials),
        opening=opening,
        tested=tested,
        test_interval=interval,
        n_openings=len(openings),
    )
