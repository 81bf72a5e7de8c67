"""How weights start. Biases start at 0 unless ``bias_sigma`` or ``bias_row`` says otherwise."""

import math
from collections.abc import Callable

import numpy as np

from coarsefine.models.arrays import Array
from coarsefine.models.specs import NetworkSpec

Draw = Callable[[np.random.Generator, NetworkSpec, int], Array]
"""Returns weights, (fan_out, fan_in), from a generator, the network and the layer's number.

The last column of a layer with a bias row is its biases.
"""


def _fans(spec: NetworkSpec, layer: int) -> tuple[int, int]:
    """Return how many inputs and how many units a layer has."""
    return spec.fan_in(layer), spec.widths[layer + 1]


def _normal(deviation: Callable[[NetworkSpec, int], float]) -> Draw:
    def draw(rng: np.random.Generator, spec: NetworkSpec, layer: int) -> Array:
        fan_in, fan_out = _fans(spec, layer)
        return rng.standard_normal((fan_out, fan_in)) * deviation(spec, layer)

    return draw


def _uniform(half_width: Callable[[NetworkSpec, int], float]) -> Draw:
    def draw(rng: np.random.Generator, spec: NetworkSpec, layer: int) -> Array:
        fan_in, fan_out = _fans(spec, layer)
        width = half_width(spec, layer)
        return rng.uniform(-width, width, (fan_out, fan_in))

    return draw


# As reports say them; N has a variance.
FORMULAS: dict[str, str] = {
    "he": "N(0, 2/fan in)",
    "xavier": "N(0, 1/fan in)",
    "hidden-width": "N(0, 1/hidden units)",
    "glorot-uniform": "U(−√(6/(fan in + fan out)), √(6/(fan in + fan out)))",
    "normal": "N(0, σ²)",
    "uniform": "U(−σ, σ)",
    "zero": "all 0",
}

INITIALISATIONS: dict[str, Draw] = {
    # He et al., Delving Deep into Rectifiers (2015), eq. 10.
    "he": _normal(lambda spec, layer: math.sqrt(2 / spec.fan_in(layer))),
    # Glorot & Bengio (2010) in the form that courses use, after LeCun et al. (1998), eq. 16.
    "xavier": _normal(lambda spec, layer: math.sqrt(1 / spec.fan_in(layer))),
    # N(0, 1/k), k being the hidden units that a layer leads to; those the last layer comes from.
    "hidden-width": _normal(
        lambda spec, layer: math.sqrt(1 / spec.widths[min(layer + 1, len(spec.hidden))])
    ),
    # Glorot & Bengio (2010), eq. 16, the default of Keras.
    "glorot-uniform": _uniform(lambda spec, layer: math.sqrt(6 / sum(_fans(spec, layer)))),
    "normal": _normal(lambda spec, layer: spec.sigma),
    "uniform": _uniform(lambda spec, layer: spec.sigma),
    "zero": _normal(lambda spec, layer: 0.0),
}
