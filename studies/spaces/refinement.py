"""Where to look next: the window that the results of a search narrow its range to.

The window spans the best values and their neighbours, and is always clearly narrower than the
range before. Where the best value lies on the edge of what was searched, it reaches one decade
beyond that edge, so that a few stages arrive at an optimum that the first range has missed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from coarsefine.db.records import TrialState
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.keys.bounds import Bounds, Side
from coarsefine.studies.spaces.ranges import LogRange, is_same, midpoint, shifted
from coarsefine.studies.states import score_key

# A window is at most this part of the range before, in decades. Less would cut off good values,
# and let stages that follow an optimum beyond the edge run out of breath before they are there.
WIDEST = 0.8
# Several best values are spanned only if that leaves at most this part: best values far apart are
# a flat curve, and a window as wide as the flat part would be the coarse search over again.
WIDEST_OF_SEVERAL = 0.7
# Of the finished values, at most one in so many is spanned: the best of three are all of three.
SHARE = 3
_UNBOUNDED: Final = Bounds()
# A window is cut to where the optimum lies if less than this part of it is left, in decades.
_SHARPER: Final = 0.8
# From where to where the best value lies; ``None`` for an end that is not known.
Ends = tuple[float | None, float | None]
UNKNOWN: Final[Ends] = (None, None)
# A range of fewer values than this, over at least so many decades, is easily misread.
FEW_VALUES, SEVERAL_DECADES = 6, 2.0


@dataclass(frozen=True)
class ScoredPoint:
    """A value that was tried, and what came of it.

    Attributes:
        value: ``>= 0``.
        accuracy: Mean validation accuracy, or another score of which more is better.
        loss: Mean validation loss.
        state: Only complete points can be best; diverged ones bound the window, pruned ones are
            neighbours, others tell nothing.
        tied: Whether it is tied with the best one.
    """

    value: float
    accuracy: float | None
    loss: float | None
    state: TrialState = "complete"
    tied: bool = False


@dataclass(frozen=True)
class Window:
    """Where to look next, and why.

    Attributes:
        range: The range to search.
        edges: The sides on which the best value lay on the edge, and the range was widened.
        best: The values that the window spans, best first.
        reason: How the range came about, in plain words.
        warnings: What the user should know, a line each.
    """

    range: LogRange
    edges: tuple[Side, ...]
    best: tuple[float, ...]
    reason: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """A tried value on the log scale.

    Attributes:
        value: Where it is taken to be: zero, which has no place, one decade below all others.
        tried: What it is.
        key: Its place among the finished values, best first; ``None`` for others.
        tied: Whether it is tied with the best one.
    """

    value: float
    tried: float
    key: tuple[float, float, int] | None
    diverged: bool
    tied: bool = False


def refine(
    scored: Sequence[ScoredPoint],
    searched: LogRange | None,
    n_best: int = 3,
    bounds: Bounds = _UNBOUNDED,
    native: Callable[[float], float] | None = None,
    optimum: Ends = UNKNOWN,
) -> Window:
    """Return the window that the scores narrow the searched range to.

    Args:
        scored: All values tried so far, of earlier stages too, in the order of their trials.
        searched: The range to narrow; ``None`` takes what the values span.
        n_best: How many of the best values to span, if the window stays narrow enough.
        bounds: The natural limits of the values.
        native: Returns the value that is seen at a place on this scale; ``None`` where values are
            their own places.
        optimum: From where to where the best value lies, as far as the scores tell: the window is
            cut to that.

    Returns:
        A window that holds the best value (where that is 0: the decade below all others), is at
        most ``WIDEST`` of the searched range, in decades, and holds no value that diverged.

    Raises:
        StudyError: If no value has a score, 0 is the only value, or the range is too narrow.
    """
    places = _places(scored)
    finished = sum(place.key is not None for place in places)
    if not finished:
        raise StudyError("a range is narrowed around finished trials, got none that is complete")
    around, limit = _searched(places, searched)
    neighbourhood = _Neighbourhood(places, around, bounds, native)
    ranked = neighbourhood.candidates()
    most = max(1, min(n_best, -(-finished // SHARE)))
    for n in range(min(most, len(ranked)), 0, -1):
        low, high = neighbourhood.span(ranked[:n])
        share = 1.0 if n == 1 else WIDEST_OF_SEVERAL / WIDEST
        if math.log10(high / low) <= share * limit:
            chosen, halved = ranked[:n], False
            break
    else:
        chosen, halved = ranked[:1], True
        low, high = neighbourhood.shrunk(limit)
    if math.log10(high / low) < 1e-6:
        raise StudyError(f"the range {around.low} … {around.high} is too narrow to be narrowed")
    reason = neighbourhood.reason(chosen, low, high, halved)
    cut = _cut(low, high, neighbourhood.best.value, optimum)
    if cut is not None:
        low, high = cut
        reason += "; cut to where the best one lies (95 % confidence)"
    return Window(
        range=LogRange(low, high),
        edges=neighbourhood.edges,
        best=tuple(place.tried for place in chosen if low <= place.value <= high),
        reason=reason,
        warnings=_warnings(neighbourhood),
    )


def _cut(low: float, high: float, best: float, optimum: Ends) -> tuple[float, float] | None:
    """Return the part of a window where the optimum lies; ``None`` if that is most of it."""
    first, last = optimum
    nearer = low if first is None else max(low, min(first, best))
    sooner = high if last is None else min(high, max(last, best))
    if not nearer < sooner or math.log(sooner / nearer) >= _SHARPER * math.log(high / low):
        return None
    return nearer, sooner


class _Neighbourhood:
    """What surrounds the best value."""

    def __init__(
        self,
        places: list[_Place],
        around: LogRange,
        bounds: Bounds,
        native: Callable[[float], float] | None = None,
    ) -> None:
        self.native = native
        self.places = places
        self.around = around
        self.bounds = bounds
        ranked = [place for place in places if place.key is not None]
        self.best = min(ranked, key=_rank)
        self.at = places.index(self.best)
        on_edge = [side for side in _SIDES if self._on_edge(side)]
        self.beyond = {side: bounds.beyond(self._end(side), side) for side in on_edge}
        self.edges: tuple[Side, ...] = tuple(
            side
            for side in on_edge
            if self.beyond[side] is not None and not self._nothing_beyond(side)
        )
        # Edges with the best value on them, beyond which nothing is sought.
        self.flat = tuple(side for side in on_edge if side not in self.edges)

    def candidates(self) -> list[_Place]:
        """Return the finished places, best first, that no diverged one parts from the best."""
        below = [i for i, place in enumerate(self.places) if place.diverged and i < self.at]
        above = [i for i, place in enumerate(self.places) if place.diverged and i > self.at]
        within = self.places[max(below, default=-1) + 1 : min(above, default=len(self.places))]
        return sorted((place for place in within if place.key is not None), key=_rank)

    def span(self, chosen: Sequence[_Place]) -> tuple[float, float]:
        """Return the ends of the window from neighbour to neighbour."""
        first = min(self.places.index(place) for place in chosen)
        last = max(self.places.index(place) for place in chosen)
        return self._low_end(first), self._high_end(last)

    def shrunk(self, limit: float) -> tuple[float, float]:
        """Return the ends of a window around the best alone, at most ``limit`` decades wide."""
        best = self.best.value
        low, high = self.span([self.best])
        below, above = math.log10(best / low), math.log10(high / best)
        if "low" not in self.edges:
            below /= 2
        if "high" not in self.edges:
            above /= 2
        if below + above > limit and self.edges:
            # It is beyond the edge that the optimum is to be looked for: keep half for that.
            if "low" in self.edges:
                below = min(below, max(limit / 2, limit - above))
            else:
                above = min(above, max(limit / 2, limit - below))
        scale = min(1.0, limit / (below + above))
        return (
            min(best, shifted(best, -below * scale)) if below else best,
            max(best, shifted(best, above * scale)) if above else best,
        )

    def on_edge(self, side: Side) -> str:
        """Return that the best value lies on this edge, in words."""
        edge = "lower" if side == "low" else "upper"
        around = f"{self.words(self.around.low)} … {self.words(self.around.high)}"
        return f"the best value {self.words(self.best.tried)} lies on the {edge} edge of {around}"

    def words(self, place: float) -> str:
        """Return a value as people know it."""
        return f"{place if self.native is None else self.native(place):.4g}"

    def reason(self, chosen: Sequence[_Place], low: float, high: float, halved: bool) -> str:
        """Return why the window is what it is, in words."""
        values = _listed([self.words(place.tried) for place in chosen])
        if self.edges:
            side = self.edges[0]
            end, new = (self.around.low, low) if side == "low" else (self.around.high, high)
            text = f"{self.on_edge(side)}, so the range goes on from {self.words(end)} to "
            text += self.words(new)
        elif self.best.tried == 0:
            text = f"the best value is 0, so the range goes on below {self.words(self.around.low)}"
        elif halved:
            text = f"part of the way from the best value {values} to its neighbours"
        elif len(chosen) == 1:
            text = f"from one neighbour of the best value {values} to the other"
        else:
            text = f"the {len(chosen)} best values {values} and their neighbours"
        for side in self.flat:
            why = "the limit" if self.beyond[side] is None else "tied with others"
            if self.best.key is not None and self.best.key[0] <= -1.0:
                why = "100 %"
            text += f"; nothing is sought beyond {self.words(self.best.tried)}: {why}"
        return text + "".join(
            f"; ends short of {self.words(place.tried)}, which diverged"
            for place in self._diverged_neighbours(chosen)
        )

    def _diverged_neighbours(self, chosen: Sequence[_Place]) -> list[_Place]:
        positions = [self.places.index(place) for place in chosen]
        beside = (min(positions) - 1, max(positions) + 1)
        return [
            self.places[i] for i in beside if 0 <= i < len(self.places) and self.places[i].diverged
        ]

    def _on_edge(self, side: Side) -> bool:
        outermost = self.places[0] if side == "low" else self.places[-1]
        if outermost is not self.best or self.best.tried == 0:
            return False
        end = self.around.low if side == "low" else self.around.high
        left = math.log10(self.best.value / end) * (1 if side == "low" else -1)
        # Sampled values seldom meet the end. The outermost of n leaves 1/(n + 1) on average, and
        # if no more than half of that is left, there is nothing to be found on the way to the end.
        return left < self.around.decades / (2 * (len(self.places) + 1))

    def _end(self, side: Side) -> float:
        """Return the end of what was tried and searched, on this side."""
        ends = (self.best.value, self.around.low, self.around.high)
        return min(ends) if side == "low" else max(ends)

    def _nothing_beyond(self, side: Side) -> bool:
        """Return whether nothing better can be expected beyond an edge with the best value.

        The best has 100 %, or all values are tied. Values that may be 0, such as penalties, act
        less and less below: where the least two are tied, smaller ones are, too.
        """
        assert self.best.key is not None  # noqa: S101  # only finished places are ranked
        if self.best.key[0] <= -1.0:
            return True
        finished = [place for place in self.places if place.key is not None]
        if len(finished) > 1 and all(place.tied for place in finished):
            return True
        above = [place for place in finished if place.value > self.best.value]
        return side == "low" and self.bounds.zero and bool(above) and above[0].tied

    def _low_end(self, first: int) -> float:
        place = self.places[first]
        if first > 0:
            other = self.places[first - 1]
            return midpoint(other.value, place.value) if other.diverged else other.value
        if place.tried == 0:
            return place.value
        if place is self.best and "low" in self.edges:
            return self.beyond["low"] or place.value
        return min(place.value, self.around.low)

    def _high_end(self, last: int) -> float:
        place = self.places[last]
        if last + 1 < len(self.places):
            other = self.places[last + 1]
            return midpoint(place.value, other.value) if other.diverged else other.value
        if place is self.best and "high" in self.edges:
            return self.beyond["high"] or place.value
        return max(place.value, self.around.high)


_SIDES: tuple[Side, ...] = ("low", "high")


def _rank(place: _Place) -> tuple[float, float, int]:
    assert place.key is not None  # noqa: S101  # only finished places are ranked
    return place.key


def _places(scored: Sequence[ScoredPoint]) -> list[_Place]:
    """Return the tried values in their order, each once, as its best trial has it."""
    telling = [
        (point, order)
        for order, point in enumerate(scored)
        if point.state in {"diverged", "pruned"} or _has_score(point)
    ]
    telling.sort(key=lambda pair: pair[0].value)
    groups: list[list[tuple[ScoredPoint, int]]] = []
    for pair in telling:
        if groups and is_same(groups[-1][0][0].value, pair[0].value):
            groups[-1].append(pair)
        else:
            groups.append([pair])
    positive = [group[0][0].value for group in groups if group[0][0].value > 0]
    if telling and not positive:
        raise StudyError("a range is narrowed around values > 0, got no value but 0")
    places = []
    for group in groups:
        tried = group[0][0].value
        keys = [
            (*score_key(point.accuracy, point.loss), order)
            for point, order in group
            if _has_score(point)
        ]
        places.append(
            _Place(
                value=tried if tried > 0 else shifted(positive[0], -1),
                tried=tried,
                key=min(keys, default=None),
                diverged=not keys and any(point.state == "diverged" for point, _ in group),
                tied=any(point.tied for point, _ in group),
            )
        )
    return places


def _has_score(point: ScoredPoint) -> bool:
    known = point.accuracy is not None and math.isfinite(point.accuracy)
    return point.state == "complete" and known


def _searched(places: list[_Place], searched: LogRange | None) -> tuple[LogRange, float]:
    """Return the range that was searched, and how wide a window may be."""
    values = [place.tried for place in places if place.tried > 0]
    spanned = searched or LogRange.spanning(values)
    if spanned is not None:
        return spanned, WIDEST * spanned.decades
    # One value alone has no scale: half a decade to either side.
    return LogRange(shifted(values[0], -0.5), shifted(values[0], 0.5)), math.inf


def _warnings(neighbourhood: _Neighbourhood) -> tuple[str, ...]:
    warnings = []
    places, around = neighbourhood.places, neighbourhood.around
    positive = sum(place.tried > 0 for place in places)
    width = f"{around.decades:.2g} decades" if neighbourhood.native is None else "the range"
    if positive < FEW_VALUES and around.decades >= SEVERAL_DECADES:
        warnings.append(
            f"{positive} value{'' if positive == 1 else 's'} over {width} can miss the best one; "
            f"try {FEW_VALUES} or more"
        )
    warnings += [
        f"{neighbourhood.on_edge(side)}: a better one may lie beyond"
        for side in neighbourhood.edges
    ]
    return tuple(warnings)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
