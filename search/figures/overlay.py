"""A cross-check: the curves of both sides, one over the other, and how far the weights differ."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from coarsefine.search.errors import FigureError
from coarsefine.search.figures.style import (
    BLUE,
    GREY,
    TICKS,
    VERMILLION,
    house_style,
    light_grid,
    new_figure,
)

if TYPE_CHECKING:
    from coarsefine.studies.checks.crosscheck_result import CrossCheck

_WIDTH, _HEIGHT = 4.8, 6.4


def overlay(found: "CrossCheck", what: str) -> Figure:
    """Return loss and accuracy of both sides by epoch, and the largest difference of weights.

    Args:
        found: With at least one epoch.
        what: Which training, for the title.

    Raises:
        FigureError: If there is no epoch to draw.
    """
    if len(found.epochs) < 2:
        raise FigureError("a cross-check is drawn from its first epoch on, got none")
    epochs = [epoch.epoch for epoch in found.epochs]
    with house_style():
        figure = new_figure(_WIDTH, _HEIGHT)
        panels = figure.subplots(3, 1, sharex=True)
        figure.suptitle(f"{what}: here and in {found.version}", fontsize=8, fontweight="bold")
        for panel, measure, label, factor in (
            (panels[0], "loss", "loss", 1),
            (panels[1], "accuracy", "accuracy (%)", 100),
        ):
            for split, colour in (("train", BLUE), ("validation", VERMILLION)):
                name = f"{split}_{measure}"
                ours = [factor * getattr(epoch.ours, name) for epoch in found.epochs]
                theirs = [factor * getattr(epoch.theirs, name) for epoch in found.epochs]
                # Ours a line, theirs marks on it: where they agree, both are seen.
                panel.plot(epochs, ours, color=colour, linewidth=1.3)
                panel.plot(epochs, theirs, color=colour, linestyle="none", marker="o", mfc="none")
            panel.set_ylabel(label)
        compared = [epoch for epoch in found.epochs if epoch.weights.difference > 0]
        places = [epoch.epoch for epoch in compared]
        panels[2].plot(places, [e.weights.difference for e in compared], color=GREY, marker="s")
        panels[2].plot(places, [e.weights.allowed for e in compared], color=GREY, linestyle=":")
        if compared:
            panels[2].set_yscale("log")
        panels[2].set_ylabel("largest difference\nof a parameter")
        panels[2].set_xlabel("epochs")
        for panel in panels:
            panel.tick_params(**TICKS)
            light_grid(panel)
        hollow = {"color": GREY, "linestyle": "none", "marker": "o", "mfc": "none"}
        panels[2].xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(  # type: ignore[call-overload]  # the stubs know no handles without labels
            handles=[
                Line2D([], [], color=BLUE, label="training"),
                Line2D([], [], color=VERMILLION, label="validation"),
                Line2D([], [], color=GREY, label="here"),
                Line2D([], [], label=found.against, **hollow),  # type: ignore[arg-type]
                Line2D([], [], color=GREY, marker="s", label="difference"),
                Line2D([], [], color=GREY, linestyle=":", label="what rounding allows"),
            ],
            loc="outside lower center",
            ncols=3,
        )
    return figure
