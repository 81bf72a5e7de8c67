"""Student's t on the scale of a normal number and back, and samples that a sign test takes."""

import math
from statistics import NormalDist

import numpy as np

from coarsefine.models import special
from coarsefine.studies.results.evidence.pairs import Real


def normal_quantile(share: float) -> float:
    """Return the normal number below which this share of them is, in (0, 1)."""
    # SciPy's functions take longer to import than a ranking of thousands of trials to make.
    return NormalDist().inv_cdf(share)


def normal_of(t: Real, df: Real) -> Real:
    """Return normal numbers as unlikely as these of Student's t (Wallace 1959).

    >>> round(float(normal_of(np.array(2.571), np.array(5.0))), 2)
    1.96
    """
    if not np.isfinite(df).any():
        return t
    finite = np.where(np.isfinite(df), df, 1.0)
    scale = (8 * finite + 1) / (8 * finite + 3)
    bent = np.sign(t) * scale * np.sqrt(finite * np.log1p(t * t / finite))
    return np.where(np.isfinite(df), bent, t)


def student_of(z: Real, df: Real) -> Real:
    """Return what ``normal_of`` was given."""
    finite = np.where(np.isfinite(df), df, 1.0)
    scale = (8 * finite + 1) / (8 * finite + 3)
    with np.errstate(over="ignore"):
        bent = np.sign(z) * np.sqrt(finite * np.expm1((z / scale) ** 2 / finite))
    return np.where(np.isfinite(df), bent, z)


def fewest_samples(n_others: int, alpha: float) -> float:
    """Return how many samples must speak for one trial and none for the other, at the least.

    By the sign test, as McNemar (1947) has it for two classifiers; shared out among comparisons.

    >>> round(fewest_samples(7, 0.05), 1)
    7.1
    """
    return math.log2(max(1, n_others) / alpha)


def family_factor(n_judged: int, n_family: int, alpha: float) -> float:
    """Return by how much a quantile grows if the family is larger than what was drawn."""
    if n_family <= n_judged or n_judged < 2:
        return 1.0
    one, all_of_them = (normal_quantile((1 - alpha) ** (1 / (n - 1))) for n in (n_judged, n_family))
    return float(all_of_them / max(one, 1.0))


def cautious_share(part: Real, other: Real, df: Real) -> Real:
    """Return Satterthwaite's degrees of freedom of ``part + other``, ``other`` being known.

    A part that looks small by chance would pass for known: it is taken at an upper limit of 70 %.
    """
    upper = part * df / special.chdtri(df, 0.7)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(upper > 0, df * ((upper + other) / upper) ** 2, np.inf)
    return np.asarray(found)
