"""What a column of a table holds: numbers, words or neither, and where values are missing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.features import n_distinct
from coarsefine.models.data.wording import named, shown

if TYPE_CHECKING:
    import pandas as pd

_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+(e[-+]?\d+)?\s*", re.IGNORECASE)


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """A column of a table.

    Attributes:
        missing: ``(N,)``.
        numbers: ``(N,)``, NaN where missing, if the column holds numbers.
        words: ``(N,)``, ``None`` where missing, if it holds words.
        first: The first row that holds no number.
        complaint: What it holds if it is neither.
        notes: What the user should know, a line each.
    """

    name: str
    missing: NDArray[np.bool_]
    numbers: NDArray[np.generic] | None = None
    words: NDArray[np.object_] | None = None
    first: int = 0
    complaint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def decimal_commas(self) -> bool:
        """Return whether all words are numbers with a decimal comma."""
        if self.words is None:
            return False
        there = self.words[~self.missing]
        return there.size > 0 and all(_is_number(word.replace(",", ".")) for word in there[:1000])


def cells_of(name: str, values: "pd.Series") -> Cells:
    """Return what a column holds."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    missing = values.isna().to_numpy()
    if is_numeric_dtype(values) or is_bool_dtype(values):
        if np.iscomplexobj(values.to_numpy()):
            return Cells(name, missing, complaint="complex numbers")
        if missing.any():
            return Cells(name, missing, values.to_numpy(np.float64, na_value=np.nan))
        plain = values.to_numpy(np.float64) if values.dtype == object else values.to_numpy()
        return Cells(name, missing, _without_na_type(plain))
    cells = values.to_numpy(object)
    there = cells[~missing]
    first = int(np.argmin(missing | np.fromiter(map(_is_exact, cells), bool, len(cells))))
    if all(map(_is_exact, there)):
        numbers = np.full(len(cells), np.nan)
        numbers[~missing] = [float(value) for value in there]
        return Cells(name, missing, numbers, notes=_collapsed(name, there, numbers[~missing]))
    if all(isinstance(value, str) for value in there):
        cells = cells.copy()
        cells[missing] = None
        first = next((i for i, v in enumerate(cells) if v is not None and not _is_number(v)), 0)
        return Cells(name, missing, words=cells, first=first)
    return Cells(name, missing, first=first, complaint=_kind(cells[first]))


def _without_na_type(values: NDArray[np.generic]) -> NDArray[np.generic]:
    # pandas' nullable columns without a gap may still come as objects.
    return values.astype(np.float64) if values.dtype == object else values


def _is_exact(value: object) -> bool:
    return isinstance(value, int | float | Decimal | np.number | np.bool_)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _collapsed(
    name: str, values: Iterable[object], numbers: NDArray[np.float64]
) -> tuple[str, ...]:
    before, after = len(set(values)), n_distinct(numbers)
    if after >= before:
        return ()
    note = (
        f"column {named(name)}: {before:,} different values become {after:,} as floating-point "
        "numbers; subtract the smallest before they are written to the file"
    )
    return (note,)


def _kind(value: object) -> str:
    kind = type(value).__name__
    return shown(value) if isinstance(value, bytes) else f"{shown(value)} ({kind})"
