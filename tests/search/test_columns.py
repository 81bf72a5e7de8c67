"""Columns of tables: each is shown wherever tables are, or says why not."""

import csv
import dataclasses
import io
import json
import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import findfont, get_font
from rich.console import Console

from coarsefine.db.connections.engine import open_database
from coarsefine.db.curve_tables import Epoch
from coarsefine.db.records import EpochRecord
from coarsefine.db.tables import TRIAL_STATES
from coarsefine.models.training import EpochRow
from coarsefine.search.dashboard.notes import trial_note
from coarsefine.search.dashboard.sheets import Sheets
from coarsefine.search.formats.exports import FORMATS
from coarsefine.search.formats.latex_letters import escaped as tex
from coarsefine.search.formats.markdown import escaped as md
from coarsefine.search.formats.words import clean
from coarsefine.search.library import Study
from coarsefine.search.tables.column import text_columns
from coarsefine.search.tables.comparison import comparison_table
from coarsefine.search.tables.ranking import of_ranking, ranking_table
from coarsefine.search.tables.table import Selection
from coarsefine.studies.reports.tables import columns_and_rows
from coarsefine.studies.results.columns.rankings import COLUMNS
from coarsefine.studies.results.comparing.grids import Compared
from coarsefine.studies.results.curves.columns import EPOCHS, measured_on
from coarsefine.studies.results.final.columns import FINAL_TEST
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.states import STATES, UNFINISHED
from tests.search.conftest import COARSE, QUICK

TRIAL = RankedTrial(
    *("coarse", 0, "complete", {"lambda": 0.5}, 2, 0.9, 0.25, 0.95, 1.5, 0.89, "u", True),
    *(0.7, 0.6, {"f2": 0.5}, 1, 0.01, (0.8, 1.0), 0.02, 0.0, 0.03, True, (0.85, 0.95)),
)
WAITING = RankedTrial("fine", 0, "planned", {"lambda": 0.25})
NAMED = [column for column in COLUMNS if column.name != "params"]


def ranking_of(*trials, name="digits/lambda", data="digits"):
    recipe = {"training": {"score": "final"}}
    study = SimpleNamespace(
        name=name, data_name=data, seed=0, recipe=recipe, search="lambda", data={"n_validation": 9}
    )
    return Ranking(study, (), trials)


FULL = ranking_of(TRIAL, WAITING)


def test_names_are_given_once():
    for columns in (COLUMNS, EPOCHS, FINAL_TEST):
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("column", NAMED, ids=lambda column: column.name)
def test_each_column_is_everywhere_or_says_why_not(column, request):
    """Of a ranking with all that a ranking may have, read back from where people find it."""
    table = of_ranking(FULL)
    reported, _ = columns_and_rows(COLUMNS, FULL.trials, FULL)
    for name, headings in (
        ("terminal", [each.heading for each in text_columns(COLUMNS, FULL.trials, FULL)]),
        ("report", [each.heading for each in reported]),
        ("paper", list(table.rounded()[0])),
    ):
        heading = column.face(name).heading.format(epoch="last")
        # Both ends of an interval have its heading, and one column.
        shown = [c for c in COLUMNS if c.face(name).heading.format(epoch="last") == heading]
        assert headings.count(heading) == sum(not c.face(name).absent for c in shown), name
        assert headings.count(heading) == 1 or column.face(name).absent

    (row, _) = FULL.to_json()["trials"]
    assert (column.name in row) is not bool(column.not_in_json)
    (exported, _) = csv.DictReader(io.StringIO(FORMATS["csv"](table).decode()))
    (object_, _) = json.loads(FORMATS["json"](table))
    page = (request.config.rootpath / "docs" / "tables.md").read_text("utf-8")
    ours = page[page.index("## The ranking") : page.index("## Curves")]
    for names in (exported, object_, re.findall(r"^\| `(\w+)` \|", ours, re.MULTILINE)):
        assert (column.name in names) is not bool(column.not_in_tables)


@pytest.mark.parametrize("column", [*NAMED, *EPOCHS, *FINAL_TEST], ids=lambda column: column.name)
def test_what_is_not_shown_somewhere_has_a_reason_in_words(column):
    reasons = [column.face(name).absent for name in ("terminal", "report", "paper")]

    for reason in filter(None, (*reasons, column.not_in_json, column.not_in_tables)):
        assert len(reason.split()) >= 3, reason
    assert len(column.meaning.split()) >= 2


def test_an_epoch_has_the_same_measures_on_each_floor():
    made = [field.name for field in dataclasses.fields(EpochRow) if field.name != "slot"]
    stored = [column.name for column in Epoch.__table__.columns if column.name != "run_id"]
    renamed = {"updates": "step", "epoch_eta": "eta"}
    shown = [renamed.get(column.name, column.name) for column in EPOCHS if not column.of_table]

    assert list(EpochRecord._fields[1:]) == stored
    assert set(made) == set(stored) == set(shown)


def test_states_are_those_that_are_stored():
    assert set(STATES) == set(TRIAL_STATES)
    assert set(STATES) > UNFINISHED


@pytest.mark.parametrize("seeds", [1, 0], ids=["begun", "not begun"])
def test_a_trial_with_some_of_its_seeds_is_running_on_every_face(search, own_folder, seeds):
    """As versions before store it, too: ``planned`` until its last seed has ended."""
    state, other = ("running", "planned") if seeds else ("planned", "running")
    search(*COARSE[:2], *QUICK, "--trials", "2", "--replicates", "2", "--quiet")
    with closing(sqlite3.connect("search.db")) as database, database:
        database.execute("UPDATE training_trials SET state = 'planned' WHERE position = 1")
        database.execute(
            "UPDATE training_runs SET state = 'planned', epochs = 0 WHERE replicate >= ? AND "
            "trial_id = (SELECT id FROM training_trials WHERE position = 1)",
            (seeds,),
        )

    of_json = [trial["state"] for trial in search("rank", "--json").json["trials"]]
    # A recipe has a key ``running``.
    facts = [line for line in search("show").out.splitlines() if line.startswith("trials")]
    texts = {"rank": search("rank").out, "show": "".join(facts)}
    listed = search("list", "--json").json["studies"][0]["trials"]
    for kind in ("csv", "json", "md", "tex", "html"):
        texts[kind] = search("export", "--format", kind).out
    search("report", "report.md", "--no-figures", "--no-gradcheck", "--quiet")
    report = (own_folder / "report.md").read_text("utf-8")
    texts["report"] = report.partition("\n## Ranking")[2].partition("\n## ")[0]
    with closing(open_database("search.db", read_only=True)) as database:
        sheet = Sheets(database).of("digits/lambda")
        texts["dashboard"] = trial_note(sheet, sheet.ranking.trials[1]).lower()
    texts["python"] = repr([trial.state for trial in Study("digits/lambda").ranking])

    assert of_json == ["complete", state]
    assert listed == {"complete": 1, state: 1}
    for face, shown in texts.items():
        words = re.findall(rf"(?<![\w-])({state}|{other})(?![\w-])", shown)
        assert {*words} == {state}, face


def test_a_full_ranking_holds_something_in_each_column():
    """Or else the tests above would see columns that are left out for being empty."""
    for column in NAMED:
        content, _ = column.values(FULL.trials, FULL)
        assert content not in (None, "", []), f"give TRIAL above a value of {column.name}"


def test_tables_of_grids_show_what_the_score_is_worth():
    rows = [Compared(trial, *[None] * 8) for trial in FULL.trials]
    console = Console(width=300, file=io.StringIO())

    headings = [str(column.header) for column in comparison_table(console, FULL, rows).columns]

    evidence = [column.face("terminal").heading for column in COLUMNS if column.evidence]
    assert len(evidence) >= 4
    assert set(evidence) <= set(headings)


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_one_name_everywhere(state):
    ranking = ranking_of(TRIAL._replace(state=state, rank=None))
    console = Console(width=300, file=io.StringIO())
    console.print(ranking_table(console, ranking))

    assert [trial["state"] for trial in ranking.to_json()["trials"]] == [state]
    for kind in ("csv", "json", "md", "tex", "html"):
        table = Selection(columns="state,rank").of(of_ranking(ranking))
        assert state in FORMATS[kind](table).decode(), kind
    assert (state in console.file.getvalue()) is (state != "complete")
    reported, rows = columns_and_rows(COLUMNS, ranking.trials, ranking)
    headings = [column.heading for column in reported]
    assert [row[headings.index("state")] for row in rows if "state" in headings] == (
        [] if state == "complete" else [state]
    )


HOSTILE = st.text(
    st.sampled_from([*r"\`*_{}[]()<>#|~$&!+-=.%^'" + '"', "a", " ", "\n", "\u202e", "\x1b", "λ"]),
    min_size=1,
    max_size=9,
)


@given(HOSTILE, HOSTILE)
def test_exports_escape_what_reports_escape(stage, value):
    table = of_ranking(ranking_of(TRIAL._replace(stage=stage, params={"variant": value})))
    text, source, page = (FORMATS[kind](table).decode() for kind in ("md", "tex", "html"))

    *_, row = [line for line in text.splitlines() if line.startswith("| ")]
    for words in (stage, value):
        # Behind a letter, for no line begins in a cell.
        assert md(f"x{words}").removeprefix("x").strip() in row
        assert tex(words) in source
    for file in (text, source, page):
        assert not set(file) & set("\u202e\x1b")
    assert parsed(page) == [" ".join(clean(words).split()) for words in (stage, value)]


def parsed(page):
    """Return the stage and the value that a browser shows, its blanks put together."""
    found = []

    class Cells(HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag in {"meta", "table", "thead", "tbody", "tr", "th", "td", "p"}
            if tag in {"th", "td"}:
                found.append("")

        def handle_data(self, data):
            if found:
                found[-1] += data

    Cells().feed(page.split("<p>")[0])
    cells = [" ".join(cell.split()) for cell in found]
    return cells[len(cells) // 2 :][1:3]


def test_no_name_is_an_element_or_a_link_in_markdown():
    table = of_ranking(ranking_of(TRIAL._replace(stage=r"\<img src=x> [a](b) `c` \| d")))

    text = FORMATS["md"](table).decode()

    assert r"\\\<img src=x\> \[a\](b) \`c\` \\\| d" in text


def test_latex_sets_options_as_they_are_written():
    table = of_ranking(ranking_of(TRIAL._replace(stage="--replicates")))

    assert r"-{}-{}replicates" in FORMATS["tex"](table).decode()


# Points of a line and a column of LaTeX's article with letters of 10 points.
LINE, COLUMN = 345, 550
SIZES = {"": 1.0, r"\small": 0.925, r"\footnotesize": 0.85, r"\scriptsize": 0.797}


GREEK = str.maketrans("ληεμ–", "mmmmm")  # rather too wide


def points(text):
    """Return how wide LaTeX's own letters set a text at 10 points."""
    font = get_font(findfont("cmr10"))
    font.set_size(10, 72)
    return sum(font.load_char(ord(c)).linearHoriAdvance / 65536 for c in text.translate(GREEK))


@pytest.mark.parametrize("n_seeds", [1, 2])
@pytest.mark.parametrize("n_searched", [1, 3, 6])
def test_a_table_for_latex_fits_a_page(n_seeds, n_searched):
    names = ["lambda", "eta", "momentum", "label_smoothing", "eta_min", "eta_max"][:n_searched]
    params = {name: 0.01234 + i for i, name in enumerate(names)}
    # By one metric at a time.
    scores = {"validation_balanced_accuracy": None, "validation_macro_f1": None}
    trial = TRIAL._replace(params=params, replicates=n_seeds, **scores)
    table = of_ranking(ranking_of(trial, WAITING._replace(params=params)))
    cells, _ = table.rounded()

    source = FORMATS["tex"](table).decode()

    command, beside = "", 6.0
    if r"\begingroup" in source:
        command, beside = re.search(
            r"\\begingroup(\\\w+)\\setlength{\\tabcolsep}{([\d.]+)pt}", source
        ).groups()
    head = re.search(r"\\toprule\n(.*) \\\\\n\\midrule", source)[1].split(" & ")
    left_out = re.findall(r"^% left out.*: (.*)$", source, re.MULTILINE)
    names = [name for name in cells if name not in "; ".join(left_out).split("; ")]
    assert len(head) == len(names)
    width = 0.0
    for name, heading in zip(names, head, strict=True):
        box = re.search(r"parbox\[b\]{(\d+)pt}", heading)
        widest = float(box[1]) if box else SIZES[command] * points(name)
        if box:
            assert max(map(points, name.split())) * SIZES[command] <= widest
        width += max(widest, *(SIZES[command] * points(cell) for cell in cells[name]))
        width += 2 * float(beside)
    assert width <= (COLUMN if r"\rotatebox" in source else LINE)
    assert n_searched > 3 or r"\rotatebox" not in source


def test_columns_that_are_named_are_all_there_however_wide():
    table = Selection(columns=",".join(of_ranking(FULL).cells)).of(of_ranking(FULL))

    source = FORMATS["tex"](table).decode()

    assert "left out" not in source
    assert r"\rotatebox{90}" in source
    assert r"needs \usepackage{graphicx}, too" in source.splitlines()[0]
    assert source.count(" & ") == 3 * (len(table.rounded()[0]) - 1)


def test_a_curve_says_where_its_last_row_is_of_more_samples_than_the_others():
    def of(n_train, **recipe):
        return measured_on(SimpleNamespace(recipe=recipe, data={"n_train": n_train}))

    assert of(45_000) == "training is measured on 2,000 samples, in the last row on all"
    assert of(2_000) == ""
    assert of(45_000, trainer="mine.py:train") == ""
