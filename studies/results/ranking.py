"""A ranking: which trial counts as best, and the shape in which it leaves the program."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from coarsefine.db.records import TrialState
from coarsefine.hints import Message, Spelling
from coarsefine.studies.metric import Metric, metric_named
from coarsefine.studies.planning.races import Race
from coarsefine.studies.planning.within import Cut
from coarsefine.studies.results.columns.column import finite
from coarsefine.studies.results.columns.rankings import trial_rows
from coarsefine.studies.results.judging.statistics import (
    CONFIDENCE,
    Comparison,
    How,
    Interval,
    Measured,
    binomial_error,
    point_of,
)
from coarsefine.studies.spaces.dimensions import shown, sizes_of, symbol_of
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.states import STATES, score_key

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord

Place = tuple[str, int]
"""Where a trial is: its stage, and its number there."""

_STATE = {state: place for place, state in enumerate(STATES)}


class RankedTrial(NamedTuple):
    """A trial and its place in the ranking.

    A tuple, because there are tens of thousands: dataclasses take five times as long to make.

    Attributes:
        rank: From 1; ``None`` of what is not complete, has no score, or is not ranked yet.
        stage: The stage it belongs to, such as ``coarse``.
        trial: Optuna's number, from 0 in each stage.
        params: What was searched, by the names users give: ``{"lambda": 0.001}``; numbers, texts,
            booleans, or lists of widths.
        replicates: Training runs that the means below are over.
        validation_accuracy: Mean over the replicates, in [0, 1].
        validation_loss: Mean over the replicates.
        train_accuracy: Mean over the replicates, in [0, 1].
        seconds: Training time of all replicates.
        test_accuracy: ``None`` until the test set was opened for it.
        uuid: Names the trial in the database.
        reused: Whether all of its runs were trained before, for another trial.
        validation_balanced_accuracy: A mean, too; ``None`` unless trials are ranked by it.
        validation_macro_f1: Likewise.
        metrics: Means over the replicates of a custom trainer's own metrics, by name.
        standard_error: Of its score, over new seeds and new samples.
        interval: 95 % interval of its score for new seeds and new samples.
        standard_deviation: Of its score over replicates; ``None`` for one.
        difference: Of its score and the best trial's, over the replicates that both have.
        margin: How large a difference may be by chance.
        tied: Whether it is tied with the best; of the best, whether there are others
            tied with it. ``None`` if it is not complete, or nothing is known of the noise.
        seed_interval: 95 % interval for new seeds on these samples; ``None`` for one replicate.
    """

    stage: str
    trial: int
    state: TrialState
    params: Mapping[str, Any]
    replicates: int = 1
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    train_accuracy: float | None = None
    seconds: float | None = None
    test_accuracy: float | None = None
    uuid: str | None = None
    reused: bool = False
    validation_balanced_accuracy: float | None = None
    validation_macro_f1: float | None = None
    metrics: Mapping[str, float] | None = None
    rank: int | None = None
    # From here on what ``judged`` finds, in the order of a ``Verdict``.
    standard_error: float | None = None
    interval: Interval | None = None
    standard_deviation: float | None = None
    difference: float | None = None
    margin: float | None = None
    tied: bool | None = None
    seed_interval: Interval | None = None

    @property
    def name(self) -> str:
        """Return what people call it; the stage of a search that has a single one says nothing."""
        return f"{'trial' if self.stage == 'grid' else self.stage} {self.trial}"


_RANK = RankedTrial._fields.index("rank")
_JUDGED = RankedTrial._fields.index("standard_error")


@dataclass(frozen=True)
class StageSummary:
    """What a stage searched, and why there.

    Attributes:
        low: Least value of the range; ``None`` where values were given one by one without one.
        values: What was tried, from the least to the greatest where that is said of numbers.
        parent: The stage that the range was narrowed from, if any.
        reason: How the range came about, in plain words.
        dimensions: Each parameter that was varied: its name, its range's ends or its values.
        asked: What was asked of it beside that, by option; see ``asked_of``.
        race: Over seeds, and how it stands; ``None`` where there is none.
        cut: What a time budget has left over of it; ``None`` where nothing.
    """

    name: str
    low: float | None
    high: float | None
    values: Sequence[float]
    parent: str | None = None
    reason: str | None = None
    dimensions: Sequence[Mapping[str, Any]] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    race: Race | None = None
    cut: Cut | None = None


@dataclass(frozen=True)
class Ranking:
    """A study with its stages, and its trials, best first.

    Attributes:
        comparison: How trials were compared with the best; ``None`` if there is nothing to compare.
        notes: What the ranking should not be read without.
        by: What trials are ranked by, and intervals and ties are of.
    """

    study: "StudyRecord"
    stages: tuple[StageSummary, ...]
    trials: tuple[RankedTrial, ...]
    comparison: Comparison | None = None
    notes: tuple[Message, ...] = ()
    by: str = "accuracy"

    @property
    def metric(self) -> Metric:
        """Return what trials are ranked by."""
        return metric_named(self.by)

    @property
    def best(self) -> RankedTrial | None:
        """Return the best-ranked trial, ``None`` if no trial is complete."""
        return self.trials[0] if self.trials and self.trials[0].rank == 1 else None

    @property
    def n_validation(self) -> int:
        """Return how many validation samples accuracies were measured on; 0 if not known."""
        return int(self.study.data.get("n_validation", 0))

    def score_of(self, trial: RankedTrial) -> float | None:
        """Return the score of a trial, of which more is better; ``None`` if it is not known."""
        value = self.metric.of(trial)
        return None if value is None else self.metric.sign * value

    def error(self, trial: RankedTrial) -> float | None:
        """Return the standard error of a trial's score, as far as it is known."""
        if trial.standard_error is not None or self.by != "accuracy":
            return trial.standard_error
        if trial.replicates > 1 or not self.n_validation or trial.validation_accuracy is None:
            return None
        return binomial_error(trial.validation_accuracy, self.n_validation)

    @property
    def score(self) -> str:
        """Return which epoch of a trial all its measures are of: the ``final`` or the ``best``."""
        return str(self.study.recipe["training"].get("score", "final"))

    @property
    def sizes(self) -> dict[str, int]:
        """Return the greatest values that the data leave to parameters, by name."""
        n_train = self.study.data.get("n_train")
        stated = self.study.recipe["data"].get("train") is not None
        return sizes_of(n_train, self.study.data.get("n_available", None if stated else n_train))

    @property
    def searched(self) -> tuple[str, ...]:
        """Return the names of what was searched, each once."""
        return tuple(dict.fromkeys(name for trial in self.trials for name in trial.params))

    @cached_property
    def numeric_parameter(self) -> str | None:
        """Return what was searched, if it is one parameter and its values are numbers."""
        found = {name for trial in self.trials for name in trial.params}
        if len(found) != 1:
            return None
        (name,) = found
        kinds = {type(trial.params[name]) for trial in self.trials}
        return name if kinds <= {int, float} else None

    @property
    def refines(self) -> bool:
        """Return whether the search goes from coarse to fine; else it is one grid of values."""
        kind = SEARCHES.get(self.study.search)
        if kind is not None:
            return kind.refines
        return any(each["values"] is None for stage in self.stages for each in stage.dimensions)

    @property
    def over(self) -> str:
        """Return what was searched, in words: the search's name, or what a lab's search varied."""
        kind, names = SEARCHES.get(self.study.search), self.searched
        usual = kind is not None and {each.name for each in kind.parameters} == {*names}
        if usual or (kind is not None and not names):
            return self.study.search
        return " and ".join(self.symbol(name) for name in names) or "nothing yet"

    def point(self, params: Mapping[str, Any]) -> str:
        """Return some parameters in words, as in ``λ 0.001, η 0.1``."""
        # Variants have names, which say all.
        return ", ".join(
            shown(value) if name == "variant" else f"{self.symbol(name)} {shown(value)}"
            for name, value in params.items()
            if value is not None
        )

    def symbol(self, name: str) -> str:
        """Return a parameter's letter, or its name in words."""
        return symbol_of(name)

    def to_json(self, spelling: Spelling = str) -> dict[str, Any]:
        """Return it for programs: a stable contract, see ``docs/cli.md``.

        What is not known, or not finite, is ``null``. ``spelling`` words the hints of its notes.
        """
        places = {trial.uuid or "": f"{trial.stage}:{trial.trial}" for trial in self.trials}
        comparison = self.comparison
        return {
            "study": self.study.name,
            "data": self.study.data_name,
            "seed": self.study.seed,
            "score": self.score,
            "by": self.by,
            "stages": [
                {
                    "name": stage.name,
                    "low": finite(stage.low),
                    "high": finite(stage.high),
                    "values": list(map(finite, stage.values)),
                    "parent": stage.parent,
                    "reason": stage.reason,
                    "dimensions": [dict(each) for each in stage.dimensions],
                    "race": stage.race and stage.race.shown(places),
                    "cut": stage.cut and stage.cut.shown(places),
                }
                for stage in self.stages
            ],
            "trials": trial_rows(self.trials),
            "comparison": None if comparison is None else _comparison_json(comparison),
            "notes": [note.spelled(spelling) for note in self.notes],
        }


def rank_trials(
    trials: Iterable[RankedTrial], stages: Sequence[str] = (), by: str = "accuracy"
) -> tuple[RankedTrial, ...]:
    """Return the trials, best first, with their ranks.

    Complete trials come by mean validation accuracy, or another metric, then lower validation loss,
    then stage, then number. The others have no rank and follow by state, stage and number. Nor have
    those whose metric is not known.

    Args:
        trials: In any order; ranks they have are forgotten.
        stages: Stages in the order they were searched; others follow by name.
        by: The metric.
    """
    place = {name: position for position, name in enumerate(stages)}
    metric = metric_named(by)
    value, sign = metric.of, metric.sign
    trials = list(trials)
    lacking = set() if by == "accuracy" else {id(t) for t in trials if value(t) is None}

    def key(trial: RankedTrial) -> tuple[Any, ...]:
        score = (0.0, 0.0)
        if trial.state == "complete":
            known = value(trial)
            score = score_key(known and sign * known, trial.validation_loss)
        stage = (place.get(trial.stage, len(place)), trial.stage)
        return (_STATE[trial.state], *score, *stage, trial.trial)

    # As `_replace` would, in a third of its time.
    return tuple(
        RankedTrial._make(
            (
                *trial[:_RANK],
                position if trial.state == "complete" and id(trial) not in lacking else None,
                *trial[_RANK + 1 :],
            )
        )
        for position, trial in enumerate(sorted(trials, key=key), start=1)
    )


def top(ranking: Iterable[RankedTrial], k: int) -> tuple[RankedTrial, ...]:
    """Return the ``k`` best complete trials of a ranking, or all; of equal parameters the first."""
    best: list[RankedTrial] = []
    for trial in ranking:
        known = any(dict(trial.params) == dict(other.params) for other in best)
        if trial.rank is not None and not known and len(best) < k:
            best.append(trial)
    return tuple(best)


def judged(
    ranking: Sequence[RankedTrial],
    values: Mapping[tuple[str, int], Mapping[int, float]],
    n_samples: int,
    read: Callable[[Sequence[RankedTrial]], Sequence[Mapping[int, bytes]]] | None = None,
    how: "How | None" = None,
) -> tuple[tuple[RankedTrial, ...], Comparison | None]:
    """Return a ranking with what can be said of each trial, and how trials were compared.

    Args:
        ranking: Best first.
        values: Validation accuracy of each replicate, by stage and trial; of a trial with one
            it need not be there. Or another score of which more is better.
        n_samples: Validation samples; 0 if that is not known.
        read: Returns what the replicates of some trials predicted for each sample, packed, as far
            as it was kept; called for those alone that are compared sample by sample.
        how: By which metric; ``None`` for the accuracy.
    """
    from coarsefine.studies.results.evidence.looks import Looks
    from coarsefine.studies.results.judging.trials import compare

    how = how or How()
    metric = metric_named("accuracy" if how.scorer is None else how.scorer.metric)
    score = metric.of
    positions, measured = list[int](), list[Measured]()
    for position, trial in enumerate(ranking):
        value = score(trial)
        if trial.state != "complete" or value is None or math.isnan(value):
            continue
        place = (trial.stage, trial.trial)
        known = values.get(place)
        if known is None:
            known = {0: metric.sign * value} if trial.replicates == 1 else {}
        positions.append(position)
        measured.append(Measured(point_of(trial.params), known, how.noise.get(place)))
    if not measured:
        return tuple(ranking), None

    def outcomes(of: Sequence[int]) -> dict[int, Mapping[int, bytes]]:
        trials = [ranking[positions[i]] for i in of]
        return {} if read is None else dict(zip(of, read(trials), strict=True))

    race = None
    if how.looks is not None:
        places = (ranking[p][:2] for p in positions)
        least, most = how.looks
        race = Looks(least, most), frozenset(i for i, at in enumerate(places) if at in how.left)
    verdicts, comparison = compare(
        measured, n_samples, outcomes, how.scorer, how.seeds, race, how.indifference
    )
    if comparison is not None:
        names = tuple(":".join(map(str, ranking[positions[i]][:2])) for i in comparison.without)
        comparison = replace(comparison, without=names)
    found = list(ranking)
    for position, verdict in zip(positions, verdicts, strict=True):
        found[position] = RankedTrial._make((*found[position][:_JUDGED], *verdict))
    return tuple(found), comparison


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    known = asdict(replace(comparison, judged=None)).items()
    plain = {n: list(value) if isinstance(value, tuple) else value for n, value in known}
    return {"confidence": CONFIDENCE, **{n: v for n, v in plain.items() if n != "judged"}}
