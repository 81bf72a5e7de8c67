"""On which validation samples each run of a study was measured, where replicates are splits."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.planning.run_options import RunOptions

N_SPLIT: Final = "n_split"
"""What a study's data call how many samples there are outside the test set, where replicates are
splits."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits of a study whose replicates do not all validate with the same samples.

    Attributes:
        folds: How many; 0 where each replicate has a random split of its own.
        redraw: Whether each seed has splits of its own.
        n_split: Samples that are split, all those outside the test set.
        n_validation: Of a random split.
    """

    folds: int
    redraw: bool
    n_split: int
    n_validation: int

    @classmethod
    def of(cls, study: "StudyRecord") -> Self | None:
        """Return those of a study; ``None`` where all its runs have the same validation samples."""
        return cls.read(study.recipe.get("data", {}), study.data)

    @classmethod
    def read(cls, recipe: Mapping[str, Any], data: Mapping[str, Any]) -> Self | None:
        """Return those of a recipe's data section, and of what is known of the data."""
        folds = int(recipe.get("folds") or 0)
        redraw = bool(recipe.get("redraw"))
        if not folds and not redraw:
            return None
        return cls(folds, redraw, int(data.get(N_SPLIT, 0)), int(data.get("n_validation", 0)))

    def number(self, replicate: int) -> int:
        """Return which split a replicate is measured on, from 0."""
        return replicate if self.redraw else replicate % self.folds

    def seed(self, replicate: int) -> int:
        """Return which seed a replicate has, from 0: each fold is trained on with each."""
        return replicate // max(1, self.folds)

    def n_samples(self, replicate: int) -> int:
        """Return how many validation samples a replicate has."""
        if not self.folds:
            return self.n_validation
        return self.n_split // self.folds + (replicate % self.folds < self.n_split % self.folds)

    @property
    def sizes(self) -> str:
        """Return in words how many validation samples a split has."""
        largest = self.n_samples(0)
        some_smaller = self.folds and self.n_split % self.folds
        return f"{largest - 1:,} or {largest:,}" if some_smaller else f"{largest:,}"

    @property
    def correction(self) -> float:
        """Return validation samples by those left to train on (Nadeau and Bengio 2003).

        Also where trials are trained on fewer: how much validation samples overlap from split to
        split does not depend on that.
        """
        if self.folds:
            return 1 / (self.folds - 1)
        return self.n_validation / max(1, self.n_split - self.n_validation)

    @property
    def options(self) -> "RunOptions":
        """Return how runs are trained on them."""
        from coarsefine.studies.planning.run_options import RunOptions

        return RunOptions(folds=self.folds, redraw=self.redraw)

    @property
    def word(self) -> str:
        """Return what a split is called."""
        return "fold" if self.folds else "split"

    def averaged(self, values: Mapping[int, float]) -> dict[int, float]:
        """Return means over the seeds of each split, of values by replicate."""
        return {split: fmean(own) for split, own in self._by_split(values).items()}

    def nested(self, values: Mapping[int, float]) -> list[list[float]]:
        """Return values by replicate as values by split and seed."""
        return list(self._by_split(values).values())

    def _by_split(self, values: Mapping[int, float]) -> dict[int, list[float]]:
        found: dict[int, list[float]] = defaultdict(list)
        for replicate, value in values.items():
            found[self.number(replicate)].append(value)
        return found


def n_folds_of(splits: Splits | None) -> int:
    """Return how many runs a trial has for each seed: one on each fold."""
    return max(1, splits.folds) if splits is not None else 1


def validated_on(study: "StudyRecord") -> str:
    """Return in words on how many validation samples the runs of a study are measured."""
    splits = Splits.of(study)
    if splits is None:
        return f"{int(study.data.get('n_validation', 0)):,} validation samples"
    return f"{splits.sizes} validation samples of each {splits.word}"


def replicates_in_words(study: "StudyRecord") -> str:
    """Return what the replicates of a study are: seeds, or runs on splits of the data."""
    splits = Splits.of(study)
    return "seeds" if splits is None else f"runs on {splits.word}s"
