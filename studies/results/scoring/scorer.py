"""Metrics of training runs from what they predicted: each a score for every validation sample.

The mean over the samples is the metric of the run, and higher is better: losses are negated. So
one machinery gives intervals and ties of every metric, and nothing is trained again.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import OutcomeCodec, read_rights
from coarsefine.studies.results.evidence import metrics
from coarsefine.studies.results.scoring.labels import Labels, labels_of
from coarsefine.studies.results.scoring.splits import Splits

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord

# A trainer of the user's may report its accuracy in single precision.
CLOSE: Final = 1e-6
# Scores that are held at a time, a sample of a run each.
MOST_SCORES: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Scored:
    """What a run made of each sample.

    Attributes:
        scores: (N,), whose mean is the metric; negated losses. Of the accuracy, truths.
        accuracy: Share of the samples that were classified correctly.
        labels_crc: Equal for runs that were measured on the same samples.
    """

    scores: NDArray[Any]
    accuracy: float
    labels_crc: int

    @property
    def mean(self) -> float:
        """Return the metric; of the loss, the negated loss."""
        return float(self.scores.mean(dtype=np.float64))

    @property
    def noise(self) -> float:
        """Return the variance of the metric for having been measured on these samples."""
        return float(self.scores.var(dtype=np.float64)) / max(1, len(self.scores))


@dataclass(frozen=True)
class Scorer:
    """Makes scores of what runs predicted.

    Attributes:
        metric: Which metric the scores have for their mean.
        labels: Of the validation samples. The accuracy needs none.
        unit: By how much a score changes where a sample flips, squared, on average.
        splits: Where replicates are splits; ``None`` where all have the same samples.
    """

    metric: str = "accuracy"
    labels: Labels | None = None
    unit: float = 1.0
    _codec: OutcomeCodec | None = field(default=None, repr=False)
    splits: Splits | None = None
    _study: "StudyRecord | None" = field(default=None, repr=False)
    _by_split: "dict[int, Scorer]" = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, metric: str, study: "StudyRecord", *, labelled: bool = False) -> "Scorer":
        """Return what makes scores of a study's runs.

        Args:
            metric: Which metric.
            study: Whose runs.
            labelled: Whether the accuracy takes labels, too, as scores of given classes need.

        Raises:
            StudyError: If the labels of its validation samples are not known.
        """
        needed = labelled or metric != "accuracy"
        found = cls.by(metric, labels_of(study)) if needed else cls()
        splits = Splits.of(study)
        return found if splits is None else replace(found, splits=splits, _study=study)

    @classmethod
    def by(cls, metric: str, labels: Labels) -> "Scorer":
        """Return what makes scores of runs that predicted samples with these labels."""
        unit = metrics.unit(metric, labels.classes, labels.n_classes)
        codec = OutcomeCodec(labels.classes, labels.n_classes)
        return cls(metric, labels, unit, codec)

    def at(self, replicate: int) -> "Scorer":
        """Return what makes scores of a replicate: the same for all unless they are splits.

        Raises:
            StudyError: If the labels of its validation samples are not known.
        """
        if self.splits is None or self._study is None or self.labels is None:
            return self
        number = self.splits.number(replicate)
        if number not in self._by_split:
            labels = labels_of(self._study, replicate)
            self._by_split[number] = self.by(self.metric, labels)
        return self._by_split[number]

    @property
    def share(self) -> bool:
        """Return whether the metric lies in [0, 1]."""
        return self.metric != "loss"

    def scored(
        self,
        payload: bytes | None,
        n_samples: int,
        *,
        replicate: int = 0,
        accuracy: float | None = None,
        value: float | None = None,
    ) -> Scored | None:
        """Return what a run made of each sample.

        Args:
            payload: What it predicted, packed; ``None`` where it was not kept.
            n_samples: Of the validation split.
            replicate: Which run: where replicates are splits, it has samples of its own.
            accuracy: Of the run, if it is known.
            value: Its mean score, likewise.

        Returns:
            ``None`` if it was not kept, is damaged, or is not of this run: changed predictions are
            as good as none. A check of the database tells more.
        """
        if payload is None:
            return None
        if self.splits is not None:
            n_samples = self.splits.n_samples(replicate)
        try:
            found = self.at(replicate)._read(payload, n_samples)  # one of its own
        except ModelError:
            return None
        if found is None or len(found.scores) != n_samples:
            return None
        if accuracy is not None and abs(found.accuracy - accuracy) >= CLOSE:
            return None
        if value is not None and abs(found.mean - value) >= CLOSE * max(1.0, abs(value)):
            return None
        return found

    def _read(self, payload: bytes, n_samples: int) -> Scored | None:
        if self._codec is None or self.labels is None:
            rights = read_rights(payload, n_samples)
            right = rights.right
            return Scored(right, float(right.mean()) if len(right) else 0.0, rights.labels_crc)
        by_loss = self.metric == "loss"
        outcomes = self._codec.unpack(payload, losses=by_loss)
        if not by_loss:
            return self.of_classes(outcomes.predicted)
        if outcomes.losses is None or outcomes.mean_loss is None:
            return None
        # Half precision is for single losses: their mean is known better.
        losses = outcomes.losses.astype(np.float64)
        accuracy = float((outcomes.predicted == self.labels.classes).mean())
        return Scored(-(losses + (outcomes.mean_loss - losses.mean())), accuracy, 0)

    def of_classes(self, classes: NDArray[np.integer]) -> Scored:
        """Return the scores of predicted classes, (N,); not of the loss.

        Raises:
            ValueError: If that is the metric, or the labels are not known.
        """
        if self.labels is None:
            raise ValueError("labels must be known")
        labels = self.labels.classes
        accuracy = float((classes == labels).mean()) if len(labels) else 0.0
        scores = metrics.scores(self.metric, classes, labels, self.labels.n_classes)
        return Scored(scores, accuracy, 0)


def predicted(payload: bytes, labels: Labels) -> NDArray[np.int64] | None:
    """Return the class that a run predicted for each sample; ``None`` if that is damaged."""
    try:
        return (
            OutcomeCodec(labels.classes, labels.n_classes).unpack(payload, losses=False).predicted
        )
    except ModelError:
        return None
