"""The rules of docs/rules.md, a test each, named after its sentence."""

import json
import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data import prepared
from search.cli import main
from studies.recipe import make_recipe
from studies.steps import resolve

# Two epochs of a small network: a tenth of a second.
QUICK = ("--epochs", "2", "--hidden", "8")


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


def noted(answer, words):
    """Return the one note that has those words in it."""
    (found,) = [line for line in answer.notes if words in line]
    return found


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
@settings(max_examples=60, deadline=None)
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
    linear = ("lambda", "--coarse", "--trials", "1", "--hidden", "none", "--loss", "squared-error")

    stable = search(*linear, "--eta", "0.001", "--epochs", "1", "--study", "stable")
    unstable = search(*linear, "--eta", "5", "--epochs", "9", "--study", "unstable")

    assert not any("2/λmax" in line for line in stable.notes)
    assert "η 5 is above " in noted(unstable, "2/λmax")
    assert "lower η" in noted(unstable, "2/λmax")
    states = [trial["state"] for trial in search("rank", "unstable", "--json").json["trials"]]
    assert states == ["diverged"]


def test_rule_17_a_cost_far_above_the_first_one_ends_a_trial_as_diverged(search):
    grows = ("--hidden", "none", "--loss", "squared-error", "--eta", "0.5", "--epochs", "1")

    answer = search("lambda", "--coarse", "--trials", "1", *grows, "--diverged-at", "3", "--json")

    assert [trial["state"] for trial in answer.json["trials"]] == ["diverged"]


def test_rule_20_the_penalty_is_printed_with_its_convention_and_the_other_one(search):
    asked = ("lambda", "--coarse", "--low", "1e-4", "--high", "1e-2", "--trials", "2", *QUICK)
    line = "mean cross-entropy + λ ΣW² (gradient 2λW, biases free): λ 0.0001 … 0.01 are"

    answer = search(*asked)

    assert f"cost = {line} 0.0002 … 0.02 in ½ λ ΣW²" in answer.err
    assert line in search("show").out


def test_rule_23_the_first_loss_is_printed_and_loud_weights_are_warned_of(search):
    linear = ("lambda", "--coarse", "--trials", "1", "--epochs", "1", "--hidden", "none")
    normal = ("--initialisation", "normal", "--sigma")

    quiet = search(*linear, *normal, "0.01", "--study", "quiet")
    loud = search(*linear, *normal, "1", "--study", "loud")

    assert "initial training loss 2.3" in quiet.err
    assert "beside ln 10 = 2.303 of equal chances" in quiet.err
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
