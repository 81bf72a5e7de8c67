"""What grids of values are compared by besides accuracy: time, updates, when training stopped.

A trial's figures are means over its replicates, read from its runs and the ends of their curves.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EpochRecord, RunRecord
from coarsefine.studies.results.ranking import RankedTrial, Ranking


@dataclass(frozen=True, slots=True)
class Compared:
    """A trial with what it took.

    Attributes:
        trial: Its place in the ranking.
        seconds: Of training, a replicate, measurements not counted.
        evaluation_seconds: Of these measurements.
        updates: Made until the training stopped.
        epochs: Until the training stopped; the last may be a part of one.
        best_epoch: With the highest validation accuracy.
        best_accuracy: Validation accuracy there, in [0, 1].
        running_accuracy: Mean over the last epoch of the accuracy on each batch before its update,
            in [0, 1]; ``None`` where it was not asked for.
        squared_weights: Σ W² in the end, biases not counted; ``None`` of older curves.
        train_loss: Re-evaluated at the end, without penalty.
        on_front: Whether no other trial is both faster and more accurate.
    """

    trial: RankedTrial
    seconds: float | None
    evaluation_seconds: float | None
    updates: float | None
    epochs: float | None
    best_epoch: float | None
    best_accuracy: float | None
    running_accuracy: float | None
    train_loss: float | None
    squared_weights: float | None = None
    on_front: bool = False


def compared(database: Database, ranking: Ranking) -> tuple[Compared, ...]:
    """Return all trials of a ranking with what they took, in the order of their values."""
    by_uuid = {row.uuid: row for row in repository.trial_rows(database, ranking.study)}
    runs: dict[int, list[RunRecord]] = defaultdict(list)
    for run in repository.run_rows(database, ranking.study):
        runs[run.trial_id].append(run)
    curves: dict[int, list[EpochRecord]] = defaultdict(list)
    for row in repository.epoch_rows(database, study=ranking.study):
        curves[row.run_id].append(row)
    rows = [by_uuid[trial.uuid or ""] for trial in ranking.trials]
    found = [
        (row.stage_position, row.position, _compared(trial, runs[row.id], curves))
        for trial, row in zip(ranking.trials, rows, strict=True)
    ]
    in_order = [each for _, _, each in sorted(found, key=lambda each: each[:2])]
    front = pareto_front(
        [
            (each.seconds, each.trial.validation_accuracy)
            if each.seconds is not None and each.trial.validation_accuracy is not None
            else None
            for each in in_order
        ]
    )
    return tuple(replace(each, on_front=i in front) for i, each in enumerate(in_order))


def pareto_front(points: Sequence[tuple[float, float] | None]) -> set[int]:
    """Return which points have none that is at least as fast and as accurate, and better in one.

    Args:
        points: Seconds and accuracy; ``None`` for what is not comparable.

    >>> sorted(pareto_front([(1, 0.5), (2, 0.9), (3, 0.8), None]))
    [0, 1]
    """
    known = [(i, point) for i, point in enumerate(points) if point is not None]
    return {
        i
        for i, (time, accuracy) in known
        if not any(
            other[0] <= time and other[1] >= accuracy and other != (time, accuracy)
            for _, other in known
        )
    }


def recommended(
    rows: Sequence[Compared], tied: Callable[[RankedTrial], bool]
) -> tuple[Compared, str] | None:
    """Return the trial to begin with, and why: the fastest of those tied with the best.

    Args:
        rows: All that were compared.
        tied: Whether a trial is the best or tied with it.
    """
    complete = [row for row in rows if row.trial.rank is not None and row.seconds is not None]
    if not complete:
        return None
    best = min(complete, key=lambda row: row.trial.rank or 0)
    candidates = [row for row in complete if row is best or tied(row.trial)]
    chosen = min(candidates, key=lambda row: row.seconds or 0.0)
    slowest = max(complete, key=lambda row: row.seconds or 0.0)
    if chosen is best:
        reason = "the most accurate"
        if best.seconds == min(row.seconds or 0.0 for row in complete):
            reason += ", and the fastest"
    else:
        ratio = (best.seconds or 0.0) / (chosen.seconds or 1e-9)
        reason = f"as accurate as the best within noise, in 1/{ratio:.3g} of its time"
    if slowest is not chosen:
        ratio = (slowest.seconds or 0.0) / (chosen.seconds or 1e-9)
        reason += f"; the slowest takes {ratio:.3g} times as long"
    return chosen, reason


def _compared(
    trial: RankedTrial, runs: Sequence[RunRecord], curves: dict[int, list[EpochRecord]]
) -> Compared:
    ends = [curves[run.id][-1] for run in runs if curves[run.id]]
    best = [
        max(row.validation_accuracy or 0.0 for row in curves[run.id])
        for run in runs
        if curves[run.id]
    ]
    return Compared(
        trial=trial,
        seconds=_mean([run.seconds for run in runs]),
        evaluation_seconds=_mean(
            [sum(row.evaluation_seconds or 0.0 for row in curves[run.id]) for run in runs]
        ),
        updates=_mean([run.updates for run in runs]),
        epochs=_mean([run.epochs for run in runs]),
        best_epoch=_mean([_best_epoch(curves[run.id]) for run in runs]),
        best_accuracy=_mean(best),
        running_accuracy=_mean([getattr(row, "running_accuracy", None) for row in ends]),
        train_loss=_mean([run.train_loss for run in runs]),
        squared_weights=_mean([row.squared_weights for row in ends]),
    )


def _best_epoch(curve: Sequence[EpochRecord]) -> float | None:
    if not curve:
        return None
    return max(curve, key=lambda row: (row.validation_accuracy or 0.0, -row.epoch)).epoch


def _mean(values: Sequence[float | int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def took(database: Database, ranking: Ranking) -> tuple[Compared, ...] | None:
    """Return what each trial of a grid of values took; ``None`` of other searches."""
    return None if ranking.refines else compared(database, ranking)
