"""Final tests with several seeds, and of the tied trials as one predictor."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from coarsefine.db import repository
from coarsefine.db.checks.whole import check_database
from coarsefine.models.ensembles import Ensemble
from coarsefine.models.outcomes import OutcomeCodec, read_accuracy
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.results.evidence.ties import judge
from coarsefine.studies.results.final.evidence import evidence_of
from coarsefine.studies.results.final.rows import of_opening, trials_of_openings
from coarsefine.studies.results.judging.statistics import wilson
from coarsefine.studies.results.notes.tested import ensemble_legend, test_legend
from coarsefine.studies.running.final.test import final_test, result_on_record
from coarsefine.studies.running.watching import StoppedByRequest
from tests.studies.evidence.worlds import World

from .conftest import Bench, Recorder, refused, written_samples
from .test_plugins import Own, searched

test_legend.__test__ = False

# Tied, on 80 validation samples.
CLOSE = StageRequest(values=(1e-4, 1e-3, 1e-2))


@pytest.fixture(scope="module")
def tested(tmp_path_factory, empty):
    """A study whose three tied trials were tested with one seed, then with three, as one."""
    from coarsefine.models.data import prepared

    folder = tmp_path_factory.mktemp("tested")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_CACHE_DIR", str(folder / "cache"))
        patch.delenv("SEARCH_DATA_DIR", raising=False)
        prepared._open.clear()
        bench = Bench(folder, written_samples(folder), empty)
        bench.study = bench.coarse(CLOSE).study
        bench.once = final_test(bench.means(), bench.study, n_top=2)
        bench.heard = Recorder()
        bench.several = final_test(
            bench.means(observer=bench.heard), bench.study, n_top=2, replicates=3, ensemble=True
        )
        yield bench
        bench.database.close()


def predicted(bench, opening):
    """Return labels, and the classes that each tested network chose, by rank and replicate."""
    with np.load(bench.samples) as file:
        labels = file["y_test"]
    codec = OutcomeCodec(labels, 4)
    runs = [seed for run in opening.runs for seed in run.seeds]
    payloads = repository.test_outcomes(bench.database, [run.id for run in runs])
    return labels, {
        (run.rank, run.replicate): codec.unpack(payloads[run.id]).predicted for run in runs
    }


# ------------------------------------------------------------------------------------------ seeds


def test_each_trial_is_tested_with_each_seed_in_one_opening(tested):
    opening = tested.several.opening

    assert [run.rank for run in opening.runs] == [1, 2]
    for run in opening.runs:
        accuracies = [seed.test_accuracy for seed in run.seeds]
        assert [seed.replicate for seed in run.seeds] == [0, 1, 2]
        assert len(set(accuracies)) > 1
        assert run.test_accuracy == pytest.approx(np.mean(accuracies))
    assert tested.several.n_openings == 2


def test_seeds_that_were_trained_are_taken_over_to_the_same_bits(tested):
    first = [run.seeds[0] for run in tested.several.opening.runs]

    for seed, run in zip(first, tested.once.opening.runs, strict=True):
        assert (seed.test_accuracy, seed.test_loss) == (run.test_accuracy, run.test_loss)
    final = repository.stages(tested.database, tested.study)[-1]
    plan = repository.load_plan(tested.database, final)
    # Two trials of the one seed before; the third trial is only in the ensemble.
    assert sum(run.cohort_id is None for run in plan.runs) == 2
    assert len(plan.runs) == 9
    assert any("were tested before, with 1 seed" in line for line in tested.heard.lines)
    assert any("opening 2 for this study" in line for line in tested.heard.lines)


def test_a_test_with_one_seed_says_what_it_said_before(tested):
    rows = of_opening(tested.once.opening, tested.once.evidence)

    for row in rows:
        assert row.interval == wilson(row.run.test_accuracy, 80)
        assert row.evidence.seeds is None
    line = "95 % intervals: of 80 test samples; opened 2 times for this study"
    assert str(test_legend(tested.once.opening, tested.once.evidence, 2)[0]) == line


def test_the_ranking_shows_the_mean_over_seeds(tested):
    ranking = tested.ranking(tested.study).trials

    assert [t.test_accuracy for t in ranking[:2]] == pytest.approx(
        [run.test_accuracy for run in tested.several.opening.runs], abs=1e-15
    )
    assert ranking[2].test_accuracy is None


def test_intervals_for_seeds_and_for_samples_are_named_and_made_of_the_outcomes(tested):
    opening, evidence = tested.several.opening, tested.several.evidence
    labels, classes = predicted(tested, opening)
    right = np.stack([classes[1, r] == labels for r in range(3)])
    accuracies = right.mean(axis=1)
    row = of_opening(opening, evidence)[0]

    half = stats.t.ppf(0.975, 2) * accuracies.std(ddof=1) / np.sqrt(3)
    low, high = accuracies.mean() - half, min(1.0, accuracies.mean() + half)
    assert row.evidence.seeds == pytest.approx((low, high))
    by_sample = right.mean(axis=0).var(ddof=1) / 80
    low, high = row.evidence.samples
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(by_sample), rel=0.1)
    assert row.evidence.standard_deviation == pytest.approx(accuracies.std(ddof=1))
    assert row.interval[0] <= min(row.evidence.samples[0], accuracies.mean())
    legend = str(test_legend(opening, evidence, 2)[0])
    assert "new seeds: on these 80 test samples; new samples: for these networks" in legend


def test_the_same_request_shows_its_result_and_fewer_seeds_find_their_own(tested):
    ask = {"n_top": 2}
    database, study = tested.database, tested.study

    assert result_on_record(database, study, **ask).opening == tested.once.opening
    for more in ({"replicates": 3, "ensemble": True}, {"replicates": 2}, {"ensemble": True}):
        found = result_on_record(database, study, **ask, **more)
        assert found.opening == tested.several.opening
        assert found.evidence == tested.several.evidence
    assert result_on_record(database, study, **ask, replicates=4) is None
    assert result_on_record(database, study, n_top=1, replicates=3) is None


def test_a_stopped_final_training_of_several_seeds_ends_with_the_same_bits(bench, monkeypatch):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    ask = {"n_top": 1, "replicates": 2, "ensemble": True}
    whole = bench.coarse(CLOSE, name="whole").study
    stopped = bench.coarse(CLOSE, name="stopped").study

    with pytest.raises(StoppedByRequest):
        final_test(bench.means(observer=Recorder(stop_after=3)), stopped, **ask)
    assert repository.openings(bench.database, stopped) == []
    for study in (whole, stopped):
        final_test(bench.means(), study, **ask)

    one, two = (repository.openings(bench.database, study)[0] for study in (whole, stopped))
    assert [s.test_loss for s in one.runs[0].seeds] == [s.test_loss for s in two.runs[0].seeds]
    assert [e.outcomes for e in one.ensembles] == [e.outcomes for e in two.ensembles]


def test_weights_of_the_search_are_tested_with_its_seeds_or_refused(bench):
    study = bench.coarse(replace(CLOSE, replicates=2)).study

    opening = final_test(bench.means(), study, n_top=1, refit="none", replicates=2).opening

    assert [seed.replicate for seed in opening.runs[0].seeds] == [0, 1]
    with refused("trained rank 1 .* with 2 of the 3 seeds .* --refit train"):
        final_test(bench.means(), study, n_top=1, refit="none", replicates=3)
    assert len(repository.openings(bench.database, study)) == 1


def test_a_seed_that_diverges_leaves_the_mean_of_the_others(bench, monkeypatch):
    from coarsefine.studies.running.final import training as module

    study = bench.coarse(StageRequest(values=(1e-3,))).study
    real, seen = module._finished, []

    def first_is_gone(*args):
        seen.append(args)
        return None if len(seen) == 1 else real(*args)

    monkeypatch.setattr(module, "_finished", first_is_gone)
    watch = Recorder()
    found = final_test(bench.means(observer=watch), study, replicates=3)

    (run,) = found.opening.runs
    assert [seed.test_accuracy is None for seed in run.seeds] == [True, False, False]
    assert run.test_accuracy == np.mean([seed.test_accuracy for seed in run.seeds[1:]])
    assert found.evidence.of(run).n_seeds == 2
    assert "with 1 of 3 seeds: its result is that of the others" in watch.lines[-1]


# ------------------------------------------------------------------------- chosen, and compared


def test_validation_accuracies_are_corrected_for_having_been_chosen(tested):
    comparison = tested.ranking(tested.study).comparison
    rows = of_opening(tested.several.opening, tested.several.evidence)

    assert comparison.n_tied == 3
    assert comparison.optimism_by_place[0] == comparison.optimism
    for row, bias in zip(rows, comparison.optimism_by_place, strict=False):
        assert row.corrected == row.run.validation_accuracy - bias


def test_luck_moves_no_place_by_more_than_it_is_away_from_the_mean_of_the_tied():
    outcomes = World((0.9,) * 6, 2, 1000).outcomes(np.random.default_rng(3))
    means = np.sort(outcomes.mean(axis=(1, 2), dtype=np.float64))[::-1]

    judged = judge(outcomes)

    assert judged.tied.all()
    assert judged.optimism == judged.by_place[0] > 0 > judged.by_place[-1]
    away = means - means.mean()
    for bias, distance in zip(judged.by_place, away, strict=True):
        assert abs(bias) <= abs(distance) + 1e-12
        assert bias * distance >= 0
    corrected = means - np.array(judged.by_place)
    assert np.ptp(corrected) < np.ptp(means)


def test_what_was_picked_by_hand_has_no_corrected_validation_accuracy(bench):
    study = bench.coarse(CLOSE).study
    last = bench.ranking(study).trials[-1]

    found = final_test(bench.means(), study, picks=[(last.stage, last.trial)])

    assert [row.corrected for row in of_opening(found.opening, found.evidence)] == [None]
    assert found.evidence.margin is None


def test_two_networks_are_compared_by_mcnemar_and_pairs_by_holm(tested):
    found = final_test(tested.means(), tested.study, n_top=3)
    labels, classes = predicted(tested, found.opening)

    raw = []
    for pair in found.evidence.pairs:
        one, other = (classes[rank, 0] == labels for rank in (pair.first, pair.second))
        n = [int((one & ~other).sum()), int((other & ~one).sum())]
        raw.append(stats.binomtest(n[0], sum(n)).pvalue if sum(n) else 1.0)
        assert pair.method == "mcnemar"
        assert pair.difference == pytest.approx((n[0] - n[1]) / 80)
    assert [(pair.first, pair.second) for pair in found.evidence.pairs] == [(1, 2), (1, 3), (2, 3)]
    order = np.argsort(raw)
    adjusted = np.empty(3)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1]))
    assert [pair.p for pair in found.evidence.pairs] == pytest.approx(list(adjusted))


def test_the_best_by_test_accuracy_is_corrected_unless_the_ranking_chose_it(tested):
    evidence, opening = tested.several.evidence, tested.several.opening
    best = max(opening.runs, key=lambda run: run.test_accuracy)
    corrected = {row.run.rank: row.evidence.corrected for row in of_opening(opening, evidence)}

    assert evidence.best == best.rank
    if best.rank == 1:
        assert set(corrected.values()) == {None}
    else:
        assert corrected == {1: None, 2: best.test_accuracy - evidence.optimism}


# --------------------------------------------------------------------------------- as one predictor


def test_the_tied_trials_answer_as_one_beside_the_best_alone(bench):
    study = bench.coarse(CLOSE).study

    found = final_test(bench.means(), study, replicates=2, ensemble=True)

    assert [each.record.method for each in found.evidence.ensembles] == ["vote", "mean"]
    labels, classes = predicted(bench, found.opening)
    assert {rank for rank, _ in classes} == {1, 2, 3}
    votes = np.zeros((80, 4))
    for each in classes.values():
        votes[np.arange(80), each] += 1
    clear = np.sort(votes, axis=1)[:, -1] > np.sort(votes, axis=1)[:, -2]
    vote, mean = found.evidence.ensembles
    answer = OutcomeCodec(labels, 4).unpack(vote.record.outcomes).predicted
    assert (answer == votes.argmax(axis=1))[clear].all()
    assert vote.record.test_accuracy == (answer == labels).mean()
    assert vote.record.n_networks == 6
    assert [m["networks"] for m in vote.record.members] == [2, 2, 2]
    alone = np.mean([classes[1, r] == labels for r in range(2)], axis=0)
    by_sample = (answer == labels) - alone
    assert vote.difference == pytest.approx(by_sample.mean())
    low, high = vote.difference_interval
    # A difference may be a whole sample off.
    assert (high - low) / 2 - 1 / 80 == pytest.approx(
        1.96 * np.sqrt(by_sample.var(ddof=1) / 80 + 1.5 / 80**2), rel=0.01
    )
    assert mean.record.test_loss > 0
    assert check_database(str(bench.path), accuracy=read_accuracy).passed


def test_of_one_seed_an_ensemble_is_compared_by_mcnemar(bench):
    study = bench.coarse(CLOSE).study
    found = final_test(bench.means(), study, ensemble=True)
    labels, classes = predicted(bench, found.opening)

    (one, other) = found.evidence.ensembles
    right = classes[1, 0] == labels
    raw = []
    for each in (one, other):
        answer = OutcomeCodec(labels, 4).unpack(each.record.outcomes).predicted == labels
        n = [int((answer & ~right).sum()), int((right & ~answer).sum())]
        raw.append(stats.binomtest(n[0], sum(n)).pvalue if sum(n) else 1.0)
    raised = sorted([min(raw) * 2, max(*raw, min(1, min(raw) * 2))])
    assert sorted([one.p, other.p]) == pytest.approx([min(1, p) for p in raised])


def test_a_best_trial_that_stands_alone_makes_no_ensemble(bench):
    study = bench.coarse(StageRequest(values=(1e-3,))).study
    watch = Recorder()

    found = final_test(bench.means(observer=watch), study, ensemble=True)

    assert found.evidence.ensembles == ()
    assert ensemble_legend(found.evidence) == ()
    assert "an ensemble needs two networks or more" in watch.lines[-1]
    seeds = final_test(bench.means(), study, replicates=2, ensemble=True)
    assert seeds.evidence.ensembles[0].record.n_networks == 2


def test_the_networks_that_cycles_end_with_answer_as_one(bench):
    cyclical = {"training__schedule": "cyclical", "training__eta": None, "training__ns": 10}
    search = bench.coarse(
        StageRequest(values=(1e-3, 1.0)), **cyclical, training__epochs=12, training__snapshots=True
    )
    refit = final_test(bench.means(), search.study, n_top=1)
    kept = final_test(bench.means(), search.study, n_top=1, refit="none")

    for found in (refit, kept):
        vote, mean = (each.record for each in found.evidence.ensembles)
        assert (vote.method, mean.method) == ("vote", "mean")
        (member,) = vote.members
        # 12 epochs of 13 or 15 updates, in cycles of 20.
        assert member["networks"] == vote.n_networks == mean.n_networks >= 7
        assert member["rank"] == 1


def test_ensembles_are_rows_of_the_table_of_openings(tested):
    openings = repository.openings(tested.database, tested.study)[:2]

    rows = trials_of_openings(tested.database, tested.study, openings, top=1)

    assert [(row.number, row.predictor, row.rank) for row in rows] == [
        (1, "trial", 1),
        (2, "trial", 1),
        (2, "vote", None),
        (2, "mean", None),
    ]


def test_evidence_that_is_read_again_is_the_same(tested):
    assert evidence_of(tested.database, tested.several.opening) == tested.several.evidence


def test_a_custom_trainer_is_tested_with_seeds_and_by_vote_alone(bench, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    own = Own(tmp_path, bench.samples)
    own.write("{'predict': lambda x: (x[:, 0] > seed % 7 / 10).astype(int)}")
    study = searched(bench, own).study

    found = final_test(
        bench.means(), study, n_top=1, trainer=f"{own.name}:train", replicates=2, ensemble=True
    )

    assert [each.record.method for each in found.evidence.ensembles] == ["vote"]
    assert "no probabilities" in str(ensemble_legend(found.evidence)[-1])
    own.forget()


def test_ties_in_a_vote_go_to_the_more_probable_class_or_the_first():
    first, second = np.array([2, 2]), np.array([1, 1])
    sure, unsure = np.array([[0, 0.1, 0.9]] * 2), np.array([[0.1, 0.6, 0.3]] * 2)
    known, unknown = Ensemble(2, 3, "cross-entropy"), Ensemble(2, 3, "cross-entropy")
    for classes, probable in ((first, sure), (second, unsure)):
        known.add(classes, probable)
        unknown.add(classes, None)

    assert known.vote().tolist() == [2, 2]
    assert unknown.vote().tolist() == [1, 1]
    assert unknown.mean(first) is None
    classes, losses = known.mean(np.array([2, 0]))
    assert classes.tolist() == [2, 2]
    assert losses == pytest.approx([-np.log(0.6), -np.log(0.05)])
