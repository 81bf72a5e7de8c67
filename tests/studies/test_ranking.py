"""Which trial is best, and how a ranking leaves the program."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.studies.results.judging.statistics import Verdict
from coarsefine.studies.results.ranking import (
    RankedTrial,
    Ranking,
    StageSummary,
    rank_trials,
    top,
)
from coarsefine.studies.states import STATES
from tests.studies.made_up import study_record

STAGES = ("coarse", "fine")
# Few different scores, so that ties are common.
SCORES = st.sampled_from([None, math.nan, 0.1, 0.5, 0.9])


@st.composite
def trials(draw: st.DrawFn) -> list[RankedTrial]:
    places = draw(
        st.lists(st.tuples(st.sampled_from(STAGES), st.integers(0, 9)), unique=True, max_size=12)
    )
    return [
        RankedTrial(
            stage=stage,
            trial=number,
            state=draw(st.sampled_from(STATES)),  # type: ignore[arg-type]
            params={"lambda": draw(st.sampled_from([0.0, 1e-3, 1e-2]))},
            validation_accuracy=draw(SCORES),
            validation_loss=draw(SCORES),
            seconds=draw(SCORES),
        )
        for stage, number in places
    ]


def trial(number: int, accuracy: float | None, loss: float | None, **more: object) -> RankedTrial:
    given = {"stage": "coarse", "state": "complete", "params": {"lambda": 10.0**-number}} | more
    return RankedTrial(
        trial=number,
        validation_accuracy=accuracy,
        validation_loss=loss,
        **given,  # type: ignore[arg-type]
    )


def places(ranking: tuple[RankedTrial, ...]) -> list[tuple[str, int]]:
    return [(entry.stage, entry.trial) for entry in ranking]


def test_accuracy_decides_then_loss_then_stage_then_number():
    worst = trial(0, 0.4, 0.1)
    later_stage = trial(1, 0.5, 0.2, stage="fine")
    second = trial(3, 0.5, 0.2)
    first = trial(2, 0.5, 0.2)
    lossy = trial(4, 0.5, 0.3)
    best = trial(5, 0.6, 9.0, stage="fine")

    ranking = rank_trials([worst, later_stage, second, first, lossy, best], STAGES)

    expected = [("fine", 5), ("coarse", 2), ("coarse", 3), ("fine", 1), ("coarse", 4)]
    assert places(ranking) == [*expected, ("coarse", 0)]
    assert [entry.rank for entry in ranking] == [1, 2, 3, 4, 5, 6]


def test_trials_that_are_not_complete_come_last_whatever_they_scored():
    states = ["running", "failed", "planned", "diverged", "pruned", "complete"]
    entries = [trial(i, 0.1 * i if i < 5 else 0.0, 0.1, state=s) for i, s in enumerate(states)]

    ranking = rank_trials(entries)

    assert [entry.state for entry in ranking] == list(STATES)
    assert [entry.rank for entry in ranking] == [1, None, None, None, None, None]


@given(trials(), st.randoms())
def test_a_ranking_depends_on_no_order(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)

    assert places(rank_trials(shuffled, STAGES)) == places(rank_trials(entries, STAGES))


@given(trials())
def test_ranks_count_up_from_one_and_only_complete_trials_have_them(entries):
    ranking = rank_trials(entries, STAGES)

    ranks = [entry.rank for entry in ranking if entry.state == "complete"]
    assert ranks == list(range(1, len(ranks) + 1))
    assert [entry.rank for entry in ranking[: len(ranks)]] == ranks
    assert all(entry.rank is None for entry in ranking[len(ranks) :])
    assert sorted(places(ranking)) == sorted(places(tuple(entries)))


@given(trials(), st.integers(0, 5))
def test_the_top_is_complete_distinct_and_in_order(entries, k):
    ranking = rank_trials(entries, STAGES)

    best = top(ranking, k)

    assert len(best) <= k
    assert len({entry.params["lambda"] for entry in best}) == len(best)
    assert [entry.rank for entry in best] == sorted(entry.rank or 0 for entry in best)
    if k and ranking and ranking[0].rank:
        assert best[0] is ranking[0]


def ranking_of(trials, *stages):
    study = replace(study_record(), recipe={"training": {}})
    return Ranking(study, stages, tuple(trials))


@given(trials())
def test_the_json_of_a_ranking_is_json_and_keeps_its_keys(entries):
    stage = StageSummary("coarse", 1e-5, 1e-1, [1e-5, 1e-3, 1e-1])

    ranking = rank_trials(entries, STAGES)
    written = ranking_of(ranking, stage).to_json()

    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert list(written) == [
        *("study", "data", "seed", "score", "by", "stages", "trials", "comparison", "notes")
    ]
    assert list(written["stages"][0]) == [
        *["name", "low", "high", "values", "parent", "reason", "dimensions", "race", "cut"]
    ]
    assert [entry["state"] for entry in written["trials"]] == [entry.state for entry in ranking]
    for entry in written["trials"]:
        assert list(entry) == [
            "rank",
            "stage",
            "trial",
            "state",
            "params",
            "replicates",
            "validation_accuracy",
            "validation_balanced_accuracy",
            "validation_macro_f1",
            "metrics",
            "validation_loss",
            "train_accuracy",
            "seconds",
            "test_accuracy",
            "standard_error",
            "standard_deviation",
            "interval",
            "difference",
            "margin",
            "seed_interval",
            "tied",
            "reused",
        ]
        assert entry["state"] in STATES


def test_numpy_scalars_become_python_numbers():
    entry = trial(0, np.float64(0.5), np.float32(0.25))  # type: ignore[arg-type]

    written = ranking_of([entry]).to_json()

    assert type(written["trials"][0]["validation_accuracy"]) is float
    assert type(written["trials"][0]["validation_loss"]) is float


def test_ranking_needs_no_library():
    code = "import sys, coarsefine.studies.results.ranking; print(*sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )

    assert not {"optuna", "pydantic", "numpy", "sqlalchemy"} & set(done.stdout.split())


def test_what_is_judged_comes_last_in_the_order_of_a_verdict():
    fields = RankedTrial._fields

    assert fields[fields.index("standard_error") :] == Verdict._fields
    assert fields.index("rank") < fields.index("standard_error")


@pytest.mark.parametrize(
    ("search", "params", "words"),
    [
        ("lambda", {"lambda": 0.1}, "lambda"),
        ("run", {"batch_size": 5}, "batch size"),
        ("run", {"lambda": 0.1, "eta": 0.2}, "λ and η"),
        ("lambda", {"eta": 0.1}, "η"),
        ("run", {"params.depth": 2.0}, "params.depth"),
    ],
)
def test_what_a_search_is_over_is_named_where_a_lab_has_no_name_for_it(search, params, words):
    trials = rank_trials([RankedTrial("grid", 0, "complete", params, 1, 0.5)])

    assert Ranking(study_record(search=search), (), trials).over == words
