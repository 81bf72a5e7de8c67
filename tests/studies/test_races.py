"""Races over seeds as searches carry them out: rounds, verdicts, and what is stored of them."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.db import repository
from coarsefine.models.data import prepared
from coarsefine.studies.planning.races import Race, replicates_of
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.reports.reproduction import reproduction
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.watching import StoppedByRequest
from tests.studies.conftest import Bench, Recorder, comparable, refused
from tests.studies.test_more_seeds import problems_of

# λ = 5 leaves no weights; the others are told apart by nothing but luck.
ASKED = StageRequest(values=(1e-4, 1e-3, 1e-2, 5.0), race=Race(3, 8, 0.012))

FLAGS = {"data.validation": 600, "training.epochs": 4}


def race_of(bench, study):
    return Stage.of(repository.stages(bench.database, study)[0]).race


def seeds_of(bench, study):
    return [row.replicates for row in repository.trial_rows(bench.database, study)]


def overlapping(folder):
    """Return a file of samples in 4 classes that overlap."""
    rng = np.random.default_rng(0)
    centres = 1.2 * rng.standard_normal((4, 5))
    labels = np.arange(1000) % 4
    x = (centres[labels] + rng.standard_normal((1000, 5))).astype(np.float32)
    samples = folder / "overlapping.npz"
    np.savez(samples, x_train=x[:900], y_train=labels[:900], x_test=x[900:], y_test=labels[900:])
    return samples


@pytest.fixture(scope="module")
def raced(tmp_path_factory, empty):
    """A bench on which a race was carried out, and its study."""
    folder = tmp_path_factory.mktemp("raced")
    samples = overlapping(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_CACHE_DIR", str(folder / "cache"))
        prepared._open.clear()
        bench = Bench(folder, samples, empty)
        bench.flags |= FLAGS
        yield bench, bench.coarse(ASKED, name="race").study
        bench.database.close()


def test_hopeless_values_leave_and_the_others_get_seeds_until_the_race_ends(raced):
    bench, study = raced
    race, rows = race_of(bench, study), repository.trial_rows(bench.database, study)

    assert race.ended is not None
    (last,) = [row for row in rows if row.params["lambda"] == 5.0]
    assert race.left == {last.uuid: 3}
    assert last.replicates == 3
    assert {row.replicates for row in rows if row is not last} == {race.n_seeds}
    assert 3 < race.n_seeds <= 8
    # Optuna heard of each trial once, when all of its seeds were there.
    checks = problems_of(bench)
    assert not any(check.problems for check in checks)
    assert not any("after Optuna was told" in note for check in checks for note in check.notes)


def test_the_ranking_says_how_it_ended_and_who_left(raced):
    bench, study = raced
    ranking = bench.ranking(study)

    verdict = str(ranking.notes[-1])
    assert verdict.startswith("race over seeds, coarse: ")
    assert verdict.endswith(f"({race_of(bench, study).n_seeds} seeds)")
    gone = ranking.trials[-1]
    assert (gone.tied, gone.replicates) == (False, 3)
    assert all(trial.tied for trial in ranking.trials[:-1])
    (stage,) = ranking.to_json()["stages"]
    assert stage["race"]["left"] == {f"coarse:{gone.trial}": 3}
    assert stage["race"]["ended"]["best"] == f"coarse:{ranking.best.trial}"
    commands = reproduction(bench.database, study, ()).commands
    assert "--replicates 3..8 --indifference 1.2" in commands[0]
    # Of another metric, the race says nothing.
    other = read_ranking(bench.database, study, "macro-f1")
    assert not [note for note in other.notes if note.code == "race"]


def test_the_same_again_trains_nothing_and_a_race_of_more_seeds_goes_on(raced):
    bench, _ = raced
    study = bench.coarse(ASKED, name="longer").study
    before, race = seeds_of(bench, study), race_of(bench, study)

    bench.coarse(ASKED, name="longer")
    bench.coarse(replace(ASKED, race=None), name="longer")
    assert (seeds_of(bench, study), race_of(bench, study)) == (before, race)

    bench.coarse(replace(ASKED, race=Race(3, 10, 0.005)), name="longer")
    assert race_of(bench, study).asked == Race(3, 10, 0.005)
    assert max(seeds_of(bench, study)) >= max(before)
    bench.coarse(ASKED, name="longer")  # decided anew from what is stored
    assert race_of(bench, study) == race


def test_stopped_after_any_segment_it_ends_with_the_same_race(raced):
    bench, study = raced
    shown = comparable(bench.ranking(study))
    for segments in (1, 4):
        name = f"stopped-{segments}"
        watch = Recorder(stop_after=segments)
        with pytest.raises(StoppedByRequest):
            bench.coarse(ASKED, name=name, means=bench.means(observer=watch))
        again = bench.coarse(StageRequest(), name=name).study
        found = comparable(bench.ranking(again))
        assert {**found, "study": "race"} == shown


def test_a_study_with_one_seed_is_raced_on(raced):
    bench, study = raced
    one = bench.coarse(replace(ASKED, race=None), name="one").study
    assert set(seeds_of(bench, one)) == {1}

    bench.coarse(ASKED, name="one")

    assert race_of(bench, one).ended.end == race_of(bench, study).ended.end
    assert max(seeds_of(bench, one)) == race_of(bench, one).n_seeds
    # Optuna was told of one seed, and cannot be told again.
    assert not any(check.problems for check in problems_of(bench))

    # A value that comes without a race is not in the verdict.
    bench.coarse(StageRequest(values=(0.05,), replicates=3), name="one")
    assert str(bench.ranking(one).notes[-1]).endswith(" seeds; 1 value came later)")


def test_a_fine_stage_races_as_the_coarse_one_did_and_new_trials_join(raced):
    bench, _ = raced
    asked = StageRequest(n_trials=3, low=1e-4, high=5.0, race=Race(2, 4, 0.02))
    study = bench.coarse(asked, name="fine").study
    first = race_of(bench, study)
    bench.coarse(replace(asked, n_trials=5), name="fine")
    joined = race_of(bench, study)
    assert (first.n_trials, joined.n_trials) == (3, 5)
    assert joined.ended is not None

    bench.fine(study, StageRequest(n_trials=2))
    fine = Stage.of(repository.stages(bench.database, study)[1]).race
    assert fine.asked == Race(2, 4, 0.02)
    assert fine.ended is not None
    # Who prunes a later stage has it pruned, not raced.
    bench.fine(study, StageRequest(n_trials=2, prune="halving"), stage_name="finer")
    finer = Stage.of(repository.stages(bench.database, study)[2])
    assert (finer.prune, finer.race, finer.run_options.replicates) == ("halving", None, 2)


def test_what_cannot_be_raced_is_refused(raced):
    bench, _ = raced
    with refused("--replicates of a race must be auto, or two numbers from 2 to 200"):
        replicates_of("1..9")
    with refused("--replicates must be a number, auto or as in 3..20, got 'many'"):
        replicates_of("many")
    with refused("--indifference is for a race: add --replicates auto"):
        replicates_of("3", 0.5)
    with refused("--indifference must be above 0 and below 100 points, got -1"):
        replicates_of("auto", -1.0)
    with refused("leave out --prune, or state a number of --replicates"):
        bench.coarse(replace(ASKED, prune="halving"), name="pruned")
    with refused("a race compares shares of samples, this study ranks by loss"):
        bench.coarse(ASKED, name="loss", training__metric="loss")


def test_a_ranking_with_several_seeds_says_what_would_tell_the_first_from_the_second(raced):
    bench, _ = raced
    study = bench.coarse(replace(ASKED, race=None, replicates=3), name="fixed").study
    found = bench.ranking(study)

    second, every = found.comparison.to_second, found.comparison.to_all_tied
    assert second.n_seeds == every.n_seeds == 3
    assert second.difference == pytest.approx(-found.trials[1].difference)
    (line,) = [str(note) for note in found.notes if note.code == "needed"]
    assert line.startswith(f"the first is {100 * second.difference:.2f} points ahead of the second")
    assert f"{100 * second.sample_error:.2f} points by samples" in line
    assert "tell all 3 tied values apart to within 0.50 points" in line
    for needed in (second, every):
        assert needed.samples is None or needed.samples > 600
        assert needed.seeds is None or needed.seeds > 3
