"""A study's report, written with its figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.hints import Message
from coarsefine.search.errors import ExportError
from coarsefine.search.files import check_place, file_stem, write
from coarsefine.search.hints import spelled, typed
from coarsefine.search.report.files import format_of, rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from coarsefine.db.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.report.files import Rendered
    from coarsefine.studies.reports.parts import Report
    from coarsefine.studies.reports.setup import GradientCheck


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was written."""

    contents: "Report"
    file: Path
    folder: Path
    files: "Rendered"
    figures: "Mapping[str, Figure]"


def check_format(file: Path | None) -> None:
    """Raise an ExportError if a report cannot be written in the format of this file."""
    if format_of(file) == "pdf":
        from coarsefine.search.formats.pdf import check_compiler

        check_compiler()


def write_report(
    database: "Database",
    study: "StudyRecord",
    file: Path | None,
    gradients: "GradientCheck | Message",
    *,
    figures: bool,
    by: "str | None" = None,
) -> Made:
    """Write a study's report, and return what was written where.

    Args:
        database: Where the study is.
        study: Whose report it is.
        file: What to write; ``None`` names it after the study.
        gradients: As they were checked, or why they were not.
        figures: Whether to draw them.
        by: What trials are ranked by; ``None`` as the recipe says.
    """
    from coarsefine.studies.reports.report import read_report

    check_format(file)
    path = file or Path(f"{file_stem(database, study.name)}-report.html")
    folder = path.with_name(f"{path.stem}-figures")
    check_place(path)
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"figures are written into a folder, got the file {folder}")
    checked = spelled(gradients) if isinstance(gradients, Message) else gradients
    contents = read_report(database, study, checked, typed, by)
    drawn = _figures(database, study, by) if figures else {}
    files = rendered(contents, format_of(file), drawn, folder.name)
    _write(path, folder, files)
    return Made(contents, path, folder, files, drawn)


def _figures(database: "Database", study: "StudyRecord", by: "str | None") -> "dict[str, Figure]":
    """Return the figures that suit the study, by kind."""
    from coarsefine.search.figures.kinds import KINDS, Subject, drawn
    from coarsefine.studies.results.reading import read_ranking

    subject = Subject(database, read_ranking(database, study, by))
    figures, _ = drawn(subject, [kind for kind in KINDS.values() if kind.in_report])
    return figures


def _write(file: Path, folder: Path, files: "Rendered") -> None:
    """Write the report last: where it is, its figures are."""
    if files.beside:
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ExportError(
                f"the folder {folder} cannot be made: {error.strerror or error}"
            ) from error
    for name, contents in files.beside.items():
        write(folder / name, contents)
    write(file, files.page)
