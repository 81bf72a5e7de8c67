"""What curves are drawn of: accuracy, loss, cost, and what a custom trainer reported."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from coarsefine.search.figures.along import rows_of
from coarsefine.search.words import counted
from coarsefine.studies.metric import OWN

if TYPE_CHECKING:
    from coarsefine.studies.results.curves.runs import TrialCurves
    from coarsefine.studies.results.ranking import Ranking

_MOST_OWN: Final = 4


class Quantity(NamedTuple):
    """Something that is drawn against the epochs.

    Attributes:
        key: Of the record, without its part of the data.
        words: At its axis.
        factor: Records are multiplied with it.
    """

    key: str
    words: str
    factor: float = 1.0


def quantities_of(ranking: "Ranking", trained: "Sequence[TrialCurves]") -> list[Quantity]:
    """Return what the curves of some trials have a panel of, in this order."""
    unit = " (nats)" if loss_of(ranking).endswith("cross-entropy") else ""
    found = [Quantity("accuracy", "accuracy (%)", 100), Quantity("loss", f"loss{unit}")]
    if _penalised(trained):
        found.append(Quantity("cost", f"cost{unit}"))
    return found + [
        Quantity(f"{OWN}{name}", name.replace("$", r"\$")) for name in _own(trained)[:_MOST_OWN]
    ]


def _own(trained: "Sequence[TrialCurves]") -> list[str]:
    """Return the metrics that a custom trainer reported under names of its own."""
    return list(dict.fromkeys(name for each in trained for name in each.own_metrics))


def loss_of(ranking: "Ranking") -> str:
    """Return the name of the loss that a study was trained with."""
    return str(ranking.study.recipe.get("training", {}).get("loss", "cross-entropy"))


def _penalised(trained: "Sequence[TrialCurves]") -> bool:
    return any(
        row.train_cost is not None
        and row.train_loss is not None
        and not math.isclose(row.train_cost, row.train_loss, rel_tol=1e-9)
        for each in trained
        for row in rows_of(each)
    )


def own_note(trained: "Sequence[TrialCurves]") -> str:
    """Return how many of a custom trainer's metrics have no panel, in words."""
    n_more = len(_own(trained)) - _MOST_OWN
    return f"{counted(n_more, 'more metric')} of the trainer's own not drawn" if n_more > 0 else ""
