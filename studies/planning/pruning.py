"""Which trials a search stops early: the worse half at each rung, but none that may be the best.

Successive halving (Jamieson & Talwalkar, Non-stochastic Best Arm Identification, 2016) stops half
of the trials at each rung. Where a curve is flat, half of the best are stopped with them, by
chance. So a trial that is tied with the leader is spared: what is stopped is worse, not unlucky.
"""

import math
from collections.abc import Mapping

from coarsefine.hints import option
from coarsefine.studies.errors import StudyError

HALVING = "halving"
PRUNERS = ("none", HALVING)

# Two-sided 99 %: with some 30 trials at 3 rungs, 95 % would stop good ones now and then.
_Z = 2.576


def rungs(n_epochs: int) -> tuple[int, ...]:
    """Return after which epochs trials are compared: an eighth, a quarter and half of them.

    >>> rungs(8)
    (1, 2, 4)
    >>> rungs(3)
    (1,)
    """
    return tuple(sorted({n_epochs // part for part in (8, 4, 2)} - {0, n_epochs}))


def check_metric(metric: str | None, prune: str) -> None:
    """Refuse to prune by what is known at the end of a training only.

    Raises:
        StudyError: If curves do not hold the metric.
    """
    if prune == HALVING and metric not in {None, "accuracy", "loss"}:
        raise StudyError(
            f"pruning goes by accuracy or loss, which curves hold; got {metric}, which is known at "
            "the end of each training only: leave out ",
            option("prune"),
        )


def to_stop(
    accuracies: Mapping[str, float],
    epoch: int,
    n_measured: int,
    losses: Mapping[str, float] | None = None,
) -> set[str]:
    """Return the trials to stop: in the worse half by Optuna's pruner, and not tied with the best.

    Args:
        accuracies: Mean validation accuracy at the rung, by trial UUID, in [0, 1].
        epoch: The rung.
        n_measured: Validation samples that an accuracy is the share of, over all replicates.
        losses: Mean validation loss there, if that is what trials are ranked by. Trials are then
            tied with the lowest loss by their accuracies: curves do not hold what a loss varies by.
    """
    if len(accuracies) < 2:
        return set()
    from coarsefine.db.optuna.sampling import worse_half

    scores, best = accuracies, max(accuracies.values())
    if losses is not None:
        scores = {trial: -loss for trial, loss in losses.items()}
        best = accuracies[max(scores, key=lambda trial: scores[trial])]
    return {
        trial
        for trial in worse_half(scores, epoch)
        if best - accuracies[trial] > tie_margin(best, accuracies[trial], n_measured)
    }


def tie_margin(a: float, b: float, n_measured: int) -> float:
    """Return the difference of two accuracies up to which they are tied.

    That of two independent binomial shares. Trials are measured on the same samples, so that their
    differences vary less: fewer trials are stopped than could be.
    """
    return _Z * math.sqrt((a * (1 - a) + b * (1 - b)) / n_measured)
