"""Windows that results narrow a range to, and the grids that fill them."""

import doctest
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.ranking import (
    RankedTrial,
    Ranking,
    StageSummary,
    judged,
    rank_trials,
)
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.spaces import refinement
from coarsefine.studies.spaces.gaps import fine_grid
from coarsefine.studies.spaces.ranges import LogRange, is_same
from coarsefine.studies.spaces.refinement import WIDEST, ScoredPoint, Window, refine
from tests.studies import simulations
from tests.studies.made_up import study_record

LAB = LogRange(1e-5, 1e-1)
ROUNDING = 1 + 1e-9


def scored(values: list[float], accuracies: list[float | None]) -> list[ScoredPoint]:
    """Return finished points; no accuracy is a value that diverged."""
    return [
        ScoredPoint(value, accuracy, None if accuracy is None else 1 - accuracy, "complete")
        if accuracy is not None
        else ScoredPoint(value, None, None, "diverged")
        for value, accuracy in zip(values, accuracies, strict=True)
    ]


def best_of(points: list[ScoredPoint]) -> ScoredPoint:
    finished = [point for point in points if point.state == "complete"]
    return max(finished, key=lambda point: (point.accuracy or 0, -(point.loss or 0)))


@st.composite
def searches(draw: st.DrawFn) -> tuple[LogRange, list[ScoredPoint]]:
    """A range, and values in it with any scores: on a grid or anywhere, some of them diverged."""
    low, width = draw(st.floats(-8, 1)), draw(st.floats(0.05, 6))
    searched = LogRange(10**low, 10 ** (low + width))
    if draw(st.booleans()):
        values = list(searched.grid(draw(st.integers(1, 14))))
    else:
        spots = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=14, unique=True))
        values = [searched.at(spot / 1000) for spot in spots]
    if draw(st.booleans()):
        values.append(0.0)
    states = st.sampled_from(["complete", "complete", "complete", "diverged", "pruned", "running"])
    # Few different accuracies, so that ties are common.
    accuracies = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5])
    points = [
        ScoredPoint(value, draw(accuracies), draw(st.floats(0, 3)), draw(states))
        for value in values
    ]
    assume(any(point.state == "complete" for point in points))
    telling = [point for point in points if point.state != "running"]
    assume(any(point.value > 0 for point in telling))
    return searched, points


def test_examples_in_docstrings_are_true():
    assert doctest.testmod(refinement).failed == 0


@given(searches(), st.integers(1, 5))
def test_the_window_holds_the_best_value(search, n_best):
    searched, points = search

    window = refine(points, searched, n_best)

    best = best_of(points)
    assert window.best[0] == best.value
    if best.value > 0:
        assert window.range.contains(best.value)
    else:
        least = min(p.value for p in points if p.value > 0 and p.state != "running")
        assert window.range.low == pytest.approx(least / 10)


@given(searches(), st.integers(1, 5))
def test_the_window_is_clearly_narrower_than_the_range_and_never_the_same(search, n_best):
    searched, points = search

    window = refine(points, searched, n_best)

    assert window.range.decades <= WIDEST * searched.decades * ROUNDING
    assert window.range != searched


@given(searches())
def test_the_window_goes_beyond_the_range_by_a_decade_at_most_and_only_where_the_best_is(search):
    searched, points = search

    window = refine(points, searched)

    zero = any(point.value == 0 for point in points)
    below = 1 if "low" in window.edges or zero else 0
    # Zero is taken to lie a decade below the least value, which the range may have on its top end.
    least = min([p.value for p in points if p.value > 0 and p.state != "running"])
    lowest = min(searched.low, least if zero else searched.low)
    assert window.range.low * 10**below >= lowest / ROUNDING
    assert window.range.high <= searched.high * (10 if "high" in window.edges else 1) * ROUNDING


@given(searches())
def test_values_that_diverged_bound_the_window(search):
    searched, points = search

    window = refine(points, searched)

    diverged = {point.value for point in points if point.state == "diverged" and point.value > 0}
    assert not any(window.range.contains(value) for value in diverged)


ENDS = st.none() | st.floats(1e-9, 1e8)


@given(searches(), ENDS, ENDS)
def test_an_optimum_that_is_known_cuts_the_window_by_a_fifth_or_not_at_all(search, low, high):
    searched, points = search
    whole = refine(points, searched)

    window = refine(points, searched, optimum=(low, high))

    if window.range != whole.range:
        assert window.range.decades < 0.8 * whole.range.decades
        assert window.reason.startswith(whole.reason)
        assert whole.range.low <= window.range.low
        assert window.range.high <= whole.range.high
        assert set(window.best) <= set(whole.best)
        assert window.best[0] == whole.best[0]


def test_each_end_of_a_window_is_cut_where_that_end_of_the_optimum_is_known():
    values = list(LAB.grid(8))
    points = scored(values, [0.1, 0.2, 0.3, 0.5, 0.6, 0.4, 0.2, 0.1])

    for ends, expected in (
        ((None, None), (values[2], values[6])),
        ((1e-3, None), (1e-3, values[6])),
        ((None, 4e-3), (values[2], 4e-3)),
        ((1e-3, 4e-3), (1e-3, 4e-3)),
        ((3e-3, 4e-3), (values[4], 4e-3)),
        ((1.5e-4, 0.05), (values[2], values[6])),
    ):
        assert refine(points, LAB, optimum=ends).range == LogRange(*expected), ends


@given(searches(), st.integers(1, 12))
def test_fine_values_are_new_distinct_and_in_the_window(search, n):
    searched, points = search
    window = refine(points, searched)
    measured = [point.value for point in points]

    values = fine_grid(window.range, n, measured)

    assert len(values) == n
    assert list(values) == sorted(values)
    assert all(window.range.contains(value) for value in values)
    everything = sorted([*values, *measured])
    assert not any(is_same(a, b) for a, b in pairwise(everything) if a or b)


@given(st.floats(-6, 0), st.floats(0.5, 4), st.integers(2, 12), st.booleans(), st.booleans())
def test_a_fine_grid_has_equal_steps_and_meets_only_ends_that_are_new(low, width, n, left, right):
    window = LogRange(10**low, 10 ** (low + width))
    measured = [window.low] * left + [window.high] * right

    values = fine_grid(window, n, measured)

    exponents = [math.log10(value) for value in sorted([*values, *measured])]
    step = width / (n - 1 + left + right)
    # Nine digits are kept of each value: 5e-9 relative, on the logarithms of two.
    assert [b - a for a, b in pairwise(exponents)] == pytest.approx(
        [step] * (len(exponents) - 1), abs=5e-9
    )


def search_on(
    objective: Callable[[float], float], searched: LogRange, stages: int
) -> tuple[list[ScoredPoint], list[Window]]:
    """Return all values a search tries, coarse and then fine again and again."""
    points: list[ScoredPoint] = []
    windows: list[Window] = []
    values = searched.grid(8)
    for _ in range(stages):
        points += scored(list(values), [objective(value) for value in values])
        windows.append(refine(points, searched))
        searched = windows[-1].range
        values = fine_grid(searched, 8, [point.value for point in points])
    return points, windows


def hill(top: float, width: float) -> Callable[[float], float]:
    return lambda value: 0.9 * math.exp(-(((math.log10(value) - top) / width) ** 2))


@given(top=st.floats(-5, -1), width=st.floats(0.5, 3))
def test_stages_close_in_on_the_top_of_a_hill(top, width):
    points, windows = search_on(hill(top, width), LAB, stages=5)

    assert math.log10(best_of(points).value) == pytest.approx(top, abs=0.02)
    widths = [window.range.decades for window in windows]
    assert widths == sorted(widths, reverse=True)


@given(beyond=st.floats(0, 3), above=st.booleans())
def test_stages_follow_a_hill_that_lies_outside_the_first_range(beyond, above):
    top = -1 + beyond if above else -5 - beyond

    points, windows = search_on(hill(top, 4), LAB, stages=9)

    assert math.log10(best_of(points).value) == pytest.approx(top, abs=0.05)
    if beyond > 0.5:
        assert windows[0].edges == (("high",) if above else ("low",))


def test_the_best_values_and_their_neighbours_are_spanned():
    values = list(LAB.grid(8))

    window = refine(scored(values, [0.1, 0.2, 0.3, 0.5, 0.6, 0.4, 0.2, 0.1]), LAB)

    assert window.range == LogRange(values[2], values[6])
    assert window.best == (values[4], values[3], values[5])
    assert window.edges == ()
    assert (
        window.reason == "the 3 best values 0.001931, 0.0005179 and 0.007197 and their neighbours"
    )
    assert window.warnings == ()


def test_fewer_best_values_are_spanned_where_they_lie_far_apart():
    values = list(LAB.grid(8))

    window = refine(scored(values, [0.5, 0.6, 0.3, 0.2, 0.3, 0.2, 0.55, 0.1]), LAB)

    assert window.range == LogRange(values[0], values[2])
    assert window.reason == "from one neighbour of the best value 3.728e-05 to the other"


def test_a_best_value_on_the_edge_widens_the_range_and_says_so():
    values = list(LAB.grid(8))

    window = refine(scored(values, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]), LAB)

    assert window.range == LogRange(values[4], 1.0)
    assert window.edges == ("high",)
    assert "0.1 lies on the upper edge of 1e-05 … 0.1" in window.reason
    assert "goes on from 0.1 to 1" in window.reason
    assert "a better one may lie beyond" in window.warnings[0]


def test_a_value_measured_beyond_the_range_is_no_edge():
    # The window of a fine stage, with a coarse value that lies outside it.
    values = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1]

    window = refine(scored(values, [0.1, 0.2, 0.3, 0.9, 0.5]), LogRange(1e-3, 3e-2))

    assert window.edges == ()
    assert window.range.contains(3e-2)
    assert window.range.high <= 1e-1


def test_few_values_are_narrowed_half_way_and_warned_of():
    window = refine(scored([1e-5, 1e-3, 1e-1], [0.1, 0.5, 0.2]), None)

    assert window.range == LogRange(1e-4, 1e-2)
    assert window.reason.startswith("part of the way from the best value 0.001")
    assert "3 values over 4 decades" in window.warnings[0]


def test_two_values_go_on_beyond_the_better_one():
    window = refine(scored([1e-4, 1e-1], [0.1, 0.5]), None)

    assert window.edges == ("high",)
    assert window.range.low > 1e-3
    assert window.range.high > 0.5


def test_one_value_alone_is_looked_at_half_a_decade_to_either_side():
    window = refine(scored([1e-3], [0.5]), None)

    assert window.range.low == pytest.approx(10**-3.5)
    assert window.range.high == pytest.approx(10**-2.5)


def test_a_neighbour_that_diverged_ends_the_window_half_way():
    values = list(LogRange(1e-4, 1e-1).grid(4))

    window = refine(scored(values, [0.1, 0.5, None, None]), None, n_best=1)

    assert window.range.high == pytest.approx(10**-2.5)
    assert "0.01, which diverged" in window.reason


def test_best_values_beyond_one_that_diverged_are_left_out():
    values = list(LAB.grid(9))

    window = refine(scored(values, [0.1, 0.2, 0.8, 0.2, None, 0.2, 0.7, 0.2, 0.1]), None)

    assert window.best[0] == values[2]
    assert window.range.high < values[4]


def test_zero_as_a_neighbour_lies_a_decade_below_the_least_value():
    values = [0.0, 1e-4, 1e-3, 1e-2, 1e-1]

    window = refine(scored(values, [0.4, 0.5, 0.3, 0.2, 0.1]), None, n_best=1)

    assert window.range == LogRange(1e-5, 1e-3)
    assert window.edges == ()


def test_zero_as_the_best_value_leads_to_the_decade_above_it():
    values = [0.0, 1e-4, 1e-3, 1e-2]

    window = refine(scored(values, [0.6, 0.5, 0.3, 0.2]), None)

    assert window.best[0] == 0
    assert window.range.low == pytest.approx(1e-5)
    assert window.reason == "the best value is 0, so the range goes on below 0.0001"


def test_a_value_tried_twice_counts_with_its_better_trial():
    points = scored([1e-4, 1e-3, 1e-2, 1e-3], [0.3, None, 0.2, 0.5])

    assert refine(points, None).best == (1e-3,)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "got none that is complete"),
        ([ScoredPoint(1e-3, None, None, "failed")], "got none that is complete"),
        ([ScoredPoint(1e-3, None, None, "diverged")], "got none that is complete"),
        ([ScoredPoint(1e-3, math.nan, None, "complete")], "got none that is complete"),
        ([ScoredPoint(0.0, 0.5, 0.1, "complete")], "got no value but 0"),
    ],
)
def test_nothing_to_narrow_around_is_refused(points, reason):
    with pytest.raises(StudyError, match=reason):
        refine(points, LAB)


def test_a_range_as_narrow_as_rounding_is_refused():
    with pytest.raises(StudyError, match="too narrow"):
        refine(scored([1.0, 1.0000001, 1.0000002], [0.1, 0.5, 0.2]), None)
    with pytest.raises(StudyError, match="too narrow for 5 values"):
        fine_grid(LogRange(1.0, 1.0000004), 5, [1.0])
    with pytest.raises(StudyError, match=">= 1 values, got 0"):
        fine_grid(LAB, 0)


# ------------------------------------------------------------------------------------ resolution


def _ranked(accuracies, *, low, high):
    trials = [
        RankedTrial("fine", i, "complete", {"lambda": value}, 1, accuracy, 1 - accuracy, accuracy)
        for i, (value, accuracy) in enumerate(accuracies.items())
    ]
    # The coarse search has been to either side.
    trials += [
        RankedTrial("coarse", i, "complete", {"lambda": value}, 1, 0.2, 0.8, 0.2)
        for i, value in enumerate((1e-5, 1e-1))
    ]
    found, comparison = judged(rank_trials(trials, ("coarse", "fine")), {}, 1_000)
    stages = (
        StageSummary("coarse", 1e-5, 1e-1, [1e-5, 1e-1]),
        StageSummary("fine", low, high, sorted(accuracies), "coarse"),
    )
    return Ranking(study_record(), stages, found, comparison)


NARROW = {1e-3: 0.9, 2e-3: 0.905, 4e-3: 0.898}


def test_a_window_whose_values_differ_by_less_than_noise_is_resolved_and_says_so():
    line = resolution_reached(_ranked(NARROW, low=1e-3, high=4e-3), "fine")

    assert line is not None
    assert line.startswith(
        "resolution reached: the 3 values of λ from 0.001 to 0.004 differ by 0.70 points"
    )
    assert line.endswith("not more values, would tell them apart")


def test_a_window_with_a_value_that_is_worse_is_not_resolved():
    ranking = _ranked({**NARROW, 3e-3: 0.7}, low=1e-3, high=4e-3)

    assert resolution_reached(ranking, "fine") is None


def test_a_window_with_two_values_is_not_resolved():
    assert resolution_reached(_ranked({1e-3: 0.9, 2e-3: 0.9}, low=1e-3, high=2e-3), "fine") is None


def test_a_window_with_the_best_on_the_edge_of_all_that_was_searched_is_not_resolved():
    ranking = _ranked({0.1: 0.9, 0.2: 0.901, 0.3: 0.902}, low=0.1, high=0.3)

    assert resolution_reached(ranking, "fine") is None


def test_a_stage_that_is_not_finished_is_not_resolved():
    ranking = _ranked(NARROW, low=1e-3, high=4e-3)
    unfinished = RankedTrial("fine", 9, "running", {"lambda": 3e-3})

    trials = (*ranking.trials, unfinished)
    assert resolution_reached(replace(ranking, trials=trials), "fine") is None


def test_a_stage_that_is_not_there_is_not_resolved():
    assert resolution_reached(_ranked(NARROW, low=1e-3, high=4e-3), "finer") is None


@pytest.mark.parametrize("replicates", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_on_a_flat_objective_the_search_stops_soon(replicates):
    rng = np.random.default_rng(0)

    ends = [
        simulations.searched(simulations.flat, rng, noise=0.0035, replicates=replicates)
        for _ in range(40)
    ]

    # Of 1,000 searches with one seed, 988 ended after one stage, 998 after two, all after three;
    # of 400 with three seeds, 390 after one, 398 after two, all after four.
    assert sum(end.stages == 1 for end in ends) >= 36
    assert sum(end.stages <= 2 for end in ends) >= 38


@pytest.mark.parametrize("replicates", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("height", [0.01, pytest.param(0.05, marks=pytest.mark.slow)])
def test_on_a_hill_the_search_stops_only_around_the_top(replicates, height):
    rng = np.random.default_rng(0)
    lost = []
    for _ in range(12):
        top = rng.uniform(-4.5, -1.5)
        objective = simulations.hill(top, height)
        end = simulations.searched(objective, rng, noise=0.0035, replicates=replicates)
        assert end.stages >= 2
        lost.append(0.9 - objective(end.best))

    # A single run is off by 0.35 points: what is lost by stopping is less.
    assert np.quantile(lost, 0.9) <= 0.0035
    assert np.median(lost) <= 0.001
