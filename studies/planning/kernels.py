"""Which kernel a study's training runs are given: a function of what is trained, and stored."""

from collections.abc import Sequence
from functools import lru_cache

from coarsefine.models.data import PreparedData
from coarsefine.models.kernels.choice import (
    MOST_BYTES,
    START_SECONDS,
    claims,
    update_seconds,
    why_unavailable,
)
from coarsefine.models.kernels.rows import usual_values
from coarsefine.models.specs import Hyperparameters, KernelName, NetworkSpec, TrainingSpec
from coarsefine.studies.planning import cohorts

# Bytes of a number's column and, beside it, of its value.
_COLUMN_BYTES = 2
_VALUE_BYTES = {"float32": 4, "float64": 8}


def saved_seconds(
    network: NetworkSpec,
    training: TrainingSpec,
    data: PreparedData,
    widths: Sequence[int],
    n_workers: int,
    trials: Sequence[Hyperparameters] = (),
) -> float:
    """Return about how much sooner the compiled kernel ends than the reference, per worker.

    Starting it is counted, as it is where nothing was compiled before. Where it could save nothing,
    or claims nothing, the data is not looked at.

    Args:
        network: What is trained.
        training: How.
        data: Its samples say how sparse they are.
        widths: Trials of each cohort, of all replicates.
        n_workers: How many cohorts are trained at the same time.
        trials: Their hyperparameters.
    """
    if not claims(network, training, trials):
        return -START_SECONDS
    share = training.n_updates / min(n_workers, len(widths))
    usual = share * sum(
        cohorts.update_seconds(network, training.batch_size, width) for width in widths
    )
    if usual <= START_SECONDS:
        return usual - START_SECONDS
    density = _density(data)
    numbers = density * network.n_features * data.n_train
    if numbers * (_COLUMN_BYTES + _VALUE_BYTES[training.precision]) > MOST_BYTES:
        return -START_SECONDS
    compiled = share * sum(update_seconds(network, training, width, density) for width in widths)
    return usual - compiled - START_SECONDS


@lru_cache(maxsize=16)
def _density(data: PreparedData) -> float:
    return usual_values(data.open().x_train)[1]


def planned_kernel(seconds: float) -> KernelName:
    """Return the kernel of training runs for which the compiled one saves so many seconds."""
    return "sparse-1" if seconds > 0 and why_unavailable() is None else "numpy"


def missing_note(seconds: float) -> str | None:
    """Return a line for the user if the compiled kernel would pay and cannot be had."""
    if seconds <= 0 or (reason := why_unavailable()) is None:
        return None
    return (
        f"the training takes about {max(1, round(seconds)):,} s longer than it needs to: numba "
        f"cannot be imported ({reason})"
    )
