"""What each kernel claims, what it costs, and which function it is.

Nothing here imports numba: that is for whoever trains with it.
"""

from collections.abc import Iterable

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.errors import ModelError
from coarsefine.models.kernels import reference
from coarsefine.models.kernels.rows import MOST_FEATURES
from coarsefine.models.kernels.stretch import MakesUpdates
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec

# Seconds a worker takes to import numba and compile an epoch, the first time on a machine. Later
# it reads what was compiled, in a fifth of that.
START_SECONDS = 5.0
# Sparse rows a worker may hold, in bytes: they come on top of the samples, which workers share.
MOST_BYTES = 2**28

# What an update costs, in seconds, on the scale of ``studies.planning.cohorts``: fitted to updates
# of 784-10 at batch sizes 1, 10 and 100 with 1 to 16 trials (docs/speed.md).
_PER_UPDATE = 0.4e-6
_PER_TRIAL = 0.1e-6
_PER_SCORE = 3e-9
_PER_NUMBER = 0.4e-9
_PER_VECTOR = 0.7e-9
_LANES = {"float32": 8, "float64": 4}
COMPILED_LOSSES = ("cross-entropy", "squared-error")


def claims(
    network: NetworkSpec, training: TrainingSpec, trials: Iterable[Hyperparameters] = ()
) -> bool:
    """Return whether the compiled kernel can train this; all else is for the reference."""
    return (
        not network.hidden
        and not any(trial.clip_norm or trial.label_smoothing for trial in trials)
        and training.optimizer == "sgd"
        and network.loss in COMPILED_LOSSES
        and training.class_weights is None
        and not training.changes_samples
        and not training.snapshots
        and not training.running
        and network.n_features <= MOST_FEATURES
    )


def update_seconds(
    network: NetworkSpec, training: TrainingSpec, n_trials: int, density: float
) -> float:
    """Return about how long the compiled kernel takes for one update of a cohort.

    Args:
        network: What is trained; the kernel claims it.
        training: How.
        n_trials: Of the cohort.
        density: Share of numbers that are not their column's usual value.
    """
    n_scores = n_trials * network.n_classes
    vectors = -(-n_scores // _LANES[training.precision])
    numbers = density * network.n_features
    per_sample = n_scores * _PER_SCORE + numbers * (_PER_NUMBER + vectors * _PER_VECTOR)
    return _PER_UPDATE + n_trials * _PER_TRIAL + training.batch_size * per_sample


def kernel(plan: CohortPlan) -> MakesUpdates:
    """Return what makes the updates of a plan.

    Raises:
        ModelError: If it is a compiled kernel, and nothing can be compiled here.
    """
    if plan.kernel == "numpy":
        return reference.make_updates
    reason = why_unavailable()
    if reason is not None:
        raise ModelError(
            f"the training was planned with the compiled kernel {plan.kernel}, and numba cannot be "
            f"imported ({reason}): install it with `pip install numba`"
        )
    from coarsefine.models.kernels import sparse

    return sparse.make_updates


def why_unavailable() -> str | None:
    """Return why nothing can be compiled here; ``None`` if it can. Imports numba."""
    try:
        import numba  # noqa: F401
    except Exception as error:  # with a NumPy that is too new for it, numba raises as it likes
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
