"""Windows over one and several dimensions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.studies.errors import StudyError
from coarsefine.studies.spaces.dimensions import Dimension, parameter
from coarsefine.studies.spaces.narrowing import ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.refinement import ScoredPoint, refine

LAMBDA = Dimension(parameter("lambda"), LogRange(1e-5, 1e-1))
ETA = Dimension(parameter("eta"), LogRange(1e-3, 1e0))


def bump(point, optimum):
    """Return an accuracy that falls off with the distance in decades."""
    distance = sum((math.log10(point[name]) - at) ** 2 for name, at in optimum.items())
    return 0.9 * math.exp(-distance / 4)


def grid(n, optimum, diverges_from=math.inf):
    points = [{"lambda": a, "eta": b} for a in LAMBDA.grid(n) for b in ETA.grid(n)]
    return [
        ScoredTrial(point, bump(point, optimum), 0.1)
        if point["eta"] < diverges_from
        else ScoredTrial(point, None, None, "diverged")
        for point in points
    ]


@given(at_lambda=st.floats(-5, -1), at_eta=st.floats(-3, 0), n=st.integers(3, 7))
def test_every_range_gets_narrower_and_holds_the_best_point(at_lambda, at_eta, n):
    trials = grid(n, {"lambda": at_lambda, "eta": at_eta})

    found = narrowed([LAMBDA, ETA], trials)

    for before, after in zip([LAMBDA, ETA], found.dimensions, strict=True):
        assert after.range.decades < before.range.decades
        assert after.range.contains(found.best[after.name])


@given(at_lambda=st.floats(-4.9, -1.1), at_eta=st.floats(-2.9, -0.1))
def test_stages_arrive_at_the_optimum(at_lambda, at_eta):
    optimum = {"lambda": at_lambda, "eta": at_eta}
    dimensions, trials = [LAMBDA, ETA], []
    for _ in range(5):
        grids = [d.grid(4) for d in dimensions]
        points = [{"lambda": a, "eta": b} for a in grids[0] for b in grids[1]]
        trials += [ScoredTrial(point, bump(point, optimum), 0.1) for point in points]
        found = narrowed(dimensions, trials)
        dimensions = list(found.dimensions)

    for name, at in optimum.items():
        assert abs(math.log10(found.best[name]) - at) < 0.35


def test_an_optimum_on_the_edge_is_looked_for_beyond_it():
    trials = grid(5, {"lambda": -7, "eta": -1.5})

    found = narrowed([LAMBDA, ETA], trials)

    assert found.dimensions[0].range.low < 1e-5
    assert "lower edge" in found.warnings[0]
    assert found.dimensions[1].range.low >= 1e-3


def test_values_at_which_everything_diverged_bound_the_window():
    trials = grid(5, {"lambda": -3, "eta": 1}, diverges_from=0.5)

    found = narrowed([LAMBDA, ETA], trials)

    assert found.dimensions[1].range.high < 1.0
    assert not found.warnings


def test_one_range_is_narrowed_as_it_always_was():
    points = [(value, bump({"lambda": value}, {"lambda": -3})) for value in LAMBDA.grid(8)]

    found = narrowed([LAMBDA], [ScoredTrial({"lambda": v}, a, 0.1) for v, a in points])

    window = refine([ScoredPoint(v, a, 0.1) for v, a in points], LAMBDA.range)
    assert found.dimensions[0].range == window.range
    assert found.reason == window.reason


def test_choices_are_those_of_the_best_trial():
    activation = Dimension(parameter("activation"), values=("relu", "tanh"))
    trials = [
        ScoredTrial({"lambda": value, "activation": name}, 0.5 + bonus - abs(at + 3) / 10, 0.1)
        for name, bonus in (("relu", 0.0), ("tanh", 0.1))
        for at in (-5, -4, -3, -2, -1)
        for value in [10.0**at]
    ]

    found = narrowed([LAMBDA, activation], trials)

    assert found.dimensions[1].values == ("tanh",)
    assert found.dimensions[0].range.contains(1e-3)
    assert "activation as in the best trial: tanh" in found.reason


def test_what_has_no_range_cannot_be_narrowed():
    activation = Dimension(parameter("activation"), values=("relu", "tanh"))

    with pytest.raises(StudyError, match="has none"):
        narrowed([activation], [ScoredTrial({"activation": "relu"}, 0.5, 0.1)])


def rising(dimension, values, *, down=False, tied=(), best=0.9):
    """Return trials whose accuracies rise with the values, or fall."""
    ordered = sorted(values, reverse=down)
    return [
        ScoredTrial({dimension.name: value}, best - 0.1 * i, 0.1, tied=value in tied)
        for i, value in enumerate(reversed(ordered))
    ]


@pytest.mark.parametrize(
    ("name", "values", "down", "sizes", "end"),
    [
        ("momentum", (0.5, 0.7, 0.9), False, {}, 0.99),
        ("momentum", (0.5, 0.9, 0.99), False, {}, 0.999),
        ("step_factor", (0.1, 0.3, 0.6), False, {}, 1.0),
        ("diverged_at", (2.0, 20.0, 200.0), True, {}, 1.1),
        ("batch_size", (4, 20, 100), True, {}, 1.0),
        ("batch_size", (4, 20, 100), False, {"batch_size": 300}, 300.0),
        ("train", (100, 300, 900), False, {"train": 1000}, 1000.0),
        ("eta", (0.01, 0.1, 1.0), False, {}, 10.0),
        ("lambda", (0.01, 0.1, 1.0), True, {}, 0.001),
    ],
)
def test_beyond_an_edge_values_stay_inside_their_natural_limits(name, values, down, sizes, end):
    dimension = Dimension(parameter(name), LogRange(min(values), max(values)))
    trials = rising(dimension, values, down=down)

    found = narrowed([dimension], trials, sizes)

    window = found.dimensions[0].range
    assert (window.low if down else window.high) == pytest.approx(end)
    assert any("may lie beyond" in line for line in found.warnings)
    # The same where it is one dimension of two.
    pairs = [
        ScoredTrial({**t.params, "sigma": sigma}, t.accuracy - abs(sigma - 1), t.loss)
        for t in trials
        for sigma in (0.5, 1.0, 2.0)
    ]
    both = narrowed([dimension, Dimension(parameter("sigma"), LogRange(0.5, 2.0))], pairs, sizes)
    window = both.dimensions[0].range
    bounds = dimension.parameter.bounds(sizes)
    assert bounds.low <= window.low < window.high <= bounds.high
    assert not (name == "momentum" and window.high >= 1)


@pytest.mark.parametrize(
    ("name", "values", "down", "sizes"),
    [
        ("batch_size", (1, 10, 100), True, {}),
        ("batch_size", (1, 10, 100), False, {"batch_size": 100}),
        ("step_factor", (0.1, 0.3, 1.0), False, {}),
    ],
)
def test_nothing_lies_beyond_a_natural_limit(name, values, down, sizes):
    dimension = Dimension(parameter(name), LogRange(min(values), max(values)))

    found = narrowed([dimension], rising(dimension, values, down=down), sizes)

    assert dimension.range.low <= found.dimensions[0].range.low
    assert found.dimensions[0].range.high <= dimension.range.high
    assert "nothing is sought beyond" in found.reason
    assert not any("may lie beyond" in line for line in found.warnings)


VALUES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@pytest.mark.parametrize(
    ("name", "down", "tied", "best", "sought"),
    [
        ("eta", False, (), 0.9, True),
        ("eta", False, VALUES, 0.9, False),
        ("eta", True, VALUES, 0.9, False),
        ("eta", False, (), 1.0, False),
        # A better one may lie beyond a plateau of a few values.
        ("eta", False, (1.0, 10.0), 0.9, True),
        ("eta", True, (1e-4, 1e-3), 0.9, True),
        ("lambda", True, (), 0.9, True),
        # A penalty that does nothing does nothing when it is smaller.
        ("lambda", True, (1e-4, 1e-3), 0.9, False),
        ("lambda", False, (1.0, 10.0), 0.9, True),
    ],
)
def test_nothing_is_sought_beyond_an_edge_where_values_are_tied_or_perfect(
    name, down, tied, best, sought
):
    dimension = Dimension(parameter(name), LogRange(min(VALUES), max(VALUES)))
    trials = rising(dimension, VALUES, down=down, tied=tied, best=best)

    found = narrowed([dimension], trials)

    window = found.dimensions[0].range
    beyond = window.low < 0.9e-4 or window.high > 11
    assert beyond is sought
    assert any("may lie beyond" in line for line in found.warnings) is sought
    assert ("nothing is sought beyond" in found.reason) is not sought
    two = [
        ScoredTrial({**t.params, "sigma": sigma}, t.accuracy, 0.1 * abs(sigma - 1), tied=t.tied)
        for t in trials
        for sigma in (0.5, 1.0, 2.0)
    ]
    both = narrowed([dimension, Dimension(parameter("sigma"), LogRange(0.5, 2.0))], two)
    window = both.dimensions[0].range
    assert (window.low < 0.9e-4 or window.high > 11) is sought


MOMENTUM = Dimension(parameter("momentum"), LogRange(0.1, 0.9))


@given(seed=st.integers(0, 30), n=st.integers(8, 48))
def test_three_ranges_are_narrowed_to_where_the_best_quarter_lies(seed, n):
    rng = np.random.default_rng(seed)
    dimensions = [LAMBDA, ETA, MOMENTUM]
    points = [{d.name: d.range.at(rng.uniform(0.02, 0.98)) for d in dimensions} for _ in range(n)]
    # λ matters, the others do not.
    trials = [ScoredTrial(point, bump(point, {"lambda": -3.0}), 0.1) for point in points]

    found = narrowed(dimensions, trials)

    for before, after in zip(dimensions, found.dimensions, strict=True):
        assert after.range.contains(found.best[after.name])
        widened = any(
            "may lie beyond" in line and before.parameter.symbol in line.split(" of ")[1]
            for line in found.warnings
        )
        assert widened or after.range.decades <= 0.75 * before.range.decades + 1e-9
    # Those that are near the best in λ lie close together.
    quarter = sorted(trials, key=lambda t: -t.accuracy)[: max(3, n // 4)]
    for trial in quarter:
        apart = math.log10(trial.params["lambda"] / found.best["lambda"])
        assert abs(apart) > 1.2 or found.dimensions[0].range.contains(trial.params["lambda"])
