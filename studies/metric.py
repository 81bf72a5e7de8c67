"""The metrics that trials can be ranked by: one list."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

MetricName = Literal["accuracy", "balanced-accuracy", "macro-f1", "loss"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What trials can be ranked by.

    Attributes:
        name: As users state it.
        column: Of rankings, which is also the attribute of a ``RankedTrial``.
        words: In a sentence.
        sign: 1 if more is better, else -1.
    """

    name: MetricName
    column: str
    words: str
    sign: int = 1

    @property
    def share(self) -> bool:
        """Return whether it lies in [0, 1]."""
        return self.sign > 0

    @property
    def of(self) -> Callable[[Any], float | None]:
        """Return what takes its value from a trial; ``None`` is what is not known."""
        return attrgetter(self.column)

    def amount(self, difference: float, digits: int = 2) -> str:
        """Return a difference with its unit.

        >>> METRICS["macro-f1"].amount(0.0123), METRICS["loss"].amount(0.0123)
        ('1.23 points', '0.0123')
        """
        return f"{100 * difference:.{digits}f} points" if self.share else f"{difference:.4f}"

    def shown(self, value: float) -> str:
        """Return a value with its unit.

        >>> METRICS["macro-f1"].shown(0.5), METRICS["loss"].shown(0.5)
        ('50.00 %', '0.5000')
        """
        return f"{100 * value:.2f} %" if self.share else f"{value:.4f}"


METRICS: Final[dict[MetricName, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "validation_accuracy", "validation accuracy"),
        Metric("balanced-accuracy", "validation_balanced_accuracy", "validation balanced accuracy"),
        Metric("macro-f1", "validation_macro_f1", "validation macro F1"),
        Metric("loss", "validation_loss", "validation loss", sign=-1),
    )
}
