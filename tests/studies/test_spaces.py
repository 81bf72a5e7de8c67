"""Ranges on a log scale and lists of values."""

import doctest
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.spaces import ranges as spaces
from coarsefine.studies.spaces.ranges import LogRange, is_same, midpoint, parse_values
from coarsefine.studies.spaces.seen import Seen, same_value

EXPONENTS = st.floats(-12, 6)
WIDTHS = st.floats(0.01, 8)
POSITIONS = st.floats(0, 1)


@st.composite
def ranges(draw: st.DrawFn) -> LogRange:
    low, width = draw(EXPONENTS), draw(WIDTHS)
    return LogRange(10**low, 10 ** (low + width))


def test_examples_in_docstrings_are_true():
    assert doctest.testmod(spaces).failed == 0


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-1, 1), (1, 1), (1, 0.1), (math.nan, 1), (1, math.nan), (1, math.inf)],
)
def test_a_range_that_cannot_be_is_refused(low, high):
    with pytest.raises(SpaceError, match="must be"):
        LogRange(low, high)


@given(searched=ranges(), n=st.integers(2, 40))
def test_a_grid_meets_both_ends_and_has_equal_steps(searched, n):
    grid = searched.grid(n)

    assert len(grid) == n
    assert (grid[0], grid[-1]) == (searched.low, searched.high)
    steps = [math.log10(b / a) for a, b in pairwise(grid)]
    # Twelve digits are kept of each value: 1e-12 relative, on a logarithm.
    assert steps == pytest.approx([searched.decades / (n - 1)] * (n - 1), abs=1e-11)


@given(searched=ranges())
def test_a_grid_of_one_is_the_geometric_mean(searched):
    assert searched.grid(1)[0] == pytest.approx(math.sqrt(searched.low * searched.high), rel=1e-9)


def test_the_labs_grid_of_eight_comes_out_as_in_the_hand_out():
    grid = LogRange(1e-5, 1e-1).grid(8)

    expected = [1e-5, 3.73e-5, 1.39e-4, 5.18e-4, 1.93e-3, 7.20e-3, 2.68e-2, 1e-1]
    assert grid == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize("n", [0, -1])
def test_a_grid_without_values_is_refused(n):
    with pytest.raises(SpaceError, match=f">= 1 values, got {n}"):
        LogRange(1e-3, 1).grid(n)


def test_a_grid_finer_than_rounding_is_refused():
    with pytest.raises(SpaceError, match="too narrow for 5 values"):
        LogRange(1.0, 1.000000001).grid(5)


@given(low=EXPONENTS, width=st.floats(0.1, 6), position=POSITIONS, decades=st.floats(0.01, 9))
def test_narrowing_stays_inside_and_keeps_the_centre(low, width, position, decades):
    coarse = LogRange(10**low, 10 ** (low + width))
    best = min(max(10 ** (low + position * width), coarse.low), coarse.high)

    fine = coarse.narrowed(around=best, decades=decades)

    assert coarse.low <= fine.low <= best <= fine.high <= coarse.high
    assert fine.decades <= 2 * decades + 1e-9


def test_narrowing_around_a_value_outside_is_refused():
    with pytest.raises(SpaceError, match="a value inside"):
        LogRange(1e-3, 1).narrowed(around=2, decades=1)


@given(searched=ranges(), position=POSITIONS)
def test_position_and_value_are_each_others_inverse(searched, position):
    value = searched.at(position)

    assert searched.contains(value)
    assert searched.position(value) == pytest.approx(position, abs=1e-8)


@given(a=EXPONENTS, b=EXPONENTS)
def test_the_midpoint_lies_between(a, b):
    low, high = sorted((10**a, 10**b))

    assert low <= midpoint(high, low) <= high


def test_a_span_of_values_leaves_zero_out():
    assert LogRange.spanning([0.0, 1e-2, 1e-4]) == LogRange(1e-4, 1e-2)
    assert LogRange.spanning([0.0, 1e-2]) is None
    assert LogRange.spanning([]) is None


@given(st.lists(st.floats(1e-12, 1e6), min_size=1, max_size=9, unique_by=lambda v: f"{v:.6g}"))
def test_written_values_are_read_back_in_their_order(values):
    assert parse_values(",".join(map(repr, values))) == tuple(values)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "numbers separated by commas"),
        ("1e-3,", "got '' in"),
        ("1e-3,many", "got 'many' in"),
        ("1e-3;1e-2", "got '1e-3;1e-2'"),
        ("1e-3,-1", "finite and >= 0, got -1 in"),
        ("nan", "finite and >= 0, got nan"),
        ("inf", "finite and >= 0, got inf"),
        ("0,1e-3,0.0", "must differ, got 0.0 twice"),
        ("1e-3,0.001", "must differ, got 0.001 twice"),
    ],
)
def test_a_bad_list_of_values_is_one_line_that_names_the_culprit(text, reason):
    with pytest.raises(SpaceError, match=reason) as error:
        parse_values(text)

    assert "\n" not in str(error.value)


def test_zero_is_a_value_only_where_it_makes_sense():
    assert parse_values("0,1e-4") == (0.0, 1e-4)
    with pytest.raises(SpaceError, match="> 0, got 0"):
        parse_values("0,1e-4", zero_allowed=False)


def test_values_that_differ_by_rounding_are_the_same():
    assert is_same(0.1 + 0.2, 0.3)
    assert is_same(0.0, 0.0)
    assert not is_same(1e-5, 1.00001e-5)
    assert not is_same(0.0, 1e-12)


def test_points_that_were_tried_are_found_among_many_in_no_time():
    points = [{"lambda": 1e-5 * 1.0001**i, "hidden": (i % 7,)} for i in range(50_000)]
    nearly = [{**p, "lambda": p["lambda"] * (1 + 3e-16)} for p in points[::2]]

    # Each beside each would take a quarter of an hour.
    seen = Seen(nearly)
    left = [point for point in points if point not in seen]

    assert left == points[1::2]


@given(value=st.floats(1e-12, 1e12), others=st.lists(st.floats(1e-12, 1e12), max_size=5))
def test_a_value_is_seen_where_one_that_is_the_same_is(value, others):
    found = {"": value} in Seen({"": other} for other in others)

    assert found == any(same_value(value, other) for other in others)


def test_values_are_seen_up_to_rounding_and_by_their_kind():
    assert {"a": 1} in Seen([{"a": 1.0}])
    assert {"a": 0.1 * (1 + 5e-10)} in Seen([{"a": 0.1}])
    assert {"a": 0.1 * (1 + 5e-9)} not in Seen([{"a": 0.1}])
    assert {"a": True} not in Seen([{"a": 1}])
    assert {"a": [5, 5]} in Seen([{"a": (5, 5)}])
    assert {"a": 0} in Seen([{"a": 0.0}])
    assert {"a": 1} not in Seen([{"b": 1}])
