"""A file of studies that an older version began: carried on with, they end as they did there.

The older version (tables of schema 0003) left some stages finished and others interrupted between
two segments; ``begun-before.json`` is what it made of the same file with the same requests. On the
machine that wrote both, all measures were the same to the last bit; elsewhere the last bits of
NumPy's products may differ, so accuracies are compared with a tolerance of a few samples.
"""

import gzip
import json
from pathlib import Path

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.studies.labs.files import kind_of, lab_of, request_of
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.spaces.searches.registry import SEARCHES

ASSETS = Path(__file__).parent / "assets"
EXPECTED = json.loads((ASSETS / "begun-before.json").read_text(encoding="utf-8"))
# Of 100 validation and 359 test samples.
FEW_SAMPLES = 0.04
LAB = """
seed = 3
[data]
name = "digits"
train = 200
validation = 100
[network]
hidden = [8]
[training]
epochs = 4
batch_size = 20
eta = 0.05
[[part]]
name = "first"
[part.search]
trials = 4
fine_trials = 3
stages = 2
vary = { lambda = { low = 1e-4, high = 1e-1 } }
[[part]]
name = "second"
search = { vary = { batch_size = { values = [10, 20] } }, replicates = 2 }
"""


@pytest.fixture
def resources(tmp_path):
    path = tmp_path / "search.db"
    path.write_bytes(gzip.decompress((ASSETS / "begun-before.db.gz").read_bytes()))
    with open_database(str(path), create=True) as database:
        yield Resources(database, n_jobs=1, planned_for=2)


def carried_on(resources, name, **requests):
    """Carry on with stages of a study, one after another."""
    study = repository.find_study(resources.database, name)
    search = Search.carry_on(resources, SEARCHES[study.search], Asked(), study)
    for stage, request in requests.items():
        search.stage(stage, request)
    return search


def lab_carried_on(resources, part_name):
    lab = lab_of("lab", "lab.toml", LAB)
    part = next(part for part in lab.parts if part.name == part_name)
    kind, request = kind_of(lab.search(part)), request_of(lab.search(part))
    asked = Asked.of(lab.recipe(part))
    search = Search.begin(resources, kind, asked, request, lab.study_name(part))
    search.auto(request, 2, until_resolved=False)
    return search


def check(resources, search, expected):
    """Check what became of a study."""
    database = resources.database
    stages = {stage.name: stage for stage in repository.stages(database, search.study)}
    assert list(stages) == list(expected["stages"])
    for name, wanted in expected["stages"].items():
        plan = repository.load_plan(database, stages[name])
        assert len(plan.trials) == len(wanted["trials"])
        for trial, (params, state, accuracy) in zip(plan.trials, wanted["trials"], strict=True):
            assert trial.params == pytest.approx(params, rel=1e-6)
            assert trial.state == state
            assert trial.validation_accuracy == pytest.approx(accuracy, abs=FEW_SAMPLES)
        widths = [sum(run.cohort_id == cohort.id for run in plan.runs) for cohort in plan.cohorts]
        assert widths == wanted["cohorts"]
    tested = [run for o in repository.openings(database, search.study) for run in o.runs]
    assert len(tested) == len(expected["tested"])
    for run, (params, accuracy) in zip(tested, expected["tested"], strict=True):
        assert run.params == pytest.approx(params, rel=1e-6)
        assert run.test_accuracy == pytest.approx(accuracy, abs=FEW_SAMPLES)


def test_a_finished_stage_is_narrowed_and_tested(resources):
    search = carried_on(
        resources,
        "whole",
        coarse=StageRequest(n_trials=6, replicates=2),
        fine=StageRequest(n_trials=4),
        finer=StageRequest(n_trials=3),
    )
    final_test(resources, search.study, n_top=2)

    check(resources, search, EXPECTED["whole"])


def test_an_interrupted_stage_is_carried_on_with_narrowed_and_tested(resources):
    search = carried_on(
        resources, "half", coarse=StageRequest(), fine=StageRequest(n_trials=3, low=1e-4)
    )
    final_test(resources, search.study, n_top=2, refit="none")

    check(resources, search, EXPECTED["half"])


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        (
            "eta",
            {
                "coarse": StageRequest(n_trials=6),
                "fine": StageRequest(n_trials=3, sampler="qmc"),
            },
        ),
        ("batch", {"grid": StageRequest(values=(10, 20, 40))}),
        ("pair", {"fine": StageRequest(n_trials=4)}),
        ("halving", {"coarse": StageRequest()}),
    ],
)
def test_stages_of_all_kinds_are_topped_up_and_followed(resources, name, requests):
    check(resources, carried_on(resources, name, **requests), EXPECTED[name])


@pytest.mark.parametrize("part", ["first", "second"])
def test_a_lab_that_was_interrupted_is_carried_on_with(resources, part):
    search = lab_carried_on(resources, part)

    check(resources, search, EXPECTED[f"lab/{part}"])
