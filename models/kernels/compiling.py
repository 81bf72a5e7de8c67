"""numba: imported here and in what is compiled, and only where a compiled kernel trains."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coarsefine.models.data.cache import cache_dir


class Compiled:
    """A function that is compiled when it is first called, or read from the cache folder.

    No fast mathematics: sums keep their order, NaN is NaN.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        import numba

        self.__doc__ = function.__doc__
        # numba looks for this folder when a function is decorated, and at no other time.
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_folder())
        try:
            self.dispatcher = numba.njit(function, cache=True, error_model="numpy", nogil=True)
        finally:
            numba.config.CACHE_DIR = before

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        try:
            return self.dispatcher(*arguments)
        except OSError:
            # Compiled, but the cache cannot be written: the disk is full, say. numba stores before
            # it calls, so nothing was done yet, and what it compiled is there.
            return self.dispatcher(*arguments)

    def address(self, *arguments: Any) -> int:
        """Return where it lies in memory, compiled for arguments like these: see ``call_at``."""
        import numba

        kinds = tuple(numba.typeof(each) for each in arguments)
        try:
            self.dispatcher.compile(kinds)
        except OSError:  # as above
            self.dispatcher.compile(kinds)
        compiled = self.dispatcher.overloads[kinds]
        return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def _folder() -> Path:
    """Return where compiled code is kept: numba itself tells processors apart, not versions."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return cache_dir() / "compiled" / digest.hexdigest()[:16]
