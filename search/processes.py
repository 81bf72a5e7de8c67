"""The environment that this process works in, and that its user's own commands are given."""

import os
from typing import Final

_THREADS: Final = "OPENBLAS_NUM_THREADS"
_set_here: Final[set[str]] = set()


def begin_with_one_thread() -> None:
    """Have BLAS begin with one thread, unless the user's environment says how many.

    Whatever computes networks states how many threads it takes (``models.blas_threads``). Products
    of the small matrices of a ranking gain nothing from a second one, which goes on turning for a
    while after each and slows the first where two threads share a core.
    """
    if _THREADS not in os.environ:
        os.environ[_THREADS] = "1"
        _set_here.add(_THREADS)


def of_users() -> dict[str, str]:
    """Return the environment as it was before this program set anything of its own."""
    return {name: value for name, value in os.environ.items() if name not in _set_here}
