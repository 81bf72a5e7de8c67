"""SciPy's distribution functions, without the rest of ``scipy.special``, which is slow to import.

``scipy.special`` prepares for the arrays of other libraries and imports all of NumPy's parts: some
0.1 s, for which every command that ranks would wait. The functions are in extension modules of it.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import scipy  # finds its libraries, where that takes more than a folder

_PACKAGE: Final = "scipy.special"


def _extension() -> Any:
    """Return the module of SciPy's functions; the public one, if it is there or SciPy moved it."""
    if _PACKAGE not in sys.modules:
        # The extensions ask for their package by name. Whoever imports it later gets all of it.
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(scipy.__file__).parent / "special")]
        sys.modules[_PACKAGE] = package
        try:
            return import_module(f"{_PACKAGE}._ufuncs")
        except ImportError:
            pass
        finally:
            del sys.modules[_PACKAGE]
    return import_module(_PACKAGE)


_FUNCTIONS: Final = _extension()

bdtr = _FUNCTIONS.bdtr
"""``P(X <= k)`` of a binomial distribution, of (k, n, p)."""

chdtr = _FUNCTIONS.chdtr
"""``P(X <= x)`` of a chi-square distribution, of (df, x)."""

chdtrc = _FUNCTIONS.chdtrc
"""``P(X > x)`` of a chi-square distribution, of (df, x)."""

chdtri = _FUNCTIONS.chdtri
"""The x which a chi-square distribution exceeds with probability p, of (df, p)."""

erfc = _FUNCTIONS.erfc
"""``2 P(X > x √2)`` of a standard normal X: the complementary error function."""

expit = _FUNCTIONS.expit
"""``1 / (1 + exp(-x))``."""

fdtri = _FUNCTIONS.fdtri
"""The quantile p of an F distribution, of (df of the numerator, of the denominator, p)."""

logit = _FUNCTIONS.logit
"""``log(p / (1 - p))``."""

ndtr = _FUNCTIONS.ndtr
"""``P(X <= x)`` of the standard normal distribution."""

ndtri = _FUNCTIONS.ndtri
"""The quantile p of the standard normal distribution."""

stdtr = _FUNCTIONS.stdtr
"""``P(X <= t)`` of Student's t distribution, of (df, t)."""

stdtrit = _FUNCTIONS.stdtrit
"""The quantile p of Student's t distribution, of (df, p)."""
