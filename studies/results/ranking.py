"""A ranking: which trial counts as best, and the shape in which it leaves the program."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from coarsefine.db.records import TrialState
from coarsefine.hints import Message, Spelling
from coarsefine.studies.results.column import finite
from coarsefine.studies.results.columns import trial_rows
from coarsefine.studies.results.statistics import (
    CONFIDENCE,
    Comparison,
    Interval,
    Measured,
    binomial_error,
)
from coarsefine.studies.spaces.dimensions import PARAMETERS, shown, sizes_of
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.states import STATES, score_key

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord

_STATE = {state: place for place, state in enumerate(STATES)}


class RankedTrial(NamedTuple):
    """A trial and its place in the ranking.

    A tuple, because there are tens of thousands: dataclasses take five times as long to make.

    Attributes:
        rank: From 1; ``None`` for a trial that is not complete, or not ranked yet.
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
        standard_error: Of the mean accuracy over several replicates, ``s / √R``; ``None`` for one.
        interval: 95 % interval of the accuracy for new seeds and new samples; see
            ``docs/statistics.md``.
        standard_deviation: Of the accuracy over replicates; ``None`` for one.
        difference: Of its accuracy and the best trial's, over the replicates that both have.
        margin: How large a difference may be by chance.
        tied: Whether it cannot be told from the best; of the best, whether there are others that
            cannot. ``None`` if it is not complete, or nothing is known of the noise.
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
    rank: int | None = None
    # From here on what ``judged`` finds, in the order of a ``Verdict``.
    standard_error: float | None = None
    interval: Interval | None = None
    standard_deviation: float | None = None
    difference: float | None = None
    margin: float | None = None
    tied: bool | None = None


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
        dimensions: Each parameter that was varied: its name, and the ends of its range or its
            values.
    """

    name: str
    low: float | None
    high: float | None
    values: Sequence[float]
    parent: str | None = None
    reason: str | None = None
    dimensions: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Ranking:
    """A study with its stages, and its trials, best first.

    Attributes:
        comparison: How trials were compared with the best; ``None`` if there is nothing to compare.
        notes: What the ranking should not be read without.
    """

    study: "StudyRecord"
    stages: tuple[StageSummary, ...]
    trials: tuple[RankedTrial, ...]
    comparison: Comparison | None = None
    notes: tuple[Message, ...] = ()

    @property
    def best(self) -> RankedTrial | None:
        """Return the first in the ranking, ``None`` if no trial is complete."""
        return self.trials[0] if self.trials and self.trials[0].rank == 1 else None

    @property
    def n_validation(self) -> int:
        """Return how many validation samples accuracies were measured on; 0 if not known."""
        return int(self.study.data.get("n_validation", 0))

    def error(self, trial: RankedTrial) -> float | None:
        """Return the standard error of a trial's validation accuracy.

        Over seeds where there are several, or else of the validation sample; ``None`` where neither
        is known.
        """
        if trial.replicates == 1 and self.n_validation and trial.validation_accuracy is not None:
            return binomial_error(trial.validation_accuracy, self.n_validation)
        return trial.standard_error

    @property
    def score(self) -> str:
        """Return which epoch of a trial all its measures are of: the ``final`` or the ``best``."""
        return str(self.study.recipe["training"].get("score", "final"))

    @property
    def sizes(self) -> dict[str, int]:
        """Return the greatest values that the data leave to parameters, by name."""
        n_train = self.study.data.get("n_train")
        return sizes_of(n_train, self.study.recipe["data"].get("train"))

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
        )

    def symbol(self, name: str) -> str:
        """Return a parameter's letter, or its name in words."""
        return PARAMETERS[name].symbol if name in PARAMETERS else name

    def to_json(self, spelling: Spelling = str) -> dict[str, Any]:
        """Return it for programs; ``spelling`` words the hints of its notes."""
        return ranking_json(
            study=self.study.name,
            data=self.study.data_name,
            seed=self.study.seed,
            score=self.score,
            stages=self.stages,
            trials=self.trials,
            comparison=self.comparison,
            notes=[note.spelled(spelling) for note in self.notes],
        )


def rank_trials(
    trials: Iterable[RankedTrial], stages: Sequence[str] = ()
) -> tuple[RankedTrial, ...]:
    """Return the trials, best first, with their ranks.

    Complete trials come by mean validation accuracy, then lower validation loss, then stage,
    then number. The others have no rank and follow by state, stage and number.

    Args:
        trials: In any order; ranks they have are forgotten.
        stages: Stages in the order they were searched; others follow by name.
    """
    place = {name: position for position, name in enumerate(stages)}

    def key(trial: RankedTrial) -> tuple[Any, ...]:
        score = (0.0, 0.0)
        if trial.state == "complete":
            score = score_key(trial.validation_accuracy, trial.validation_loss)
        stage = (place.get(trial.stage, len(place)), trial.stage)
        return (_STATE[trial.state], *score, *stage, trial.trial)

    # As `_replace` would, in a third of its time.
    return tuple(
        RankedTrial._make(
            (
                *trial[:_RANK],
                position if trial.state == "complete" else None,
                *trial[_RANK + 1 :],
            )
        )
        for position, trial in enumerate(sorted(trials, key=key), start=1)
    )


def top(ranking: Iterable[RankedTrial], k: int) -> tuple[RankedTrial, ...]:
    """Return the ``k`` best complete trials of a ranking, fewer if there are fewer.

    A second trial with the same parameters is passed over: it would be tested twice.
    """
    best: list[RankedTrial] = []
    for trial in ranking:
        known = any(dict(trial.params) == dict(other.params) for other in best)
        if trial.rank is not None and not known and len(best) < k:
            best.append(trial)
    return tuple(best)


def judged(
    ranking: Sequence[RankedTrial],
    accuracies: Mapping[tuple[str, int], Mapping[int, float]],
    n_samples: int,
    read: Callable[[Sequence[RankedTrial]], Sequence[Mapping[int, bytes]]] | None = None,
) -> tuple[tuple[RankedTrial, ...], Comparison | None]:
    """Return a ranking with what can be said of each trial, and how trials were compared.

    Args:
        ranking: Best first.
        accuracies: Validation accuracy of each replicate, by stage and trial; of a trial with one
            it need not be there.
        n_samples: Validation samples; 0 if that is not known.
        read: Returns what the replicates of some trials predicted for each sample, packed, as far
            as it was kept; called for those alone that are compared sample by sample.
    """
    from coarsefine.studies.results.judging import compare  # NumPy is not needed before

    positions: list[int] = []
    measured: list[Measured] = []
    for position, trial in enumerate(ranking):
        accuracy = trial.validation_accuracy
        if trial.state != "complete" or accuracy is None or math.isnan(accuracy):
            continue
        known = accuracies.get((trial.stage, trial.trial))
        if known is None:
            known = {0: accuracy} if trial.replicates == 1 else {}
        positions.append(position)
        measured.append(Measured(_point(trial.params), known))
    if not measured:
        return tuple(ranking), None

    def outcomes(of: Sequence[int]) -> dict[int, Mapping[int, bytes]]:
        trials = [ranking[positions[i]] for i in of]
        return {} if read is None else dict(zip(of, read(trials), strict=True))

    verdicts, comparison = compare(measured, n_samples, outcomes)
    found = list(ranking)
    for position, (_, known), verdict in zip(positions, measured, verdicts, strict=True):
        deviation = verdict.standard_deviation
        error = None if deviation is None else deviation / math.sqrt(len(known))
        found[position] = RankedTrial._make((*found[position][:_JUDGED], error, *verdict))
    return tuple(found), comparison


def _point(params: Mapping[str, Any]) -> Hashable:
    point = tuple(params.items())
    try:
        hash(point)
    except TypeError:
        return repr(point)
    return point


def ranking_json(
    *,
    study: str,
    data: str,
    seed: int,
    score: str = "final",
    stages: Iterable[StageSummary],
    trials: Iterable[RankedTrial],
    comparison: Comparison | None = None,
    notes: Iterable[str] = (),
) -> dict[str, Any]:
    """Return a ranking for programs: a stable contract, see ``docs/cli.md``.

    Numbers that are not finite are ``null``; so is what is not known.
    """
    return {
        "study": study,
        "data": data,
        "seed": seed,
        "score": score,
        "stages": [
            {
                "name": stage.name,
                "low": finite(stage.low),
                "high": finite(stage.high),
                "values": list(map(finite, stage.values)),
                "parent": stage.parent,
                "reason": stage.reason,
                "dimensions": [dict(each) for each in stage.dimensions],
            }
            for stage in stages
        ],
        "trials": trial_rows(list(trials)),
        "comparison": None if comparison is None else _comparison_json(comparison),
        "notes": list(notes),
    }


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    by_place = list(comparison.optimism_by_place)
    return {"confidence": CONFIDENCE, **asdict(comparison), "optimism_by_place": by_place}
