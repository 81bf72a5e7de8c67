"""Accuracy, loss and cost of some trials as they were trained."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from coarsefine.models.specs import LOSS_WORDS
from coarsefine.search.errors import FigureError
from coarsefine.search.figures.along import (
    WIDE,
    count_updates,
    cycle_of,
    draw_rates,
    mark_cycles,
    place_of,
    rows_of,
)
from coarsefine.search.figures.quantities import (
    Quantity,
    loss_of,
    own_note,
    quantities_of,
)
from coarsefine.search.figures.scales import set_log
from coarsefine.search.figures.style import (
    GREY,
    Mark,
    house_style,
    light_grid,
    mark,
    new_sheet,
    origin,
)
from coarsefine.search.figures.subject import Against
from coarsefine.search.figures.trials import described
from coarsefine.search.words import counted, percent
from coarsefine.studies.metric import OWN
from coarsefine.studies.results.scoring.splits import replicates_in_words

if TYPE_CHECKING:
    from coarsefine.studies.results.curves.runs import TrialCurves
    from coarsefine.studies.results.ranking import Ranking

# The first part of a training, which the others must rise above by this factor to be left out.
_FIRST, _STEEP, _FEWEST = 0.08, 2.5, 6
_MARKERS: Final = 9
_TRAINING: Final = (0, (3, 1.2))
_RUNNING: Final = (0, (1, 1))
_TOGETHER: Final = "training and validation samples together"


class _Line(NamedTuple):
    """Means over the replicates, with their standard deviation where there are several."""

    places: list[float]
    means: list[float]
    spreads: list[float] | None


def curves(
    ranking: "Ranking",
    trained: "Sequence[TrialCurves]",
    against: Against = "epochs",
    *,
    final: bool = False,
) -> Figure:
    """Return accuracy, loss, cost and η of some trials, a panel each.

    Several replicates are drawn as their mean with a band of one standard deviation, up to where
    the first of them ends. Cost has a panel of its own where it differs from loss.

    Args:
        ranking: That the trials are of.
        trained: As ``coarsefine.studies.results.curves.runs.read_curves`` returns them.
        against: What the horizontal axis counts.
        final: Whether they were trained for a final test, on other samples than the study's.

    Raises:
        FigureError: If there is no curve.
    """
    if not trained:
        raise FigureError("curves needs a complete trial, or the name of another one")
    if not all(each.updates_per_epoch for each in trained):
        against = "epochs"
    quantities = quantities_of(ranking, trained)
    rates = any(each.rates is not None for each in trained)
    heights = [1.75, *([1.55] * (len(quantities) - 1)), *([0.8] if rates else [])]
    what = "accuracy and loss by epoch" if against == "epochs" else "accuracy and loss by update"
    with house_style():
        about = f"{origin(ranking.study, sizes=False)}; {_TOGETHER}" if final else ""
        what += " in the final training" if final else ""
        sheet = new_sheet(ranking.study, what, heights=heights, about=about)
        drawn = {
            quantity.key: _draw_quantity(panel, trained, quantity, against)
            for quantity, panel in zip(quantities, sheet.panels, strict=False)
        }
        begins_below = _fit_accuracy(sheet.first, drawn["accuracy"])
        # With equal axes, cost and loss differ by what is seen.
        n_losses = sum(quantity.key in {"loss", "cost"} for quantity in quantities)
        _fit_losses(sheet.panels[1 : 1 + n_losses], drawn["loss"] + drawn.get("cost", []))
        if rates:
            draw_rates(sheet.panels[-1], trained, against)
        mark_cycles(sheet, trained, against)
        last = max(place_of(each, row, against) for each in trained for row in rows_of(each))
        for panel in sheet.panels:
            panel.set_xlim(0, last * 1.01 or 1)
            panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        sheet.panels[-1].set_xlabel("epochs" if against == "epochs" else "updates")
        if against == "epochs":
            count_updates(sheet.first, trained)
        return sheet.finished(
            _legend(ranking, trained),
            [*_notes(ranking, trained, quantities, against), begins_below],
        )


# ---------------------------------------------------------------------------------------- lines


def _line(each: "TrialCurves", key: str, factor: float, against: Against) -> _Line:
    """Return a trial's means over its replicates, as far as all of them came."""
    rows = list(zip(*each.replicates, strict=False))
    places, means, spreads = [], [], []
    for same in rows:
        values = [each.value(row, key) for row in same]
        known = [value for value in values if value is not None]
        places.append(place_of(each, same[0], against))
        if len(known) < len(values):
            means.append(math.nan)
            spreads.append(math.nan)
            continue
        means.append(factor * fmean(known))
        spreads.append(factor * stdev(known) if len(known) > 1 else 0.0)
    return _Line(places, means, spreads if len(each.replicates) > 1 else None)


def _draw_quantity(
    panel: Axes, trained: "Sequence[TrialCurves]", quantity: Quantity, against: Against
) -> list[tuple[float, float]]:
    """Draw all lines of a panel, and return all of their points."""
    light_grid(panel)
    panel.set_ylabel(quantity.words)
    drawn: list[tuple[float, float]] = []
    styles: Sequence[tuple[str, Callable[[Mark], dict[str, Any]]]] = (
        ("running", _running_style),
        ("train", _training_style),
        ("validation", _validation_style),
    )
    for position, each in enumerate(trained):
        for part, style in styles:
            own_metric = quantity.key.startswith(OWN)
            key = quantity.key if own_metric else f"{part}_{quantity.key}"
            if own_metric and part != "validation":
                continue  # what it was measured on, only its trainer knows
            line = _line(each, key, quantity.factor, against)
            if all(math.isnan(mean) for mean in line.means):
                continue
            own = mark(position)
            every = max(1, len(line.places) // _MARKERS)
            # Markers of several trials do not fall on the same epochs.
            start = min(position * max(1, every // 3), len(line.places) - 1)
            panel.plot(
                line.places,
                line.means,
                color=own.colour,
                marker=own.shape,
                markevery=(start, every),
                gid=f"{part}-{position}",
                **style(own),
            )
            points = zip(line.places, line.means, strict=True)
            drawn += [(place, mean) for place, mean in points if not math.isnan(mean)]
            if part != "running":
                drawn += _draw_rest(panel, each, key, quantity.factor, against, style(own), own)
            if line.spreads is not None and part != "running":
                _draw_band(panel, line, own.colour, f"{part}-{position}-band", quantity.key)
    return drawn


def _fit_accuracy(panel: Axes, drawn: Sequence[tuple[float, float]]) -> str:
    """Give most of the panel to what comes after the first steps; return what to say of it."""
    if not drawn:
        return ""
    start = _FIRST * max(place for place, _ in drawn)
    later = [mean for place, mean in drawn if place > start]
    n_places = len({place for place, _ in drawn if place > start})
    low, high = min(mean for _, mean in drawn), max(mean for _, mean in drawn)
    if n_places < _FEWEST or high - low < _STEEP * (max(later) - min(later)):
        return ""
    room = 0.06 * (max(later) - min(later)) or 1.0
    panel.set_ylim(min(later) - room, max(later) + room)
    return "the first accuracies lie below the panel"


def _fit_losses(panels: Sequence[Axes], drawn: Sequence[tuple[float, float]]) -> None:
    losses = [mean for _, mean in drawn]
    positive = [loss for loss in losses if loss > 0]
    if not positive:
        return
    low, high = min(positive), max(positive)
    for panel in panels:
        if high > WIDE * low:
            room = (high / low) ** 0.05
            set_log(panel, low / room, high * room)
        else:
            room = 0.06 * (high - low) or 0.06 * high
            panel.set_ylim(min(losses) - room, high + room)


def _draw_rest(
    panel: Axes,
    each: "TrialCurves",
    key: str,
    factor: float,
    against: Against,
    style: Mapping[str, Any],
    own: Mark,
) -> list[tuple[float, float]]:
    """Draw replicates that went on after the first had stopped, and return their points."""
    common = min(map(len, each.replicates))
    points: list[tuple[float, float]] = []
    for curve in each.replicates:
        rest = [
            (place_of(each, row, against), factor * found)
            for row in curve[common - 1 :]
            if (found := each.value(row, key)) is not None
        ]
        if len(curve) > common and rest:
            panel.plot(
                [place for place, _ in rest],
                [measured for _, measured in rest],
                color=own.colour,
                linestyle=style["linestyle"],
                linewidth=0.6,
                alpha=0.7,
                zorder=2,
                gid="alone",
            )
            points += rest
    return points


def _draw_band(panel: Axes, line: _Line, colour: str, gid: str, key: str) -> None:
    # A loss that differs by more than itself has no place on a logarithmic axis.
    spreads = [
        math.nan if key in {"loss", "cost"} and spread >= mean else spread
        for mean, spread in zip(line.means, line.spreads or [], strict=True)
    ]
    low = [mean - spread for mean, spread in zip(line.means, spreads, strict=True)]
    high = [mean + spread for mean, spread in zip(line.means, spreads, strict=True)]
    panel.fill_between(
        line.places, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1, gid=gid
    )


def _validation_style(own: Mark) -> dict[str, Any]:
    return {"linestyle": "-", "markersize": 4, "zorder": 4, "markeredgecolor": own.colour}


def _training_style(own: Mark) -> dict[str, Any]:
    return {
        "linestyle": _TRAINING,
        "linewidth": 1.0,
        "markersize": 3.5,
        "markerfacecolor": "white",
        "markeredgecolor": own.colour,
        "markeredgewidth": 0.8,
        "zorder": 3,
    }


def _running_style(own: Mark) -> dict[str, Any]:
    return {"linestyle": _RUNNING, "linewidth": 0.9, "markersize": 0, "zorder": 2}


# ------------------------------------------------------------------------------------------- η


# --------------------------------------------------------------------------------------- words


def _names(ranking: "Ranking", trained: "Sequence[TrialCurves]") -> list[str]:
    names = []
    for each in trained:
        trial = each.trial
        score = trial.state if trial.rank is None else f"{percent(trial.validation_accuracy)} %"
        names.append(f"{described(ranking, trial)} ({trial.name}): {score}")
    return names


def _legend(ranking: "Ranking", trained: "Sequence[TrialCurves]") -> list[Line2D]:
    entries = [
        Line2D([], [], color=mark(i).colour, marker=mark(i).shape, markersize=4, label=name)
        for i, name in enumerate(_names(ranking, trained))
    ]
    entries.append(
        Line2D([], [], color=GREY, marker="o", markersize=4, label="validation (solid, filled)")
    )
    entries.append(
        Line2D(
            [],
            [],
            color=GREY,
            linestyle=_TRAINING,
            marker="o",
            markersize=3.5,
            markerfacecolor="white",
            markeredgewidth=0.8,
            label="training (dashed, hollow)",
        )
    )
    if _has_running(trained):
        entries.append(
            Line2D([], [], color=GREY, linestyle=_RUNNING, label="training, mean of the batches")
        )
    return entries


def _notes(
    ranking: "Ranking",
    trained: "Sequence[TrialCurves]",
    quantities: Sequence[Quantity],
    against: Against,
) -> list[str]:
    n_train = int(ranking.study.data.get("n_train", 0))
    limit = trained[0].train_samples
    sample = ""
    if limit is not None and limit < n_train:
        sample = f" on {limit:,} of the training samples, at the end on all"
    replicates = sorted({len(each.replicates) for each in trained} - {1})
    cycle = cycle_of(trained)
    unlike = len({each.updates_per_epoch for each in trained}) > 1
    return [
        f"re-evaluated after each epoch{sample}",
        "dotted: mean over the epoch's batches, each before its update"
        if _has_running(trained)
        else "",
        f"mean and band of ±1 standard deviation over {' or '.join(map(str, replicates))} "
        f"{replicates_in_words(ranking.study)}"
        if replicates
        else "",
        "no band where it would reach 0" if _reaches_zero(trained) else "",
        "from where the first seed stopped, the others by themselves" if _uneven(trained) else "",
        f"loss: {LOSS_WORDS.get(loss_of(ranking), 'mean loss')}",
        "cost: loss + λ Σ W²"
        if any(quantity.key == "cost" for quantity in quantities)
        else "cost equals loss: λ is 0",
        own_note(trained),
        f"upright dots: ends of the cycles of η, {counted(cycle, 'update')} each" if cycle else "",
        "an epoch is not as many updates for all of them" if unlike and against == "epochs" else "",
    ]


def _reaches_zero(trained: "Sequence[TrialCurves]") -> bool:
    lines = [
        _line(each, f"{part}_loss", 1.0, "updates")
        for each in trained
        for part in ("train", "validation")
    ]
    return any(
        spread >= mean
        for line in lines
        for mean, spread in zip(
            line.means, line.spreads or [math.nan] * len(line.means), strict=True
        )
    )


def _has_running(trained: "Sequence[TrialCurves]") -> bool:
    return any(row.running_loss is not None for each in trained for row in rows_of(each))


def _uneven(trained: "Sequence[TrialCurves]") -> bool:
    return any(len({len(curve) for curve in each.replicates}) > 1 for each in trained)
