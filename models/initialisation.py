"""How weights start. Biases start at 0."""

import math
from collections.abc import Callable

import numpy as np

from coarsefine.models.arrays import Array
from coarsefine.models.specs import NetworkSpec

Draw = Callable[[np.random.Generator, NetworkSpec, int, int], Array]
"""Returns a layer's weights, (fan_out, fan_in), from a generator, the network and both widths."""


def _normal(deviation: Callable[[NetworkSpec, int], float]) -> Draw:
    def draw(rng: np.random.Generator, spec: NetworkSpec, fan_in: int, fan_out: int) -> Array:
        return rng.standard_normal((fan_out, fan_in)) * deviation(spec, fan_in)

    return draw


def _uniform(half_width: Callable[[NetworkSpec, int, int], float]) -> Draw:
    def draw(rng: np.random.Generator, spec: NetworkSpec, fan_in: int, fan_out: int) -> Array:
        width = half_width(spec, fan_in, fan_out)
        return rng.uniform(-width, width, (fan_out, fan_in))

    return draw


INITIALISATIONS: dict[str, Draw] = {
    # He et al., Delving Deep into Rectifiers (2015), eq. 10.
    "he": _normal(lambda spec, fan_in: math.sqrt(2 / fan_in)),
    # Glorot & Bengio (2010) in the form that courses use, after LeCun et al. (1998), eq. 16.
    "xavier": _normal(lambda spec, fan_in: math.sqrt(1 / fan_in)),
    # Glorot & Bengio (2010), eq. 16, the default of Keras.
    "glorot-uniform": _uniform(lambda spec, fan_in, fan_out: math.sqrt(6 / (fan_in + fan_out))),
    "normal": _normal(lambda spec, fan_in: spec.sigma),
    "uniform": _uniform(lambda spec, fan_in, fan_out: spec.sigma),
    "zero": _normal(lambda spec, fan_in: 0.0),
}
