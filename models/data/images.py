"""Which samples are images, and how they lie in a row of numbers."""

from typing import Any, Final

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


def channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """Return a view of images (N, …), (N, colours, height, width).

    >>> from numpy import zeros
    >>> channels_first(zeros((2, 4, 5, 3))).shape, channels_first(zeros((2, 4, 5))).shape
    ((2, 3, 4, 5), (2, 1, 4, 5))
    """
    if images.ndim == 1 + _GREY:
        return images[:, None]
    return images if images.shape[1] in {1, _COLOURS} else images.transpose(0, 3, 1, 2)
