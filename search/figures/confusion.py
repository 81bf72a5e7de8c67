"""Which classes a network takes for which others: on the test set, or on validation samples."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

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
from coarsefine.studies.spaces.dimensions import symbol_of

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord, TestOpeningRecord, TestRunRecord
    from coarsefine.studies.results.classes import Confusion

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
        run: Which trial; unless named, the best-ranked one that has a result.

    Raises:
        FigureError: If there is no result.
    """
    if run is None:
        run = next((each for each in opening.runs if each.confusion is not None), None)
    if run is None or run.confusion is None:
        raise FigureError("confusion needs a final test with a result, there is none")
    about = f"{counted(opening.n_test, 'test sample')}; refit {opening.refit}"
    right = (
        f"rank {run.rank} in validation ({_in_words(run.params)}): {percent(run.test_accuracy)} % "
        "right"
    )
    counts = np.array(run.confusion, dtype=np.int64)
    n_seeds = sum(seed.confusion is not None for seed in run.seeds)
    return _drawn(study, counts, "confusion matrix on the test set", about, right, n_seeds)


def validation_confusion(study: "StudyRecord", found: "Confusion") -> Figure:
    """Return the confusion matrix of a trial on the validation samples, likewise."""
    trial, n = found.trial, int(found.counts.sum()) // max(1, found.n_seeds)
    about = counted(n, "validation sample")
    rank = "" if trial.rank is None else f", rank {trial.rank}"
    right = (
        f"{trial.name}{rank} ({_in_words(trial.params)}): "
        f"{percent(trial.validation_accuracy)} % right"
    )
    what = "confusion matrix on the validation samples"
    return _drawn(study, found.counts, what, about, right, found.n_seeds)


def _in_words(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{symbol_of(name)} {value(each)}" for name, each in params.items())


def _drawn(
    study: "StudyRecord", counts: Counts, what: str, about: str, right: str, n_seeds: int
) -> Figure:
    n_classes = len(counts)
    named = [str(name) for name in study.data.get("class_names", range(n_classes))]
    labels, numbered = class_labels(named)
    names = [fitted(label, _NAME_WIDTH, 7.5) for label in labels]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with house_style():
        about = f"{origin(study, sizes=False)}; {about}"
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
        together = f", of {n_seeds} seeds together" if n_seeds > 1 else ""
        numbers = f"numbers are samples{together}" if n_classes <= _MOST_COUNTS else ""
        return sheet.finished(notes=(right, numbers, numbered))


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
