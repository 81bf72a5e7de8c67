"""``export``: a ranking, curves, classes, pairs or a final test in a file, or on stdout."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import chosen
from coarsefine.search.console import note, say_json
from coarsefine.search.errors import UsageError
from coarsefine.search.files import check_place, write
from coarsefine.search.formats.exports import BINARY, FORMATS, format_of, pieces_of
from coarsefine.search.options import (
    OUTPUT,
    NoNotes,
    RankedBy,
    StorageOptions,
    StudyArgument,
    StudyFlag,
    one_of,
    option,
    text_option,
    whole_option,
)
from coarsefine.search.options.output import study_and_file
from coarsefine.search.tables.exported import TABLES
from coarsefine.search.tables.table import Selection
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.results.reading import read_ranking

TABLE = "Table"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What goes where."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY] [FILE]",
            help="The study's name (default: the most recent one), and the file to write, with an "
            "ending (default: stdout).",
            show_default=False,
        ),
    ] = None
    format: Annotated[
        str | None,
        option(
            OUTPUT,
            "--format",
            metavar="KIND",
            help=f"{one_of(tuple(FORMATS))} (default: by the file's ending).",
        ),
    ] = None
    what: Annotated[
        str | None,
        text_option(
            TABLE,
            "--what",
            "TABLE",
            "ranking: a row a trial; curves: a row an epoch of each training run; evaluations: a "
            "row an evaluation, where epochs have several; classes: a row a class of each trial, "
            "with recall and precision on the validation samples; pairs: a row each two trials, "
            "with their difference, its interval and p value; or test: a row a trial that met the "
            "test set (default: ranking).",
        ),
    ] = None
    curves: Annotated[bool, option(TABLE, "--curves", help="As --what curves.", hidden=True)] = (
        False
    )
    columns: Annotated[
        str | None,
        text_option(
            TABLE,
            "--columns",
            "LIST",
            "Columns to write, in this order, separated by commas; docs/tables.md lists them "
            "(default: all that are known).",
        ),
    ] = None
    top: Annotated[
        int | None,
        whole_option(TABLE, "--top", "Only of the N best trials in validation (default: of all)."),
    ] = None
    sort: Annotated[
        str | None,
        text_option(
            TABLE,
            "--sort",
            "COLUMN",
            "Order rows by a column, what is not known last (default: best first; curves by trial "
            "and epoch).",
        ),
    ] = None
    descending: Annotated[
        bool, option(TABLE, "--descending", help="The greatest first (default: the least).")
    ] = False
    study: StudyFlag = None
    quiet: NoNotes = False
    json: Annotated[
        bool,
        option(
            OUTPUT,
            "--json",
            help="Print one JSON object of what was written, see docs/cli.md (default: a line).",
        ),
    ] = False

    @property
    def table(self) -> str:
        """Return which table is wanted.

        Raises:
            UsageError: If there is none of that name.
        """
        named = "curves" if self.curves else "ranking"
        if self.curves and self.what not in {None, "curves"}:
            raise UsageError(f"--curves means --what curves; leave out --what {self.what}")
        found = (self.what or named).lower()
        if found not in TABLES:
            raise UsageError(
                f"--what must be one of {', '.join(TABLES)}, got {self.what!r}"
                f"{did_you_mean(found, TABLES)}"
            )
        return found

    @property
    def selection(self) -> Selection:
        """Return which part of the table is wanted."""
        found = Selection(self.columns, self.top, self.sort, self.descending)
        found.check()
        return found

    def places(self) -> tuple[StudyArgument, Path | None]:
        """Return study and file."""
        return study_and_file("export", self.names, self.study)


def export(what: ExportOptions, by: RankedBy, storage: StorageOptions) -> None:
    """Write a study's ranking, curves, evaluations, classes, pairs or final test in a file.

    Formats are csv, md, tex, html, json, parquet and xlsx.

    Numbers are exact in csv, json, parquet and xlsx, and rounded in md, tex and html. A file that
    is there is replaced. Without one, text goes to stdout. docs/tables.md says what the columns
    are, and in which units.

    Examples:
        python -m search export ranking.csv
        python -m search export mnist/lambda table.tex --top 5
        python -m search export --format md --columns rank,lambda,validation_accuracy
        python -m search export ranking.csv --by macro-f1
        python -m search export curves.csv --what curves
        python -m search export classes.csv --what classes --top 1
        python -m search export pairs.csv --what pairs
        python -m search export test.xlsx --what test --sort test_loss
    """
    study, file = what.places()
    table_name, selection = what.table, what.selection
    kind = format_of(file, what.format)
    if file is not None:
        check_place(file)
    elif what.json:
        raise UsageError("--json describes the file that is written; name one, as in ranking.csv")
    elif kind in BINARY:
        raise UsageError(f"{kind} cannot be printed; name a file, as in {table_name}.{kind}")
    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=what.quiet), by.metric)
        table = selection.of(TABLES[table_name](database, ranking, selection.top))
    pieces = pieces_of(kind, table)
    if file is None:
        # As it is in a file, whatever the terminal's encoding: it is mostly sent to one.
        sys.stdout.flush()
        sys.stdout.buffer.writelines(pieces)
        return
    write(file, pieces)
    if what.json:
        say_json(
            {
                "study": ranking.study.name,
                "what": table_name,
                "file": str(file),
                "format": kind,
                "rows": table.n_rows,
                "columns": list(table.exact()),
            }
        )
        return
    note(f"wrote {table.n_rows:,} {table.rows} to {file}", quiet=what.quiet)
