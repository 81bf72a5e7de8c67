"""``export``: a ranking in a file, or on stdout."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from search.commands.ranking import chosen
from search.console import note
from search.errors import UsageError
from search.options import OUTPUT, StorageOptions, StudyArgument, option


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
            help="csv, md, tex, html, json, parquet or xlsx (default: by the file's ending).",
        ),
    ] = None
    curves: Annotated[
        bool,
        option(
            OUTPUT,
            "--curves",
            help="Write a row an epoch of each training run, with losses, costs and accuracies "
            "(default: a row a trial).",
        ),
    ] = False
    study: Annotated[
        str | None, option(OUTPUT, "--study", metavar="NAME", help="As STUDY.", hidden=True)
    ] = None
    quiet: Annotated[
        bool, option(OUTPUT, "--quiet", "-q", help="Print no notes (default: print).")
    ] = False

    def places(self) -> tuple[StudyArgument, Path | None]:
        """Return study and file. A single name with an ending is the file's."""
        names = list(self.names or ())
        if len(names) > 2:
            raise UsageError(f"export takes a study and a file, got {' '.join(names)}")
        file = None
        if len(names) == 2 or (names and (Path(names[-1]).suffix or self.study is not None)):
            file = Path(names.pop()).expanduser()
        return StudyArgument(names[0] if names else None, self.study), file


def export(what: ExportOptions, storage: StorageOptions) -> None:
    """Write a study's ranking to a file: csv, md, tex, html, json, parquet or xlsx.

    Numbers are exact in csv, json, parquet and xlsx, and rounded in md, tex and html. Curves are
    written as the first four. A file that is there is replaced. Without one, text goes to stdout.

    Examples:
        python -m search export ranking.csv
        python -m search export mnist/lambda table.tex
        python -m search export --format md
        python -m search export curves.csv --curves
    """
    from db.engine import open_database
    from search import curve_export
    from search import export as exports
    from studies.reading import read_ranking

    study, file = what.places()
    kind = exports.format_of(file, what.format)
    if what.curves:
        curve_export.check_format(kind)
    if file is not None:
        exports.check_place(file)
    elif kind not in exports.TEXTS:
        raise UsageError(f"{kind} is no text: name a file, as in ranking.{kind}")
    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=what.quiet))
        if what.curves:
            contents, n_rows = curve_export.export(database, ranking, kind)
            written = f"{n_rows:,} epochs"
        else:
            contents = exports.export(ranking, kind)
            written = f"{len(ranking.trials):,} trials"
    if file is None:
        # As it is in a file, whatever the terminal's encoding: it is mostly sent to one.
        sys.stdout.flush()
        sys.stdout.buffer.write(contents)
        return
    exports.write(file, contents)
    note(f"wrote {written} to {file}", quiet=what.quiet)
