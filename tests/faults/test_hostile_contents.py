"""Whatever a database holds, it is shown: it commands no terminal, page or spreadsheet."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from coarsefine import Study, list_studies
from coarsefine.db.connections.engine import open_database
from coarsefine.db.repository import find_study
from coarsefine.db.repository import list_studies as database_studies
from coarsefine.search.console import written
from coarsefine.search.figures.rendering import rendered as drawn_as
from coarsefine.search.figures.style import plain
from coarsefine.search.report.files import rendered
from coarsefine.studies.reports.report import read_report
from tests.search.conftest import QUICK
from tests.search.dashboard.conftest import client_of

from .tables import rows, tamper

# Begins as a formula, sets a title, rings, paints, turns around, and is markup of three kinds.
EVIL = (
    "=cmd|'/C calc'!A0 \x1b]0;owned\x07\x1b[31m\x9b2J\x00\x7f\r\u202e\u2028"
    "<script>alert(1)</script><img src=x onerror=alert(1)>[bold red]`{{7*7}}`|](javascript:x)"
)
# What a terminal would obey, but for the colours of the program's own.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u2028\u202e]|\x1b(?!\\[[0-9;]*m)|\x1b\\[31m"
)

# Where a text stands that somebody else may have written.
COLUMNS = {
    "the name of the study": ("training_studies", "name"),
    "the name of the data": ("training_studies", "data_name"),
    "who drives it": ("training_studies", "driver_host"),
    "why a window": ("training_stages", "reason"),
    "why a training failed": ("training_runs", "failure"),
    "the note of an opening": ("training_test_openings", "note"),
}
# The same within objects, by path.
OBJECTS = {
    "a class": ("training_studies", "data", "$.class_names[0]"),
    "a warning about data": ("training_studies", "data", "$.warnings[0]"),
    "the machine": ("training_studies", "machine", "$.processor"),
    "a version": ("training_studies", "versions", "$.numpy"),
    "the trainer of a recipe": ("training_studies", "recipe", "$.trainer"),
    "the data of a recipe": ("training_studies", "recipe", "$.data.name"),
    "an activation": ("training_studies", "recipe", "$.network.activation"),
    "a parameter": ("training_trials", "params", '$."lambda"'),
    "another parameter": ("training_trials", "params", '$."<script>\x1b[31m"'),
}
PLACES = (*COLUMNS, *OBJECTS)
# A recipe or a trial with such a value is refused.
REFUSED = {"the trainer of a recipe", "the data of a recipe", "an activation", "a parameter"}

SHOWING = ("rank", "rank --json", "show", "show --json", "list", "list --json", "check")
FILES = ("out.csv", "out.xlsx", "out.html", "out.md", "out.tex", "out.json", "out.parquet")
WRITING = (
    *(f"export {file}" for file in FILES),
    *(f"export curves-{file} --curves" for file in FILES),
    *("compare digits/lambda other", "replay digits/lambda"),
    *("test --quiet --jobs 1", "lambda --fine --quiet --jobs 1"),
)


def put(path, place, text=EVIL):
    """Write a text to a place in the database."""
    literal = "'" + text.replace("'", "''").replace("\x00", "' || char(0) || '") + "'"
    if place in COLUMNS:
        table, column = COLUMNS[place]
        assert tamper(path, f"UPDATE {table} SET {column} = {literal}") >= 1
        return
    table, column, where = OBJECTS[place]
    where = where.replace("'", "''")
    assert tamper(path, f"UPDATE {table} SET {column} = json_set({column}, '{where}', {literal})")


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found |= {tag, *(name for name, _ in attrs)}


def harmless(path):
    """Check that a file does nothing to whoever opens it."""
    match path.suffix:
        case ".xlsx":
            for sheet in openpyxl.load_workbook(path):
                assert all(c.data_type != "f" for row in sheet.iter_rows() for c in row)
        case ".parquet":
            pd.read_parquet(path)
        case ".json":
            json.loads(path.read_text())
        case ".html" | ".svg":
            assert not Elements(path.read_text()).found & {"script", "img", "onerror"}
        case ".csv":
            text = path.read_bytes().decode()
            assert not re.search('(^|,)"?[=+@]', text, re.MULTILINE)
            assert not OBEYED.search(text)
        case ".md":
            harmless_markdown(path.read_text())


def harmless_markdown(text):
    """Check that a text has no element of HTML and no link but of our own."""
    prose = re.sub("^(```+).*?^\\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<(script|img)", prose)
    assert not re.search(r"(?<!\\)\]\(javascript", prose)


def carried_out(search, commands):
    """Carry out commands on a database that says evil things."""
    for command in commands:
        answer = search(*command.split())

        assert answer.status in {0, 1, 2}, command
        assert not OBEYED.search(answer.out + answer.err), command
        if answer.status and not command.startswith("check"):
            assert answer.err.count("error: ") == 1, command


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, marks=pytest.mark.slow if number % 2 else ())
        for number, place in enumerate(PLACES)
    ],
)
def test_a_text_in_a_database_is_shown_and_not_obeyed(search, study, place):
    put(study, place)

    shown = ("rank", "show", "list --json", "check")
    carried_out(search, (*shown, "export out.csv", "lambda --fine --quiet --jobs 1"))


def test_a_terminal_is_shown_it_in_colours_of_its_own(search, study, monkeypatch):
    for place in set(PLACES) - REFUSED:
        put(study, place)
    monkeypatch.setenv("FORCE_COLOR", "1")

    carried_out(search, SHOWING)


def test_files_that_are_made_of_such_texts_do_nothing(search, study, own_folder):
    for place in set(PLACES) - REFUSED:
        put(study, place)

    carried_out(search, WRITING)

    # Without its figures, which take longer than all else here.
    with open_database(str(study), read_only=True) as database:
        (found,) = (find_study(database, each.name) for each in database_studies(database))
        contents = read_report(database, found, "not checked")
    for kind in ("html", "md", "tex"):
        page = rendered(contents, kind, {}, "figures").page
        (own_folder / f"report.{kind}").write_bytes(page)

    written_files = sorted(path for path in own_folder.rglob("*.*") if path.is_file())
    assert len(written_files) > 12
    for path in written_files:
        harmless(path)


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_figure_is_whole_whatever_it_is_called(kind):
    figure = Figure(label=EVIL)
    figure.text(0.1, 0.5, plain(EVIL))

    drawn = drawn_as(figure, kind)

    if kind == "svg":
        root = ElementTree.fromstring(drawn)
        assert not [each for each in root.iter() if str(each.tag).endswith(("script", "img"))]
    assert b"\x1b]0;owned" not in drawn


def test_notebooks_and_the_dashboard_show_it_as_text(study, own_folder):
    for place in set(PLACES) - REFUSED - {"the name of the study"}:
        put(study, place)
    shown = Study("digits/lambda")

    for page in (shown, shown.ranking, shown.recipe, list_studies()):
        assert not Elements(page._repr_html_()).found & {"script", "img", "onerror"}
        assert not OBEYED.search(repr(page))
    with client_of(study) as client:
        for name in client.studies():
            note = client.detail(name)["note"]["body"]
            assert "digits/lambda" in note
            harmless_markdown(note)


@settings(max_examples=40)
@given(st.text())
def test_what_is_written_commands_no_terminal_and_leaves_all_else_as_it_is(text):
    shown = written(text)

    assert not OBEYED.search(shown.replace("\x1b", "\x00"))
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "a\u202eb", " ", "x" * 256, "\x9b2J"])
def test_a_new_study_has_a_name_that_is_seen_as_it_is(search, own_folder, name):
    answer = search("lambda", "--coarse", "--study", name, *QUICK)

    assert answer.status == 2
    assert "the name of a study must be 1 … 255 characters, all printable" in answer.err
    assert not rows_of(own_folder)


def rows_of(folder):
    path = folder / "search.db"
    return rows(path, "SELECT name FROM training_studies") if path.exists() else []
