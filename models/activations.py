"""Activation functions, each with its derivative right under it.

All work in place and take their derivative from the activation itself, so that a network keeps
one array a layer. A new one is a class here and a line in ``ACTIVATIONS``.
"""

from typing import Protocol

import numpy as np

from coarsefine.models.arrays import Array
from coarsefine.models.specs import NetworkSpec


class Activation(Protocol):
    """A function applied to every element of a layer.

    Attributes:
        kink_at: The activation at which its derivative jumps; ``None`` where it is smooth.
        in_numpy: The function of ``{0}`` as NumPy has it, for programs without this package.
    """

    kink_at: float | None
    in_numpy: str

    def forward(self, z: Array) -> None:
        """Turn pre-activations ``z`` of any shape into activations, in place."""

    def backward(self, delta: Array, a: Array) -> None:
        """Multiply ``delta`` with the derivative where the activation is ``a``, in place."""


class ReLU:
    """``max(0, z)``; its derivative at 0 is taken as 0."""

    kink_at: float | None = 0.0
    in_numpy = "np.maximum({0}, 0)"

    def forward(self, z: Array) -> None:
        """Turn ``z`` into ``max(0, z)``."""
        np.maximum(z, 0, out=z)

    def backward(self, delta: Array, a: Array) -> None:
        """Pass ``delta`` on where the unit is active."""
        # The sign of an activation that is >= 0 is the derivative, already in delta's type:
        # half the time of a boolean mask, which NumPy would convert on the way.
        delta *= np.sign(a)


class LeakyReLU:
    """``z`` above 0 and ``slope z`` below: Maas et al., Rectifier Nonlinearities (2013)."""

    kink_at: float | None = 0.0

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope
        self.in_numpy = f"np.where((z := {{0}}) > 0, z, {slope!r} * z)"

    def forward(self, z: Array) -> None:
        """Turn ``z`` into ``max(z, slope z)``."""
        # The slope is below 1.
        np.maximum(z, self.slope * z, out=z)

    def backward(self, delta: Array, a: Array) -> None:
        """Multiply with 1 where the unit is active, else with the slope."""
        delta *= np.where(a > 0, a.dtype.type(1), a.dtype.type(self.slope))


class Sigmoid:
    """``1 / (1 + exp(-z))``."""

    kink_at: float | None = None
    in_numpy = "0.5 * np.tanh(0.5 * ({0})) + 0.5"

    def forward(self, z: Array) -> None:
        """Turn ``z`` into its logistic function."""
        # By way of tanh: no overflow at either end, and vectorised by NumPy.
        z *= 0.5
        np.tanh(z, out=z)
        z *= 0.5
        z += 0.5

    def backward(self, delta: Array, a: Array) -> None:
        """Multiply with ``a (1 - a)``."""
        delta *= a
        delta *= 1 - a


class Tanh:
    """``tanh(z)``."""

    kink_at: float | None = None
    in_numpy = "np.tanh({0})"

    def forward(self, z: Array) -> None:
        """Turn ``z`` into ``tanh(z)``."""
        np.tanh(z, out=z)

    def backward(self, delta: Array, a: Array) -> None:
        """Multiply with ``1 - a²``."""
        delta *= 1 - a * a


class ImprovedSigmoid:
    """``1.7159 tanh(2 z / 3)``, LeCun et al., Efficient BackProp (1998), section 4.4."""

    kink_at: float | None = None
    amplitude = 1.7159
    slope = 2 / 3
    in_numpy = "1.7159 * np.tanh(2 / 3 * ({0}))"

    def forward(self, z: Array) -> None:
        """Turn ``z`` into ``1.7159 tanh(2 z / 3)``."""
        z *= self.slope
        np.tanh(z, out=z)
        z *= self.amplitude

    def backward(self, delta: Array, a: Array) -> None:
        """Multiply with ``slope (amplitude - a² / amplitude)``."""
        derivative = a * a
        derivative *= -self.slope / self.amplitude
        derivative += self.slope * self.amplitude
        delta *= derivative


ACTIVATIONS: dict[str, Activation] = {
    "relu": ReLU(),
    "leaky-relu": LeakyReLU(),
    "sigmoid": Sigmoid(),
    "improved-sigmoid": ImprovedSigmoid(),
    "tanh": Tanh(),
}


def activation_of(spec: NetworkSpec) -> Activation:
    """Return the activation of a network's hidden layers."""
    return (
        LeakyReLU(spec.slope) if spec.activation == "leaky-relu" else ACTIVATIONS[spec.activation]
    )
