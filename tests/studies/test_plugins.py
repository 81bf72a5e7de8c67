"""Searches whose trainer is the user's own."""

import itertools
import json
import sqlite3
import sys
from dataclasses import replace

import pytest

from coarsefine.db import repository
from coarsefine.models.data import prepare
from coarsefine.models.errors import ModelError
from coarsefine.studies.checks.crosscheck import NotComparableError, crosscheck
from coarsefine.studies.errors import RecipeError, StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import COARSE, FINE, GRID
from coarsefine.studies.recipes.layers import Asked, load_recipe, make_recipe
from coarsefine.studies.recipes.recipe import from_json, to_json, to_toml
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.results.optimum import located
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.watching import StoppedByRequest
from coarsefine.studies.spaces.dimensions import parameter
from tests.studies.conftest import LAMBDA, Recorder, comparable, refused

NUMBERS = itertools.count()

TRAINER = """
from pathlib import Path

def train(params, data, seed, report):
    with Path({calls!r}).open("a") as file:
        file.write(f"{{params['lambda']}} {{seed}}\\n")
    if params["lambda"] == 0.01:
        raise ValueError("strong penalties are not for me")
    for epoch in range(1, params["epochs"] + 1):
        accuracy = 1 - params["lambda"] - 1 / (epoch + 1) / 10 + seed % 7 / 1000
        report(epoch, validation_accuracy=accuracy, validation_loss=1 / epoch)
    return {answer}
"""
PREDICT = "{'predict': lambda x: (x[:, 0] > 0).astype(int)}"


class Own:
    """A trainer in a file, and a recipe that names it."""

    def __init__(self, folder, samples):
        self.name = f"own_searched_{next(NUMBERS)}"
        self.file = folder / f"{self.name}.py"
        self.calls = folder / "calls"
        self.recipe = folder / "own.toml"
        self.write("None")
        self.recipe.write_text(
            f'trainer = "{self.name}:train"\n[data]\nname = "{samples}"\n'
            "[network]\nhidden = [6]\n[training]\nepochs = 4\neta = 0.05\n",
            encoding="utf-8",
        )

    def write(self, answer):
        text = TRAINER.format(calls=str(self.calls), answer=answer)
        self.file.write_text(text, encoding="utf-8")
        self.forget()

    def forget(self):
        """Have the file imported anew, as the next command would."""
        sys.modules.pop(self.name, None)

    @property
    def n_calls(self):
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def own(tmp_path, samples, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    made = Own(tmp_path, samples)
    yield made
    made.forget()


VALUES = StageRequest(values=(0.001, 0.01, 0.1))


def searched(bench, own, request=VALUES, name=None, **means):
    search = Search.begin(bench.means(**means), LAMBDA, Asked(own.recipe), request, name)
    search.stage(COARSE, request)
    return search


def test_trials_are_ranked_stored_and_told_and_a_failure_is_one_trial_s(bench, own):
    observer = Recorder()
    outcome = searched(bench, own, observer=observer)
    ranking = read_ranking(bench.database, outcome.study)
    (stage,) = repository.stages(bench.database, outcome.study)
    plan = repository.load_plan(bench.database, stage)

    states = {trial.params["lambda"]: trial.state for trial in ranking.trials}
    assert states == {0.001: "complete", 0.1: "complete", 0.01: "failed"}
    assert ranking.best.params["lambda"] == 0.001
    assert all(trial.told for trial in plan.trials)
    (failure,) = [run.failure for run in plan.runs if run.failure]
    assert failure == "ValueError: strong penalties are not for me"
    assert f"the trial at lambda 0.01 failed: {failure}" in observer.lines
    curve = repository.epoch_rows(bench.database, run_ids=[plan.runs[0].id])
    assert [row.epoch for row in curve] == [1, 2, 3, 4]
    assert [row.validation_loss for row in curve] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert {row.train_loss for row in curve} == {None}


def test_worker_processes_find_it_too(bench, own):
    one = comparable(read_ranking(bench.database, searched(bench, own).study))
    request = replace(VALUES, fresh=True)
    two = searched(bench, own, request, name="again", n_jobs=2).study

    again = comparable(read_ranking(bench.database, two))
    assert again["trials"] == one["trials"]
    assert own.n_calls == 6


def test_a_search_that_was_stopped_carries_on_and_calls_nothing_twice(bench, own):
    with pytest.raises(StoppedByRequest):
        searched(bench, own, observer=Recorder(stop_after=1))
    assert own.n_calls < 3
    outcome = searched(bench, own)

    assert own.n_calls == 3
    assert len(read_ranking(bench.database, outcome.study).trials) == 3


TENT = """
import math
import numpy as np

def train(params, data, seed, report):
    n = len(data.y_validation)
    right = n - round(n * 0.15 * abs(math.log10(params["lambda"]) + 3)) - seed % 2
    answers = data.y_validation.copy()
    answers[right:] = (answers[right:] + 1) % data.n_classes
    report(1, validation_accuracy=right / n)
    return {"predict": lambda x: answers if len(x) == n else np.zeros(len(x), int)}
"""


def test_a_fine_window_is_cut_to_where_the_optimum_lies_unless_the_study_is_of_before(bench, own):
    own.file.write_text(TENT, encoding="utf-8")
    own.recipe.write_text(
        f'trainer = "{own.name}:train"\n[data]\nname = "digits"\n[training]\nepochs = 1\n',
        encoding="utf-8",
    )
    request = StageRequest(replicates=3, n_trials=9)
    study = searched(bench, own, request).study
    found = located(read_ranking(bench.database, study))
    assert found.curve.at_edge == (False, False)

    def fine():
        search = Search.carry_on(bench.means(), LAMBDA, Asked(own.recipe), study)
        stage = search.following(FINE, StageRequest()).stage
        (dimension,) = stage.dimensions
        return stage, dimension.range

    stage, cut = fine()
    assert stage.reason.endswith("neighbours; cut to where the best one lies (95 % confidence)")
    assert cut.low < found.low < 1e-3 < found.high < cut.high
    assert cut.decades < found.curve.interval[1] - found.curve.interval[0]
    (record,) = repository.stages(bench.database, study)
    options = {name: x for name, x in record.options.items() if name != "located"}
    repository.set_stage_options(bench.database, record, options)
    stage, between_neighbours = fine()
    assert "cut" not in stage.reason
    assert between_neighbours.low == pytest.approx(1e-4)
    assert between_neighbours.high == pytest.approx(1e-2)


def test_replicates_get_seeds_of_their_own_that_trials_share(bench, own):
    searched(bench, own, StageRequest(values=(0.001, 0.1), replicates=2))

    seeds = [line.split() for line in own.calls.read_text().splitlines()]
    by_value = {value: {s for v, s in seeds if v == value} for value, _ in seeds}
    assert len(by_value["0.001"]) == 2
    assert by_value["0.001"] == by_value["0.1"]


def test_what_was_trained_is_taken_over_until_the_file_changes(bench, own):
    searched(bench, own)
    searched(bench, own, StageRequest(values=(0.001, 0.1)), name="second")
    assert own.n_calls == 3
    own.write("{}  # otherwise")
    searched(bench, own, StageRequest(values=(0.001, 0.1)), name="third")

    assert own.n_calls == 5


def test_a_study_goes_on_only_with_the_recipe_file_and_the_same_trainer(bench, own):
    outcome = searched(bench, own, StageRequest(values=(0.001, 0.002, 0.1)))

    with refused("imported only if you name it yourself: add --recipe"):
        Search.carry_on(bench.means(), LAMBDA, Asked(), outcome.study)
    n_trials = 2
    search = Search.carry_on(bench.means(), LAMBDA, Asked(own.recipe), outcome.study)
    search.stage(FINE, StageRequest(n_trials=n_trials))
    assert own.n_calls == 3 + n_trials
    own.write("{}  # otherwise")
    with pytest.raises(StudyError, match=r"was changed since study .* was begun"):
        searched(bench, own)


def test_a_plan_that_names_another_function_is_not_carried_out(bench, own):
    with pytest.raises(StoppedByRequest):
        searched(bench, own, observer=Recorder(stop_after=1))
    with sqlite3.connect(bench.path) as connection:
        for uuid, plan in connection.execute("SELECT uuid, plan FROM training_cohorts").fetchall():
            changed = json.loads(plan)
            changed["trainer"]["name"] = "os:remove"
            connection.execute(
                "UPDATE training_cohorts SET plan = ? WHERE uuid = ?", (json.dumps(changed), uuid)
            )
    connection.close()
    n_calls = own.n_calls

    with pytest.raises(
        StudyError, match=r"is planned with trainer os:remove, the recipe names own"
    ):
        searched(bench, own)
    assert own.n_calls == n_calls < 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('trainer = "own.train"', r"trainer must be package.module:function"),
        ("trainer = 7", "trainer must be a text, got 7"),
        ("[params]\ndepth = 3", "params need a trainer to be given to"),
        ('trainer = "a:b"\n[params]\neta = 3', "params.eta would hide training.eta"),
        ('trainer = "a:b"\n[params]\nlambda = 3', "params.lambda would hide training.lambda"),
        ('trainer = "a:b"\n[params]\n"a b" = 3', "params must have names as Python's, got 'a b'"),
        ('trainer = "a:b"\n[params]\na = inf', "params must be numbers, texts or lists"),
        ('trainer = "a:b"\n[params]\na = { b = 1 }', "params must be numbers, texts or lists"),
    ],
)
def test_a_recipe_that_names_none_is_refused(tmp_path, text, line):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RecipeError, match=line) as raised:
        load_recipe(path)
    assert "\n" not in str(raised.value)


def test_a_recipe_with_a_trainer_survives_being_stored(tmp_path):
    said = {"trainer": "a.b:c", "params.depth": 3, "params.kinds": ["x", "y"], "params.p": 0.5}
    recipe = make_recipe(flags=said)
    path = tmp_path / "again.toml"
    path.write_text(to_toml(recipe), encoding="utf-8")

    assert load_recipe(path) == from_json(to_json(recipe)) == recipe
    assert not {"trainer", "params"} & set(to_json(make_recipe()))


def test_values_of_its_own_are_given_and_searched(bench, own, tmp_path):
    seen = tmp_path / "seen"
    own.file.write_text(
        "import json\n"
        "def train(params, data, seed, report):\n"
        f"    with open({str(seen)!r}, 'a') as file:\n"
        "        file.write(json.dumps(params) + '\\n')\n"
        "    return {'validation_accuracy': params['dropout']}\n"
    )
    with own.recipe.open("a", encoding="utf-8") as file:
        file.write('[params]\ndropout = 0.1\nkind = "inverted"\n')
    dropout = parameter("params.dropout")
    kind = replace(
        LAMBDA,
        name="run",
        dimensions=(replace(LAMBDA.dimensions[0], parameter=dropout, range=None, values=(0, 0.5)),),
        refines=False,
    )
    outcome = Search.begin(bench.means(), kind, Asked(own.recipe), StageRequest())
    outcome.stage(GRID, StageRequest())

    given = [json.loads(line) for line in seen.read_text().splitlines()]
    assert [params["dropout"] for params in given] == [0, 0.5]
    assert {params["kind"] for params in given} == {"inverted"}
    assert (given[0]["hidden"], given[0]["eta"], given[0]["epochs"]) == ([6], 0.05, 4)
    assert "cycles" not in given[0]
    best = read_ranking(bench.database, outcome.study).best
    assert best.params == {"params.dropout": 0.5}


def test_what_needs_our_trainer_is_refused_before_anything_is_written(bench, own, samples):
    with refused("--prune halving stops trainings half-way"):
        searched(bench, own, replace(VALUES, prune="halving"))
    own.file.unlink()
    own.forget()
    with pytest.raises(ModelError, match="cannot be imported: No module named"):
        searched(bench, own)
    recipe = load_recipe(own.recipe)
    with pytest.raises(NotComparableError, match="this program's own trainer"):
        crosscheck(recipe, prepare(to_data_spec(recipe)), "sklearn")

    assert repository.list_studies(bench.database) == []


# -------------------------------------------------------------------------------- the final test


def openings(bench, study):
    return repository.openings(bench.database, study)


def test_the_final_test_measures_what_predict_says(bench, own):
    own.write(PREDICT)
    study = searched(bench, own).study
    result = final_test(bench.means(), study, n_top=1, trainer=f"{own.name}:train")

    (run,) = result.opening.runs
    assert (run.params["lambda"], run.epochs, run.test_loss) == (0.001, 4, None)
    confusion = run.confusion
    n_right = sum(row[i] for i, row in enumerate(confusion))
    assert sum(map(sum, confusion)) == result.opening.n_test
    assert run.test_accuracy == pytest.approx(n_right / result.opening.n_test)
    # Trained once more, on both splits.
    assert own.n_calls == 4


@pytest.mark.parametrize(
    ("answer", "options", "line"),
    [
        (PREDICT, {}, "imported only if you name it yourself: add --recipe FILE"),
        (PREDICT, {"trainer": "os:remove"}, "imported only if you name it yourself"),
        (PREDICT, {"trainer": True, "refit": "none"}, r"needs --refit train\+validation"),
        ("None", {"trainer": True}, "needs a trainer that returns a dict with predict"),
        (
            "{'predict': len}",
            {"trainer": True},
            "predict must return ",
        ),
    ],
)
def test_the_test_set_stays_shut(bench, own, answer, options, line):
    own.write(answer)
    study = searched(bench, own).study
    if options.get("trainer") is True:
        options = options | {"trainer": f"{own.name}:train"}

    with refused(line):
        final_test(bench.means(), study, **options)
    assert openings(bench, study) == []
