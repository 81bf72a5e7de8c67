"""What a search over one or several dimensions looks at next.

One range is narrowed by ``refinement``. Two are narrowed together: around the best points, one grid
step to either side of them in each dimension. Of three and more, where a grid step is most of a
range, each is narrowed to where the best quarter of the points lie: a number that matters has them
side by side, one that does not has them everywhere.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from coarsefine.db.records import TrialState
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.keys.bounds import Bounds, Side
from coarsefine.studies.spaces.conditions import UNUSED, settled
from coarsefine.studies.spaces.dimensions import SEVERAL, Dimension, Value, shown
from coarsefine.studies.spaces.ranges import LogRange, midpoint, shifted
from coarsefine.studies.spaces.refinement import (
    UNKNOWN,
    WIDEST,
    WIDEST_OF_SEVERAL,
    Ends,
    ScoredPoint,
    refine,
)
from coarsefine.studies.spaces.seen import Seen, same_value
from coarsefine.studies.states import score_key

_NO_SIZES: Final[Mapping[str, int]] = {}
# Of so many points, one is spanned: of a grid of five by five, the best three.
_SHARE, _MOST = 8, 3
# The same with so many ranges and more: the best quarter, at least three.
_SHARE_OF_SEVERAL, _FEWEST = 4, 3
# Their window goes on by so much of the range to either side, and is at most so much of it wide.
_BESIDE, _WIDEST_OF_THREE = 0.1, 0.75


@dataclass(frozen=True, slots=True)
class ScoredTrial:
    """A point that was tried, and what came of it.

    Attributes:
        params: A value of each dimension.
        accuracy: Mean validation accuracy, or another score of which more is better.
        loss: Mean validation loss.
        tied: Whether it is tied with the best one.
    """

    params: Mapping[str, Value]
    accuracy: float | None
    loss: float | None
    state: TrialState = "complete"
    tied: bool = False

    @property
    def scored(self) -> bool:
        """Return whether it can be best."""
        known = self.accuracy is not None and math.isfinite(self.accuracy)
        return self.state == "complete" and known


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Where to look next, and why.

    Attributes:
        dimensions: With narrower ranges; values that are no numbers are those of the best point.
        best: The best point.
        reason: How the ranges came about, in plain words.
        warnings: What the user should know, a line each.
    """

    dimensions: tuple[Dimension, ...]
    best: Mapping[str, Value]
    reason: str
    warnings: tuple[str, ...] = ()


def narrowed(
    dimensions: Sequence[Dimension],
    trials: Sequence[ScoredTrial],
    sizes: Mapping[str, int] = _NO_SIZES,
    optimum: Ends = UNKNOWN,
) -> Narrowing:
    """Return the dimensions that the results leave to be looked at more closely.

    Args:
        dimensions: What was searched last.
        trials: All points tried so far, of earlier stages too, in the order of their trials.
        sizes: The greatest value of parameters that data limit, by name.
        optimum: From where to where the best value of the only range lies, as far as it is known;
            it counts on a logarithmic scale, which it was found on.

    Raises:
        StudyError: If no trial is complete, or no dimension is a range of numbers.
    """
    finished = [trial for trial in trials if trial.scored]
    if not finished:
        raise StudyError("a range is narrowed around finished trials, got none that is complete")
    best = min(finished, key=lambda trial: score_key(trial.accuracy, trial.loss))
    # With the choices of the best point, each number has a use or none.
    there_is = {d.name: settled(d, best.params) for d in dimensions}
    ranges = [d for d in there_is.values() if d.parameter.numeric and d.values != UNUSED]
    if not ranges:
        names = " and ".join(d.name for d in dimensions)
        raise StudyError(f"a finer search narrows a range of numbers, {names} has none")
    choices = [d for d in dimensions if not d.parameter.numeric]
    fixed = {
        d.name: Dimension(d.parameter, values=(best.params[d.name],), variants=d.variants)
        for d in choices
    }
    alike = [
        trial
        for trial in trials
        if all(same_value(trial.params[name], best.params[name]) for name in fixed)
    ]
    if len(ranges) == 1:
        (dimension,) = ranges
        points = [
            ScoredPoint(_place(dimension, t), t.accuracy, t.loss, t.state, t.tied) for t in alike
        ]
        there, reason, warnings = _alone(dimension, points, sizes, optimum)
    else:
        there, reason, warnings = _together(ranges, alike, best, sizes)
    kept = "".join(f"; {name} as in the best trial: {shown(best.params[name])}" for name in fixed)
    return Narrowing(
        tuple({**there_is, **there, **fixed}[d.name] for d in dimensions),
        best.params,
        reason + kept,
        warnings,
    )


def _alone(
    dimension: Dimension, points: Sequence[ScoredPoint], sizes: Mapping[str, int], optimum: Ends
) -> tuple[dict[str, Dimension], str, tuple[str, ...]]:
    """Return one range narrowed, on the logarithmic scale that it is seen as."""
    bounds, searched = dimension.parameter.bounds(sizes), dimension.range
    if searched is None or dimension.scale == "log":
        window = refine(points, searched, bounds=bounds, optimum=optimum)
        found = dimension.with_range(window.range)
    else:
        placed = bounds.placed(searched.placed)
        window = refine(points, searched.log, bounds=placed, native=searched.native)
        found = dimension.with_range(searched.within(window.range))
    return {dimension.name: found}, window.reason, window.warnings


def _place(dimension: Dimension, trial: ScoredTrial) -> float:
    """Return where a trial's number lies on the logarithmic scale."""
    value = float(trial.params[dimension.name])  # type: ignore[arg-type]
    return value if dimension.range is None else dimension.range.placed(value)


def _together(
    dimensions: Sequence[Dimension],
    trials: Sequence[ScoredTrial],
    best: ScoredTrial,
    sizes: Mapping[str, int],
) -> tuple[dict[str, Dimension], str, tuple[str, ...]]:
    """Return all ranges narrowed around the best points."""
    finished = sorted(
        (trial for trial in trials if trial.scored), key=lambda t: score_key(t.accuracy, t.loss)
    )
    # A point that a finer stage took over stands there twice.
    seen, different = Seen(), list[ScoredTrial]()
    for trial in finished:
        if trial.params not in seen:
            seen.add(trial.params)
            different.append(trial)
    axes = [_Axis(d, trials, len(dimensions), _bounds(d, sizes)) for d in dimensions]

    def words(trial: ScoredTrial) -> str:
        each = (f"{d.parameter.symbol} {shown(trial.params[d.name])}" for d in dimensions)
        return f"({', '.join(each)})"

    if len(dimensions) >= SEVERAL:
        chosen = different[: max(_FEWEST, len(different) // _SHARE_OF_SEVERAL)]
        spans = [axis.spanned(chosen, best) for axis in axes]
        reason = (
            f"where the best {len(chosen)} of {len(different)} points lie, around {words(best)}"
        )
    else:
        chosen = different[: max(1, min(_MOST, len(finished) // _SHARE))]
        spans = [axis.window(chosen, best) for axis in axes]
        points = "the best point" if len(chosen) == 1 else f"the {len(chosen)} best points"
        reason = f"{points} {' and '.join(map(words, chosen))} and their neighbours"
    warnings = tuple(
        f"the best value {shown(best.params[axis.dimension.name])} of "
        f"{axis.dimension.parameter.symbol} lies on the {edge} edge of "
        f"{axis.dimension.range or axis.around}: a better one may lie beyond"
        for axis in axes
        for edge in axis.edges(best)
    )
    ranges = {axis.dimension.name: span for axis, span in zip(axes, spans, strict=True)}
    found = {
        d.name: d.with_range(ranges[d.name] if d.range is None else d.range.within(ranges[d.name]))
        for d in dimensions
    }
    return found, reason, warnings


def _bounds(dimension: Dimension, sizes: Mapping[str, int]) -> Bounds:
    """Return the natural limits of a dimension, on the logarithmic scale that it is seen as."""
    bounds = dimension.parameter.bounds(sizes)
    if dimension.range is None or dimension.scale == "log":
        return bounds
    return bounds.placed(dimension.range.placed)


class _Axis:
    """One dimension of several, and what was tried of it."""

    def __init__(
        self, dimension: Dimension, trials: Sequence[ScoredTrial], n_axes: int, bounds: Bounds
    ) -> None:
        self.dimension = dimension
        self.trials = [trial for trial in trials if trial.scored]
        self.bounds = bounds
        values = [self.value(trial) for trial in trials if self.value(trial) > 0]
        around = dimension.range.log if dimension.range else LogRange.spanning(values)
        if around is None:
            raise StudyError(f"{dimension.name} needs two values to be narrowed between")
        self.around = around
        inside = [v for v in values if around.low / 1.001 <= v <= around.high * 1.001]
        self.n_axes, self.n_inside = n_axes, len(inside)
        distinct = len({f"{value:.6g}" for value in inside})
        per_axis = max(2.0, len(inside) ** (1 / n_axes))
        # Sampled points have all different values: a grid of as many has fewer.
        self.is_grid = distinct <= 1.5 * per_axis
        self.step = around.decades / (max(2.0, distinct if self.is_grid else per_axis) - 1)
        self.limit = self._diverged_from(trials) if self.is_grid else math.inf

    def value(self, trial: ScoredTrial) -> float:
        return _place(self.dimension, trial)

    def edges(self, best: ScoredTrial) -> list[str]:
        """Return on which edges of the range the best value lies."""
        if best.accuracy == 1.0 or all(trial.tied for trial in self.trials):
            return []  # nothing better is to be found beyond
        at = self.around.position(self.value(best)) * self.around.decades
        near = 0.25 * self.step
        if self.n_axes >= SEVERAL and not self.is_grid:
            # As of one range: half of what the outermost of n points leave on average.
            near = self.around.decades / (2 * (self.n_inside + 1))
        lower = at < near and self._beyond("low") is not None and not self._fades(best)
        upper = self.around.decades - at < near and self._beyond("high") is not None
        return [
            *(["lower"] if lower else []),
            *(["upper"] if upper and self.limit > self.around.high else []),
        ]

    def _beyond(self, side: Side) -> float | None:
        end = self.around.low if side == "low" else self.around.high
        return self.bounds.beyond(end, side)

    def _fades(self, best: ScoredTrial) -> bool:
        """Return whether values may be 0, and those above are tied: smaller ones are, too."""
        above = (t for t in self.trials if self.value(t) > self.value(best) * 1.001)
        return self.bounds.zero and any(trial.tied for trial in above)

    def window(self, chosen: Sequence[ScoredTrial], best: ScoredTrial) -> LogRange:
        for points, share in ((chosen, WIDEST_OF_SEVERAL), ([best], WIDEST)):
            values = [self.value(trial) for trial in points]
            low, high = self._reach(min(values), max(values), best)
            if math.log10(high / low) <= share * self.around.decades:
                return LogRange(low, high)
        value = self.value(best)
        half = WIDEST * self.around.decades / 2
        return LogRange(max(low, shifted(value, -half)), min(high, shifted(value, half)))

    def spanned(self, chosen: Sequence[ScoredTrial], best: ScoredTrial) -> LogRange:
        """Return the part of the range where the chosen points lie, with a margin, and the best."""
        values = [self.value(trial) for trial in chosen]
        beside, half = _BESIDE * self.around.decades, _WIDEST_OF_THREE * self.around.decades / 2
        at = self.value(best)
        low = max(shifted(min(values), -beside), shifted(at, -half), self.around.low)
        high = min(shifted(max(values), beside), shifted(at, half), self.around.high, self.limit)
        for edge in self.edges(best):
            if edge == "lower":
                low = self._beyond("low") or low
            else:
                high = self._beyond("high") or high
        return LogRange(min(low, at), max(high, at))

    def _reach(self, low: float, high: float, best: ScoredTrial) -> tuple[float, float]:
        edges = self.edges(best)
        lowest = (self._beyond("low") if "lower" in edges else None) or self.around.low
        highest = (self._beyond("high") if "upper" in edges else None) or self.around.high
        return (
            max(lowest, shifted(low, -self.step)) if "lower" not in edges else lowest,
            min(
                highest if "upper" in edges else min(shifted(high, self.step), highest), self.limit
            ),
        )

    def _diverged_from(self, trials: Sequence[ScoredTrial]) -> float:
        """Return half-way to the first value at which all trials diverged; infinity if none."""
        well = [self.value(trial) for trial in trials if trial.scored]
        bad = sorted({self.value(t) for t in trials if t.state == "diverged"} - set(well))
        beyond = [value for value in bad if value > max(well)]
        return midpoint(max(well), beyond[0]) if beyond else math.inf
