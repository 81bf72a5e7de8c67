"""A trainer of the user's: found, called, and its answers checked."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models import plugin as module
from coarsefine.models.cohort import CohortPlan, state_from_bytes, state_to_bytes
from coarsefine.models.plugin import (
    Plugin,
    PluginError,
    classes_of,
    final_state,
    seed_of,
    source,
    trained,
)
from coarsefine.models.segment import Segment, run_segment
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from tests.models.samples import made_up

DATA = made_up()
NUMBERS = itertools.count()
PLAN = CohortPlan(
    NetworkSpec(12, (5,), 4), TrainingSpec(10, 30), (Hyperparameters(),), seed=3, replicate=1
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module with the body of a trainer, and return how it is called."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def call(body, params="{}", score="final"):
        name = f"own_trainer_{next(NUMBERS)}"
        lines = "\n    ".join(body.splitlines())
        text = f"def train(params, data, seed, report):\n    {lines}\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        written.append(name)
        return Plugin(f"{name}:train", source(f"{name}:train"), params, score)

    yield call
    for name in written:
        sys.modules.pop(name, None)


def called(plugin):
    return trained(plugin, DATA, 4, seed=3, replicate=1)


def test_it_gets_params_data_without_a_test_part_and_a_seed(write):
    plugin = write(
        "import numpy as np\n"
        "assert params == {'lambda': 0.1, 'hidden': [5]}, params\n"
        "assert sorted(data.__dataclass_fields__) == "
        "['n_classes', 'x_train', 'x_validation', 'y_train', 'y_validation']\n"
        "assert data.x_train.shape == (150, 12) and data.n_classes == 4\n"
        f"assert seed == {seed_of(3, 1)}\n"
        "return {'validation_accuracy': 0.5}",
        params='{"lambda": 0.1, "hidden": [5]}',
    )

    assert called(plugin).failure is None


def test_the_seed_follows_from_seed_and_replicate_alone():
    seeds = {seed_of(seed, replicate) for seed in range(20) for replicate in range(5)}

    assert len(seeds) == 100
    assert seed_of(3, 1) == seed_of(3, 1)


@given(
    accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    before=st.booleans(),
    best=st.booleans(),
)
def test_reports_become_a_curve_and_the_last_or_the_best_epoch_counts(accuracies, before, best):
    reports = module._Reports()
    if before:
        reports(0, validation_accuracy=1.0)
    for epoch, accuracy in enumerate(accuracies, 1):
        reports(np.int64(epoch), validation_accuracy=np.float64(accuracy))
    reports.end(None)

    done = module.Trained(reports.rows, "complete")
    state = final_state(PLAN, Plugin("a:b", "", "{}", "best" if best else "final"), done)

    n = len(accuracies)
    assert [row.epoch for row in reports.rows] == list(range(0 if before else 1, n + 1))
    expected = int(np.argmax(accuracies)) + 1 if best else n
    assert state.done
    assert state.finished[0].scored_epoch == expected


def test_what_is_returned_counts_for_the_last_epoch(write):
    plugin = write(
        "report(1, validation_accuracy=0.1, validation_loss=2)\n"
        "report(2, validation_accuracy=0.2, validation_loss=1)\n"
        "return {'validation_accuracy': 0.3}"
    )
    rows = called(plugin).rows

    assert [(r.epoch, r.validation_accuracy, r.validation_loss) for r in rows] == [
        (1, 0.1, 2),
        (2, 0.3, 1),
    ]


def test_a_dict_alone_is_a_single_epoch(write):
    (row,) = called(write("return {'validation_accuracy': 0.25, 'train_loss': 3}")).rows

    assert (row.epoch, row.validation_accuracy, row.train_loss) == (1, 0.25, 3)
    assert np.isnan([row.train_accuracy, row.validation_loss, row.eta]).all()


WRONG = [
    ("return None", "must return or report validation_accuracy, got neither"),
    (
        "report(0, validation_accuracy=0.5)",
        "must return or report validation_accuracy, got neither",
    ),
    ("return {}", "must return or report validation_accuracy, it returned none"),
    ("return 0.5", "must return a dict of metrics or nothing, got 0.5"),
    ("return {'accuracy': 0.5}", "'accuracy' was returned"),
    ("report(1, val_acc=0.5)", "'val_acc' was reported"),
    ("report(1, validation_loss=0.5)", "must return or report validation_accuracy, it reported"),
    ("return {'validation_accuracy': 'good'}", "validation_accuracy must be a number, got 'good'"),
    ("return {'validation_accuracy': True}", "validation_accuracy must be a number, got True"),
    ("return {'validation_accuracy': [0.5]}", "validation_accuracy must be a number, got [0.5]"),
    ("return {'validation_accuracy': 95}", "validation_accuracy must be in [0, 1], got 95"),
    ("return {'validation_accuracy': float('nan')}", "must be in [0, 1], got nan"),
    ("return {'validation_accuracy': 1, 'train_accuracy': -1}", "train_accuracy must be in"),
    ("return {'validation_accuracy': 1, 'predict': 7}", "predict must be a function, got 7"),
    ("report(2, validation_accuracy=1)", "epochs must be reported one after another"),
    ("report(1, validation_accuracy=1)\nreport(1, validation_accuracy=1)", "got 1 after 1"),
    ("report('1', validation_accuracy=1)", "got '1'"),
    ("raise ValueError('first\\nlast')", "ValueError: last"),
    ("raise ValueError('x' * 100_000)", "ValueError: xxx"),
    ("raise KeyError('depth')", "KeyError: 'depth'"),
    (
        "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd",
        "Odd",
    ),
    (
        "raise AssertionError('daemonic processes are not allowed to have children')",
        "the trainer starts processes, and this worker may not have any: start Dask's workers",
    ),
    ("raise RuntimeError", "RuntimeError"),
    ("import sys\nsys.exit(3)", "SystemExit: 3"),
]


@pytest.mark.parametrize(("body", "line"), WRONG)
def test_what_goes_wrong_is_one_line_and_a_failed_run(write, body, line):
    done = called(write(body))

    assert (done.outcome, done.predict) == ("failed", None)
    assert line in done.failure
    assert "\n" not in done.failure
    assert len(done.failure) <= 300


def test_what_was_reported_before_a_failure_is_kept(write):
    done = called(write("report(1, validation_accuracy=0.5)\nraise ValueError('later')"))

    assert [row.epoch for row in done.rows] == [1]


@pytest.mark.parametrize("loss", ["inf", "-inf", "nan"])
def test_a_loss_that_is_not_finite_in_the_end_is_a_training_that_diverged(write, loss):
    still = f"report(1, validation_accuracy=0.5, train_loss=float('{loss}'))\n"

    assert called(write(still)).outcome == "diverged"
    assert called(write(still + "return {'train_loss': 1}")).outcome == "complete"


def test_what_it_prints_leaves_stdout_alone(write, capsys):
    called(write("print('epoch 1')\nreturn {'validation_accuracy': 1}"))

    assert capsys.readouterr() == ("", "epoch 1\n")


def test_a_file_that_was_changed_since_it_was_planned_is_not_run(write, tmp_path):
    plugin = write("return {'validation_accuracy': 1}")
    path = tmp_path / f"{plugin.name.partition(':')[0]}.py"
    path.write_text(path.read_text() + "# otherwise\n")

    with pytest.raises(PluginError, match="was changed since this training was planned"):
        called(plugin)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("no_such_module_here:train", "cannot be imported: No module named 'no_such_module_here'"),
        ("json:no_such_function", "json has no no_such_function"),
        ("json:decoder", "json is not a function: decoder"),
        ("math:sqrt", "must be a function in a Python file"),
    ],
)
def test_a_trainer_that_is_none_is_one_line(name, line):
    with pytest.raises(PluginError, match=line) as raised:
        source(name)
    assert "\n" not in str(raised.value)


def test_a_module_that_fails_is_one_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_broken_module.py").write_text("1 / 0")

    with pytest.raises(PluginError, match="cannot be imported: ZeroDivisionError: division by"):
        source("own_broken_module:train")


def test_a_segment_trains_it_whole_and_its_state_can_be_stored(write):
    class Handle:
        def open(self):
            return DATA

    plugin = write("report(1, validation_accuracy=0.5)\nreport(2, validation_accuracy=0.75)")
    result = run_segment(Segment("k", PLAN, Handle(), None, n_epochs=1, plugin=plugin))
    state = state_from_bytes(state_to_bytes(result.state))

    assert (state.done, state.epoch, result.failure) == (True, 2, None)
    assert state.finished[0].outcome == "complete"
    assert state.finished[0].parameters.n_trials == 0


@pytest.mark.parametrize(
    ("predict", "line"),
    [
        (lambda x: x[:3, 0], "must return 5 whole numbers"),
        (lambda x: x[:, 0], "must return 5 whole numbers"),
        (lambda x: np.full(5, 4), r"must return classes 0 … 3, got 4 … 4"),
        (lambda x: x.nothing, "AttributeError"),
    ],
)
def test_predictions_that_are_none_are_one_line(predict, line):
    with pytest.raises(PluginError, match=line):
        classes_of(predict, np.zeros((5, 2)), 4)


def test_predictions_may_be_any_whole_numbers():
    classes = classes_of(lambda x: [0, 1, 2, 3, 0], np.zeros((5, 2)), 4)

    assert classes.tolist() == [0, 1, 2, 3, 0]


def test_numbers_of_other_names_are_kept_by_epoch_and_the_rest_is_left_alone(write):
    plugin = write(
        "import numpy as np\n"
        "report(0, validation_accuracy=0.1)\n"
        "report(1, validation_accuracy=0.2, f2=np.float32(0.5), n=3, note='hi', ok=True)\n"
        "report(2, validation_accuracy=0.3, f2=np.array(0.75), lost=float('nan'))\n"
        "return {'validation_accuracy': 0.4, 'ende': 1.5, 'a:min': 1, ' x': 1, 'y' * 65: 1,\n"
        "        **{str(i): i for i in range(60)}}"
    )

    found = called(plugin)

    assert found.outcome == "complete"
    assert found.metrics.keys() == {1, 2}
    assert found.metrics[1] == {"f2": 0.5, "n": 3.0}
    # What is returned is of the last epoch; of many, the first are kept.
    assert list(found.metrics[2])[:3] == ["f2", "ende", "0"]
    assert len(found.metrics[2]) == 50
