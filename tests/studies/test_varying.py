"""Spaces of one's own: ranges on several scales, choices, and where a finer stage looks."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.db.optuna.trials import Range
from coarsefine.studies.errors import SpaceError
from coarsefine.studies.planning.axes import Axis
from coarsefine.studies.spaces.dimensions import from_json, to_json
from coarsefine.studies.spaces.narrowing import ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.scales import ScaledRange, range_of
from coarsefine.studies.spaces.varying import space_kind, varied, varied_text

SHARES = st.floats(0.001, 0.999)


@given(SHARES, SHARES, st.sampled_from(["linear", "logit"]), st.floats(0, 1))
def test_a_value_comes_back_from_its_place_on_any_scale(a, b, scale, position):
    low, high = min(a, b), max(a, b) + 1e-4
    searched = ScaledRange(low, high, scale)
    value = searched.at(position)

    assert low <= value <= high
    assert searched.native(searched.placed(value)) == pytest.approx(value, rel=1e-6)
    assert searched.position(value) == pytest.approx(position, abs=1e-4)
    assert searched.within(searched.log) == searched


def test_scales_lay_their_grids_evenly():
    assert range_of(0, 0.5, "linear").grid(6) == (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    odds = [value / (1 - value) for value in range_of(0.5, 0.99, "logit").grid(4)]
    steps = [math.log(b / a) for a, b in pairwise(odds)]
    assert steps == pytest.approx([math.log(99) / 3] * 3, rel=1e-5)
    assert range_of(1e-3, 1e-1) == LogRange(1e-3, 1e-1)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("eta=1e-4..1e-1", "eta", LogRange(1e-4, 1e-1)),
        ("training.eta = 1e-4 .. 1e-1", "eta", LogRange(1e-4, 1e-1)),
        ("momentum=0.5..0.99:logit", "momentum", ScaledRange(0.5, 0.99, "logit")),
        ("momentum=0..0.9:linear", "momentum", ScaledRange(0, 0.9, "linear")),
        ("hidden=16..256:int", "width", LogRange(16, 256)),
        ("batch-size=16..512", "batch_size", LogRange(16, 512)),
        ("params.drop=0..0.8:linear:step=0.1", "params.drop", ScaledRange(0, 0.8, "linear")),
        ("shifts=0..2:linear", "shifts", ScaledRange(0, 2, "linear")),
        ("optimizer=sgd,adam", "optimizer", ("sgd", "adam")),
        ("hidden=64,59-59", "hidden", ((64,), (59, 59))),
        ("momentum=0.5..0.9:when=optimizer=momentum", "momentum", LogRange(0.5, 0.9)),
        ("beta2=0.9,0.99:when=optimizer=adam,adamw", "beta2", (0.9, 0.99)),
    ],
)
def test_a_key_is_varied_as_it_is_written(text, name, expected):
    found = varied(text)

    assert found.name == name
    assert expected in (found.range, found.values)
    assert from_json(to_json([found])) == (found,)
    assert varied(varied_text(found)) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("eta", "must be KEY=LOW..HIGH or KEY=VALUE,VALUE, as in eta=1e-4..1e-1; got 'eta'"),
        ("etta=1..2", "'etta' is not a key that can be searched; did you mean eta?"),
        ("eta=a..2", "a range is two numbers, as in 1e-4..1e-1; got 'a'"),
        ("eta=2..1", "low must be < high, got 2.0 and 1.0"),
        ("lambda=0..1", "a log scale has no place for 0, got 0.0 … 1.0; use linear"),
        ("momentum=0.5..1", "a range of momentum must be >= 0 and < 1, got 1"),
        ("momentum=0..0.5:logit", "low must be between 0 and 1 on the logit scale"),
        ("batch_size=0.8..16", "a range of batch_size must be >= 1"),
        (
            "eta=1e-4..1:cubic",
            "followed by :log, :linear, :logit, :int, :step=S or :when=KEY=VALUE; got :cubic",
        ),
        ("eta=1..2:step=3", "the step of eta must fit its range, got 3"),
        ("hidden=16..64:step=0.5", "the step of whole numbers must be whole, got 0.5"),
        ("eta=1e-3..1:int", "a range of whole numbers has whole ends, got 0.001"),
        ("optimizer=sgd..adam", "a range is two numbers"),
        ("updates=10..100", "no search varies updates: search the epochs"),
        ("shifts=0..17:linear", "a range of shifts must be >= 0 and <= 16, got 17"),
        ("variant=a,b", "variants are named in a lab file"),
        ("eta=1,1", "values must differ, got 1 twice for eta"),
        ("eta=1,2:when=optimizer", "a condition is :when=KEY=VALUE,VALUE"),
    ],
)
def test_what_cannot_be_varied_is_one_line(text, line):
    with pytest.raises(SpaceError) as error:
        varied(text)

    assert line in str(error.value)


def test_a_space_is_over_different_things():
    for texts, line in (
        ([], "needs something to vary"),
        (["eta=1..2", "eta=3,4"], "each parameter is varied once, got eta twice"),
        (["hidden=16..64", "hidden=5,6"], "each parameter is varied once, got hidden twice"),
        (["momentum=0.5..0.9:when=optimizer=sgd"], "optimizer must be a choice that is varied"),
        (
            ["optimizer=sgd,adam", "momentum=0.5..0.9:when=optimizer=momentum"],
            "varied when optimizer is momentum, but optimizer is one of sgd, adam",
        ),
    ):
        with pytest.raises(SpaceError) as error:
            space_kind([varied(text) for text in texts])
        assert line in str(error.value)


@given(
    st.sampled_from(["momentum=0.1..0.99:logit", "momentum=0..0.9:linear", "eta=1e-3..1"]),
    st.integers(5, 12),
    st.integers(0, 11),
)
def test_a_window_holds_the_best_and_is_narrower_on_any_scale(text, n, best):
    (dimension,) = (varied(text),)
    values = dimension.grid(n)
    best = values[best % n]
    place = dimension.range.position
    trials = [
        ScoredTrial({dimension.name: v}, 0.9 - 0.5 * abs(place(v) - place(best)), 1.0)
        for v in values
    ]

    found = narrowed([dimension], trials)

    (window,) = (d.range for d in found.dimensions)
    assert type(window) is type(dimension.range)
    assert window.low <= best <= window.high
    wide = dimension.range.placed(window.high) / dimension.range.placed(window.low)
    assert math.log10(wide) <= 0.8 * dimension.range.decades + 1e-6
    # What is said is said in the units of the parameter.
    assert f"{best:.4g}" in found.reason
    # Beyond an edge, μ comes closer to 1 and no closer than 0.
    if dimension.name == "momentum":
        assert 0 <= window.low < window.high < 1


def test_several_scales_are_narrowed_together():
    texts = ("eta=1e-3..1", "momentum=0.5..0.99:logit", "hidden=8..128", "optimizer=momentum,adam")
    dimensions = [varied(text) for text in texts]
    rows = [
        ScoredTrial(
            {"eta": eta, "momentum": mu, "width": width, "optimizer": optimizer},
            0.9 - abs(math.log10(eta / 0.03)) / 9 - abs(mu - 0.9) / 3 - (optimizer == "adam") / 9,
            1.0,
        )
        for eta in (1e-3, 3e-2, 1.0)
        for mu in (0.5, 0.9, 0.99)
        for width in (8, 32, 128)
        for optimizer in ("momentum", "adam")
    ]

    found = narrowed(dimensions, rows)

    by_name = {d.name: d for d in found.dimensions}
    assert by_name["optimizer"].values == ("momentum",)
    assert by_name["momentum"].scale == "logit"
    assert 0.5 < by_name["momentum"].range.low < 0.9 < by_name["momentum"].range.high < 1
    assert by_name["eta"].range.low < 0.03 < by_name["eta"].range.high
    assert found.best["momentum"] == 0.9


def test_a_range_of_counts_that_may_be_none_begins_at_0():
    assert varied("shifts=0..2:linear").grid(3) == (0, 1, 2)
    assert Axis.of(varied("warm_up=0..40:linear")).where == Range(0, 40)


def test_numbers_are_rounded_to_steps_inside_their_range():
    stepped, counted = varied("params.drop=0.1..0.75:linear:step=0.2"), varied("params.k=1..9:int")

    rounded = {stepped.rounded(0.1 + 0.01 * i) for i in range(66)}
    assert sorted(rounded) == [0.1, 0.3, 0.5, 0.7]
    assert {counted.rounded(x) for x in (1.2, 8.7)} == {1, 9}
    assert isinstance(counted.rounded(1.2), int)
    assert varied("hidden=8..128").statement(32) == {"network.hidden": (32,)}


@pytest.mark.parametrize(
    "text",
    ["momentum=0.5..0.99:logit", "eta=1e-3..1", "optimizer=sgd,adam", "params.k=0..5:linear"],
)
def test_a_sampler_sees_each_value_where_it_lies(text):
    dimension = varied(text)
    axis = Axis.of(dimension)

    for value in dimension.grid(3):
        place = axis.place({dimension.name: value})
        back = axis.value({dimension.name: place})
        assert back == (value if isinstance(value, str) else pytest.approx(value, rel=1e-6))
