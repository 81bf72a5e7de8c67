"""Kernels, compiled by one process at a time: the others wait, and read what it has stored.

To compile those of one precision takes some ten seconds, and processes of a run come to them at the
same time.
"""

import os
import threading
from contextlib import contextmanager

from coarsefine.models.kernels.compiling import Compiled

_made = Compiled.__init__
_here = threading.RLock()
_depth = 0


@contextmanager
def _alone(path):
    """Let in one process at a time, and one thread of it; kernels compile others that they call."""
    import fcntl

    global _depth  # noqa: PLW0603
    with _here, path.open("a") as file:
        if not _depth:
            fcntl.flock(file, fcntl.LOCK_EX)
        _depth += 1
        try:
            yield
        finally:
            _depth -= 1


def keep(folder):
    """Have the processes that share a folder of kernels take turns at compiling from now on."""

    def made(kernel, function):
        _made(kernel, function)
        compile_now = kernel.dispatcher.compile

        def compiled(signature):
            with _alone(folder / "lock"):
                return compile_now(signature)

        kernel.dispatcher.compile = compiled

    if os.name == "posix":
        Compiled.__init__ = made
