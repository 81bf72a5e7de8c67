"""The axis that training is drawn along: epochs or updates, with η and its cycles."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from coarsefine.search.figures.scales import set_log, set_ticks, tick_text
from coarsefine.search.figures.style import BLACK, GREY, LIGHT, TICKS, Sheet, light_grid, mark
from coarsefine.search.figures.subject import Against

if TYPE_CHECKING:
    from coarsefine.db.records import EpochRecord
    from coarsefine.studies.results.curves.runs import TrialCurves

WIDE: Final = 20.0
"""From this ratio of the greatest to the least on, an axis is logarithmic."""


def rows_of(each: "TrialCurves") -> "list[EpochRecord]":
    """Return the epochs of all replicates of a trial."""
    return [row for curve in each.replicates for row in curve]


def place_of(each: "TrialCurves", row: "EpochRecord", against: Against) -> float:
    """Return where an epoch stands on the axis, in epochs or updates."""
    if not each.updates_per_epoch:
        return float(row.epoch)
    # The last epoch may be a part of one.
    return row.step / each.updates_per_epoch if against == "epochs" else float(row.step)


def draw_rates(panel: Axes, trained: "Sequence[TrialCurves]", against: Against) -> None:
    """Draw the learning rate of each trial into a panel of its own."""
    panel.set_ylabel("η")
    light_grid(panel)
    known = [(i, each) for i, each in enumerate(trained) if each.rates is not None]
    same = len({_same_rates(each) for _, each in known}) == 1
    etas: list[float] = []
    for position, each in known[:1] if same else known:
        assert each.rates is not None  # noqa: S101  # as chosen
        scale = each.updates_per_epoch if against == "epochs" else 1
        own = mark(position)
        panel.plot(
            # η of an update acts from its beginning to its end.
            each.rates.steps / scale,
            each.rates.etas,
            color=BLACK if same else own.colour,
            linestyle="-" if same else own.line,
            linewidth=1.0,
            drawstyle="default" if each.rates.schedule == "cyclical" else "steps-post",
            gid=f"eta-{position}",
        )
        etas += [float(min(each.rates.etas)), float(max(each.rates.etas))]
    least, most = min(etas), max(etas)
    cyclical = any(each.rates and each.rates.schedule == "cyclical" for each in trained)
    if not cyclical and most > WIDE * least:
        set_log(panel, least / 1.5, most * 1.5)
        return
    panel.set_ylim(0, 1.18 * most)
    places = sorted({least, most}) if cyclical else [0.0, *sorted(set(etas))]
    if len(places) <= 3 and all(b - a > 0.25 * most for a, b in pairwise(places)):
        set_ticks(panel, places, [tick_text(place) for place in places], "y")
    else:
        panel.yaxis.set_major_locator(MaxNLocator(3))


def _same_rates(each: "TrialCurves") -> tuple[Any, ...]:
    rates = each.rates
    if rates is None:
        return ()
    return (rates.schedule, rates.cycle, float(rates.etas[0]), float(max(rates.etas)))


def cycle_of(trained: "Sequence[TrialCurves]") -> int | None:
    """Return the updates of a cycle, if all have the same."""
    cycles = {each.rates.cycle for each in trained if each.rates is not None}
    return cycles.pop() if len(cycles) == 1 else None


def mark_cycles(sheet: Sheet, trained: "Sequence[TrialCurves]", against: Against) -> None:
    """Mark the ends of cycles of a cyclical learning rate."""
    cycle = cycle_of(trained)
    per_epoch = {each.updates_per_epoch for each in trained}
    if cycle is None or (against == "epochs" and len(per_epoch) > 1):
        return
    scale = next(iter(per_epoch)) if against == "epochs" else 1
    last = max(row.step for each in trained for row in rows_of(each))
    for panel in sheet.panels:
        for step in range(cycle, last + 1, cycle):
            panel.axvline(
                step / scale, color=LIGHT, linewidth=0.8, linestyle=":", zorder=0, gid="cycle"
            )


def count_updates(panel: Axes, trained: "Sequence[TrialCurves]") -> None:
    """Count updates above the epochs, where all trials make as many an epoch."""
    per_epoch = {each.updates_per_epoch for each in trained}
    if len(per_epoch) > 1 or 0 in per_epoch:
        return
    (n,) = per_epoch
    above = panel.secondary_xaxis(
        "top", functions=(partial(np.multiply, n), partial(np.multiply, 1 / n))
    )
    above.set_xlabel("updates", fontsize=7, color=GREY, labelpad=3)
    above.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    above.xaxis.set_major_formatter("{x:,.0f}")
    above.tick_params(**{**TICKS, "labelsize": 6.5, "labelcolor": GREY})
    panel.spines["top"].set_visible(False)
