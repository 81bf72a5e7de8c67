"""What ``dense-1`` has, by the number that its branches know it by; all else is not for it."""

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
