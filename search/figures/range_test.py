"""An η range test: what loss and accuracy do while η rises, and where a cycle's ends lie."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from coarsefine.hints import Message, search_command
from coarsefine.search.errors import FigureError, Lack
from coarsefine.search.figures.scales import set_log
from coarsefine.search.figures.style import (
    BLUE,
    GREY,
    LIGHT,
    VERMILLION,
    house_style,
    light_grid,
    new_sheet,
)
from coarsefine.search.figures.trials import entry
from coarsefine.search.words import counted, value

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.checks.range_test import Found

_SHADE: Final = "#DDEBF4"
# Of the first loss: what lies above it is a training that breaks down, which the panel cuts off.
_HIGHEST: Final = 1.5


def lacks(subject: "Subject") -> Lack:
    """Return why a study has no such figure, if so."""
    from coarsefine.studies.checks.range_test import recorded

    if recorded(subject.database, subject.ranking.study) is not None:
        return None
    return Message(
        "range-test needs an η range test of the same recipe, data and seed, there was none: ",
        search_command("eta", range_test=True),
        " with the recipe's options",
    )


def drawn(subject: "Subject") -> Figure:
    """Return the latest range test on record of a study's recipe, data and seed."""
    from coarsefine.studies.checks.range_test import recorded

    study = subject.ranking.study
    found = recorded(subject.database, study)
    if found is None:
        raise FigureError(lacks(subject))
    return range_test(found, study)


def range_test(found: "Found", study: "StudyRecord | str", about: str = "") -> Figure:
    """Return loss and accuracy of each batch by η, with what the test suggests.

    Args:
        found: The test.
        study: Whose it is, or what to call it where there is no study.
        about: Of which data, with which seed, where there is no study.
    """
    etas, smoothed = found.etas, [math.nan if y is None else y for y in found.smoothed]
    accuracies = _averaged(found.accuracies)
    with house_style():
        sheet = new_sheet(study, "η range test", heights=[2.1, 1.6], about=about)
        losses, shares = sheet.panels
        losses.plot(
            etas,
            [math.nan if y is None else y for y in found.losses],
            color=LIGHT,
            linestyle="none",
            marker=".",
            markersize=1.5,
            rasterized=True,
            gid="batches",
        )
        losses.plot(etas, smoothed, color=BLUE, gid="smoothed")
        _limit(losses, smoothed)
        losses.set_ylabel("training loss")
        shares.plot(etas, [100 * each for each in accuracies], color=VERMILLION, gid="accuracy")
        shares.set_ylim(bottom=0)
        shares.set_ylabel("training accuracy (%)")
        shares.set_xlabel("η (log scale)")
        for panel in sheet.panels:
            light_grid(panel)
            _mark(panel, found)
        set_log(shares, etas[0], etas[-1], "x")
        return sheet.finished(
            _legend(found),
            (
                f"{counted(len(etas), 'update')}, η rising by the same factor at each",
                "loss and accuracy of each batch before its update, averaged over neighbours",
                "the loss did not fall at any η" if found.eta_min is None else "",
                "losses far above the first are cut off" if _is_cut(smoothed) else "",
            ),
        )


def _averaged(accuracies: Sequence[float]) -> list[float]:
    near = max(1, len(accuracies) // 50)
    around = (accuracies[max(0, i - near) : i + near + 1] for i in range(len(accuracies)))
    return [sum(each) / len(each) for each in around]


def _limit(panel: Axes, smoothed: Sequence[float]) -> None:
    known = [loss for loss in smoothed if math.isfinite(loss)]
    if known:
        low, high = min(known), min(max(known), _HIGHEST * known[0])
        room = 0.08 * (high - low) or 0.1
        panel.set_ylim(max(0.0, low - room), high + room)


def _is_cut(smoothed: Sequence[float]) -> bool:
    return any(not loss <= _HIGHEST * smoothed[0] for loss in smoothed)


def _mark(panel: Axes, found: "Found") -> None:
    if found.eta_min is not None and found.eta_max is not None:
        panel.axvspan(found.eta_min, found.eta_max, color=_SHADE, zorder=0, gid="cycle")
    if found.broke_at is not None:
        panel.axvline(found.broke_at, color=GREY, linestyle="--", linewidth=1, gid="broke")


def _legend(found: "Found") -> list[Artist]:
    entries: list[Artist] = [
        entry(".", LIGHT, "loss of a batch"),
        Line2D([], [], color=BLUE, label="loss, averaged"),
        Line2D([], [], color=VERMILLION, label="accuracy, averaged"),
    ]
    if found.eta_min is not None and found.eta_max is not None:
        ends = f"η {value(found.eta_min)} to {value(found.eta_max)}"
        entries.append(Patch(color=_SHADE, label=f"suggested cycle: {ends}"))
    if found.broke_at is not None:
        words = f"training breaks down: η {value(found.broke_at)}"
        entries.append(Line2D([], [], color=GREY, linestyle="--", linewidth=1, label=words))
    return entries
