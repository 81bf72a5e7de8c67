"""The rules of docs/rules.md: what the program makes impossible, warns of, and shows by default.

A test a rule, named after its sentence; what else is to be said of it is tested where it lives.
"""

import csv
import json
import math
import re
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.data import prepare, prepared
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.evaluation import Evaluator
from coarsefine.models.losses import LOSSES
from coarsefine.models.segment import Segment, run_segment
from coarsefine.models.specs import ACTIVATIONS, Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.models.training import train
from coarsefine.search.cli import main
from coarsefine.search.tables import column as tables
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.running.final import test as final_test
from tests.commands_built import all_commands
from tests.models.samples import made_up

ROOT = Path(__file__).parent.parent
# Two epochs of a small network: a tenth of a second.
QUICK = ("--epochs", "2", "--hidden", "8")
COARSE = ("lambda", "--coarse", *QUICK, "--trials", "6")
FINE = ("lambda", "--fine", "--trials", "3")
LINEAR = ("lambda", "--coarse", "--trials", "1", "--hidden", "none")


@dataclass
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def notes(self):
        """Return all that was noted, before the training and after it."""
        lines = (*self.err.splitlines(), *self.out.splitlines())
        return [line for line in lines if line.startswith("note: ")]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch, own_cache):
    for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE", "SEARCH_CACHE_LIMIT_GB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    prepared._open.clear()
    return tmp_path


@pytest.fixture
def search(capsys):
    """Carry out a command line."""

    def call(*argv):
        capsys.readouterr()
        status = main([str(word) for word in argv])
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory, own_cache):
    """A database with a study that was searched coarsely and finely, and tested."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("SEARCH_DATA_DIR", raising=False)
        patch.delenv("SEARCH_STORAGE", raising=False)
        assert main([*COARSE, "--quiet"]) == 0
        shutil.copy("search.db", "coarse.db")
        assert main([*FINE, "--quiet"]) == 0
        assert main(["test", "--top", "2", "--quiet"]) == 0
    return folder / "search.db"


@pytest.fixture
def study(finished, own_folder):
    """The same in the folder of this test, to be changed at will."""
    return shutil.copy(finished, own_folder / "search.db")


@pytest.fixture
def samples(own_folder):
    """Return what writes a file of samples, and how much of them can be learnt."""

    def write(name, n_train=200, **changes):
        data = made_up(n_train=n_train, n_validation=100, dtype=np.float32)
        arrays = {
            "x_train": data.x_train,
            "y_train": data.y_train,
            "x_test": data.x_validation,
            "y_test": data.y_validation,
        }
        np.savez(own_folder / name, **(arrays | changes))
        return own_folder / name

    return write


def noted(answer, words):
    """Return the one note that has those words in it."""
    (found,) = [line for line in answer.notes if words in line]
    return found


def untimed(ranking):
    """Return a ranking without what differs from run to run."""
    for trial in ranking["trials"]:
        del trial["seconds"]
    return ranking


def trained(plan, data, n_epochs=1):
    return train(plan, initial_state(plan), data, n_epochs)


def linear_plan(**changes):
    """Return the plan of a linear network with squared error, in float64."""
    training = TrainingSpec(batch_size=10, n_updates=10**6, precision="float64")
    return CohortPlan(
        NetworkSpec(12, (), 4, loss="squared-error", bias="none"),
        replace(training, **changes),
        (Hyperparameters(l2_strength=0.01, learning_rate=0.02),),
        seed=1,
    )


# --------------------------------------------------------------- the test set and the ranking


def test_rule_01_trials_are_ranked_by_validation_alone_and_the_test_set_is_opened_after_it(
    search, samples, monkeypatch
):
    labels = np.arange(100) % 4
    opened = []
    monkeypatch.setattr(
        final_test, "open_test", lambda *a, **k: opened.append(a) or open_test(*a, **k)
    )

    rankings = []
    for name, y_test in (("one.npz", labels), ("two.npz", labels[::-1].copy())):
        asked = ("--data", samples(name, y_test=y_test), "--study", "study", *QUICK)
        storage = ("--storage", f"{name}.db")
        search("lambda", "--coarse", "--trials", "3", *asked, *storage)
        ranking = search(
            "lambda", "--fine", "--trials", "3", "--study", "study", *storage, "--json"
        )
        rankings.append(untimed(ranking.json) | {"data": None})

    assert rankings[0] == rankings[1]
    assert opened == []
    tested = search("test", "study", "--top", "1", "--storage", "two.npz.db", "--json")
    assert (len(opened), tested.json["opened"]) == (1, 1)
    shown = search("show", "study", "--storage", "two.npz.db", "--json").json
    assert len(shown["openings"]) == 1


def test_rule_02_an_evaluation_cannot_change_what_it_measures():
    data = made_up()
    state, _ = trained(linear_plan(), data)
    for name, array in state.parameters.names():
        array.flags.writeable = False
        assert not array.flags.writeable, name

    evaluator = Evaluator(linear_plan().network, 1, np.float64)
    evaluator.evaluate(state.parameters, data.x_validation, data.y_validation)

    other = replace(data, x_validation=-data.x_validation)
    elsewhere, _ = trained(linear_plan(), other)
    np.testing.assert_array_equal(elsewhere.parameters.weights[0], state.parameters.weights[0])


def test_rule_03_what_is_tested_is_the_top_of_the_ranking_and_cannot_be_typed(search, study):
    ranking = search("rank", "--json").json["trials"]
    options = {name for p in all_commands()["test"].params for name in p.opts}

    tested = search("show", "--json").json["openings"][0]["trials"]

    assert [trial["params"] for trial in tested] == [trial["params"] for trial in ranking[:2]]
    # Trials can be named, values cannot: what is tested is in the database.
    assert options & {"--top", "--values", "--lambda", "--low", "--params"} == {"--top"}
    assert search("test", "--trial", "coarse:99").status != 0


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("--low", "1e-9", "--high", "1e-8"), "must hold the best coarse value"),
        (("--low", "1e-9", "--high", "1e3"), "must be narrower than the coarse one"),
        (("--values", "10,20"), "must hold the best coarse value"),
        (("--values", "1e-05,0.0001,0.001,0.1"), "must be narrower than the coarse one"),
    ],
)
def test_rule_04_a_fine_range_is_narrower_than_the_coarse_one_and_holds_its_winner(
    search, finished, own_folder, asked, reason
):
    shutil.copy(finished.with_name("coarse.db"), own_folder / "search.db")

    refused = search("lambda", "--fine", *asked)

    assert (refused.status, reason in refused.err) == (1, True)
    fine = search(*FINE, "--json").json
    coarse, window = fine["stages"]
    best = min(
        (t for t in fine["trials"] if t["stage"] == "coarse"),
        key=lambda t: (-t["validation_accuracy"], t["validation_loss"]),
    )["params"]["lambda"]
    assert window["low"] * 0.999 <= best <= window["high"] * 1.001
    assert window["high"] / window["low"] < coarse["high"] / coarse["low"]


# ------------------------------------------------------------------------ what a ranking warns of


def test_rule_05_a_winner_on_the_edge_of_the_range_suggests_to_look_beyond(search):
    answer = search("lambda", "--coarse", *QUICK, "--low", "0.05", "--high", "50", "--trials", "6")

    assert "lies on the lower edge" in noted(answer, "edge")
    assert "a better one may lie beyond" in noted(answer, "edge")


def test_rule_06_few_coarse_values_or_values_spread_linearly_are_warned_of(search):
    few = search("lambda", "--coarse", *QUICK, "--trials", "3")
    values = "1e-5,0.02,0.04,0.06,0.08,0.1"
    linear = search("lambda", "--coarse", *QUICK, "--values", values, "--study", "linear")

    assert "3 values over 4 decades can miss the best one" in noted(few, "decades")
    assert "5 of 6 values lie in the uppermost of 4 decades" in noted(linear, "decades")


def test_rule_07_values_that_cannot_be_told_from_the_winner_are_printed_as_tied(search, study):
    answer = search("rank", "--quiet")
    tied = [trial for trial in search("rank", "--json").json["trials"] if trial["tied"]]

    assert len(tied) > 1
    assert "= tied with the best" in answer.out
    assert re.search(r"tied|resolution reached", noted(answer, "more"))


def test_rule_08_accuracies_of_few_validation_samples_have_their_standard_error_beside_them(
    search, study
):
    trials = search("rank", "--json").json["trials"]
    out = search("rank", "--quiet").out

    for trial in trials:
        accuracy = trial["validation_accuracy"]
        # For new samples, and 0.3 points that are assumed of seeds.
        error = 100 * math.sqrt(accuracy * (1 - accuracy) / 359 + 0.003**2)
        assert f"{100 * accuracy:.2f} ± {error:.2f}" in out


def test_rule_09_what_was_trained_before_is_taken_over_marked_and_counted(search, study):
    again = search(*COARSE, "--study", "again")
    twice = search("tricks", "--shuffle", "--epochs", "1", "--values", "base,+ shuffling")

    assert "6 of 6 training runs were trained before and taken over" in noted(again, "trained bef")
    assert "no new evidence; --fresh trains them again" in noted(again, "trained before")
    assert all(t["reused"] for t in search("rank", "again", "--json").json["trials"])
    assert "base and + shuffling are one and the same training" in noted(twice, "same training")


def test_rule_10_a_validation_accuracy_that_a_leak_would_explain_is_suspected(search, samples):
    data = made_up(n_train=800, n_validation=400, dtype=np.float32)
    rng = np.random.default_rng(0)
    noise = np.where(rng.random(800) < 0.5, rng.integers(0, 4, 800), data.y_train)
    leak = samples(
        "leak.npz",
        x_train=data.x_train,
        y_train=noise,
        x_val=data.x_train[:400],
        y_val=data.y_train[:400],
    )

    answer = search(*LINEAR, "--data", leak, "--split", "canonical", "--epochs", "5")

    assert "suspect a leak" in noted(answer, "points above its training accuracy")


def test_rule_10_the_same_accuracy_on_validation_and_test_samples_is_suspected(search, samples):
    many = made_up(n_validation=2_000, dtype=np.float32)
    both = {
        f"{part}_{split}": values
        for part, values in (("x", many.x_validation), ("y", many.y_validation))
        for split in ("val", "test")
    }
    copied = samples("copied.npz", **both)
    search(*LINEAR, "--data", copied, "--split", "canonical", "--epochs", "3")

    answer = search("test", "--refit", "none")

    (line,) = [line for line in answer.out.splitlines() if "to all digits" in line]
    assert "suspect a leak" in line


def test_rule_21_a_score_that_strong_penalties_leave_as_it_was_tells_of_none(search):
    # So wide a network has learnt before so small an eta lets the penalty act.
    barely = ("--epochs", "1", "--low", "1e-3", "--high", "0.1", "--trials", "6")

    answer = search("lambda", "--coarse", "--hidden", "200", "--eta", "0.003", *barely)
    unlearnt = search(
        *("lambda", "--coarse", "--hidden", "8", "--eta", "1e-6", "--study", "unlearnt", *barely)
    )

    assert "the penalty was probably not applied" in noted(answer, "penalty")
    # Where nothing was learnt, the penalty is not what is wrong.
    assert not any("penalty" in line for line in unlearnt.notes)
    assert noted(unlearnt, "the networks have learnt little")


@given(st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=5, unique=True))
@settings(max_examples=10)
def test_rule_21_the_sum_of_squared_weights_falls_as_the_penalty_grows(strengths):
    strengths = sorted(strengths)
    numbers = tuple(Hyperparameters(l2_strength=s, learning_rate=0.02) for s in strengths)
    plan = replace(linear_plan(), trials=numbers)

    state, _ = trained(plan, made_up(), 3)

    assert np.all(np.diff(state.parameters.squared_weights()) < 1e-12)


# ----------------------------------------------------------------------- names, splits, statistics


def _measures(value):
    """Yield the keys of an object that are measures."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if re.search("accuracy|loss|cost", key):
                yield key
            yield from _measures(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _measures(inner)


SPLITS = re.compile("train|validation|test|running")


def test_rule_11_every_measure_says_its_split_and_when_it_was_taken(
    search, study, own_folder, monkeypatch
):
    headings = []
    made = tables._table
    monkeypatch.setattr(
        tables,
        "_table",
        lambda title, columns, *rest: (
            headings.extend((title, column.heading) for column in columns)
            or made(title, columns, *rest)
        ),
    )
    keys = set()
    for command in ("rank", "show", "list"):
        found = search(command, "--json").json
        found.pop("recipe", None)  # whose loss is the function's name
        keys |= set(_measures(found))
        search(command)
    search("batch-size", "--values", "20,50", "--epochs", "2", "--running", "--patience", "1")
    keys |= set(_measures(search("test", "digits/lambda", "--json").json))
    for kind in ("csv", "md"):
        search("export", "digits/lambda", f"out.{kind}")
    exported = (own_folder / "out.csv").read_text().splitlines()[0].split(",")
    for_people = (own_folder / "out.md").read_text().splitlines()[0]

    assert keys
    assert {key for key in keys if not SPLITS.search(key)} == set()
    measures = [h for h in headings if re.search("accuracy|loss|cost", h[1])]
    assert [h for h in measures if not SPLITS.search(h[1].replace("\n", " "))] == []
    assert any("running" in heading for _, heading in measures)
    of_trials = [title for title, heading in headings if heading == "rank" and "seed" in title]
    assert of_trials
    assert all("measured after the last epoch" in title for title in of_trials)
    assert {"score", "validation_accuracy", "train_accuracy"} <= set(exported)
    assert "validation accuracy, last epoch (%)" in for_people


def test_rule_12_normalisation_is_fitted_to_the_training_split_and_travels_with_it(samples):
    as_it_is = {"normalisation": "standardise", "precision": "float64"}
    data = made_up(dtype=np.float32)
    found = []
    for name, factor in (("one.npz", 1.0), ("two.npz", 50.0)):
        path = samples(
            name,
            x_train=data.x_train,
            y_train=data.y_train,
            x_val=factor * data.x_validation,
            y_val=data.y_validation,
            x_test=factor * data.x_validation,
            y_test=data.y_validation,
        )
        one = prepare(DataSpec(str(path), SplitSpec("canonical"), **as_it_is))
        found.append((one.open(), open_test(one).x))

    (first, test), (second, other_test) = found
    np.testing.assert_allclose(first.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(first.x_train, second.x_train)
    mean, deviation = data.x_train.mean(axis=0, dtype=float), data.x_train.std(axis=0, dtype=float)
    for x, factor in ((first.x_validation, 1), (second.x_validation, 50)):
        np.testing.assert_allclose(x, (factor * data.x_validation - mean) / deviation, atol=1e-3)
    np.testing.assert_array_equal(test, first.x_validation)
    np.testing.assert_array_equal(other_test, second.x_validation)


# ------------------------------------------------------------ before training: what is said


@given(
    n_train=st.integers(1, 60_000),
    batch_size=st.integers(1, 500),
    length=st.one_of(
        st.integers(1, 60).map(lambda n: {"training.epochs": n}),
        st.integers(1, 9).map(lambda n: {"training.cycles": n}),
    ),
    ns=st.none() | st.integers(1, 3000),
)
@settings(max_examples=60)
def test_rule_13_length_is_stated_once_and_all_else_is_derived_and_printed(
    n_train, batch_size, length, ns
):
    size = min(batch_size, n_train)
    flags = {"training.schedule": "cyclical", "training.batch_size": size, **length}
    steps = resolve(make_recipe(flags=flags | {"training.ns": ns}), n_train)

    assert steps.updates_per_epoch == math.ceil(n_train / size)
    assert steps.half_cycle == (ns or 2 * (n_train // size))
    assert steps.n_cycles == steps.n_updates / (2 * steps.half_cycle)
    assert steps.n_epochs == math.ceil(steps.n_updates / steps.updates_per_epoch)
    said = "; ".join(steps.lines)
    assert f"{n_train:,} samples / batch {size:,}" in said
    assert all(word in said for word in ("update", "epoch", "cycle", f"n_s {steps.half_cycle:,}"))


def test_rule_13_length_is_never_stated_twice(search):
    answer = search("lambda", "--coarse", "--epochs", "48", "--cycles", "3")

    assert answer.status == 2
    assert "the length is either --epochs or --cycles, got 48 and 3" in answer.err


def test_rule_14_a_run_that_does_not_end_on_a_whole_cycle_is_warned_of(search):
    half_done = search("lambda", "--coarse", "--trials", "1", "--hidden", "4", "--epochs", "3")
    whole = search("lambda", "--coarse", "--trials", "1", "--hidden", "4", "--study", "whole")

    assert "before η is back at its lowest; state cycles 1" in noted(half_done, "cycles")
    assert not any("cycles" in line for line in whole.notes)


def test_rule_14_lengths_that_a_search_varies_are_looked_at_one_by_one(search):
    answer = search("batch-size", "--values", "20,100", "--schedule", "cyclical", "--epochs", "2")

    assert "cycles at batch size 20" in noted(answer, "back at its lowest")
    assert "cycles at batch size 100" in noted(answer, "back at its lowest")


def test_rule_17_a_learning_rate_above_what_is_stable_is_warned_of(search):
    linear = (*LINEAR, "--loss", "squared-error")

    stable = search(*linear, "--eta", "0.001", "--epochs", "1", "--study", "stable")
    unstable = search(*linear, "--eta", "5", "--epochs", "9", "--study", "unstable")

    assert not any("2/λmax" in line for line in stable.notes)
    assert "η 5 is above " in noted(unstable, "2/λmax")
    assert "lower η" in noted(unstable, "2/λmax")
    states = [trial["state"] for trial in search("rank", "unstable", "--json").json["trials"]]
    assert states == ["diverged"]


def test_rule_17_a_cost_far_above_the_first_one_ends_a_trial_as_diverged(search):
    grows = ("--loss", "squared-error", "--eta", "0.5", "--epochs", "1")

    answer = search(*LINEAR, *grows, "--diverged-at", "3", "--json")

    assert [trial["state"] for trial in answer.json["trials"]] == ["diverged"]


def test_rule_20_the_penalty_is_printed_with_its_convention_and_the_other_one(search):
    asked = ("lambda", "--coarse", "--low", "1e-4", "--high", "1e-2", "--trials", "2", *QUICK)
    line = "mean cross-entropy + λ ΣW² (gradient 2λW, biases free): λ 0.0001 … 0.01 are"

    answer = search(*asked)

    assert f"cost = {line} 0.0002 … 0.02 in ½ λ ΣW²" in answer.err
    assert line in search("show").out


def test_rule_23_the_first_loss_is_printed_and_loud_weights_are_warned_of(search):
    linear = (*LINEAR, "--epochs", "1")
    normal = ("--initialisation", "normal", "--sigma")

    quiet = search(*linear, *normal, "0.01", "--study", "quiet")
    loud = search(*linear, *normal, "1", "--study", "loud")

    assert "initial training loss 2.3" in quiet.err
    assert "(a uniform guess has ln 10 = 2.303)" in quiet.err
    assert not any("first weights" in line for line in quiet.notes)
    assert "first weights (normal, σ 1) are large" in noted(loud, "far above ln 10 = 2.303")


def test_rule_27_early_stopping_is_stated_with_rule_unit_and_what_counts(search):
    asked = ("lambda", "--coarse", "--trials", "1", *QUICK, "--patience", "3", "--study")

    last = search(*asked, "last").err
    best = search(*asked, "best", "--score", "best", "--stop-rule", "window").err

    rule = "stops early after 3 validations (1 an epoch) in a row without a lower loss"
    assert f"{rule}; counts with its last epoch" in last
    assert "when the oldest of the last 4 validation losses (1 an epoch) is lowest" in best
    assert "counts with its best epoch, whose weights are kept" in best


# --------------------------------------------------------------------------------- the trainer


@given(n_train=st.integers(1, 150), batch_size=st.integers(1, 150))
@settings(max_examples=25)
def test_rule_16_one_epoch_makes_an_update_a_batch(n_train, batch_size):
    data = made_up(n_train=n_train)
    plan = linear_plan(batch_size=min(batch_size, n_train))

    state, rows = trained(plan, data)

    assert state.step == rows[-1].step == math.ceil(n_train / plan.training.batch_size)


@given(n_epochs=st.integers(1, 5), copies=st.integers(1, 3))
@settings(max_examples=15)
def test_rule_16_gradients_are_means_over_the_batch_made_anew_each_time(n_epochs, copies):
    data = made_up(n_train=40)
    repeated = replace(
        data,
        x_train=np.tile(data.x_train, (copies, 1)),
        y_train=np.tile(data.y_train, copies),
    )
    plan = linear_plan(batch_size=40 * copies, shuffle=False)
    expected = initial_state(plan).parameters.weights[0][0].copy()
    for _ in range(n_epochs):
        errors = data.x_train @ expected.T - np.eye(4)[data.y_train]
        expected -= 0.02 * (errors.T @ data.x_train / 40 + 2 * 0.01 * expected)

    state, _ = trained(plan, repeated, n_epochs)

    np.testing.assert_allclose(state.parameters.weights[0][0], expected, rtol=1e-9)


def test_rule_18_a_loss_that_does_not_match_the_output_cannot_be_stated(search):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(1, 4, 9)), np.arange(9) % 4
    shifted = scores + 3.0

    # Cross-entropy has its softmax in it, which no shift of the scores changes; squared error has
    # none. There is nothing else to choose.
    entropy, squared = LOSSES["cross-entropy"], LOSSES["squared-error"]
    assert entropy.total(scores.copy(), labels) == pytest.approx(
        entropy.total(shifted.copy(), labels)
    )
    assert squared.total(scores.copy(), labels) != pytest.approx(
        squared.total(shifted.copy(), labels)
    )
    assert not {field.name for field in fields(NetworkSpec)} & {"output", "softmax"}
    assert search(*LINEAR, "--loss", "mse").status == 2


def test_rule_19_a_cross_check_shares_all_but_the_framework_and_reports_weight_differences(search):
    asked = ("--against", "sklearn", "--precision", "float64", "--hidden", "6", "--epochs", "1")

    found = search("crosscheck", *asked, "--steps", "3", "--json").json

    assert found["agrees"]
    assert found["epochs"][0]["difference"] == 0.0
    assert [step["update"] for step in found["steps"]] == [1, 2, 3]
    assert all(step["difference"] <= step["allowed"] < 1e-9 for step in found["steps"])
    assert len({step["eta"] for step in found["steps"]}) == 3


# ------------------------------------------------------------------------------ shown by default


def test_rule_22_loss_and_cost_are_columns_of_their_own(search, study):
    curve = search("show", "--json").json["best_curve"]
    headings = search("show").out

    assert re.search("loss +cost +loss +cost", headings)
    for row in curve:
        penalty = row["train_cost"] - row["train_loss"]
        assert penalty > 0
        assert row["validation_cost"] - row["validation_loss"] == pytest.approx(penalty, rel=1e-4)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "xlsx"])
def test_rule_22_loss_and_cost_are_exported_epoch_by_epoch(search, study, own_folder, kind):
    read = {
        "csv": pd.read_csv,
        "json": lambda file: pd.read_json(file, precise_float=True),
        "parquet": pd.read_parquet,
        "xlsx": pd.read_excel,
    }[kind]
    curve = search("show", "--json").json["best_curve"]
    best = search("rank", "--json").json["trials"][0]

    answer = search("export", "digits/lambda", f"curves.{kind}", "--curves")

    table = read(own_folder / f"curves.{kind}")
    assert answer.err == f"wrote {len(table):,} epochs to curves.{kind}\n"
    assert len(table) == 3 * 9  # epochs 0, 1 and 2 of each trial
    rows = table[(table.stage == best["stage"]) & (table.trial == best["trial"])]
    for name in ("train_loss", "train_cost", "validation_loss", "validation_cost"):
        # Spreadsheets keep 15 digits.
        assert list(rows[name]) == pytest.approx([row[name] for row in curve], rel=1e-14, abs=0)
    assert list(rows["lambda"]) == pytest.approx([best["params"]["lambda"]] * 3, rel=1e-14)
    search("export", "digits/lambda", "curves.md", "--curves")
    heading = (own_folder / "curves.md").read_text("utf-8").splitlines()[0]
    assert re.search(r"training loss \| +training cost", heading)


def test_rule_24_gradients_are_checked_in_both_errors_with_and_without_penalty(search):
    one = search("gradcheck", "--json").json
    every = search("gradcheck", "--all", "--features", "5", "--samples", "4", "--json").json

    assert [check["lambda"] for check in one["checks"]] == [0.0, 0.1]
    for tensor in one["parameters"]:
        # Single precision would leave some 1e-3.
        assert tensor["max_relative_error"] < 1e-6
        assert tensor["max_absolute_error"] < 1e-6
    assert all("skipped" in p for check in every["checks"] for p in check["parameters"])
    checked = {(c["activation"], len(c["widths"])) for c in every["checks"]}
    assert checked == {(None, 2)} | {(a, n) for a in ACTIVATIONS for n in (3, 4)}


@pytest.mark.parametrize(
    ("hidden", "total", "trick"),
    [("64", 50_890, 50_880), ("59,59", 50_455, 50_386), ("60,60", 51_370, 51_300)],
)
def test_rule_25_parameters_are_counted_in_both_conventions_with_the_arithmetic(
    search, hidden, total, trick
):
    asked = ("params", "--data", "mnist", "--hidden", hidden)
    found = search(*asked, "--json").json

    assert (found["total"], found["total_bias_trick"]) == (total, trick)
    first = hidden.partition(",")[0]
    assert f"784 x {first} + {first} " in search(*asked).out
    assert f"(784 + 1) x {first} " in search(*asked).out


def test_rule_28_whether_tricks_add_up_or_stand_alone_is_said_in_their_table(search):
    cumulative = search("tricks", "--epochs", "1")
    alone = search("tricks", "--epochs", "1", "--one-at-a-time", "--study", "alone")

    assert "cumulative: each row adds to all before it" in cumulative.out
    assert "one at a time: each row adds to the base alone" in alone.out
    assert "each row adds to the base alone" in search("rank", "alone").out


def test_rule_29_tables_and_files_are_made_from_the_record_and_nothing_of_them_is_typed(
    search, study, own_folder
):
    ranking = search("rank", "--json").json
    search("export", "digits/lambda", "out.csv")
    rows = list(csv.DictReader((own_folder / "out.csv").read_text().splitlines()))
    options = {
        name
        for command in all_commands().values()
        for parameter in command.params
        for name in parameter.opts
    }

    assert [float(row["lambda"]) for row in rows] == [
        trial["params"]["lambda"] for trial in ranking["trials"]
    ]
    assert search("rank").out.startswith("digits/lambda: digits, seed 0; measured after")
    (drawn,) = search("plot", "values", "--json").json["figures"]
    assert drawn["file"] == "digits-lambda-values.png"
    assert not options & {"--title", "--caption", "--label-of"}


def test_rule_31_trials_count_with_their_last_epoch_unless_the_best_ones_weights_are_kept(search):
    last = search(*LINEAR, "--epochs", "6", "--eta", "0.5", "--study", "last")
    best = search(*LINEAR, "--epochs", "6", "--eta", "0.5", "--score", "best", "--study", "best")
    curves = {name: search("show", name, "--json").json for name in ("last", "best")}
    tested = search("test", "best", "--refit", "none", "--json").json["trials"][0]

    assert "measured after the last epoch" in last.out
    assert "measured after each trial's best epoch" in best.out
    accuracies = [row["validation_accuracy"] for row in curves["best"]["best_curve"]]
    assert curves["last"]["trials"][0]["validation_accuracy"] == accuracies[-1]
    assert curves["best"]["trials"][0]["validation_accuracy"] == max(accuracies)
    assert tested["validation_accuracy"] == max(accuracies)


def test_rule_32_timings_name_the_device_and_repeats_and_leave_the_warm_up_out(search):
    answer = search("batch-size", "--values", "20,50", "--epochs", "1", "--replicates", "2")

    machine = search("show", "--json").json["machine"]
    named = machine.get("processor") or machine["machine"]
    assert "means of 2 runs, warm-up and measuring not counted" in answer.out
    assert f"; on {named}" in answer.out


def test_rule_32_a_warm_up_changes_nothing_that_is_trained():
    data = made_up()

    class Handle:
        def open(self):
            return data

    segment = Segment("a", linear_plan(), Handle(), None, 2)
    cold, warm = (run_segment(replace(segment, warm_up=flag)) for flag in (False, True))

    np.testing.assert_array_equal(*(r.state.parameters.weights[0] for r in (cold, warm)))
    assert [row.step for row in cold.rows] == [row.step for row in warm.rows]


# ------------------------------------------------------------------------ comparing like with like


@pytest.mark.parametrize(
    ("command", "values"), [("batch-size", "20,100"), ("dataset-size", "200,900")]
)
def test_rule_15_unlike_numbers_of_updates_at_equal_epochs_are_printed_and_warned_of(
    search, command, values
):
    asked = (command, "--values", values, "--epochs", "2", "--replicates", "1")

    unlike = search(*asked)
    equal = search(*asked, "--equal", "updates", "--study", "equal")

    assert "--equal updates compares them at equal updates" in noted(unlike, "updates: at equal")
    assert "updates" in unlike.out.splitlines()[4].split() + unlike.out.splitlines()[3].split()
    assert not any("at equal epochs" in line for line in equal.notes)
    ranked = search("rank", f"digits/{command}")
    assert noted(ranked, "at equal epochs") == noted(unlike, "at equal epochs")


def test_rule_26_choices_compared_at_one_eta_or_with_one_seed_are_warned_of(search, own_folder):
    (own_folder / "lab.toml").write_text(
        "[training]\nepochs = 1\n[network]\nhidden = [8]\n[search]\n"
        'vary."network.activation".values = ["relu", "tanh"]\n',
        encoding="utf-8",
    )

    activation = search("run", "lab.toml")
    depth = search("hidden", "--values", "8,8-8", "--epochs", "1")
    width = search(
        "hidden", "--values", "8,9", "--epochs", "1", "--replicates", "2", "--study", "w"
    )

    assert "relu and tanh are compared at one η, 0.1" in noted(activation, "at one η")
    assert "1 and 2 hidden layers are compared at one η" in noted(depth, "at one η")
    assert "trained with one seed" in depth.out
    assert not any("at one η" in line for line in width.notes)
    assert "trained with one seed" not in width.out


def test_rule_26_different_stop_epochs_are_warned_of(search):
    stops = ("--patience", "2", "--epochs", "30", "--eta", "0.2", "--hidden", "8")

    answer = search("lambda", "--coarse", "--values", "1e-4,1e-2,3", *stops)

    assert "compared at unlike lengths" in noted(answer, "early stopping ended trials")


def test_rule_27_the_metric_at_the_best_epoch_stands_beside_the_one_where_it_stopped(search):
    stops = ("--patience", "2", "--epochs", "30", "--eta", "0.2", "--hidden", "8", "--trials", "1")

    answer = search("lambda", "--coarse", *stops)

    curve = search("show", "--json").json["best_curve"]
    line = noted(answer, "the best trial ended after epoch")
    assert f"after epoch {curve[-1]['epoch']} with a validation accuracy of" in line
    accuracies = [row["validation_accuracy"] for row in curve]
    assert f"{100 * accuracies[-1]:.2f} %" in line
    assert f"{100 * max(accuracies):.2f} %" in line or line.endswith("its highest")


def test_rule_30_a_final_training_unlike_the_searchs_is_warned_of(search, study):
    alike = search("test", "--top", "1")
    longer = search("test", "--top", "1", "--storage", _longer(search))

    assert not any("the final training made" in line for line in alike.notes)
    assert "the search's 108 on 1,078: the best λ and η depend on both" in noted(
        longer, "the final training made"
    )


def _longer(search):
    storage = "longer.db"
    search(*LINEAR, "--epochs", "2", "--final-epochs", "9", "--storage", storage)
    return storage


# ------------------------------------------------------------------------------------- the data


def test_rule_33_a_data_file_that_is_none_or_not_the_published_one_is_said_to_be(
    search, own_folder, monkeypatch
):
    from tests.models.data_files import idx_contents, small_mnist, write_idx

    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    changed = dict(contents)
    name = "train-images-idx3-ubyte"
    changed[name] = contents[name][:-1] + bytes([contents[name][-1] ^ 1])
    write_idx(own_folder / "changed", changed, packing="")
    write_idx(own_folder / "html", contents | {name: b"<!DOCTYPE html><title>404"}, packing="")
    asked = (*LINEAR, "--data", "mnist", "--epochs", "1", "--batch-size", "5", "--data-dir")

    used = search(*asked, "changed")
    refused = search(*asked, "html", "--study", "html")

    assert used.status == 0
    assert name in noted(used, "differs from what was published; used as found")
    assert refused.status == 1
    assert len(refused.err.splitlines()) == 1
    assert name in refused.err


# ------------------------------------------------------------------------------------- the page


ROWS = re.findall(
    r"^\| (\d+) \| .*? \| ([XWS]) \| (.*?) \| (.*?) \|$",
    (ROOT / "docs" / "rules.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_the_page_has_each_rule_once_with_a_module_and_a_test_that_exist():
    assert [int(number) for number, *_ in ROWS] == list(range(1, 34))
    for number, _, modules, tests in ROWS:
        named = re.findall(r"`([^`]+\.(?:py|toml))`", modules)
        assert named, number
        assert [name for name in named if not (ROOT / name).exists()] == []
        functions = re.findall(r"`(test_rule_\d+\w+)`", tests)
        assert functions, number
        assert all(name.startswith(f"test_rule_{int(number):02}_") for name in functions)
        assert [name for name in functions if name not in globals()] == []


def test_every_test_of_a_rule_is_on_the_page():
    listed = {name for *_, tests in ROWS for name in re.findall(r"`(test_rule_\w+)`", tests)}

    assert {name for name in globals() if name.startswith("test_rule_")} == listed
