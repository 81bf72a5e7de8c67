"""Killed (SIGKILL) at any moment and started again, a search ends with the very same table.

A few moments of the hundreds that ``make faults`` tries, and all of its scenarios once when slow.
"""

import os

import pytest

from tests.faults.scenarios import (
    BOTH,
    COMMIT,
    MIGRATION,
    NO_WRITING,
    SCENARIOS,
    STATEMENT,
    TWICE,
    WORKER,
    attempt,
    moments,
    reference,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def quick(line, tmp_path_factory):
    return reference(line, SCENARIOS["diverging, early stopping"], tmp_path_factory.mktemp("ref"))


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        (STATEMENT, 0),
        pytest.param(STATEMENT, 1, marks=pytest.mark.slow),
        (COMMIT, 2),
        pytest.param(COMMIT, 3, marks=pytest.mark.slow),
        pytest.param(TWICE, 4, marks=pytest.mark.slow),
        (NO_WRITING, 5),
    ],
)
def test_a_search_that_was_killed_ends_with_the_same_table(line, quick, tmp_path, kind, seed):
    (moment,) = moments(quick, kind, 1, seed)

    outcome = attempt(line, quick, moment, tmp_path, to_the_end=False)

    assert outcome.passed, outcome


def test_a_race_over_folds_that_was_killed_twice_ends_as_the_same_race(line, tmp_path):
    known = reference(line, SCENARIOS["a race over folds"], tmp_path / "ref")
    (moment,) = moments(known, TWICE, 1, 4)

    outcome = attempt(line, known, moment, tmp_path, to_the_end=False)

    assert outcome.passed, outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_comes_to_the_same_end(line, tmp_path, name):
    known = reference(line, SCENARIOS[name], tmp_path / "ref", timed_with_workers=True)
    kinds = [STATEMENT, COMMIT, TWICE, BOTH, WORKER, *([MIGRATION] if "older" in name else [])]
    for i, moment in enumerate(moment for kind in kinds for moment in moments(known, kind, 2, 1)):
        outcome = attempt(line, known, moment, tmp_path / str(i))

        assert outcome.passed, outcome
