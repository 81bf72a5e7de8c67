"""How weights start. Biases start at 0."""

import math
from collections.abc import Callable

from models.specs import NetworkSpec

# Each gives the standard deviation of a layer's normally distributed weights.
INITIALISATIONS: dict[str, Callable[[NetworkSpec, int], float]] = {
    # He et al., Delving Deep into Rectifiers (2015), eq. 10.
    "he": lambda spec, fan_in: math.sqrt(2 / fan_in),
    # Glorot & Bengio (2010) in the form that courses use, after LeCun et al. (1998), eq. 16.
    "xavier": lambda spec, fan_in: math.sqrt(1 / fan_in),
    "normal": lambda spec, fan_in: spec.sigma,
    "zero": lambda spec, fan_in: 0.0,
}
