"""What each kernel claims, what it costs, and which function it is.

Nothing here imports numba: that is for whoever trains with it.
"""

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.errors import ModelError
from coarsefine.models.evaluation import Evaluates, Evaluator
from coarsefine.models.kernels import reference
from coarsefine.models.kernels.codes import ACTIVATION_CODES, FOLLOWED, OPTIMIZER_CODES
from coarsefine.models.kernels.rows import MOST_FEATURES
from coarsefine.models.kernels.stretch import MakesUpdates
from coarsefine.models.specs import (
    SPARSE_KERNELS,
    VALUE_BYTES,
    Hyperparameters,
    KernelName,
    NetworkSpec,
    TrainingSpec,
)

# The kernels that are planned. Studies with earlier ones are carried on with these.
SPARSE: KernelName = "sparse-3"
DENSE: KernelName = "dense-3"
COMPILED = (SPARSE, DENSE)

# Seconds a worker takes to import numba and compile, the first time on a machine (docs/speed.md).
# Later it reads what was compiled, in a tenth of that.
START_SECONDS: dict[KernelName, float] = {SPARSE: 6.5, DENSE: 5.5}
# Sparse rows a worker may hold, in bytes: they come on top of the samples, which workers share.
MOST_BYTES = 2**28
# Operations of a product from which on BLAS may share it among cores (``studies.planning``).
_SHARED_OPERATIONS = 1e9

# Kernels that leave measuring to the reference.
_ONLY_UPDATES: tuple[KernelName, ...] = ("numpy", "sparse-1", "dense-1")
COMPILED_LOSSES = ("cross-entropy", "squared-error")


def claims(
    kernel: KernelName,
    network: NetworkSpec,
    training: TrainingSpec,
    trials: Sequence[Hyperparameters] = (),
) -> bool:
    """Return whether a compiled kernel can train this; all else is for the reference."""
    if kernel in SPARSE_KERNELS:
        shapes = not network.hidden and training.optimizer == "sgd"
        shapes = shapes and network.n_features <= MOST_FEATURES
    else:
        largest = max(a * b for a, b in pairwise(network.widths))
        shapes = network.activation in ACTIVATION_CODES and training.optimizer in OPTIMIZER_CODES
        shapes = shapes and 2 * training.batch_size * largest < _SHARED_OPERATIONS
    return (
        shapes
        and not network.batch_norm
        and not network.bias_row
        and all(
            getattr(trial, field.name) == field.default
            for field in fields(Hyperparameters)
            if field.name not in FOLLOWED
            for trial in trials
        )
        and network.loss in COMPILED_LOSSES
        and training.class_weights is None
        and not training.changes_samples
        and not training.snapshots
        and not training.running
    )


# What updates cost, in seconds, on the scale of ``studies.planning.cohorts``.

# Fitted to updates of 784-10 at batch sizes 1, 10 and 100 with 1 to 16 trials (docs/speed.md).
_PER_UPDATE = 0.4e-6
_PER_TRIAL = 0.1e-6
_PER_SCORE = 3e-9
_PER_NUMBER = 0.4e-9
_PER_VECTOR = 0.7e-9
_LANES = {"float32": 8, "float64": 4}


def sparse_seconds(
    network: NetworkSpec, training: TrainingSpec, n_trials: int, density: float
) -> float:
    """Return about how long the sparse kernel takes for one update of a cohort.

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


# Fitted to updates of 3072-50-10, 784-64-10, 784-128-128-10 and 64-50-10 at batch sizes 1 to 1,000.
_PER_DENSE_UPDATE = 0.5e-6
_PER_UNIT = 2.1e-9  # of each sample: activation, softmax, derivatives
_PER_PRODUCT = 1 / 6.7e10
_PANEL = 16  # lanes that a layer's units, or an upper layer's of each trial, are filled up to
_PER_WEIGHT = {
    "sgd": 0.25e-9,
    "momentum": 0.3e-9,
    "nesterov": 0.3e-9,
    "rmsprop": 0.6e-9,
    "adam": 0.65e-9,
    "adamw": 0.65e-9,
}
# Samples, activations and deltas of a batch that a core has near; products of more take longer.
_CACHED_BYTES = 2**24
_FAR = 1.35
# What the reference takes beside the products: for each unit of a sample; and for each weight, with
# optimizers that a compiled kernel has: its passes over arrays of weights, and with plain descent
# what its products take beyond the estimate for large matrices.
_PER_REFERENCE_UNIT = 4e-9
_PER_REFERENCE_WEIGHT = {
    "sgd": 0.3e-9,
    "momentum": 0.7e-9,
    "nesterov": 1.0e-9,
    "rmsprop": 1.5e-9,
    "adam": 2.0e-9,
    "adamw": 2.0e-9,
}


def dense_seconds(network: NetworkSpec, training: TrainingSpec, n_trials: int) -> float:
    """Return how long the dense kernel takes for one update of a cohort; arguments likewise."""
    first, *others = pairwise(network.widths)
    lanes = _PANEL * -(-n_trials * first[1] // _PANEL)
    products = 2.0 * first[0] * lanes
    for below, above in others:
        products += n_trials * 3 * below * _PANEL * -(-above // _PANEL)
    units = n_trials * sum(network.widths[1:])
    cells = 2 * training.batch_size * (first[0] + units)
    if cells * VALUE_BYTES[training.precision] > _CACHED_BYTES:
        products *= _FAR
    per_sample = products * _PER_PRODUCT + units * _PER_UNIT
    weights = n_trials * _n_weights(network)
    return (
        _PER_DENSE_UPDATE
        + training.batch_size * per_sample
        + weights * _PER_WEIGHT[training.optimizer]
    )


def reference_passes(network: NetworkSpec, training: TrainingSpec, n_trials: int) -> float:
    """Return about how long the reference takes beside an update's products."""
    units = training.batch_size * sum(network.widths[1:]) * _PER_REFERENCE_UNIT
    return n_trials * (units + _n_weights(network) * _PER_REFERENCE_WEIGHT[training.optimizer])


def _n_weights(network: NetworkSpec) -> int:
    return sum(a * b for a, b in pairwise(network.widths))


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
    from coarsefine.models.kernels import dense, sparse

    return sparse.make_updates if plan.kernel in SPARSE_KERNELS else dense.make_updates


def evaluator(plan: CohortPlan, n_trials: int) -> Evaluates:
    """Return what measures some of a plan's trials.

    Raises:
        ModelError: As ``kernel``.
    """
    if plan.kernel in _ONLY_UPDATES:
        return Evaluator(plan.network, n_trials, plan.dtype)
    kernel(plan)
    from coarsefine.models.kernels.measuring import CompiledEvaluator

    return CompiledEvaluator(plan, n_trials)


def why_unavailable() -> str | None:
    """Return why nothing can be compiled here; ``None`` if it can. Imports numba."""
    try:
        import numba  # noqa: F401
    except Exception as error:  # with a NumPy that is too new for it, numba raises as it likes
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
