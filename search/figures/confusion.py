"""Which classes the tested network takes for which others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coarsefine.search.errors import FigureError
from coarsefine.search.figures.scales import set_ticks
from coarsefine.search.figures.style import (
    BLACK,
    TICKS,
    class_labels,
    fitted,
    house_style,
    new_sheet,
    origin,
)
from coarsefine.search.words import counted, percent, value

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord, TestOpeningRecord, TestRunRecord

# More classes than these get no counts in their cells, and not all of their names.
_MOST_COUNTS: Final = 20
_MOST_NAMES: Final = 40
# Inches of a class's name.
_NAME_WIDTH: Final = 0.9
# From white on: most cells are almost empty.
_COLOURS: Final = "Blues"
_DARK: Final = 0.5
# Names that stand side by side, and classes whose counts have room for larger figures.
_SHORT: Final = 2
_ROOMY: Final = 10

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def confusion(
    study: "StudyRecord", opening: "TestOpeningRecord", run: "TestRunRecord | None" = None
) -> Figure:
    """Return the confusion matrix of a final test run: a row a true class.

    Colours are shares of the row, the numbers are samples.

    Args:
        study: Whose test it was.
        opening: Of the test set.
        run: Which trial; the first in the ranking that has a result unless named.

    Raises:
        FigureError: If there is no result.
    """
    if run is None:
        run = next((each for each in opening.runs if each.confusion is not None), None)
    if run is None or run.confusion is None:
        raise FigureError("confusion needs a final test with a result, there is none")
    counts = np.array(run.confusion, dtype=np.int64)
    n_classes = len(counts)
    named = [str(name) for name in study.data.get("class_names", range(n_classes))]
    labels, numbered = class_labels(named)
    names = [fitted(label, _NAME_WIDTH, 7.5) for label in labels]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with house_style():
        about = (
            f"{origin(study, sizes=False)}; {counted(opening.n_test, 'test sample')}; "
            f"refit {opening.refit}"
        )
        what = "confusion matrix on the test set"
        sheet = new_sheet(study, what, heights=[4.0], about=about)
        panel = sheet.first
        image = panel.imshow(shares, cmap=_COLOURS, vmin=0, vmax=1, gid="shares")
        _name_classes(panel, names)
        panel.set_xlabel("predicted class")
        panel.set_ylabel("true class")
        if n_classes <= _MOST_COUNTS:
            _write_counts(panel, counts, shares)
        bar = sheet.figure.colorbar(image, ax=panel, pad=0.02, fraction=0.045)
        bar.set_label("share of the true class")
        bar.ax.tick_params(**TICKS)
        params = ", ".join(f"{_symbol(name)} {value(each)}" for name, each in run.params.items())
        n_seeds = sum(seed.confusion is not None for seed in run.seeds)
        together = f", of {n_seeds} seeds together" if n_seeds > 1 else ""
        return sheet.finished(
            notes=(
                f"rank {run.rank} in validation ({params}): {percent(run.test_accuracy)} % right",
                f"numbers are samples{together}" if n_classes <= _MOST_COUNTS else "",
                numbered,
            )
        )


def _symbol(name: str) -> str:
    from coarsefine.studies.spaces.dimensions import PARAMETERS

    return PARAMETERS[name].symbol if name in PARAMETERS else name


def _name_classes(panel: Axes, names: Sequence[str]) -> None:
    every = -(-len(names) // _MOST_NAMES)
    places = list(range(0, len(names), every))
    shown = [names[place] for place in places]
    set_ticks(panel, places, shown, "x")
    set_ticks(panel, places, shown, "y")
    if max(map(len, shown)) > _SHORT:
        for label in panel.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _write_counts(panel: Axes, counts: Counts, shares: Shares) -> None:
    for row, column in np.argwhere(counts > 0):
        panel.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            size=6 if len(counts) <= _ROOMY else 4.5,
            color="white" if shares[row, column] > _DARK else BLACK,
            gid="count",
        )
