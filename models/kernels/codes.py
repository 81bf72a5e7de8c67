"""What compiled kernels have; all else is for the reference.

Activations and optimizers of the dense kernel are by the number that its branches know them by.
"""

from typing import Final

ACTIVATION_CODES: Final[dict[str, int]] = {
    "relu": 0,
    "leaky-relu": 1,
    "sigmoid": 2,
    "tanh": 3,
    "improved-sigmoid": 4,
}
OPTIMIZER_CODES: Final[dict[str, int]] = {
    "sgd": 0,
    "momentum": 1,
    "nesterov": 2,
    "rmsprop": 3,
    "adam": 4,
    "adamw": 4,
}
# The hyperparameters that every compiled kernel follows.
FOLLOWED: Final = frozenset(
    {"l2_strength", "learning_rate", "eta_min", "eta_max", "half_cycle", "step_factor"}
    | {"step_every", "eta_decay", "cycle_factor", "warm_up", "momentum", "beta1", "beta2"}
    | {"decoupled_decay"}
)
