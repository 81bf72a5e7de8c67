"""Which samples are images, and how they lie in a row of numbers."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_COLOURS: Final = 3
_GREY: Final = 2
# Smaller ones show nothing.
_LEAST_SIDE: Final = 2


def is_image(shape: tuple[int, ...]) -> bool:
    """Return whether samples of a shape are images: grey, or in three colours.

    >>> is_image((28, 28)), is_image((3, 32, 32)), is_image((64,)), is_image((5, 8, 8))
    (True, True, False, False)
    """
    if len(shape) == _COLOURS:
        first, _, last = shape
        if first in {1, _COLOURS}:
            shape = shape[1:]
        elif last in {1, _COLOURS}:
            shape = shape[:2]
    return len(shape) == _GREY and min(shape) >= _LEAST_SIDE


def channels_first(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return where in a row each pixel of an image is, (colours, height, width).

    >>> channels_first((4, 5, 3)).shape, int(channels_first((4, 5, 3))[1, 0, 2])
    ((3, 4, 5), 7)
    """
    places = np.arange(math.prod(shape)).reshape(shape)
    if places.ndim == _GREY:
        return places[None]
    return places if shape[0] in {1, _COLOURS} else places.transpose(2, 0, 1)
