"""Columns of words and columns with gaps: encoded as numbers by what the training split holds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.wording import quoted
from coarsefine.models.errors import DataError

Values = NDArray[np.float64]

# A word has a column of its own if at least this share of the training samples have it, at
# least two of them, and it is among the most frequent so many; the others share one.
_SHARE, _AT_LEAST, _MOST_WORDS = 0.01, 2, 50
OTHER, MISSING = "(other)", "(missing)"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table as decoded: numbers, or places of its words among ``words``.

    A missing value is NaN.
    """

    name: str
    words: tuple[str, ...] | None = None

    def coded(self, words: NDArray[np.object_]) -> Values:
        """Return the places of words, NaN where one is ``None``."""
        places = {word: float(i) for i, word in enumerate(self.words or ())}
        return np.array([np.nan if word is None else places[word] for word in words])


@dataclass(frozen=True, slots=True)
class FittedColumn:
    """How a column becomes features.

    Attributes:
        words: Those with a feature of their own; ``None`` for a column of numbers.
        other: Whether the words left share a feature. Else they are 0 in all.
        fill: What stands in for a missing number; of a column of words, the word.
        indicator: Whether a feature says that the value is missing.
    """

    name: str
    words: tuple[str, ...] | None
    other: bool
    fill: float | str | None
    indicator: bool

    def feature_names(self) -> list[str]:
        """Return the names of its features."""
        names = [self.name]
        if self.words is not None:
            names = [f"{self.name}={word}" for word in self.words]
            names += [f"{self.name}={OTHER}"] if self.other else []
        return names + ([f"{self.name}={MISSING}"] if self.indicator else [])

    def encoded(self, values: Values, words: Sequence[str] | None) -> list[Values]:
        """Return its features.

        Args:
            values: ``(N,)``, as ``Column`` has them.
            words: What the values of a column of words stand for.
        """
        missing = np.isnan(values)
        if self.words is None:
            features = [np.where(missing, np.float64(self.fill or 0.0), values)]
        else:
            features = self._words_encoded(values, missing, words or ())
        if self.indicator:
            features.append(missing.astype(np.float64))
        return features

    def _words_encoded(
        self, values: Values, missing: NDArray[np.bool_], words: Sequence[str]
    ) -> list[Values]:
        places = {word: i for i, word in enumerate(self.words or ())}
        other = len(places)
        # The last two places: of words without a feature, and of missing ones.
        table = np.array([*(places.get(word, other) for word in words), other], dtype=np.int64)
        filled = -1 if self.fill is None else places.get(str(self.fill), other)
        codes = table[np.where(missing, len(words), values).astype(np.int64)]
        codes = np.where(missing, filled, codes)
        n_features = other + self.other
        return [(codes == i).astype(np.float64) for i in range(n_features)]


@dataclass(frozen=True, slots=True)
class Encoder:
    """How the columns of a table become features, fitted on a training split."""

    columns: tuple[FittedColumn, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the names of the features."""
        return tuple(name for column in self.columns for name in column.feature_names())

    def encoded(self, x: NDArray[np.generic], columns: Sequence[Column]) -> Values:
        """Return rows of features, ``(N, D)`` float64.

        Args:
            x: Rows of values.
            columns: What they are; their words need not be those that it was fitted on.
        """
        features = [
            feature
            for i, (fitted, column) in enumerate(zip(self.columns, columns, strict=True))
            for feature in fitted.encoded(np.asarray(x[:, i], np.float64), column.words)
        ]
        return np.stack(features, axis=1)

    def view(self, x: NDArray[np.generic], columns: Sequence[Column]) -> "EncodedSamples":
        """Return samples that are encoded when rows of them are asked for, as ``encoded`` does."""
        return EncodedSamples(self, x, columns)

    def to_json(self) -> list[dict[str, Any]]:
        """Return what JSON can hold of it."""
        return [asdict(column) for column in self.columns]

    @staticmethod
    def from_json(stored: Sequence[dict[str, Any]]) -> "Encoder":
        """Return the encoder that ``to_json`` made this of."""
        columns = (
            FittedColumn(**{**one, "words": None if one["words"] is None else tuple(one["words"])})
            for one in stored
        )
        return Encoder(tuple(columns))


class EncodedSamples:
    """Samples as encoded, ``(N, D)`` float64, of which only the rows asked for are ever held."""

    def __init__(self, encoder: Encoder, x: NDArray[np.generic], columns: Sequence[Column]) -> None:
        """Make it of the arguments of ``Encoder.encoded``."""
        self._encoder, self._x, self._columns = encoder, x, columns
        self.shape = len(x), len(encoder.feature_names)
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, rows: NDArray[np.int64]) -> Values:
        """Return rows, encoded."""
        return self._encoder.encoded(self._x[rows], self._columns)


def fitted_encoder(
    x: NDArray[np.generic], rows: NDArray[np.int64], columns: Sequence[Column], missing: str | None
) -> Encoder:
    """Return the encoder by the statistics of ``x[rows]``.

    Args:
        x: ``(N, C)``, all samples.
        rows: The training samples.
        columns: What the columns of ``x`` hold.
        missing: ``median``: a missing number becomes the training median, a missing word the most
            frequent one. ``indicator``: also a feature says so, of each column with gaps. ``None``
            where there are no gaps.

    Raises:
        DataError: If no training sample has a value in a column.
    """
    fitted = []
    for i, column in enumerate(columns):
        values = np.asarray(x[rows, i], np.float64)
        there = values[~np.isnan(values)]
        if there.size == 0:
            raise DataError(
                f"column {quoted(column.name)} must have values in the training split, got none; "
                "drop the column"
            )
        gaps = missing == "indicator" and there.size < values.size
        if column.words is None:
            fill = None if missing is None else float(np.median(there))
            fitted.append(FittedColumn(column.name, None, False, fill, gaps))
            continue
        counts = np.bincount(there.astype(np.int64), minlength=len(column.words))
        words = _frequent(counts, len(rows))
        other = int(counts.sum() - counts[words].sum()) > 0
        # Where a missing word has a feature of its own, it is 0 in all the others.
        fill_word = column.words[int(np.argmax(counts))] if missing == "median" else None
        names = tuple(column.words[place] for place in words)
        fitted.append(FittedColumn(column.name, names, other, fill_word, gaps))
    return Encoder(tuple(fitted))


def _frequent(counts: NDArray[np.int64], n_samples: int) -> list[int]:
    """Return the places of the words that get a feature, in the order of the words."""
    least = max(_AT_LEAST, _SHARE * n_samples)
    most = np.argsort(-counts, kind="stable")[:_MOST_WORDS]
    return sorted(int(place) for place in most if counts[place] >= least)
