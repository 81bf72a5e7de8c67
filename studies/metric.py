"""The metrics that trials can be ranked by: one list, and those of custom trainers."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

MetricName = Literal["accuracy", "balanced-accuracy", "macro-f1", "loss"]
# Of a metric of a custom trainer, which way is better; more, unless it is said.
_DIRECTIONS: Final = {"max": 1, "min": -1}
OWN: Final = "metrics."


@dataclass(frozen=True, slots=True)
class Metric:
    """What trials can be ranked by.

    Attributes:
        name: As users state it.
        column: Of rankings, which is also the attribute of a ``RankedTrial``; of a custom
            trainer's it begins with ``metrics.``.
        words: In a sentence.
        sign: 1 if more is better, else -1.
    """

    name: str
    column: str
    words: str
    sign: int = 1

    @property
    def share(self) -> bool:
        """Return whether it lies in [0, 1]."""
        return self.sign > 0 and not self.own

    @property
    def own(self) -> bool:
        """Return whether a custom trainer reported it: nothing is known of it but its values."""
        return self.column.startswith(OWN)

    @property
    def of(self) -> Callable[[Any], float | None]:
        """Return what takes its value from a trial; ``None`` is what is not known."""
        if self.own:
            key = self.column.removeprefix(OWN)
            return lambda trial: (trial.metrics or {}).get(key)
        return attrgetter(self.column)

    def amount(self, difference: float, digits: int = 2) -> str:
        """Return a difference with its unit.

        >>> METRICS["macro-f1"].amount(0.0123), METRICS["loss"].amount(0.0123)
        ('1.23 points', '0.0123')
        >>> METRICS["accuracy"].amount(-1e-17)  # a sum of shares that should be 0
        '0.00 points'
        """
        return f"{100 * difference:z.{digits}f} points" if self.share else f"{difference:z.4f}"

    def shown(self, value: float) -> str:
        """Return a value with its unit.

        >>> METRICS["macro-f1"].shown(0.5), METRICS["loss"].shown(0.5)
        ('50.00 %', '0.5000')
        """
        return f"{100 * value:.2f} %" if self.share else f"{value:.4f}"


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "validation_accuracy", "validation accuracy"),
        Metric("balanced-accuracy", "validation_balanced_accuracy", "validation balanced accuracy"),
        Metric("macro-f1", "validation_macro_f1", "validation macro F1"),
        Metric("loss", "validation_loss", "validation loss", sign=-1),
    )
}


def plain_metric(text: str) -> str:
    """Return the name of a metric as users may write it.

    >>> plain_metric("Macro_F1"), plain_metric("My_F2")
    ('macro-f1', 'My_F2')
    """
    plain = text.strip().lower().replace("_", "-")
    return plain if plain in METRICS else text.strip()


def metric_named(name: str) -> Metric:
    """Return one of the metrics, or that of a custom trainer.

    Args:
        name: As in ``macro-f1``, ``f2`` or ``hamming:min``, which is better where it is less.

    >>> metric_named("hamming:min").sign, metric_named("f2").column, metric_named("loss").own
    (-1, 'metrics.f2', False)
    """
    if name in METRICS:
        return METRICS[name]
    plain, colon, direction = name.rpartition(":")
    if not colon or direction not in _DIRECTIONS:
        plain, direction = name, "max"
    return Metric(name, OWN + plain, plain, _DIRECTIONS[direction])
