"""The page on trainers of one's own is true: its example is carried out as it stands."""

import re
import sqlite3
import sys
from pathlib import Path

import pytest

from coarsefine.search.library import Study

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def own(own_folder, monkeypatch):
    """The example's files; the function is looked for in the folder the command is run in."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "own", raising=False)
    (own_folder / "own.py").write_text(blocks("python")[0], encoding="utf-8")
    (own_folder / "own.toml").write_text(blocks("toml")[0], encoding="utf-8")
    yield own_folder
    sys.modules.pop("own", None)


def test_the_example_runs_from_nothing_to_the_final_test(own, search):
    lines = [line.removeprefix("$ python -m search ") for line in blocks("console")[0].splitlines()]
    answers = [search(*line.split(), "--jobs", "1") for line in lines]

    assert [answer.status for answer in answers] == [0, 0, 0], answers[-1].err
    # All values are tied: there is nothing to look for between them.
    assert answers[0].out.endswith("next: python -m search test --recipe own.toml\n")
    assert answers[1].out.endswith("next: python -m search test --recipe own.toml\n")
    assert "trainer own:train" in answers[0].err
    best = search("rank", "--json").json["trials"][0]
    assert best["validation_accuracy"] > 0.9
    assert best["test_accuracy"] > 0.9
    assert search("check").status == 0


def test_the_report_comes_after_a_trainer_that_predicts_nothing(own, search):
    text = (own / "own.py").read_text(encoding="utf-8")
    (own / "own.py").write_text(text[: text.index("    return {")], encoding="utf-8")
    line = "batch-size --recipe own.toml --epochs 1 --values 20,40 --jobs 1"

    assert search(*line.split()).out.endswith("next: python -m search report\n")
    assert search("rank").out.endswith("next: python -m search report digits/batch-size\n")


def test_the_lab_of_the_page_runs_as_it_is_printed(own, search):
    (own / "lab.toml").write_text(blocks("toml")[1], encoding="utf-8")

    answer = search("run", "lab.toml", "--jobs", "1")

    assert answer.status == 0, answer.err
    assert "failed" not in answer.err
    trials = search("rank", "lab", "--json").json["trials"]
    assert {trial["state"] for trial in trials} == {"complete"}
    assert all("params.dropout" in trial["params"] for trial in trials)


@pytest.mark.parametrize("line", ["gradcheck", "eta --range-test", "crosscheck"])
def test_checks_of_our_network_refuse_a_custom_trainer(own, search, line):
    answer = search(*line.split(), "--recipe", "own.toml")

    assert answer.status == 1
    assert answer.out == ""
    assert "this program's own" in answer.err
    assert "own:train" in answer.err
    assert not (own / "search.db").exists()


def test_a_study_shows_its_trainer_and_why_trials_failed(own, search):
    text = (own / "own.py").read_text(encoding="utf-8")
    first = "    rng = np.random"
    fails = f'    assert params["lambda"] < 1, "too much"\n{first}'
    (own / "own.py").write_text(text.replace(first, fails), encoding="utf-8")
    line = "lambda --coarse --recipe own.toml --epochs 1 --values 0.1,1 --jobs 1"

    answer = search(*line.split())
    shown, found = search("show"), search("show", "--json").json

    assert answer.status == 0
    assert "note: the trial at lambda 1 failed: AssertionError: too much" in answer.err
    assert re.search(r"coarse:1: AssertionError: too much", shown.out)
    assert "seed 0, trainer own:train" in shown.out
    assert shown.out.endswith("--study digits/lambda --recipe FILE\n")
    assert found["failures"] == ["coarse:1: AssertionError: too much"]
    assert found["recipe"]["trainer"] == "own:train"


def test_without_the_recipe_file_nothing_is_imported(own, search):
    line = "lambda --coarse --recipe own.toml --epochs 1 --values 0.1,1 --jobs 1"
    assert search(*line.split()).status == 0
    sys.modules.pop("own")

    for words in ("lambda --fine", "lambda --coarse --values 0.1,1,2", "test"):
        answer = search(*words.split())
        assert answer.status == 1
        assert "add --recipe FILE, the recipe it was begun with" in answer.err
    assert "own" not in sys.modules


POOL = """
import multiprocessing, os

def train(params, data, seed, report):
    for _ in range(3):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
    report(1, validation_accuracy=0.5, f1=0.25, note="kept")
    return {"validation_accuracy": 0.75, "f1": 0.5}
"""
LOADER = """
import torch

def train(params, data, seed, report):
    samples = torch.utils.data.TensorDataset(torch.tensor(data.x_train))
    batches = torch.utils.data.DataLoader(samples, batch_size=256, num_workers=2)
    assert sum(len(x) for x, in batches) == len(data.x_train)
    return {"validation_accuracy": 0.75}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        pytest.param(POOL, "1", id="pool-here"),
        pytest.param(POOL, "2", id="pool-in-workers", marks=pytest.mark.slow),
        pytest.param(LOADER, "1", id="data-loader-here", marks=pytest.mark.slow),
        pytest.param(LOADER, "2", id="data-loader-in-workers", marks=pytest.mark.slow),
    ],
)
def test_a_trainer_may_have_processes_of_its_own(own, search, text, jobs):
    if text == LOADER:
        pytest.importorskip("torch")
    (own / "own.py").write_text(text, encoding="utf-8")

    answer = search(
        *["lambda", "--coarse", "--recipe", "own.toml", "--values", "0.1,1", "--jobs"], jobs
    )

    assert answer.status == 0, answer.err
    assert "failed" not in answer.err
    trials = search("rank", "--json").json["trials"]
    assert [trial["validation_accuracy"] for trial in trials] == [0.75, 0.75]


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["table", "json"])
def test_all_trials_of_a_trainer_failed_is_a_failure_with_the_first_reason(own, search, json):
    (own / "own.py").write_text(
        "def train(params, data, seed, report):\n"
        "    raise ValueError(f'no layer at {params[\"lambda\"]}')\n",
        encoding="utf-8",
    )

    line = "lambda --coarse --recipe own.toml --values 0.1,1 --jobs 1 --quiet"

    answer = search(*line.split(), *json)

    assert answer.status == 1
    assert answer.err == (
        "error: all 2 trials failed, the first for this reason: coarse:0: ValueError: no layer at "
        "0.1; mend the trainer own:train, and search again\nas another study, run\n"
        "    python -m search lambda --coarse --recipe own.toml --values 0.1,1 --jobs 1 --quiet"
        f"{' --json' if json else ''} --study digits/lambda-2\n"
    )
    assert "next:" not in answer.out
    if json:
        assert {trial["state"] for trial in answer.json["trials"]} == {"failed"}


@pytest.fixture
def reporting(own, search):
    """A study whose trainer reports metrics of its own, with two seeds."""
    text = (own / "own.py").read_text(encoding="utf-8")
    more = "        report(\n            epoch,\n            hits=100 * l2 + seed % 7,\n"
    more += "            **{'wrong $': l2 + 1 / epoch},\n"
    (own / "own.py").write_text(text.replace("        report(\n            epoch,\n", more))
    line = "lambda --coarse --recipe own.toml --epochs 2 --values 0.001,0.01,0.1 --replicates 2"
    assert search(*line.split(), "--jobs", "1").status == 0
    return own


def test_metrics_of_its_own_are_kept_ranked_by_and_exported(reporting, search):
    ranked = search("rank", "--by", "hits")
    by_hits = search("rank", "--by", "hits", "--json").json
    by_wrong = search("rank", "--by", "wrong $:min", "--json").json
    usual = search("rank", "--json").json

    assert [t["params"]["lambda"] for t in by_hits["trials"]] == [0.1, 0.01, 0.001]
    assert [t["params"]["lambda"] for t in by_wrong["trials"]] == [0.001, 0.01, 0.1]
    assert by_hits["by"] == "hits"
    assert by_hits["comparison"] is None
    assert {t["tied"] for t in by_hits["trials"]} == {None}
    assert "which of them are tied is not known" in ranked.out
    assert usual["comparison"] is not None
    first = by_hits["trials"][0]
    assert first["metrics"].keys() == {"hits", "wrong $"}
    assert first["metrics"]["wrong $"] == pytest.approx(0.6)
    assert first["standard_deviation"] > 0
    rows = search("export", "--by", "hits", "--format", "json").json
    assert rows[0]["metrics.hits"] == first["metrics"]["hits"]
    curves = search("export", "--what", "curves", "--format", "json").json
    wrong = {row["metrics.wrong $"] for row in curves if row["lambda"] == 0.001}
    assert wrong == {1.001, 0.501}
    frame = Study().curves()
    assert frame["metrics.hits"].dtype == float
    assert (
        Study().ranked("wrong $:min").best.metrics["hits"]
        == by_wrong["trials"][0]["metrics"]["hits"]
    )

    refused = search("rank", "--by", "hit")
    assert refused.status == 1
    assert "--by must be one of accuracy, balanced-accuracy, macro-f1, loss, hits, wrong $" in (
        refused.err
    )
    assert "did you mean hits?" in refused.err


def test_a_search_goes_by_a_metric_of_its_own(reporting, search):
    words = ("--recipe", "own.toml", "--epochs", "2", "--jobs", "1")
    coarse = ("lambda", "--coarse", "--values", "0.001,0.01,0.1", *words)
    by = ("--study", "by-wrong", "--metric", "wrong $:min")
    assert "ranked by wrong $" in search(*coarse, *by).out
    fine = search("lambda", "--fine", "--trials", "2", *words, *by, "--json").json
    tested = search("test", "by-wrong", "--recipe", "own.toml", "--top", "1", "--json").json

    assert fine["by"] == "wrong $:min"
    first = fine["trials"][0]["params"]
    assert first["lambda"] < 0.001, "the least is looked for beyond the edge"
    assert tested["trials"][0]["params"] == first
    refused = search(*coarse, "--study", "other", "--metric", "wrong").err
    assert "--metric must be one of accuracy, balanced-accuracy, macro-f1, loss, hits" in refused
    assert "reported by a custom trainer" in search("lambda", "--coarse", "--metric", "f2").err


def test_metrics_of_its_own_are_drawn_taken_over_and_go_with_the_study(reporting, search):
    figure = Study().figure("curves")
    words = [axes.get_ylabel() for axes in figure.axes]
    accuracies = next(axes for axes in figure.axes if axes.get_ylabel() == "accuracy (%)")
    line = "lambda --coarse --recipe own.toml --epochs 2 --values 0.001,0.01,0.1 --study again"
    again = search(*line.split(), "--jobs", "1")

    assert words == ["accuracy (%)", "loss (nats)", "hits", r"wrong \$"]
    # What it does not say, as updates, is not made up.
    assert list(accuracies.lines[0].get_xdata()) == [1, 2]
    assert "were trained before" in again.err
    first, second = (search("rank", name, "--json").json for name in ("digits/lambda", "again"))
    assert {t["metrics"]["wrong $"] for t in first["trials"]} == {
        t["metrics"]["wrong $"] for t in second["trials"]
    }
    assert search("report", "r.html", "--by", "hits", "--no-gradcheck").status == 0
    assert ">hits" in (reporting / "r.html").read_text(encoding="utf-8")
    with sqlite3.connect("search.db") as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM training_studies")
        assert connection.execute("SELECT COUNT(*) FROM training_metrics").fetchone() == (0,)
