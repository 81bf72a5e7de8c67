"""Which kernel a study's training runs are given: a function of what is trained, and stored."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from coarsefine.models.data import PreparedData
from coarsefine.models.kernels.choice import (
    COMPILED,
    DENSE,
    MOST_BYTES,
    SPARSE,
    START_SECONDS,
    claims,
    dense_seconds,
    reference_passes,
    sparse_seconds,
    why_unavailable,
)
from coarsefine.models.kernels.rows import usual_values
from coarsefine.models.specs import (
    VALUE_BYTES,
    Hyperparameters,
    KernelName,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.studies.planning import cohorts

# Bytes of a number's column, beside those of its value.
_COLUMN_BYTES = 2


class Saving(NamedTuple):
    """The compiled kernel that suits a training best.

    Attributes:
        kernel: Its name.
        seconds: About how much sooner it ends than the reference, per worker; negative where the
            reference is the better choice.
    """

    kernel: KernelName
    seconds: float


NOTHING_SAVED = Saving("numpy", -math.inf)


def saving(
    network: NetworkSpec,
    training: TrainingSpec,
    data: PreparedData,
    widths: Sequence[int],
    n_workers: int,
    trials: Sequence[Hyperparameters] = (),
) -> Saving:
    """Return what the best of the compiled kernels saves.

    Starting it is counted, as it is where nothing was compiled before. Where none could save
    anything, or none claims the training, the data is not looked at.

    Args:
        network: What is trained.
        training: How.
        data: Its samples say how sparse they are.
        widths: Trials of each cohort, of all replicates.
        n_workers: How many cohorts are trained at the same time.
        trials: Their hyperparameters.
    """
    claiming = [name for name in COMPILED if claims(name, network, training, trials)]
    if not claiming:
        return NOTHING_SAVED
    share = training.n_updates / min(n_workers, len(widths))
    usual = share * sum(
        cohorts.update_seconds(network, training.batch_size, width)
        + reference_passes(network, training, width)
        for width in widths
    )
    if usual <= min(START_SECONDS[name] for name in claiming):
        return NOTHING_SAVED
    seconds: dict[KernelName, float] = {}
    if DENSE in claiming:
        seconds[DENSE] = sum(dense_seconds(network, training, width) for width in widths)
    if SPARSE in claiming:
        density = _density(data)
        numbers = density * network.n_features * data.n_train
        if numbers * (_COLUMN_BYTES + VALUE_BYTES[training.precision]) <= MOST_BYTES:
            seconds[SPARSE] = sum(
                sparse_seconds(network, training, width, density) for width in widths
            )
    return max(
        (
            Saving(name, usual - share * each - START_SECONDS[name])
            for name, each in seconds.items()
        ),
        key=lambda saving: saving.seconds,
        default=NOTHING_SAVED,
    )


@lru_cache(maxsize=16)
def _density(data: PreparedData) -> float:
    return usual_values(data.open().x_train)[1]


def planned_kernel(saving: Saving) -> KernelName:
    """Return the kernel of training runs for which the best compiled one saves so much."""
    return saving.kernel if saving.seconds > 0 and why_unavailable() is None else "numpy"


def missing_note(seconds: float) -> str | None:
    """Return a line for the user if the compiled kernel would pay and cannot be had."""
    if seconds <= 0 or (reason := why_unavailable()) is None:
        return None
    return (
        f"the training takes about {max(1, round(seconds)):,} s longer than it needs to: numba "
        f"cannot be imported ({reason})"
    )
