"""Studies side by side: only what differs, what each found, and what a test says of them."""

import shutil
import sqlite3

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from coarsefine.db.connections.engine import open_database, storage_url
from coarsefine.studies.results.comparing import side_by_side
from coarsefine.studies.results.evidence.spread import Spread
from coarsefine.studies.results.judging.statistics import wilson
from coarsefine.studies.results.outcomes import read_outcomes
from coarsefine.studies.results.reading import named_study, read_ranking
from coarsefine.studies.results.scoring.seeds import SeedNoise
from tests.search.conftest import COARSE, carried_out

WIDER = ("--hidden", "9", "--batch-size", "30", "--study", "wider")
SEEDED = ("--replicates", "3", "--values", "1e-4,1e-2")


@pytest.fixture(scope="session")
def compared(tmp_path_factory, finished):
    """The finished study, a wider one that was not tested, two with three seeds, and another."""
    folder = tmp_path_factory.mktemp("compared")
    shutil.copy(finished, folder)
    quick = ("lambda", "--coarse", "--epochs", "2")
    return carried_out(
        folder,
        (*COARSE, *WIDER),
        (*quick, "--hidden", "8", *SEEDED, "--study", "narrow"),
        (*quick, "--hidden", "30", *SEEDED, "--study", "broad"),
        (*quick, "--hidden", "31", *SEEDED, "--study", "broad-31"),
    )


@pytest.fixture
def two(compared, own_folder):
    """The same in the folder of this test, to be changed at will."""
    return shutil.copy(compared, own_folder / "search.db")


def outcomes_of(path, name):
    """Return which samples the runs of a study's best trial got right, (R, N)."""
    with open_database(storage_url(str(path)), read_only=True) as database:
        ranking = read_ranking(database, named_study(database, name))
        (found,) = read_outcomes(database, ranking, [ranking.best])
        return found.scores(sorted(found.runs))


def test_only_the_keys_that_differ_are_shown(search, two):
    found = search("compare", "digits/lambda", "wider", "--json").json

    assert found["differences"] == ["network.hidden", "training.batch_size"]
    assert [side["settings"] for side in found["studies"]] == [
        {"network.hidden": [8], "training.batch_size": 20},
        {"network.hidden": [9], "training.batch_size": 30},
    ]


def test_a_line_says_what_the_ranking_and_the_final_test_say(search, two):
    sides = search("compare", "digits/lambda", "wider", "--json").json["studies"]

    for side in sides:
        best = search("rank", side["study"], "--json").json["trials"][0]
        for key in ("stage", "trial", "params", "validation_accuracy", "interval"):
            assert side["best"][key] == best[key]
    opening = search("show", "digits/lambda", "--json").json["openings"][0]
    tested = opening["trials"][0]["test_accuracy"]
    assert sides[0]["test"]["accuracy"] == tested
    assert sides[0]["test"]["interval"] == list(wilson(tested, opening["test_samples"]))
    assert (sides[1]["test"], sides[1]["test_openings"]) == (None, 0)


def test_the_table_has_a_line_a_study_in_the_order_they_are_named(search, two):
    answer = search("compare", "wider", "digits/lambda")

    rows = [line.split() for line in answer.out.splitlines() if "λ" in line]
    assert answer.status == 0
    assert [row[:3] for row in rows] == [["wider", "9", "30"], ["digits/lambda", "8", "20"]]
    assert "the recipes differ in network.hidden (9, 8); training.batch_size (30, 20)" in answer.out


def test_what_one_study_searches_is_no_setting_of_it(search, two):
    eta = ("eta", "--coarse", "--trials", "2", "--epochs", "1", "--study", "rates", "--quiet")
    assert search(*eta).status == 0

    sides = search("compare", "wider", "rates", "--json").json["studies"]

    assert sides[0]["settings"]["training.lambda"] == "searched"
    assert sides[1]["settings"]["training.eta"] == "searched"
    assert sides[1]["settings"]["training.lambda"] == 0.0


def test_other_seeds_and_data_are_said_to_be_no_like_for_like(search, two, samples):
    assert search(*COARSE, "--seed", "1", "--study", "seeded", "--quiet").status == 0
    assert search(*COARSE, "--data", samples(), "--study", "mine", "--quiet").status == 0

    seeded = search("compare", "wider", "seeded")
    assert "the splits differ, so the validation samples do" in seeded.out
    (pair,) = search("compare", "wider", "seeded", "--json").json["pairs"]
    assert (pair["same_samples"], pair["same_seeds"]) == (False, False)
    mine = search("compare", "wider", "mine")
    assert "wider and mine: no test, the data differ" in mine.out
    (pair,) = search("compare", "wider", "mine", "--json").json["pairs"]
    assert (pair["refused"], pair["verdict"], pair["p"]) == ("data", None, None)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("digits/lambda",), "two or more, got 1"),
        (("digits/lambda", "digits/lambda"), "got digits/lambda twice"),
        (("digits/lambda", "digits/lambdb"), "did you mean"),
        (("digits/lambda", "wider", "--trial", "coarse:0"), "each of the 2 studies"),
        (("digits/lambda", "wider", "--trial", "coarse:99,best"), "has no trial coarse:99"),
        (("digits/lambda", "wider", "--trial", "coarse,best"), "STAGE:NUMBER"),
        (("digits/lambda", "wider", "--indifference", "0"), "above 0 and below 100 points"),
        (("digits/lambda", "wider", "--indifference", "nan"), "above 0 and below 100 points"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(search, two, names, why):
    answer = search("compare", *names)

    assert answer.status in {1, 2}
    assert why in answer.err
    assert len(answer.err.splitlines()) == 1


def test_comparing_changes_nothing(search, two):
    before = two.read_bytes()

    assert search("compare", "digits/lambda", "wider").status == 0

    assert two.read_bytes() == before


# ------------------------------------------------------------------------------------- by a test


def test_only_where_there_is_one_seed_it_is_said_that_one_seed_can_tell_no_more(search, two):
    single = search("compare", "digits/lambda", "wider").out
    several = search("compare", "narrow", "broad").out

    assert "as far as one seed can tell" in single
    assert "to vary by a standard deviation of 0.3 points; use --replicates" in single
    assert "one seed" not in several
    assert "paired by sample and seed: the same 360 validation samples, the same 3 seeds" in several


def test_what_one_seed_cannot_show_is_taken_from_what_the_file_knows(search, two, monkeypatch):
    line = ("compare", "digits/lambda", "wider")
    before = search(*line, "--json").json["pairs"][0]
    pilot = SeedNoise(Spread(extra=0.02**2), Spread(extra=0.02**2), "pilot")
    monkeypatch.setattr(side_by_side, "known_seeds", lambda *_: pilot)

    after = search(*line, "--json").json["pairs"][0]

    assert "where the file knows it, it is taken from pilot" in search(*line).out
    added = after["standard_error"] ** 2 - before["standard_error"] ** 2
    # Two runs with a deviation of 2 points each, in place of 0.3 points of their difference.
    assert added == pytest.approx(2 * 0.02**2 - 0.003**2)


def test_of_one_seed_mcnemars_test_of_the_networks_is_that_of_statsmodels(search, two):
    (a,), (b,) = (outcomes_of(two, name) for name in ("digits/lambda", "wider"))

    (pair,) = search("compare", "digits/lambda", "wider", "--json").json["pairs"]

    table = [[np.sum(x * y) for y in (b, 1 - b)] for x in (a, 1 - a)]
    found = pair["mcnemar"]
    assert [found["only_first"], found["only_second"]] == [table[0][1], table[1][0]]
    assert found["p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert pair["difference"] == pytest.approx(float(a.mean() - b.mean()), abs=1e-7)
    # What is assumed of seeds makes the claim about values the weaker one.
    assert pair["p"] >= mcnemar(table, exact=False, correction=True).pvalue


def test_variance_components_are_those_of_an_analysis_of_variance_by_statsmodels(search, two):
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    d = (outcomes_of(two, "narrow") - outcomes_of(two, "broad")).astype(float)
    (n_seeds, n_samples), (r, _) = d.shape, np.indices(d.shape)
    # Samples are taken out by their means: a column for each of 360 would take seconds.
    frame = pd.DataFrame({"d": (d - d.mean(axis=0)).ravel(), "r": r.ravel()})
    squares = anova_lm(ols("d ~ C(r)", frame).fit())["sum_sq"]
    seeds = squares["C(r)"] / (n_seeds - 1)
    rest = squares["Residual"] / ((n_seeds - 1) * (n_samples - 1))
    samples = n_seeds * d.mean(axis=0).var(ddof=1)

    (pair,) = search("compare", "narrow", "broad", "--json").json["pairs"]

    kept = max(0.0, samples - rest) / n_seeds
    # One and a half discordant samples are added for caution.
    assert pair["sample_variance"] == pytest.approx(kept + 1.5 / n_samples, rel=1e-4)
    # The seeds' part is drawn from this pair's towards that of all trials, and never below it.
    assert pair["seed_variance"] >= (1 - 1 / n_seeds) * seeds / n_samples
    half = stats.t.ppf(0.975, pair["df"]) * pair["standard_error"] + 1 / (n_seeds * n_samples)
    assert pair["interval"] == pytest.approx([d.mean() - half, d.mean() + half], abs=1e-7)


def test_p_values_of_several_pairs_are_adjusted_as_statsmodels_does(search, two):
    found = search("compare", "narrow", "broad", "broad-31", "--json").json["pairs"]

    expected = multipletests([pair["p"] for pair in found], method="holm")[1]

    assert [(p["first"], p["second"]) for p in found] == [
        ("narrow", "broad"),
        ("narrow", "broad-31"),
        ("broad", "broad-31"),
    ]
    assert [pair["p_holm"] for pair in found] == pytest.approx(expected.tolist())
    said = search("compare", "narrow", "broad", "broad-31").out
    assert said.count("after Holm for 3 pairs") == 3


def test_a_verdict_follows_from_the_interval_and_the_indifference(search, two):
    def verdict(points):
        options = ("--indifference", points, "--json")
        (pair,) = search("compare", "broad", "broad-31", *options).json["pairs"]
        return pair

    low, high = verdict("0.5")["interval"]
    least = 100 * max(abs(low), abs(high))
    assert verdict(f"{least + 0.01:.3f}")["verdict"] == "equivalent"
    assert verdict(f"{least - 0.01:.3f}")["verdict"] != "equivalent"


def test_what_is_undecided_says_how_many_more_would_decide(search, two):
    (pair,) = search("compare", "broad", "broad-31", "--indifference", "0.1", "--json").json[
        "pairs"
    ]
    assert pair["verdict"] == "undecided"
    assert pair["seeds_needed"] or pair["samples_needed"]

    said = search("compare", "broad", "broad-31", "--indifference", "0.1").out

    for needed, there in (("seeds_needed", "seeds"), ("samples_needed", "samples")):
        if pair[needed]:
            assert f"({pair[needed]:,} in place of {pair[there]:,})" in said
    assert "if difference and noise stay as they are" in said


def test_nothing_is_blamed_on_settings_where_recipes_are_equal(search, two):
    finer = ("lambda", "--coarse", "--epochs", "2", "--hidden", "8", "--values", "0.1,1,10")
    assert search(*finer, "--study", "again", "--quiet").status == 0

    said = search("compare", "digits/lambda", "again").out

    assert "the recipes are equal: no setting explains a difference" in said
    assert "the studies were not tuned equally" in said
    assert "due to the settings" not in said


def test_equal_tuning_is_said_and_unequal_tuning_listed(search, two):
    equal = search("compare", "broad", "broad-31")
    unequal = search("compare", "digits/lambda", "broad", "--json").json

    assert "the studies were tuned equally: 2 values tried" in equal.out
    assert "with 3 seeds each" in equal.out
    assert unequal["tuned_equally"] is False
    said = next(note for note in unequal["notes"] if "not tuned equally" in note)
    assert "values tried: 7 (digits/lambda), 2 (broad)" in said
    assert "seeds of each value: 1 (digits/lambda), 3 (broad)" in said
    assert "range of the first stage: " in said


def test_a_trial_can_stand_for_its_study_and_two_trials_of_one_be_compared(search, two):
    answer = search("compare", "narrow", "narrow", "--trial", "coarse:0,coarse:1", "--json")

    (pair,) = answer.json["pairs"]
    assert (pair["first_trial"], pair["second_trial"]) == ("coarse:0", "coarse:1")
    said = search("compare", "narrow", "broad", "--trial", "best", "--trial", "coarse:0").out
    assert "coarse:0 of broad was picked by hand: it has rank" in said


def test_the_same_training_runs_are_not_compared(search, two):
    again = ("lambda", "--coarse", "--epochs", "2", "--hidden", "8", "--values", "1e-4")
    for name in ("one", "other"):
        assert search(*again, "--study", name, "--quiet").status == 0

    assert (
        "one and other: no test, they are the same training"
        in search("compare", "one", "other").out
    )


def test_studies_without_stored_predictions_are_compared_by_accuracies(search, two):
    with sqlite3.connect(two) as database:
        database.execute("DELETE FROM training_outcomes")
    database.close()

    said = search("compare", "narrow", "broad").out
    (pair,) = search("compare", "narrow", "broad", "--json").json["pairs"]

    assert "narrow and broad have runs without stored predictions: accuracies alone" in said
    assert (pair["same_samples"], pair["same_seeds"], pair["seeds"]) == (False, True, 3)


def test_a_study_without_a_complete_trial_is_shown_without_a_test(search, two):
    lost = ("eta", "--coarse", "--epochs", "2", "--hidden", "8", "--values", "1e9,1e10")
    assert search(*lost, "--study", "lost", "--quiet").status == 0

    answer = search("compare", "narrow", "lost")

    assert answer.status == 0
    assert "narrow and lost: no test, there is no complete trial of lost" in answer.out


def test_the_best_by_another_metric_is_compared_by_its_accuracy(search, own_folder):
    quick = ("--trials", "3", "--epochs", "1", "--replicates", "1", "--metric", "macro-f1")
    search("lambda", "--coarse", *quick, "--study", "one")
    search("eta", "--coarse", *quick, "--study", "other")
    ranked = search("rank", "one", "--by", "accuracy", "--json").json["trials"]
    best = search("rank", "one", "--json").json["trials"][0]

    found = search("compare", "one", "other", "--json").json

    (same,) = [trial for trial in ranked if trial["trial"] == best["trial"]]
    side = found["studies"][0]["best"]
    assert side["trial"] == best["trial"]
    assert side["validation_accuracy"] == same["validation_accuracy"]
    assert side["interval"] == same["interval"] != best["interval"]
    assert any("one is ranked by validation macro F1" in note for note in found["notes"])
