"""Searches within a budget: what they train, what they leave over, and how they go on."""

import math
from dataclasses import replace

import pytest

from coarsefine.db import repository
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.planning.within import seconds_of
from coarsefine.studies.results.notes.budget import on_budget
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.studies.conftest import comparable, refused
from tests.studies.test_more_seeds import problems_of
from tests.studies.test_races import ASKED, FLAGS, overlapping

THREE = StageRequest(values=(1e-4, 1e-3, 1e-2, 0.1), replicates=3)


class Epochs(Budget):
    """A budget of so many segments, each of an epoch, whatever the time."""

    patience = math.inf

    def __init__(self, n, left=math.inf):
        super().__init__(60.0)
        object.__setattr__(self, "n", [n])
        object.__setattr__(self, "in_all", left)

    @property
    def left(self):
        return self.in_all if self.n[0] > 0 else 0.0

    def allows(self, seconds):
        self.n[0] -= 1
        return self.n[0] >= 0


class Impatient(Epochs):
    """A budget that is over before the first segment is there."""

    patience = 0.0


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)


def within(bench, budget, request=THREE, **changes):
    return bench.coarse(
        request, means=bench.means(budget=budget, planned_for=1), name="cut", **changes
    )


def unlimited(bench, request=THREE, **changes):
    return bench.ranking(
        bench.coarse(request, means=bench.means(planned_for=1), name="whole", **changes).study
    )


def same(one, other):
    shown = [comparable(each) for each in (one, other)]
    for each in shown:
        del each["study"]
    return shown[0] == shown[1]


def notes_on_budgets(ranking):
    return [str(note) for note in ranking.notes if getattr(note, "code", "") == "budget"]


def test_it_gives_fewer_seeds_and_the_same_search_trains_the_others_to_the_same_table(bench):
    # Each seed is a cohort of 4 epochs: there is time for two, and a half.
    search = within(bench, Epochs(10))
    cut = bench.ranking(search.study)

    assert {trial.state for trial in cut.trials} == {"complete"}
    assert {trial.replicates for trial in cut.trials} == {2}
    (note,) = notes_on_budgets(cut)
    assert "all 4 values have 2 of 3 seeds, or more, and another seed came to epoch 2" in note
    assert not any(check.problems for check in problems_of(bench))

    bench.coarse(THREE, name="cut")
    rest = bench.ranking(search.study)
    assert notes_on_budgets(rest) == []
    assert same(rest, unlimited(bench))
    checks = problems_of(bench)
    assert not any(check.problems for check in checks)
    assert not any("after Optuna was told" in note for check in checks for note in check.notes)


def test_a_seed_counts_on_all_folds_or_not_at_all(bench):
    asked, flags = replace(THREE, replicates=2), {"data__folds": 2}
    # Four epochs on each fold for a seed: there is time for one, and one fold of the other.
    search = within(bench, Epochs(13), asked, **flags)
    cut = bench.ranking(search.study)

    assert {trial.replicates for trial in cut.trials} == {2}
    assert "all 4 values have 1 of 2 seeds" in notes_on_budgets(cut)[0]
    bench.coarse(asked, means=bench.means(planned_for=1), name="cut", **flags)
    assert same(bench.ranking(search.study), unlimited(bench, asked, **flags))


def test_two_workers_and_any_number_of_budgets_come_to_the_same_table(bench):
    means = {"n_jobs": 2, "processes": True, "planned_for": 1}
    search = bench.coarse(THREE, means=bench.means(budget=Impatient(99), **means), name="cut")
    plan = repository.load_plan(bench.database, bench.last_stage(search))
    assert {cohort.epochs_done for cohort in plan.cohorts} == {0}
    bench.coarse(THREE, means=bench.means(budget=Epochs(3), **means), name="cut")
    first = bench.ranking(search.study)
    assert first.best is None
    (note,) = notes_on_budgets(first)
    assert "none of 4 values was trained to its end" in note
    for _ in range(3):
        bench.coarse(THREE, means=bench.means(budget=Epochs(4), **means), name="cut")
    last = bench.coarse(THREE, means=bench.means(budget=Epochs(99), **means), name="cut")

    whole = bench.coarse(THREE, means=bench.means(planned_for=1), name="whole")
    assert same(bench.ranking(last.study), bench.ranking(whole.study))


def test_a_seed_that_does_not_end_in_time_is_not_begun(bench):
    # The first seed is trained in any case; nothing is known to be so fast that the others would.
    search = within(bench, Epochs(99, left=0.0))
    plan = repository.load_plan(bench.database, bench.last_stage(search))

    assert [cohort.epochs_done for cohort in plan.cohorts] == [4, 0, 0]


def test_what_is_left_of_a_budget_is_said_with_the_seed_that_it_is_too_short_for(bench):
    search = within(bench, Epochs(10))
    cut = bench.ranking(search.study)
    (stage,) = cut.stages
    assert stage.cut.next_seconds > 0
    assert "coarse ended at the budget of 1 min 00 s: " in notes_on_budgets(cut)[0]

    idle = replace(stage.cut, next_seconds=16.2, seconds_unused=9.4)
    (note,) = on_budget(replace(cut, stages=(replace(stage, cut=idle),)))

    assert str(note).startswith(
        "coarse ended 9 s before the end of the budget of 1 min 00 s, because the next seed takes "
        "about 16 s: all 4 values have 2 of 3 seeds"
    )


def test_values_far_behind_wait_where_not_even_one_seed_fits(bench):
    # Each size of the training set is a cohort of its own; eight samples teach little.
    kind, request = SEARCHES["dataset-size"], StageRequest(values=(8, 200, 240), replicates=1)
    flags = {"kind": kind, "training__epochs": 8, "training__batch_size": 8}
    search = within(bench, Epochs(15, left=0.0), request, **flags)
    trials = repository.load_plan(bench.database, bench.last_stage(search))
    reached = [cohort.epochs_done for cohort in trials.cohorts]

    assert reached[0] < min(reached[1:])
    rest = bench.coarse(request, name="cut", **flags)
    assert same(bench.ranking(rest.study), unlimited(bench, request, **flags))


def test_a_race_ends_at_its_budget_and_goes_on_without(bench, tmp_path):
    bench.flags |= FLAGS | {"data.name": str(overlapping(tmp_path))}
    # Three seeds of four epochs for all, a fourth for those that are left, and half of a fifth.
    search = within(bench, Epochs(18), ASKED)
    cut = bench.ranking(search.study)

    race = Stage.of(bench.last_stage(search)).race
    assert (race.ended, race.n_seeds) == (None, 5)
    (verdict,) = [str(note) for note in cut.notes if str(note).startswith("race over seeds")]
    assert "ended by its budget, not decided, 3 of 4 values are left with 5 seeds; one" in verdict
    assert verdict.endswith(f"better than λ {cut.best.params['lambda']:g}")
    assert {trial.state for trial in cut.trials} == {"complete"}
    bench.coarse(ASKED, means=bench.means(planned_for=1), name="cut")
    assert same(bench.ranking(search.study), unlimited(bench, ASKED))
    assert not any(check.problems for check in problems_of(bench))


def test_it_ends_the_stages_that_follow_each_other(bench):
    search = within(bench, Epochs(10))
    again = replace(search, resources=bench.means(budget=Epochs(1)))

    assert again.auto(replace(THREE, fresh=True)).name == "coarse"


def test_a_real_budget_ends_where_its_time_does(bench):
    search = within(bench, Budget(0.001))
    ranking = bench.ranking(search.study)

    assert {trial.state for trial in ranking.trials} == {"planned"}
    assert ranking.to_json()["stages"][0]["cut"]["epoch"] == 0


def test_times_are_read_with_their_units():
    assert [seconds_of(text) for text in ("90s", "20m", "1h30m", "1.5 min", 7)] == [
        *(90, 1200, 5400, 90, 7)
    ]
    for text in ("20", "", "-5s", "0s", "5 parsecs", True, math.inf):
        with refused("within must be a time such as 90s, 20m or 1h30m"):
            seconds_of(text)
