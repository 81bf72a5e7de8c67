"""Numbers at the edge: data with next to nothing in them, batches of one and of all, steps too far.

Warnings are errors in these tests: a division by zero on the way would not go unnoticed.
"""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ALL_CHECKS = list(HealthCheck)
QUICK = ("--epochs", "2", "--hidden", "3", "--quiet", "--json", "--jobs", "1")

FEATURES = {
    "usual": lambda rng, shape: rng.normal(size=shape),
    "constant": lambda rng, shape: np.full(shape, 3.0),
    "zero": lambda rng, shape: np.zeros(shape),
    "huge": lambda rng, shape: rng.normal(size=shape) * 1e30,
    "tiny": lambda rng, shape: rng.normal(size=shape) * 1e-30,
    "far off": lambda rng, shape: 1e6 + rng.normal(size=shape) * 1e-3,
    "bytes": lambda rng, shape: rng.integers(0, 256, shape).astype(np.uint8),
    "one that varies": lambda rng, shape: np.eye(*shape),
}
LABELS = {
    "two in turn": lambda n: np.arange(n) % 2,
    "one class": lambda n: np.zeros(n, int),
    "a class of one sample": lambda n: (np.arange(n) == 0).astype(int),
    "all different": np.arange,
    "with a gap": lambda n: (np.arange(n) % 2) * 5,
    "sorted": lambda n: np.sort(np.arange(n) % 3),
}


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def in_order(ranking):
    """Check what a ranking says of each trial, whatever came of it."""
    ranks = [trial["rank"] for trial in ranking["trials"]]
    complete = [trial["state"] == "complete" for trial in ranking["trials"]]
    assert ranks == [i + 1 if done else None for i, done in enumerate(complete)]
    for trial in ranking["trials"]:
        accuracy, loss = trial["validation_accuracy"], trial["validation_loss"]
        if trial["state"] == "complete":
            assert 0 <= accuracy <= 1
            assert math.isfinite(loss)
            assert loss >= 0


@pytest.mark.parametrize(
    "n", [pytest.param(15, id="some"), pytest.param(400, id="many", marks=pytest.mark.slow)]
)
def test_any_numbers_end_in_a_ranking_or_in_one_line(search, own_folder, n):
    @settings(max_examples=n, suppress_health_check=ALL_CHECKS)
    @given(st.data())
    def check(data):
        searched(search, own_folder, data)

    check()


def searched(search, own_folder, data):
    """Search on data, and with options, that are drawn."""
    n = data.draw(st.sampled_from((1, 2, 3, 7, 40)), "samples")
    shape = (n, data.draw(st.sampled_from((1, 3)), "features"))
    rng = np.random.default_rng(0)
    number = next(_numbers)
    arrays = {
        "x_train": FEATURES[data.draw(st.sampled_from(list(FEATURES)))](rng, shape),
        "y_train": LABELS[data.draw(st.sampled_from(list(LABELS)))](n),
    }
    np.savez(own_folder / f"d{number}.npz", **arrays)
    options = ["--data", f"d{number}.npz", "--storage", f"s{number}.db", *QUICK]
    for name, values in {
        "--batch-size": ("1", "2", str(n), str(n + 1), "1000"),
        "--values": ("0.5,2", "1e4,1e8", "1e-30,1e30", "1e-5,1e-5"),
        "--eta": ("1e-9", "1", "1e9"),
        "--normalisation": ("none", "scale", "centre", "standardise", "standardise-all"),
        "--validation": ("1", "0.5", "0.01", "0.99", str(n)),
        "--loss": ("squared-error",),
        "--activation": ("sigmoid", "tanh"),
        "--optimizer": ("adam", "momentum"),
        "--precision": ("float64",),
        "--split": ("ordered", "canonical"),
        "--no-stratified": (None,),
    }.items():
        if data.draw(st.booleans(), name):
            value = data.draw(st.sampled_from(values), name)
            options += [name] if value is None else [name, value]
            if name == "--eta":
                options += ["--schedule", "constant"]
    if "--values" not in options:
        options += ["--trials", "2"]

    answer = search("lambda", "--coarse", *options)

    if answer.status == 0:
        in_order(strict(answer.out))
        assert search("check", "--storage", f"s{number}.db", "--quiet").status == 0
    else:
        assert answer.status in {1, 2}
        assert answer.err.startswith("error: ")
        assert not (own_folder / f"s{number}.db").exists()


_numbers = itertools.count()


def test_a_penalty_past_one_ends_its_trial_and_no_other(search, samples):
    # η λ > 1: the weights change their sign with each update, and grow.
    answer = search(
        *("lambda", "--coarse", "--data", samples(), "--values", "1e-3,1e3", *QUICK),
        *("--schedule", "constant", "--eta", "0.1", "--epochs", "30"),
    )

    assert answer.status == 0
    assert [t["state"] for t in answer.json["trials"]] == ["complete", "diverged"]
    assert [t["validation_loss"] is None for t in answer.json["trials"]] == [False, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_data_that_are_not_finite_are_refused(search, samples, own_folder, bad):
    x = np.ones((90, 4), np.float32)
    x[17, 2] = bad

    answer = search("lambda", "--coarse", "--data", samples(x_train=x), *QUICK)

    assert answer.status == 1
    assert "finite" in answer.err
    assert not (own_folder / "search.db").exists()


@pytest.mark.parametrize("size", ["1", "3", "90", "67"])
def test_batches_of_one_and_of_all_train(search, samples, size):
    answer = search(
        *("lambda", "--coarse", "--data", samples(), "--batch-size", size, "--trials", "2", *QUICK)
    )

    assert answer.status in {0, 2}  # 67 are left to train
    if answer.status == 0:
        in_order(answer.json)
    else:
        assert int(size) > 67
        assert "batch" in answer.err
