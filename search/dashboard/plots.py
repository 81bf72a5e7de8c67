"""Interactive figures of a study, as the JSON that plotly draws: plotly itself is in the page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from coarsefine.db import repository
from coarsefine.search.dashboard.sheets import Sheet
from coarsefine.search.words import percent, value
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.states import UNFINISHED

MOST_POINTS: Final = 1_000
"""The best of more are drawn: a page with thousands of marks is slow."""
MOST_CURVES: Final = 8

# As in our other figures: Okabe and Ito's colours, and a shape a stage.
_MARKS: Final = (
    ("#0072B2", "circle"),
    ("#D55E00", "square"),
    ("#009E73", "diamond"),
    ("#CC79A7", "triangle-up"),
    ("#E69F00", "triangle-down"),
    ("#56B4E9", "cross"),
    ("#000000", "x"),
    ("#F0E442", "star"),
)
_DECADE: Final = 10.0


def plots(sheet: Sheet, stage: str) -> dict[str, str]:
    """Return the figures of a stage's page, by the names that they have there."""
    found = {f"accuracy-by-{name}": _accuracies(sheet.ranking, name) for name in _names(sheet)}
    curves = _curves(sheet, stage)
    if curves is not None:
        found["curves-of-the-best"] = curves
    return {_id(name): json.dumps(figure, allow_nan=False) for name, figure in found.items()}


def _id(name: str) -> str:
    """Return what may be a figure's name in a page.

    >>> _id("accuracy-by-optimizer.name/x")
    'accuracy-by-optimizer.name-x'
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)


def _names(sheet: Sheet) -> list[str]:
    """Return what was searched, where there is more than one value of it to be compared."""
    ranked = _ranked(sheet.ranking)
    names = dict.fromkeys(name for trial in ranked for name in trial.params)
    return [name for name in names if len({value(t.params.get(name)) for t in ranked}) > 1]


def _ranked(ranking: Ranking) -> list[RankedTrial]:
    return [trial for trial in ranking.trials if trial.rank is not None]


def _accuracies(ranking: Ranking, name: str) -> dict[str, Any]:
    # Trials without a use for it have no value of it.
    ranked = [trial for trial in _ranked(ranking) if trial.params.get(name) is not None]
    shown = ranked[:MOST_POINTS]
    numeric = all(type(trial.params.get(name)) in (int, float) for trial in shown)
    with_intervals = len(shown) < MOST_POINTS
    traces = []
    for position, stage in enumerate(ranking.stages):
        trials = [trial for trial in shown if trial.stage == stage.name]
        if not trials:
            continue
        colour, shape = _MARKS[position % len(_MARKS)]
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "name": _plain(stage.name),
            "x": [t.params[name] if numeric else _choice(t, name) for t in trials],
            "y": [100 * (t.validation_accuracy or 0.0) for t in trials],
            "text": [_words(ranking, t) for t in trials],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "color": colour,
                "size": 9,
                # Filled: the best, and what is tied with it.
                "symbol": [shape if t.tied or t.rank == 1 else f"{shape}-open" for t in trials],
            },
        }
        if with_intervals:
            trace["error_y"] = _intervals(trials, colour)
        traces.append(trace)
    best = ranking.best
    if best is not None and best.params.get(name) is not None:
        traces.append(_star(ranking, best, name, numeric=numeric))
    symbol = _plain(ranking.symbol(name))
    title = f"Accuracy by {symbol}"
    left_out = len(ranked) - len(shown)
    if left_out:
        title += f": the best {len(shown):,} of {len(ranked):,}"
    axis: dict[str, Any] = {"title": {"text": symbol}}
    if not numeric:
        # In the order of the plan, which is the user's.
        planned = sorted(shown, key=lambda t: t.trial)
        axis |= {"type": "category", "categoryorder": "array"}
        axis["categoryarray"] = list(dict.fromkeys(_choice(t, name) for t in planned))
    elif _spans_decades([float(t.params[name]) for t in shown]):
        axis |= {"type": "log", "exponentformat": "power", "dtick": 1}
    return _figure(title, traces, axis, {"title": {"text": "validation accuracy (%)"}})


def _intervals(trials: Sequence[RankedTrial], colour: str) -> dict[str, Any]:
    ends = [
        (t.validation_accuracy or 0.0, *(t.interval or (t.validation_accuracy or 0.0,) * 2))
        for t in trials
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (high - middle) for middle, _, high in ends],
        "arrayminus": [100 * (middle - low) for middle, low, _ in ends],
        "color": colour,
        "thickness": 1,
        "width": 3,
    }


def _star(ranking: Ranking, best: RankedTrial, name: str, *, numeric: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "the best-ranked trial",
        "x": [best.params[name] if numeric else _choice(best, name)],
        "y": [100 * (best.validation_accuracy or 0.0)],
        "text": [_words(ranking, best)],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": "#F0E442",
            "size": 15,
            "symbol": "star",
            "line": {"color": "#000000", "width": 1},
        },
    }


def _words(ranking: Ranking, trial: RankedTrial) -> str:
    interval = ""
    if trial.interval is not None:
        low, high = trial.interval
        interval = f" (95 %: {percent(low, 1)} to {percent(high, 1)})"
    tied = ", tied with the best" if trial.tied and trial.rank != 1 else ""
    lines = (
        f"{trial.name}: {ranking.point(trial.params)}",
        f"{percent(trial.validation_accuracy)} %{interval}",
        f"rank {trial.rank}{tied}",
    )
    return "<br>".join(_plain(line) for line in lines)


def _choice(trial: RankedTrial, name: str) -> str:
    return _plain(value(trial.params.get(name)))


def _plain(text: str) -> str:
    """Return a text as plotly shows it: it reads some tags, and users give names."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _spans_decades(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) >= _DECADE * min(values)


def _curves(sheet: Sheet, stage: str) -> dict[str, Any] | None:
    """Return validation accuracy by epoch: of the stage's best trials, or of those under way."""
    own = [trial for trial in sheet.ranking.trials if trial.stage == stage]
    ranked = [trial for trial in own if trial.rank is not None]
    shown = (ranked or [trial for trial in own if trial.state in UNFINISHED])[:MOST_CURVES]
    keys = [sheet.ids.get(trial.uuid or "", 0) for trial in shown]
    by_key = repository.mean_accuracies(sheet.database, keys)
    traces: list[dict[str, Any]] = []
    for position, (trial, key) in enumerate(zip(shown, keys, strict=True)):
        curve: Mapping[int, float] = by_key.get(key, {})
        if not curve:
            continue
        place = "under way" if trial.rank is None else f"rank {trial.rank}"
        colour, _ = _MARKS[position % len(_MARKS)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": _plain(f"{place}: {sheet.ranking.point(trial.params)}"),
                "x": list(curve),
                "y": [100 * accuracy for accuracy in curve.values()],
                "line": {"color": colour, "width": 2},
            }
        )
    if not traces:
        return None
    which = f"the best {len(traces)} trials" if len(traces) > 1 else "the best trial"
    if not ranked:
        which = "trials under way"
    return _figure(
        f"{_plain(stage)}: {which} by epoch",
        traces,
        {"title": {"text": "epoch"}},
        {"title": {"text": "validation accuracy (%)"}, **_range([t["y"] for t in traces])},
    )


def _range(curves: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return the part of an axis in which curves differ: without their first rise, if they rise."""
    settled = [y for curve in curves for y in curve[len(curve) // 5 :]]
    low, high = min(settled), max(settled)
    around = max(0.1 * (high - low), 0.1)
    return {"range": [low - around, high + around]}


def _figure(
    title: str, traces: Iterable[Mapping[str, Any]], x: Mapping[str, Any], y: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "data": list(traces),
        "layout": {
            # At the left: plotly's buttons are at the right.
            "title": {"text": title, "font": {"size": 14}, "x": 0.02, "xanchor": "left"},
            "xaxis": {"automargin": True, **x},
            "yaxis": {"automargin": True, **y},
            "legend": {"orientation": "h", "y": -0.2},
            "margin": {"t": 60, "r": 20},
            "showlegend": True,
        },
    }
