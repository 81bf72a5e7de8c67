"""Rank, list, show and export: what is in the database, for people and for programs."""

import io
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.search.console import COMMANDS
from coarsefine.search.formats.csv_xlsx_parquet import frame_of
from coarsefine.search.formats.exports import FORMATS
from coarsefine.search.formats.latex_letters import escaped as tex
from coarsefine.search.tables.ranking import of_ranking
from coarsefine.search.words import percent
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.states import STATES
from tests.search.conftest import QUICK


def test_rank_without_a_name_takes_the_most_recent_study_and_says_which(search, study):
    answer = search("rank")

    assert answer.status == 0
    assert answer.err == "the most recent study: digits/lambda\n"
    assert answer.out.splitlines()[-1] == "next: python -m search report digits/lambda"
    assert search("rank", "digits/lambda").err == ""
    assert search("rank", "--study", "digits/lambda").out == answer.out


def test_the_table_says_what_the_object_says(search, study):
    trials = search("rank", "--json").json["trials"]
    lines = search("rank", "--quiet").out.splitlines()

    start = next(i for i, line in enumerate(lines) if line.startswith("──")) + 1
    for trial, line in zip(trials, lines[start:], strict=False):
        cells = line.split()
        assert cells[:3] == [str(trial["rank"]), trial["stage"], str(trial["trial"])]
        assert cells[3] == f"{trial['params']['lambda']:.4g}"
        assert cells[4] == percent(trial["validation_accuracy"])
        assert cells[-1] == percent(trial["test_accuracy"])
    assert [t["test_accuracy"] is not None for t in trials] == [True, True] + 5 * [False]


def test_a_piped_table_is_never_cut_and_has_no_trailing_blanks(search, study):
    lines = search("rank", "--quiet").out.splitlines()

    assert all(line == line.rstrip() and "…" not in line.split("coarse:")[0] for line in lines[:12])


def test_reading_changes_nothing(search, study):
    before = study.read_bytes()

    for command in ("rank", "list", "show", "export all.csv"):
        assert search(*command.split()).status == 0

    assert study.read_bytes() == before


def test_the_list_counts_the_trials_that_searched(search, study):
    ranking = search("rank", "--json").json["trials"]
    listed = search("list", "--json").json["studies"]

    assert [study["study"] for study in listed] == ["digits/lambda"]
    assert listed[0]["trials"] == {"complete": 7}
    assert listed[0]["best_validation_accuracy"] == ranking[0]["validation_accuracy"]
    assert listed[0]["test_openings"] == 1
    assert "digits/lambda  digits" in search("list").out


def test_show_tells_all_there_is(search, study):
    out = search("show").out

    for part in (
        "digits: 1,078 training, 360 validation, 359 test samples of 8×8, 10 classes",
        "normalisation standardise; fingerprint ",
        "hidden 8, activation relu",
        "1,078 samples / batch 20 = 54 updates an epoch",
        "coarse: λ from 1e-05 to 0.1",
        "fine: λ ",
        "opened 1 time",
        "numpy ",
        "The best trial, ",
        "next: python -m search report digits/lambda",
    ):
        assert part in out


def test_show_as_an_object_holds_the_ranking(search, study):
    shown = search("show", "--json").json
    ranking = search("rank", "--json").json

    assert {key: shown[key] for key in ranking} == ranking
    assert shown["recipe"]["network"]["hidden"] == [8]
    assert [row["epoch"] for row in shown["best_curve"]] == [0, 1, 2]
    assert [len(opening["trials"]) for opening in shown["openings"]] == [2]


READERS = {
    "csv": pd.read_csv,
    "json": lambda file: pd.read_json(file, precise_float=True),
    "parquet": pd.read_parquet,
    "xlsx": pd.read_excel,
}


@pytest.mark.parametrize("kind", list(READERS))
def test_exports_for_programs_come_back_exactly(search, study, own_folder, kind):
    trials = search("rank", "--json").json["trials"]

    assert search("export", f"out.{kind}").status == 0

    table = READERS[kind](own_folder / f"out.{kind}")
    # Spreadsheets keep 15 digits.
    tolerance = 1e-14 if kind == "xlsx" else 0
    for row, trial in zip(table.to_dict(orient="records"), trials, strict=True):
        assert [row[name] for name in ("study", "data", "seed")] == ["digits/lambda", "digits", 0]
        assert [row[n] for n in ("stage", "state")] == [trial[n] for n in ("stage", "state")]
        for name in (
            *("rank", "trial", "validation_accuracy", "test_accuracy", "seconds"),
            *("standard_deviation", "difference", "margin"),
        ):
            known = float("nan") if trial[name] is None else trial[name]
            assert row[name] == pytest.approx(known, rel=tolerance, abs=0, nan_ok=True), name
        assert row["lambda"] == pytest.approx(trial["params"]["lambda"], rel=tolerance, abs=0)
        ends = [row["interval_low"], row["interval_high"]]
        assert ends == pytest.approx(trial["interval"], rel=tolerance, abs=0)
        assert [row["tied"], row["reused"]] == [trial["tied"], trial["reused"]]


NAMES = st.text(st.characters(codec="utf-8")) | st.sampled_from(["=1+2", "a,b", 'say "no"', "\n"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.sampled_from(
    [NUMBERS, st.integers(1, 10**6), NUMBERS | st.integers(1, 9), st.booleans()]
)


@st.composite
def rankings(draw):
    value = draw(VALUES)
    trials = [
        RankedTrial(
            stage=draw(NAMES),
            trial=number,
            state=draw(st.sampled_from(STATES)),
            params={"lambda": draw(value)},
            validation_accuracy=draw(st.none() | NUMBERS),
            seconds=draw(st.none() | NUMBERS),
            rank=draw(st.none() | st.integers(1, 99)),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    recipe = {"training": {"score": "final"}}
    study = SimpleNamespace(name=draw(NAMES), data_name=draw(NAMES), seed=1, recipe=recipe)
    return Ranking(study, (), trials)


@given(rankings())
@settings(max_examples=50)
def test_exports_write_what_pandas_would(ranking):
    def neutral(cell):
        formula = isinstance(cell, str) and cell.startswith(tuple("=+-@\t\r\n"))
        cell = f"'{cell}" if formula else cell
        return COMMANDS.sub("�", cell) if isinstance(cell, str) else cell

    frame = frame_of(of_ranking(ranking))
    texts = frame.select_dtypes(["object", "string"]).columns
    neutralised = frame.assign(**{name: frame[name].map(neutral) for name in texts})
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")

    text = neutralised.to_csv(index=False, lineterminator="\n")
    assert FORMATS["csv"](of_ranking(ranking)).decode() == text
    text = json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)
    assert FORMATS["json"](of_ranking(ranking)).decode() == f"{text}\n"


@pytest.mark.parametrize("kind", [pytest.param("csv", marks=pytest.mark.slow), "json"])
def test_what_is_written_for_programs_waits_for_no_pandas(study, kind):
    code = (
        "import sys\n"
        "from coarsefine.search.cli import main\n"
        f"assert main(['export', 'out.{kind}']) == 0\n"
        "assert 'pandas' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_exports_for_people_hold_the_same_numbers(search, study, own_folder):
    trials = search("rank", "--json").json["trials"]
    for kind in ("md", "html", "tex"):
        assert search("export", "digits/lambda", f"out.{kind}").status == 0

    md, html, tex = ((own_folder / f"out.{k}").read_text("utf-8") for k in ("md", "html", "tex"))
    tables = [
        [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in md.splitlines()[2:]
            if line.startswith("|")
        ],
        [re.findall(r"<td>(.*?)</td>", row) for row in html.split("</tr>")[1:-1]],
        [
            [cell.strip() for cell in line.removesuffix(r"\\").split("&")]
            for line in tex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        ],
    ]
    for table in tables:
        assert [row[0] for row in table] == [str(trial["rank"]) for trial in trials]
        assert [row[3] for row in table] == [percent(t["validation_accuracy"]) for t in trials]
    assert r"\ensuremath{\lambda}" in tex
    assert r"\toprule" in tex
    assert r"validation accuracy, last epoch (\%)" in tex
    assert " λ |" in md


def test_an_export_without_a_file_goes_to_stdout(search, study, own_folder):
    search("export", "out.csv")

    answer = search("export", "digits/lambda", "--format", "csv")

    assert answer.out == (own_folder / "out.csv").read_text(encoding="utf-8")
    assert answer.err == ""


def test_an_export_replaces_a_file_whole(search, study, own_folder, monkeypatch):
    (own_folder / "out.csv").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", _full_disk)
        failed = search("export", "out.csv")
    kept = (own_folder / "out.csv").read_text()

    assert (failed.status, kept) == (1, "old")
    assert failed.err.endswith("error: out.csv cannot be written: disk full\n")
    assert search("export", "out.csv").status == 0
    assert (own_folder / "out.csv").read_text().startswith("study,data,seed,rank,")
    assert sorted(path.name for path in own_folder.iterdir()) == ["out.csv", "search.db"]


def _full_disk(*_):
    raise OSError(28, "disk full")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_text_of_a_spreadsheet_is_a_formula(search, own_folder, kind):
    name = "=1+2|cmd"
    search("lambda", "--coarse", "--study", name, "--epochs", "1", "--trials", "2", "--quiet")

    search("export", name, f"out.{kind}")

    table = READERS[kind](own_folder / f"out.{kind}")
    assert list(table["study"]) == [f"'{name}"] * 2


@pytest.mark.parametrize("kind", ["md", "html", "tex"])
def test_people_see_all_that_was_searched(kind):
    params = {"lambda": 1e-5, "hidden": [59, 59], "activation": "tanh"}
    trials = (RankedTrial("coarse", 0, "complete", params, rank=1),)
    study = SimpleNamespace(name="a", data_name="digits", seed=0, recipe={"training": {}}, data={})

    text = FORMATS[kind](of_ranking(Ranking(study, (), trials))).decode()

    escaped = {
        "λ": r"\ensuremath{\lambda}",
        "1e-05": r"\ensuremath{1 \cdot 10^{-5}}",
        "59-59": "59-{}59",
    }
    escaped = escaped if kind == "tex" else {}
    for words in ("λ", "hidden", "activation", "1e-05", "59-59", "tanh"):
        assert escaped.get(words, words) in text


def test_texts_are_escaped_for_latex():
    assert tex(r"a_b & 50% \x {$}") == (r"a\_b \& 50\% \textbackslash{}x \{\$\}")


def test_what_is_not_complete_is_last_and_has_its_state(own_folder, capsys, search, study):
    from coarsefine.db import repository
    from coarsefine.db.connections.engine import open_database
    from coarsefine.search.console import print_table, stdout
    from coarsefine.search.tables.ranking import ranking_table
    from coarsefine.studies.results.ranking import rank_trials

    with open_database(str(study), read_only=True) as database:
        record = repository.latest_study(database)
    trials = rank_trials(
        [
            RankedTrial("coarse", 0, "diverged", {"lambda": 9.0}),
            RankedTrial("coarse", 1, "complete", {"lambda": 1.0}, 3, 0.5, 1.25, 0.75, 1.0),
        ]
    )
    console = stdout()
    print_table(console, ranking_table(console, Ranking(record, (), trials)))

    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == [
        *["1", "coarse", "1", "1", "complete", "50.00", "1.2500", "75.00", "3", "1.00"]
    ]
    assert lines[-1].split()[:5] == ["–", "coarse", "0", "9", "diverged"]


def test_a_long_ranking_is_cut_in_the_terminal_and_whole_in_json(search):
    search("lambda", "--coarse", "--trials", "60", "--epochs", "1", "--hidden", "none", "--quiet")

    shown, whole = search("rank"), search("rank", "--json")

    assert "and 10 more: `python -m search export digits/lambda FILE` writes them all" in shown.out
    assert len(whole.json["trials"]) == 60
    assert sum(line.split()[1:2] == ["coarse"] for line in shown.out.splitlines()) == 50


def test_every_table_of_trials_marks_ties_and_says_what_the_mark_means(search, study):
    trials = search("rank", "--json").json["trials"]
    tied = [trial["tied"] for trial in trials]
    claim = "tied with the best: with 360 validation samples"

    shown = search("rank").out
    exported = [search("export", "--format", kind).out for kind in ("md", "html", "tex")]

    assert any(tied)
    assert all(claim in text for text in (shown, *exported))
    (head, *rows) = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in exported[0].splitlines()
        if line.startswith("|") and "---" not in line
    ]
    assert [row[head.index("tied")] == "=" for row in rows] == tied


def test_replicates_show_their_spread_and_what_they_are_replicates_of(search):
    search("lambda", "--coarse", *QUICK, "--trials", "3", "--replicates", "2", "--quiet")

    shown, ranking = search("rank").out, search("rank", "--json").json

    assert "SD over" in shown
    assert "95 % intervals: for new seeds and new samples" in shown
    assert "trained with one seed" not in shown
    assert ranking["comparison"]["method"] == "samples"
    assert all(trial["standard_deviation"] is not None for trial in ranking["trials"])


def test_one_run_each_is_said_to_tell_nothing_of_other_seeds(search, study):
    shown = search("rank").out

    assert "each value was trained with one seed" in shown
    assert "for these trained networks alone" in shown
    assert "if they change the difference of two values" in shown
    assert "of no more than 0.3 points, which is assumed" in shown


def test_a_ranking_by_another_metric_trains_nothing_and_says_what_it_goes_by(search, study):
    shown = search("rank", "--by", "macro-f1").out
    exported = search("export", "--format", "csv", "--by", "loss").out.splitlines()

    assert "ranked by validation macro F1" in shown
    assert "macro F1" in shown.splitlines()[2] + shown.splitlines()[3]
    header = exported[0].split(",")
    losses = [float(row.split(",")[header.index("validation_loss")]) for row in exported[1:]]
    assert losses == sorted(losses)
    assert all(row.split(",")[header.index("ranked_by")] == "loss" for row in exported[1:])
    answer = search("rank", "--by", "macro")
    assert answer.status == 1
    assert "did you mean macro-f1?" in answer.err


def test_show_says_what_a_trial_made_of_each_class(search, study):
    shown = search("show", "--trial", "coarse:1").out
    found = search("show", "--trial", "coarse:1", "--json").json

    assert "By class, coarse 1" in shown
    assert len(found["classes"]) == len(found["confusion"]) == 10
    right = sum(row[k] for k, row in enumerate(found["confusion"]))
    (trial,) = [t for t in found["trials"] if (t["stage"], t["trial"]) == ("coarse", 1)]
    assert right / 360 == pytest.approx(trial["validation_accuracy"], abs=2 / 360)
    assert "validation_labels" not in found["data_details"]
    assert "no trial coarse:99" in search("show", "--trial", "coarse:99").err
    rows = search("export", "--what", "classes", "--format", "csv", "--top", "1").out.splitlines()
    assert len(rows) == 11


def test_reused_trials_are_marked_where_there_are_any(search, coarse):
    first = search("rank").out
    search("lambda", "--coarse", *QUICK, "--trials", "4", "--study", "again", "--quiet")

    again = search("rank", "again")

    assert "reused" not in first
    assert "no new evidence" in again.out
    assert [t["reused"] for t in search("rank", "again", "--json").json["trials"]] == [True] * 4


@pytest.mark.parametrize("width", [60, 80, 120])
def test_nothing_is_cut_off_in_a_narrow_terminal(study, width):
    from rich.console import Console

    from coarsefine.db import repository
    from coarsefine.db.connections.engine import open_database
    from coarsefine.models.data import status
    from coarsefine.search.tables.curves import curve_table
    from coarsefine.search.tables.final_test import test_table
    from coarsefine.search.tables.listing import data_table, studies_table
    from coarsefine.studies.running.final.test import result_of

    with open_database(str(study), read_only=True) as database:
        record = repository.find_study(database, "digits/lambda")
        curve = repository.epoch_rows(database, study=record)
        (opening,) = repository.openings(database, record)
        tested = result_of(database, record, opening, 0)
        summaries = repository.list_studies(database)
    console = Console(width=width, record=True, file=io.StringIO())
    for table in (
        studies_table(console, "search.db", summaries),
        curve_table(console, record, "a title", curve),
        test_table(console, tested),
        data_table(console, status(None)),
    ):
        console.print(table)

    text = console.export_text()
    assert "…" not in text
    assert "digits/lambda" in text
    assert max(map(len, text.splitlines())) <= width
