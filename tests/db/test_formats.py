"""The page on file formats: the tables, columns and types that there are, and code that runs."""

import re
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from coarsefine.db.column_types import FiniteFloat, StrictJson, UtcTime
from coarsefine.db.connections.engine import open_database
from coarsefine.db.tables import Base

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
# The first that fits: times and JSON are texts to the database.
TYPES = {
    StrictJson: "JSON",
    FiniteFloat: "real",
    UtcTime: "time",
    sa.Boolean: "truth",
    sa.LargeBinary: "bytes",
    sa.Integer: "whole",
    sa.String: "text",
}


def described(name):
    """Return the columns that the page lists for a table, with their types."""
    _, _, chapter = PAGE.read_text(encoding="utf-8").partition(f"\n### {name}\n")
    return re.findall(r"^\| `(\w+)` \| ([\w ,]+) \|", chapter.split("\n#")[0], re.MULTILINE)


def kind(column):
    found = next(word for type_, word in TYPES.items() if isinstance(column.type, type_))
    return f"{found}, or nothing" if column.nullable else found


@pytest.mark.parametrize("table", Base.metadata.tables.values(), ids=lambda table: table.name)
def test_the_page_on_formats_lists_each_column_with_its_type(table):
    assert described(table.name) == [(column.name, kind(column)) for column in table.columns]


def test_the_types_are_what_sqlite_is_told(tmp_path):
    with open_database(str(tmp_path / "search.db"), create=True):
        pass
    text = PAGE.read_text(encoding="utf-8")
    told = {
        word: re.search(rf"^\| {word} \| (.*) \|$", text, re.MULTILINE)[1]
        for word in TYPES.values()
    }

    with sqlite3.connect(tmp_path / "search.db") as connection:
        for table in Base.metadata.tables.values():
            declared = dict(
                connection.execute("SELECT name, type FROM pragma_table_info(?)", (table.name,))
            )
            for column in table.columns:
                word = kind(column).removesuffix(", or nothing")
                sqlite_type = declared[column.name].partition("(")[0]
                known = {"BIGINT": "INTEGER", "DOUBLE": "FLOAT"}.get(sqlite_type, sqlite_type)
                assert known in told[word], (table.name, column.name)
    connection.close()
