"""What sloppier protocols would have concluded, on rows whose answer is known by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from coarsefine.studies.results.notes.replaying import concluded, left_out, legend
from coarsefine.studies.results.ranking import RankedTrial, Ranking, StageSummary, rank_trials
from coarsefine.studies.results.replay.protocols import N_HALVES, Candidate, replayed

LAMBDAS = (0.01, 0.001, 0.0001)


def study(
    accuracies, *, score="final", curves=None, rights=None, tested=(), tied=(), values=LAMBDAS
):
    """Return the ranking and the candidates of a study: accuracies by value and seed."""
    trials = rank_trials(
        RankedTrial(
            "coarse",
            number,
            "complete",
            {"lambda": values[number]},
            replicates=len(seeds),
            validation_accuracy=float(np.mean(seeds)),
            test_accuracy=tested[number] if tested else None,
            tied=number in tied if tied else None,
        )
        for number, seeds in enumerate(accuracies)
    )
    record = SimpleNamespace(
        name="s", recipe={"training": {"score": score}}, data={"n_validation": 8}, search="lambda"
    )
    stage = StageSummary("coarse", min(values), max(values), sorted(values))
    candidates = [
        Candidate(
            trial,
            dict(enumerate(accuracies[trial.trial])),
            {r: dict(enumerate(c, start=1)) for r, c in enumerate(curves[trial.trial])}
            if curves
            else {},
            dict(enumerate(np.array(rights[trial.trial], bool))) if rights else {},
        )
        for trial in trials
    ]
    return Ranking(record, (stage,), trials), candidates


def protocols(*given, **more):
    found = replayed(*study(*given, **more))
    return {each.name: each for each in found.protocols}, found


def test_each_seed_alone_names_its_own_best_and_reports_its_own_accuracy():
    by_name, found = protocols([(0.90, 0.80, 0.85), (0.80, 0.84, 0.86), (0.1, 0.1, 0.1)])

    assert found.best.trial == 0
    first, others = by_name["one-seed"], by_name["another-seed"]
    assert (first.n_another, [c.headline for c in first.cases]) == (0, [0.90])
    assert first.flattery == pytest.approx(0.90 - 0.85)
    assert [case.winner.trial for case in others.cases] == [1, 1]
    assert others.flattery == pytest.approx((0.84 + 0.86) / 2 - 0.85)
    assert others.ends == pytest.approx((-0.01, 0.01))


def test_the_best_epoch_is_each_runs_own_and_earlier_ends_are_what_was_measured_there():
    curves = [[(0.5, 0.9), (0.5, 0.8)], [(0.9, 0.7), (0.95, 0.7)], [(0.1, 0.1), (0.1, 0.1)]]
    by_name, _ = protocols([(0.9, 0.8), (0.7, 0.7), (0.1, 0.1)], curves=curves)

    (best,) = by_name["best-epoch"].cases
    assert (best.winner.trial, best.another) == (1, True)
    assert best.flattery == pytest.approx(0.925 - 0.85)
    (stopped,) = by_name["stopped-early"].cases
    assert (stopped.name, stopped.winner.trial) == ("epoch 1", 1)
    assert stopped.headline == pytest.approx(0.925)


def test_a_run_that_stopped_by_itself_counts_with_its_last_epoch():
    curves = [[(0.5, 0.8, 0.9)], [(0.85,)], [(0.1, 0.1, 0.1)]]
    by_name, _ = protocols([(0.9,), (0.85,), (0.1,)], curves=curves)

    assert [case.headline for case in by_name["stopped-early"].cases] == [0.85, 0.85]


def test_halves_are_of_the_samples_and_the_same_each_time():
    rights = [[[1, 1, 1, 1, 1, 0, 0, 0]], [[0, 0, 0, 0, 1, 1, 1, 1]], [[0] * 8]]
    given = [(5 / 8,), (4 / 8,), (0.0,)]
    by_name, _ = protocols(given, rights=rights)
    again, _ = protocols(given, rights=rights)

    halves = by_name["half-samples"]
    assert halves == again["half-samples"]
    assert len(halves.cases) == N_HALVES
    # By hand: of a half with k of the first four, the second is ahead if 2 k + 1 < 5 or so.
    share = np.mean([case.another for case in halves.cases])
    assert 0.1 < share < 0.5
    assert {case.headline for case in halves.cases} <= {0.5, 0.75, 1.0}


def test_a_linear_grid_passes_over_the_small_values_of_a_logarithmic_one():
    values = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    given = [(0.5,), (0.6,), (0.9,), (0.8,), (0.7,)]
    by_name, _ = protocols(given, values=values)

    (case,) = by_name["linear-grid"].cases
    # 0, 0.025, 0.05, 0.075 and 0.1: of these values 1e-5, 1e-2 and 1e-1 are nearest.
    assert case.name == "3 of 5 values"
    assert (case.winner.params["lambda"], case.another) == (1e-2, True)
    assert case.flattery == pytest.approx(-0.1)


def test_a_choice_by_test_accuracy_is_compared_with_the_test_accuracy_of_the_best():
    by_name, found = protocols([(0.9,), (0.8,), (0.7,)], tested=(0.85, 0.88, None))

    (case,) = by_name["by-test"].cases
    assert (case.winner.trial, case.flattery) == (1, pytest.approx(0.03))
    assert any("the test accuracy of λ 0.01, 85.00 %" in line for line in legend(found))


def test_what_cannot_be_replayed_says_why():
    _, found = protocols([(0.9,), (0.8,), (0.7,)], score="best")

    assert found.left_out == {
        "one-seed": "the best value was trained with one seed",
        "another-seed": "the best value was trained with one seed",
        "best-epoch": "the recipe itself scores the best epoch",
        "half-samples": "no predictions of single samples are stored",
        "by-test": "the test set was not opened",
        "stopped-early": "not all runs have a curve, or none has two epochs",
    }
    said = left_out(found)
    assert "not replayed: the first seed alone and another seed alone, because the best" in said[0]


def test_one_value_alone_is_not_replayed():
    _, found = protocols([(0.9, 0.8)])

    assert not found.protocols
    assert set(found.left_out.values()) == {"only one value was tried"}
    assert concluded(found) == "No sloppier protocol could be replayed."


def test_the_paragraph_says_how_often_another_value_is_named_and_how_far_headlines_flatter():
    _, found = protocols([(0.90, 0.80, 0.85), (0.80, 0.84, 0.86), (0.1, 0.1, 0.1)], tied=(0,))

    assert concluded(found) == (
        "Another value would have been named with another seed alone (2 of 2 cases). The headline "
        "accuracy would have been too high with the first seed alone (by 5.00 points). In all of "
        "these, the value named is worse than the best by more than chance explains."
    )


def test_of_equal_accuracies_the_ranking_s_first_is_named():
    by_name, _ = protocols([(0.9, 0.7), (0.7, 0.9), (0.1, 0.1)])

    assert [case.another for case in by_name["one-seed"].cases] == [False]
    assert [case.another for case in by_name["another-seed"].cases] == [True]
