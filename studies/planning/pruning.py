"""Which trials a search stops early: the worse half at each rung, but none that may be the best.

Successive halving (Jamieson & Talwalkar, Non-stochastic Best Arm Identification, 2016) stops half
of the trials at each rung. Where a curve is flat, half of the best are stopped with them, by
chance. So a trial that is tied with the leader is spared: what is stopped is worse, not unlucky.
"""

import math
from collections.abc import Mapping

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


def to_stop(accuracies: Mapping[str, float], epoch: int, n_measured: int) -> set[str]:
    """Return the trials to stop: in the worse half by Optuna's pruner, and not tied with the best.

    Args:
        accuracies: Mean validation accuracy at the rung, by trial UUID, in [0, 1].
        epoch: The rung.
        n_measured: Validation samples that an accuracy is the share of, over all replicates.
    """
    if len(accuracies) < 2:
        return set()
    from coarsefine.db.optuna_sampling import worse_half

    best = max(accuracies.values())
    return {
        trial
        for trial in worse_half(accuracies, epoch)
        if best - accuracies[trial] > tie_margin(best, accuracies[trial], n_measured)
    }


def tie_margin(a: float, b: float, n_measured: int) -> float:
    """Return the difference of two accuracies up to which they are tied.

    That of two independent binomial shares. Trials are measured on the same samples, so that their
    differences vary less: fewer trials are stopped than could be.
    """
    return _Z * math.sqrt((a * (1 - a) + b * (1 - b)) / n_measured)
