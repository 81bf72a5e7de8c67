"""``test`` with several seeds and with ensembles, as people and programs read it."""

import re
import shutil

import pandas as pd
import pytest

from coarsefine.search.library import Study
from tests.search.conftest import carried_out

SEVERAL = ("test", "--top", "2", "--replicates", "2", "--ensemble")


@pytest.fixture(scope="module")
def several(tmp_path_factory, begun):
    """A database with a coarse search whose trials were tested with two seeds, and as one."""
    folder = tmp_path_factory.mktemp("several")
    shutil.copy(begun, folder)
    return carried_out(folder, SEVERAL)


@pytest.fixture
def tested(several, own_folder):
    return shutil.copy(several, own_folder / "search.db")


def test_the_same_command_shows_the_result_that_is_there(search, tested):
    answer = search(*SEVERAL)

    assert "this is that result, the test set was not opened again" in answer.err
    assert ", refit train+validation, 2 seeds" in answer.out
    assert re.search(r"seeds +samples", answer.out)
    for part in ("means over 2 seeds ± standard error", "opened 1 time for this study"):
        assert part in answer.out
    for part in ("vote", "mean of probabilities", "less the", "paired by sample"):
        assert part in answer.out
    assert "= tied with the best on the test set" in answer.out
    assert answer.out.rstrip().endswith("next: python -m search report digits/lambda")


def test_the_object_holds_seeds_intervals_pairs_and_ensembles(search, tested):
    found = search(*SEVERAL, "--json").json

    for trial in found["trials"]:
        accuracies = [seed["test_accuracy"] for seed in trial["seeds"]]
        assert len(accuracies) == 2
        assert trial["test_accuracy"] == pytest.approx(sum(accuracies) / 2)
        for name in ("interval", "seeds_interval", "samples_interval"):
            low, high = trial[name]
            assert low <= trial["test_accuracy"] <= high
        assert trial["validation_corrected"] <= trial["validation_accuracy"]
    (pair,) = found["comparison"]["pairs"]
    assert pair["method"] == "crossed"
    assert 0 <= pair["p"] <= 1
    assert [each["method"] for each in found["ensembles"]] == ["vote", "mean"]
    n_tied = sum(bool(trial["tied"]) for trial in search("rank", "--json").json["trials"])
    assert found["ensembles"][0]["networks"] == 2 * n_tied
    assert found["opened"] == 1


def test_a_terminal_of_60_columns_shows_the_mean_and_its_interval(search, tested, monkeypatch):
    from io import StringIO

    from rich.console import Console

    from coarsefine.db.connections.engine import open_database
    from coarsefine.search.tables.final_test import ensemble_table, test_table
    from coarsefine.studies.results.reading import named_study
    from coarsefine.studies.running.final.test import result_on_record

    with open_database(str(tested), read_only=True) as database:
        study = named_study(database, None)
        found = result_on_record(database, study, n_top=2, replicates=2, ensemble=True)
    for width, shown in ((60, "interval"), (80, "samples"), (160, "corrected")):
        console = Console(width=width, record=True, file=StringIO())
        for table in (test_table(console, found), ensemble_table(console, found)):
            console.print(table)
        text = console.export_text()
        assert shown in text
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text


def test_exports_have_a_row_an_ensemble(search, tested, own_folder):
    assert search("export", "--what", "test", "test.csv").status == 0

    table = pd.read_csv(own_folder / "test.csv")
    assert list(table["predictor"]) == ["trial", "trial", "vote", "mean"]
    assert list(table["replicates"].dropna()) == [2, 2]
    assert search("export", "--what", "test", "test.md").status == 0
    text = (own_folder / "test.md").read_text()
    assert "95 % new seeds" in text
    assert "difference to rank 1 alone (mean of its 2 seeds)" in text


def test_python_has_the_same_result(search, tested):
    result = Study("digits/lambda").test(top=2, replicates=2, ensemble=True)

    assert result.to_dict() == search(*SEVERAL, "--json").json
    assert len(result.to_pandas()) == 4
    assert "vote of " in repr(result)
    assert "means over 2 seeds" in repr(result)
    assert result.times_opened == 1


def test_the_report_has_seeds_and_ensembles(search, tested, own_folder):
    assert search("report", "-o", "report.md", "--no-figures", "--no-gradcheck").status == 0

    text = (own_folder / "report.md").read_text()
    assert "means over 2 seeds with their standard error" in text
    assert "By the vote of " in text
    assert "by test accuracy" in text or "by validation accuracy" in text


def test_show_names_the_mean_of_each_trial(search, tested):
    accuracies = [trial["test_accuracy"] for trial in search(*SEVERAL, "--json").json["trials"]]

    assert ", ".join(f"{100 * a:.2f} %" for a in accuracies) in search("show").out


def test_recipes_say_seeds_and_ensembles(search, own_folder):
    lab = own_folder / "lab.toml"
    lab.write_text(
        '[data]\nname = "digits"\n[network]\nhidden = [6]\n[training]\nepochs = 2\n'
        "[final]\ntop = 1\nreplicates = 2\nensemble = true\n"
        '[search]\nkind = "lambda"\ntrials = 2\nstages = 1\ntest = true\n'
    )

    answer = search("run", lab, "--json")

    (part,) = answer.json["parts"]
    assert [len(trial["seeds"]) for trial in part["test"]["trials"]] == [2]
    assert len(part["test"]["ensembles"]) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("0", "--replicates must be >= 1, got 0"), ("few", "must be a whole number, got 'few'")],
)
def test_numbers_of_seeds_that_are_none_are_refused(search, tested, wrong, message):
    answer = search("test", "--replicates", wrong)

    assert answer.status
    assert message in answer.err


OTHERWISE_NORMALISED = """
data.normalisation = "RECIPE"
network.hidden = [8]
training.epochs = 3
[search]
vary.normalisation.values = ["none", "standardise"]
test = true
"""


def test_each_network_meets_the_test_samples_normalised_as_it_was_trained(search, own_folder):
    # Whatever the study's recipe says, by which its own data are normalised.
    tested = {}
    for name, of_recipe in {"alike": "none", "otherwise": "standardise"}.items():
        text = OTHERWISE_NORMALISED.replace("RECIPE", of_recipe)
        (own_folder / f"{name}.toml").write_text(text)
        assert search("run", f"{name}.toml", "--quiet", "--jobs", "1").status == 0
        trials = search("test", name, "--json").json["trials"]
        (tested[name],) = [t for t in trials if t["params"] == {"normalisation": "none"}]

    for measure in ("test_accuracy", "test_loss"):
        assert tested["otherwise"][measure] == tested["alike"][measure]


def test_the_cost_on_the_test_samples_is_their_loss_and_the_penalty(search, own_folder):
    words = ("lambda", "--coarse", "--values", "0,0.01", "--epochs", "2", "--hidden", "8")
    assert search(*words, "--replicates", "1", "--quiet").status == 0

    by_value = {
        trial["params"]["lambda"]: trial
        for trial in search("test", "--refit", "none", "--top", "2", "--json").json["trials"]
    }
    search("export", "curves.csv", "--what", "curves")
    curves = pd.read_csv("curves.csv")

    assert by_value[0.0]["test_cost"] == by_value[0.0]["test_loss"]
    (last,) = curves[(curves["lambda"] == 0.01) & (curves["epoch"] == 2)].to_dict("records")
    penalty = 0.01 * last["squared_weights"]
    assert penalty > 0
    assert by_value[0.01]["test_cost"] == pytest.approx(by_value[0.01]["test_loss"] + penalty)
    assert last["train_cost"] == pytest.approx(last["train_loss"] + penalty)
