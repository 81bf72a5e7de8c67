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

_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2}([,_' \u00a0\u202f]\d{3})+(\.\d+)?\s*")
# So many cells say what a column holds.
_MANY = 1000


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
        there = self._words_there()
        return (
            any("," in word for word in there)
            and not self.thousands
            and all(_is_number(word.replace(",", ".")) for word in there)
        )

    @property
    def thousands(self) -> bool:
        """Return whether all words are numbers, and those that are not plain have thousands."""
        marked = [word for word in self._words_there() if not _is_number(word)]
        return bool(marked) and all(map(_THOUSANDS.fullmatch, marked))

    @property
    def mostly_numbers(self) -> bool:
        """Return whether more than half of the words are numbers."""
        there = self._words_there()
        return sum(map(_is_number, there)) > len(there) / 2

    def _words_there(self) -> list[str]:
        return [] if self.words is None else self.words[~self.missing][:_MANY].tolist()


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
        return Cells(name, missing, words=cells, first=first, notes=_numbers_among(name, there))
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
    return "_" not in text  # which Python reads, and nobody who writes tables


def _numbers_among(name: str, words: Iterable[str]) -> tuple[str, ...]:
    """Return the note, if there is one to give, that nearly all words are numbers."""
    numbers = [_is_number(word) for word in words]
    if not 0.9 * len(numbers) < sum(numbers) < len(numbers):
        return ()
    note = (
        f"column {named(name)}: {sum(numbers):,} of {len(numbers):,} values are numbers, and count "
        "as words because of the others"
    )
    return (note,)


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
