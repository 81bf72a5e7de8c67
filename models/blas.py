"""SciPy's matrix products, without the rest of ``scipy.linalg``, which takes longer to import.

``scipy.linalg`` imports all of NumPy's parts and SciPy's decompositions: some 0.15 s, a sixth of a
search of a second. The products are in one extension module of it.
"""

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

import scipy  # finds its libraries, where that takes more than a folder

_NAME: Final = "scipy.linalg._fblas"


def _extension() -> Any:
    """Return the module of SciPy's BLAS functions; the public one, if SciPy has moved it."""
    folder = Path(scipy.__file__).parent / "linalg"
    paths = (folder / f"_fblas{suffix}" for suffix in EXTENSION_SUFFIXES)
    path = next((path for path in paths if path.is_file()), None)
    spec = None if path is None else spec_from_file_location(_NAME, path)
    if _NAME in sys.modules or spec is None or spec.loader is None:
        from scipy.linalg import blas

        return blas
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    # Extensions of this kind enter themselves. Whoever imports ``scipy.linalg`` gets all of it.
    sys.modules.pop(_NAME, None)
    return module


_BLAS: Final = _extension()

sgemm = _BLAS.sgemm
"""``c = alpha a b + beta c`` in float32."""

dgemm = _BLAS.dgemm
"""``c = alpha a b + beta c`` in float64."""
