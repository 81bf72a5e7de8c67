"""Exports in parts: which table, columns, order; and what is written down about them."""

import csv
import io
import json
import re
import runpy
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from coarsefine.search.errors import UsageError
from coarsefine.search.formats import csv_xlsx_parquet
from coarsefine.search.formats.exports import FORMATS, pieces_of
from coarsefine.search.tables.exported import TABLES
from coarsefine.search.tables.table import ExportTable, Selection
from coarsefine.studies.results.classes import CLASSES
from coarsefine.studies.results.columns.column import Column
from coarsefine.studies.results.columns.rankings import COLUMNS
from coarsefine.studies.results.curves.columns import EPOCHS
from coarsefine.studies.results.evaluations import EVALUATIONS
from coarsefine.studies.results.final.columns import FINAL_TEST
from coarsefine.studies.results.trial_pairs import PAIRS
from coarsefine.studies.spaces.dimensions import PARAMETERS

ROOT = Path(__file__).parent.parent.parent
DOCUMENTED = {
    what: [column for column in columns if not column.not_in_tables and column.name != "params"]
    for what, columns in (
        ("ranking", COLUMNS),
        ("curves", EPOCHS),
        ("evaluations", EVALUATIONS),
        ("classes", CLASSES),
        ("pairs", PAIRS),
        ("test", FINAL_TEST),
    )
}
ARROW = {"text": "string", "whole": "int64", "real": "double", "truth": "bool"}


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_the_page_on_tables_lists_the_columns_that_there_are():
    script = runpy.run_path(str(ROOT / "scripts" / "make_table_docs.py"))
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")

    assert set(DOCUMENTED) == set(TABLES)
    assert text == script["page"](text), "run scripts/make_table_docs.py"


# Evaluations need a study that has some.
@pytest.mark.parametrize("what", [what for what in DOCUMENTED if what != "evaluations"])
def test_columns_have_the_names_types_and_units_that_are_written_down(
    search, study, own_folder, what
):
    assert search("export", "digits/lambda", "out.parquet", "--what", what).status == 0

    schema = parquet.read_schema(own_folder / "out.parquet")
    known = {column.name: column for column in DOCUMENTED[what]}
    assert [name for name in schema.names if name in known] == list(known)
    assert set(schema.names) - set(known) == {"lambda"}
    for name, column in known.items():
        field = schema.field(name)
        kind = str(field.type).removeprefix("large_")
        # Nothing is known of a column that is empty throughout but what is written down.
        assert kind == ARROW[column.stored_type], name
        assert field.metadata[b"unit"].decode() == column.stored_unit


def test_what_can_be_searched_has_a_column_of_its_own():
    taken = {column.name for columns in DOCUMENTED.values() for column in columns}

    # Where score is searched, a trial's is what its measures are of.
    assert taken & set(PARAMETERS) == {"score"}


def test_the_final_test_is_exported_as_it_was_told(search, study):
    told = search("test", "digits/lambda", "--top", "1", "--refit", "none", "--json").json

    rows = rows_of(search("export", "--format", "csv", "--what", "test").out)

    assert [row["opening"] for row in rows] == ["1", "1", "2"]
    assert [row["refit"] for row in rows] == ["train+validation"] * 2 + ["none"]
    (trial,) = told["trials"]
    assert float(rows[2]["test_accuracy"]) == trial["test_accuracy"]
    assert [float(rows[2][f"interval_{end}"]) for end in ("low", "high")] == trial["interval"]
    assert float(rows[2]["test_loss"]) == trial["test_loss"]
    best = search("rank", "--json").json["trials"][0]
    assert [rows[2]["stage"], rows[2]["trial"]] == [best["stage"], str(best["trial"])]


def test_people_read_how_often_the_test_set_was_opened(search, study):
    text = search("export", "--format", "md", "--what", "test").out

    assert "| test accuracy (%)" in " ".join(text.split())
    assert "opened 1 time for this study" in text


def test_without_a_final_test_there_is_none_to_export(search, coarse):
    answer = search("export", "out.csv", "--what", "test")

    assert answer.status == 1
    assert "error: digits/lambda has no final test; run" in answer.err


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize("what", [what for what in DOCUMENTED if what != "evaluations"])
def test_every_table_is_written_in_every_format(search, study, own_folder, what, kind):
    assert search("export", "digits/lambda", f"out.{kind}", "--what", what).status == 0
    assert (own_folder / f"out.{kind}").stat().st_size > 100


def test_pairs_say_what_the_marks_of_the_ranking_say(search, study):
    trials = {(t["stage"], t["trial"]): t for t in search("rank", "--json").json["trials"]}
    pairs = json.loads(search("export", "--what", "pairs", "--format", "json").out)

    worse = set()
    for pair in pairs:
        first = trials[pair["stage"], pair["trial"]]
        other = trials[pair["other_stage"], pair["other_trial"]]
        assert first["rank"] < other["rank"]
        assert pair["interval_low"] <= pair["difference"] <= pair["interval_high"]
        assert 0 <= pair["p"] <= pair["p_adjusted"] <= 1
        apart = first["validation_accuracy"] - other["validation_accuracy"]
        assert pair["difference"] == pytest.approx(apart)
        if pair["verdict"] != "tied":
            assert abs(apart) > 0
            worse.add((other if pair["verdict"] == "better" else first)["rank"])
    judged = {t["rank"]: t["tied"] for t in trials.values() if t["rank"] is not None}
    named = {pair["rank"] for pair in pairs} | {pair["other_rank"] for pair in pairs}
    assert {rank for rank in named if judged[rank] is False and rank > 1} == worse


def test_the_best_trials_are_chosen_before_their_order(search, study):
    ranking = search("rank", "--json").json["trials"]

    answer = search("export", "--format", "json", "--top", "3", "--sort", "seconds")
    chosen = json.loads(answer.out)

    assert {row["rank"] for row in chosen} == {1, 2, 3}
    seconds = sorted(trial["seconds"] for trial in ranking[:3])
    assert [row["seconds"] for row in chosen] == seconds


def test_the_curves_of_the_best_are_theirs_alone(search, study):
    best = search("rank", "--json").json["trials"][0]

    answer = search("export", "--format", "csv", "--what", "curves", "--top", "1")
    rows = rows_of(answer.out)

    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert {(row["stage"], row["trial"]) for row in rows} == {(best["stage"], str(best["trial"]))}


def test_columns_that_are_named_are_there_even_if_they_are_empty(search, coarse):
    words = "rank,Test-Accuracy,seconds"

    text = search("export", "--format", "md", "--columns", words).out

    head = [cell.strip() for cell in text.splitlines()[0].strip("|").split("|")]
    assert head == ["rank", "test accuracy (%)", "training (s)"]
    # Nothing of a mark or an interval is left to be explained.
    assert "cannot be told" not in text


def test_both_ends_of_an_interval_are_one_column_to_people(search, coarse):
    names = "rank,interval_low,interval_high"
    text = search("export", "--format", "md", "--columns", names).out

    head = [cell.strip() for cell in text.splitlines()[0].strip("|").split("|")]
    assert head == ["rank", "95 % interval"]
    exact = search("export", "--format", "csv", "--columns", names).out
    assert exact.splitlines()[0] == names


NAMES = st.sampled_from(["a", "b_c", "d"])
CELLS = st.one_of(
    st.lists(st.none() | st.floats(allow_nan=False), max_size=9),
    st.lists(st.none() | st.text(max_size=3), max_size=9),
    st.lists(st.none() | st.booleans(), max_size=9),
)


@st.composite
def tables(draw):
    cells = {name: draw(CELLS) for name in ("a", "b_c", "d")}
    n_rows = min(map(len, cells.values()))
    cells = {name: values[:n_rows] for name, values in cells.items()} | {"n": list(range(n_rows))}
    columns = {name: Column(name=name, kind="text", meaning="") for name in cells}
    return ExportTable("table", "rows", cells, columns, tuple(cells))


@given(tables(), st.integers(1, 4))
def test_a_csv_is_the_same_in_pieces_of_any_number_of_rows(table, n_rows):
    whole = FORMATS["csv"](table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_xlsx_parquet, "_AT_A_TIME", n_rows)
        pieces = list(pieces_of("csv", table))

    assert b"".join(pieces) == whole
    assert len(pieces) == 1 + -(-table.n_rows // n_rows)  # one of them the line of names


@given(tables(), NAMES, st.booleans())
def test_sorting_keeps_all_rows_and_puts_what_is_not_known_last(table, name, descending):
    found = Selection(sort=name, descending=descending).of(table).exact()

    rows = list(zip(*found.values(), strict=True))
    assert sorted(found["n"]) == table.cells["n"]
    assert {row[-1]: row for row in rows} == dict(
        enumerate(zip(*table.cells.values(), strict=True))
    )
    known = [value for value in found[name] if value is not None]
    assert found[name][len(known) :] == [None] * (len(found[name]) - len(known))
    assert known == sorted(known, reverse=descending)
    for value in set(known):
        places = [n for n, each in zip(found["n"], found[name], strict=True) if each == value]
        assert places == sorted(places)


@given(tables(), st.lists(NAMES, min_size=1))
def test_columns_come_as_they_are_named_each_once(table, names):
    found = Selection(columns=",".join(name.replace("_", "-").upper() for name in names)).of(table)

    assert list(found.exact()) == list(dict.fromkeys(names))
    assert pd.DataFrame(found.rounded()[0]).shape == (
        (table.n_rows, len(set(names))) if table.n_rows else (0, len(set(names)))
    )


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(columns="a,b-d"), "got 'b-d'; did you mean b_c?"),
        (Selection(sort="x"), "--sort must name columns of the table: a, b_c, d; got 'x'"),
        (Selection(columns=" , "), "--columns needs a name"),
    ],
)
def test_a_column_that_is_not_there_is_answered_with_those_that_are(selection, words):
    columns = {name: Column(name=name, kind="text", meaning="") for name in ("a", "b_c", "d")}
    table = ExportTable("table", "rows", {name: [] for name in columns}, columns, ())

    with pytest.raises(UsageError) as caught:
        selection.of(table)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--what", "rankng"),
            "one of ranking, curves, evaluations, classes, pairs, test, got 'rankng'",
        ),
        (("--what", "test", "--curves"), "--curves means --what curves"),
        (("--top", "0"), "--top must be >= 1, got 0"),
        (("--descending",), "--descending needs --sort COLUMN"),
        (("--columns", "lamda"), "did you mean lambda?"),
    ],
)
def test_a_wrong_part_of_a_table_is_refused_in_a_line(search, study, own_folder, flags, words):
    answer = search("export", "digits/lambda", "out.csv", *flags)

    assert answer.status == 2
    assert words in answer.err
    assert not (own_folder / "out.csv").exists()


def test_programs_are_told_what_was_written(search, study, own_folder):
    flags = ("--what", "test", "--columns", "rank,test_loss", "--json")

    told = search("export", "digits/lambda", "out.csv", *flags)

    assert told.json == {
        "study": "digits/lambda",
        "what": "test",
        "file": "out.csv",
        "format": "csv",
        "rows": 2,
        "columns": ["rank", "test_loss"],
    }
    assert told.err == ""
    assert search("export", "--format", "csv", "--json").status == 2


def test_weights_are_read_as_the_page_on_formats_says(search, study, monkeypatch):
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    connections = []

    def connect(file):
        connections.append(connect_as_ever(file))
        return connections[-1]

    connect_as_ever = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", connect)
    names = {}
    exec(code, names)
    for connection in connections:
        connection.close()

    assert [weights.shape for weights in names["weights"]] == [(8, 64), (10, 8)]
