"""Few seeds are judged by those of a similar study, too: of which one, and when not."""

import numpy as np
import pytest

from coarsefine.db import repository
from coarsefine.studies.planning.races import Race
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.results import known_seeds
from coarsefine.studies.results.evidence import spread
from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.spread import ASSUMED, Spread, pool
from coarsefine.studies.results.judging.trials import compare
from coarsefine.studies.results.notes.marks import legend
from coarsefine.studies.results.scoring.seeds import ASSUMED_SEEDS, SeedNoise
from coarsefine.studies.results.trial_pairs import trial_pairs
from tests.studies.evidence.worlds import World
from tests.studies.test_statistics import with_outcomes

OWN = Spread(2.0, 4.0)
TOLD = SeedNoise(ASSUMED_SEEDS.run, ASSUMED_SEEDS.pair, "there", Spread(2.0, 9.0))


def test_ratios_that_agree_count_by_their_degrees_of_freedom():
    joint = OWN.joined(Spread(3.0, 6.0))

    assert joint == Spread((4 * 2.0 + 6 * 3.0) / 10, 10.0, joint=True)


def test_a_study_of_many_seeds_does_not_outweigh_the_own_ones():
    assert OWN.joined(Spread(2.5, 1_000.0)) == OWN.joined(Spread(2.5, 100.0))
    assert OWN.joined(Spread(2.5, 1_000.0)).df <= 3 * OWN.df


def test_ratios_that_disagree_are_not_joined():
    # A study whose seeds move it less is the more dangerous one.
    assert OWN.joined(Spread(1.2, 9.0)) == OWN
    assert OWN.joined(Spread(2.8, 9.0)).joint
    assert OWN.joined(Spread(9.0, 9.0)) == OWN
    assert OWN.joined(ASSUMED) == OWN.joined(None) == OWN


def test_what_is_known_takes_part_in_what_pairs_are_judged_by():
    rng = np.random.default_rng(0)
    ratios = rng.chisquare(1, (8, 8)) + 0.5
    drawn, df = rng.chisquare(1, (400, 8, 8)), np.ones((8, 8))

    alone, assumed = (pool(ratios, drawn, df, known) for known in (None, ASSUMED))
    told = pool(ratios, drawn, df, Spread(alone.spread.ratio, 8.0))

    assert (alone.ratios == assumed.ratios).all()
    assert (alone.drawn == assumed.drawn).all()
    assert told.spread.df == alone.spread.df + 8
    assert told.drawn.mean(axis=(1, 2)).std() < alone.drawn.mean(axis=(1, 2)).std()


def _compared(race=None):
    """Return how eight trials of two seeds were compared, and of how many others were asked for."""
    right = World((0.9,) * 8, 2, 2_000).outcomes(np.random.default_rng(1))
    right = right[np.argsort(-right.mean(axis=(1, 2)), kind="stable")] > 0
    trials, read = with_outcomes(right)
    asked = []

    def told(n_seeds):
        asked.append(n_seeds)
        return TOLD

    return compare(trials, 2_000, read, seeds=told, race=race)[1], asked


def test_a_race_is_judged_by_its_own_seeds():
    told, asked = _compared()
    raced, unasked = _compared(race=(Looks(2, 8), frozenset()))

    assert asked == [2]
    assert told.seeds_from == "there"
    assert told.seed_deviation is None
    assert unasked == []
    assert raced.seeds_from is None
    assert raced.df < told.df


@pytest.fixture
def first(bench, monkeypatch):
    """A study of four values; small studies such as these are enough, whatever they say."""
    monkeypatch.setattr(known_seeds, "_FEWEST_DF", 1.0)
    monkeypatch.setattr(spread, "_LOWEST", 0.0)
    monkeypatch.setattr(spread, "_HIGHEST", 0.0)
    request = StageRequest(n_trials=4, replicates=2)
    return bench.coarse(request, name="first").study


def test_a_similar_study_takes_part_but_not_runs_that_both_have(bench, first):
    alone = bench.ranking(first)
    request = StageRequest(n_trials=4, replicates=2)
    bench.coarse(request, name="other-seed", seed=2)
    with_other = bench.ranking(first)
    # The latest comes first: of the same runs, and on fewer samples.
    copy = bench.coarse(request, name="copy").study
    bench.coarse(request, name="other-samples", seed=3, data__validation=40)
    trials = {row.id for row in repository.trial_rows(bench.database, copy)}

    assert alone.comparison.seeds_from is None
    assert with_other.comparison.seeds_from == "other-seed"
    assert with_other.comparison.df > alone.comparison.df
    assert repository.trials_in_common(bench.database, copy, first) == trials
    assert bench.ranking(first).comparison == with_other.comparison
    said = " ".join(map(str, legend(with_other)))
    assert "also by the seeds of study other-seed" in said
    assert "also by" not in " ".join(map(str, legend(alone)))
    assert {pair.claim for pair in trial_pairs(with_other)} == {
        "new seeds and samples, also by the seeds of other-seed"
    }


def test_more_seeds_and_races_are_judged_by_their_own(bench, first):
    values = (1e-4, 1e-2)
    more = StageRequest(values=values, replicates=known_seeds.FEW_SEEDS + 1)
    raced = StageRequest(values=values, race=Race(2, 3, 0.5))
    for request in (raced, more):
        study = bench.coarse(request, name=f"seeds-{request.replicates}").study

        assert known_seeds.seeds_elsewhere(bench.database, study, "accuracy").source == "first"
        assert bench.ranking(study).comparison.seeds_from is None
