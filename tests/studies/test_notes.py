"""What a ranking says beside its numbers: each rule of the courses' mistakes, by its sentence."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.new_records import NewStudy
from coarsefine.studies.results.notes.checks import ranking_notes
from coarsefine.studies.results.notes.leaks import (
    above_ceiling,
    same_to_all_digits,
    surprisingly_same,
)
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.notes.penalty import on_penalty
from coarsefine.studies.results.notes.ranges import beyond_notes
from coarsefine.studies.results.ranking import (
    RankedTrial,
    Ranking,
    StageSummary,
    judged,
    rank_trials,
)
from coarsefine.studies.results.scoring.labels import packed_labels
from tests.studies.made_up import study_record


def ranking(accuracies, *, parameter="lambda", stage="coarse", train=None, study=None, **data):
    """Return the ranking of a stage with these accuracies, by value and replicate."""
    trials, by_place = [], {}
    for number, (value, given) in enumerate(accuracies.items()):
        known = list(given) if isinstance(given, list | tuple) else [given]
        by_place[stage, number] = dict(enumerate(known))
        mean = float(np.mean(known))
        trials.append(
            RankedTrial(
                *(stage, number, "complete", {parameter: value}, len(known)),
                *(mean, 1 - mean, mean if train is None else train),
            )
        )
    study = study or study_record(**data)
    ranked, comparison = judged(rank_trials(trials), by_place, study.data["n_validation"])
    values = [v for v in accuracies if isinstance(v, int | float)]
    ends = (min(values), max(values)) if values else (None, None)
    summary = StageSummary(stage, *ends, sorted(values))
    return Ranking(study, (summary,), ranked, comparison)


def beginning(name):
    """Return a study of a name, to be added."""
    return NewStudy(name, "lambda", {}, 0, "digits", "f" * 64, {}, {}, {})


def said(found, *parts):
    """Return the notes that hold all of the parts."""
    lines = [str(note) for note in ranking_notes(found)]
    return [line for line in lines if all(part in line for part in parts)]


EIGHT = tuple(np.geomspace(1e-5, 1e-1, 8).tolist())
# Clearly different on 1,000 samples, with the best one inside.
HILL = dict(zip(EIGHT, (0.3, 0.4, 0.5, 0.7, 0.9, 0.6, 0.4, 0.2), strict=True))


def test_a_clear_hill_needs_no_note():
    assert ranking_notes(ranking(HILL)) == ()


@pytest.mark.parametrize("edge", ["lower", "upper"])
def test_a_winner_on_the_edge_of_the_range_suggests_to_go_on_beyond(edge):
    accuracies = sorted(HILL.values(), reverse=edge == "lower")

    found = ranking(dict(zip(EIGHT, accuracies, strict=True)))

    assert said(found, f"{edge} edge", "a better one may lie beyond")


def test_the_search_beyond_an_edge_has_a_free_name_and_ends_at_natural_limits(tmp_path):
    coarse = StageSummary("coarse", 0.1, 0.8, [0.1, 0.8])
    fine = StageSummary("fine", 0.8, 0.9, [0.8, 0.9], "coarse")
    found = ranking({0.1: 0.3, 0.3: 0.5, 0.8: 0.7, 0.9: 0.9}, parameter="momentum")
    found = replace(found, stages=(coarse, fine))
    with open_database(str(tmp_path / "a.db"), create=True) as database:
        (note,) = beyond_notes(database, found)
        assert "digits/lambda-beyond" in str(note)
        assert "high = 0.99" in str(note)
        repository.add_study(database, beginning("digits/lambda-beyond"))

        (note,) = beyond_notes(database, found)

    assert "digits/lambda-beyond-2" in str(note)


def test_more_samples_than_there_are_lie_beyond_no_edge():
    accuracies = dict(
        zip((50, 100, 500, 1000, 3000, 5000), (0.3, 0.4, 0.5, 0.6, 0.7, 0.9), strict=True)
    )
    for n_available, beyond in ((5_000, False), (9_000, True)):
        study = study_record(n_available=n_available)
        study = replace(study, recipe={**study.recipe, "data": {"name": "digits", "train": 100}})

        found = ranking(accuracies, parameter="train", study=study)

        assert bool(said(found, "may lie beyond")) == beyond


def test_fewer_than_six_coarse_values_can_miss_the_best():
    found = ranking({1e-5: 0.3, 1e-3: 0.9, 1e-1: 0.2})

    assert said(found, "3 values over 4 decades can miss the best one")


def test_several_decades_sampled_linearly_are_said_to_be():
    # As in the report whose 20 values of λ were spread evenly from 1e-5 to 0.1.
    values = np.linspace(1e-5, 0.1, 20).tolist()
    found = ranking({value: 0.5 - 0.02 * abs(i - 7) for i, value in enumerate(values)})

    assert said(found, "18 of 20 values lie in the uppermost of 4 decades")
    assert not said(ranking(HILL), "uppermost")


def test_a_winner_that_is_not_told_from_others_prints_the_tie_set_and_prefers_repeats():
    close = {**HILL, EIGHT[3]: 0.891}

    found = ranking(close)

    assert [t.tied for t in found.trials[:3]] == [True, True, False]
    (line,) = said(found, "2 of 8 values are tied, λ from 0.0005179 to 0.001931")
    assert "replicates would tell more than further values" in line
    assert "= tied with the best: with 1,000 validation samples" in str(legend(found)[0])


def test_few_validation_samples_ask_for_more_of_them_rather_than_for_repeats():
    close = {value: [a, a + 0.001, a - 0.001] for value, a in {**HILL, EIGHT[3]: 0.89}.items()}

    assert said(ranking(close, n_validation=200), "more validation samples would tell more")
    close = {value: [a, a + 0.03, a - 0.03] for value, a in {**HILL, EIGHT[3]: 0.89}.items()}
    noisy = {value: np.roll(row, i).tolist() for i, (value, row) in enumerate(close.items())}
    assert said(ranking(noisy, n_validation=10_000), "more replicates would tell more")


def test_seeds_that_were_not_repeated_are_said_not_to_be():
    assert any("trained with one seed" in str(line) for line in legend(ranking(HILL)))
    repeated = ranking({value: [a, a + 0.01] for value, a in HILL.items()})
    assert not any("with one seed" in str(line) for line in legend(repeated))
    assert any("for new seeds and new samples" in str(line) for line in legend(repeated))


def test_validation_above_training_by_more_than_three_points_is_suspected_to_be_a_leak():
    assert said(ranking(HILL, train=0.86), "4.00 points above its training", "suspect a leak")
    assert not said(ranking(HILL, train=0.88), "leak")
    # On a hundred samples, four points are chance.
    assert not said(ranking(HILL, train=0.86, n_validation=100), "leak")


@pytest.mark.parametrize(("name", "ceiling"), [("cifar10", 0.44), ("mnist", 0.93)])
def test_accuracy_above_the_known_ceiling_of_a_linear_model_is_suspected_to_be_a_leak(
    name, ceiling
):
    linear = study_record(data_name=name, hidden=(), n_validation=5_000)
    deep = study_record(data_name=name, n_validation=5_000)
    high = {value: ceiling + 0.03 - 0.01 * abs(i - 4) for i, value in enumerate(EIGHT)}

    assert said(ranking(high, study=linear), "above what networks without hidden layers reach")
    assert not said(ranking(high, study=deep), "hidden layers")
    assert not above_ceiling(linear, "test", ceiling, 10_000)
    # Not by chance alone.
    assert not above_ceiling(linear, "validation", ceiling + 0.01, 500)


def test_validation_equal_to_test_to_all_digits_is_suspected_to_be_a_leak():
    assert same_to_all_digits(0.51741, 0.51739)
    assert not same_to_all_digits(0.5174, 0.5173)
    # All right and all wrong are equal in earnest.
    assert not same_to_all_digits(1.0, 1.0)
    assert not same_to_all_digits(0.0, 0.0)
    assert not same_to_all_digits(None, 0.5)
    # A network that always answers one of ten classes, as one that does not learn.
    assert same_to_all_digits(0.1, 0.1)
    assert not same_to_all_digits(0.1, 0.1, 10)


@pytest.mark.parametrize(("n_samples", "accuracy"), [(30, 0.5), (100, 0.9), (1_000, 0.9)])
def test_accuracies_that_are_the_same_by_chance_are_no_surprise(n_samples, accuracy):
    shares = np.random.default_rng(0).binomial(n_samples, accuracy, (2, 100_000)) / n_samples
    by_chance = float(np.mean(shares[0] == shares[1]))

    assert surprisingly_same(accuracy, n_samples, n_samples) == (by_chance < 0.05)


def test_a_score_that_is_flat_up_to_strong_penalties_with_stable_weights_tells_of_no_penalty():
    flat = ranking(dict.fromkeys(EIGHT, 0.5))

    assert on_penalty(flat, {1e-5: 40.0, 1e-1: 39.5})
    assert "the penalty was probably not applied" in str(
        on_penalty(flat, {1e-5: 40.0, 1e-1: 39.5})[0]
    )
    assert on_penalty(flat, {1e-5: 40.0, 1e-1: 2.5}) == ()


@pytest.mark.parametrize(
    "accuracies",
    [
        {"adam": 0.9, "sgd": 0.8},
        {(59, 59): 0.9, (64,): 0.89},
        {True: 0.9, False: 0.5},
        {1: 0.9, 10: 0.91, 100: 0.7},
    ],
)
def test_values_of_any_kind_are_ranked_and_noted(accuracies):
    listed = {
        tuple(v) if isinstance(v, tuple) else v: accuracy for v, accuracy in accuracies.items()
    }
    found = ranking(listed, parameter="anything")

    assert len(found.trials) == len(accuracies)
    assert all("suspect" not in str(line) for line in ranking_notes(found))
    assert found.numeric_parameter == ("anything" if 100 in accuracies else None)


def test_several_parameters_are_ranked_and_noted():
    points = [{"lambda": a, "eta": b} for a in (1e-4, 1e-2) for b in (0.1, 1.0)]
    trials = [
        RankedTrial("coarse", i, "complete", point, 1, 0.9 - 0.001 * i, 0.1, 0.9)
        for i, point in enumerate(points)
    ]
    ranked, comparison = judged(rank_trials(trials), {}, 1_000)
    summary = StageSummary("coarse", 1e-4, 1e-2, [1e-4, 1e-2])

    (line,) = ranking_notes(Ranking(study_record(), (summary,), ranked, comparison))

    assert str(line).startswith("4 of 4 points are tied: ")


@pytest.mark.parametrize("stages", [1, 2])
def test_the_best_of_several_parameters_on_the_edge_of_one_suggests_to_go_on_beyond(stages):
    points = [{"lambda": a, "eta": b} for a in (1e-5, 1e-3, 1e-1) for b in (1e-3, 10**-1.5, 1.0)]
    trials = [
        RankedTrial(
            "coarse", i, "complete", p, 1, 0.5 + 0.1 * np.log10(p["eta"]) - 0.1 * abs(i // 3 - 1), 1
        )
        for i, p in enumerate(points)
    ]
    ranked, comparison = judged(rank_trials(trials), {}, 1_000)
    wide = [
        {"name": "lambda", "low": 1e-5, "high": 1e-1, "values": None},
        {"name": "eta", "low": 1e-3, "high": 1.0, "values": None},
    ]
    narrow = [{**wide[0], "low": 1e-4, "high": 1e-2}, {**wide[1], "low": 1e-2, "high": 0.5}]
    summaries = (
        StageSummary("coarse", 1e-5, 1e-1, [1e-5, 1e-3, 1e-1], dimensions=wide),
        StageSummary("fine", 1e-4, 1e-2, [], "coarse", dimensions=narrow),
    )
    study = study_record(search="lambda-eta")

    (line,) = ranking_notes(Ranking(study, summaries[:stages], ranked, comparison))

    assert str(line) == (
        "the best value 1 of η lies on the upper edge of 0.001 … 1: a better one may lie beyond"
    )


def test_trials_that_are_reused_are_said_to_be_no_new_evidence():
    found = ranking(HILL)
    reused = Ranking(
        found.study, found.stages, tuple(t._replace(reused=True) for t in found.trials), None
    )

    assert any("no new evidence" in str(line) for line in legend(reused))
    assert not any("no new evidence" in str(line) for line in legend(found))


def test_networks_that_have_not_learnt_are_not_told_to_use_more_seeds():
    untrained = dict(zip(EIGHT, (0.1, 0.11, 0.1, 0.167, 0.12, 0.1, 0.09, 0.1), strict=True))
    found = ranking(untrained, n_classes=10)

    (line,) = said(found, "have learnt little")

    assert "16.70 %, and the commonest class alone gives 10.00 %" in line
    assert "training.eta" in line
    assert not said(found, "replicates")
    assert not any("replicates" in str(note) for note in legend(found))


def test_networks_that_learn_by_heart_have_learnt():
    found = ranking(dict.fromkeys(EIGHT, 0.12), train=0.99, n_classes=10)

    assert not said(found, "have learnt little")
    assert said(found, "are tied")


def test_always_the_commonest_class_is_no_learning():
    labels = packed_labels(np.repeat([0, 1], [950, 50]), 2)
    found = ranking(dict.fromkeys(EIGHT, 0.95), n_classes=2, **labels)

    (line,) = said(found, "have learnt little")
    assert "the commonest class alone gives 95.00 %" in line


@pytest.mark.parametrize("state", ["diverged", "failed"])
def test_a_search_without_a_complete_trial_says_what_to_change(state):
    found = ranking(HILL)
    trials = tuple(t._replace(state=state, rank=None) for t in found.trials)

    (line,) = said(replace(found, trials=trials), f"no trial was completed: 8 {state}")

    assert ("smaller" if state == "diverged" else "lists why") in line
