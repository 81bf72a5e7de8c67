"""How many threads BLAS may use, and which BLAS it is."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> Any:
    # Looking through the loaded libraries takes milliseconds: once a process is enough.
    return ThreadpoolController()


@contextmanager
def limited_blas(n_threads: int) -> Iterator[None]:
    """Give the large products ``n_threads`` threads, and NumPy's own small ones a single one.

    NumPy and SciPy each bring an OpenBLAS with threads of its own. Two such pools that take turns
    fight for the cores, so only SciPy's, which multiplies the large matrices, gets several.
    """
    numpy_blas = [
        library.filepath for library in _controller().lib_controllers if "numpy" in library.filepath
    ]
    with _controller().limit(limits=n_threads, user_api="blas"):
        if n_threads == 1 or not numpy_blas:
            yield
        else:
            with _controller().select(filepath=numpy_blas).limit(limits=1):
                yield


def blas_kernels() -> str:
    """Return the libraries that multiply matrices, each with the kernels it chose here.

    Processors of one name may be given different kernels, and these decide the last bits.
    """
    from coarsefine.models import blas  # noqa: F401  # loaded, so that it is looked at

    libraries = [each for each in _controller().lib_controllers if each.user_api == "blas"]
    chosen = {f"{each.internal_api} {getattr(each, 'architecture', '')}" for each in libraries}
    return ", ".join(sorted(name.strip() for name in chosen)) or "unknown"


def n_cores() -> int:
    """Return how many cores this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
