"""A report of a study or of a whole lab, written with its figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.hints import Message
from coarsefine.search.errors import ExportError, FigureError
from coarsefine.search.figures.kinds import KINDS, OF_SEARCHES
from coarsefine.search.figures.subject import Subject
from coarsefine.search.files import check_place, file_stem, stem, write
from coarsefine.search.formats.pdf import check_compiler
from coarsefine.search.hints import spelled, typed
from coarsefine.search.report.comments import with_comments, write_outline
from coarsefine.search.report.files import format_of, rendered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.report.files import Rendered
    from coarsefine.studies.labs.files import Lab
    from coarsefine.studies.reports.lab_checks import Checked
    from coarsefine.studies.reports.parts import Report
    from coarsefine.studies.reports.setup import GradientCheck
    from coarsefine.studies.results.ranking import Ranking


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
        check_compiler()


def write_report(
    database: "Database",
    study: "StudyRecord",
    file: Path | None,
    gradients: "GradientCheck | Message",
    *,
    figures: bool,
    by: "str | None" = None,
    comments: Path | None = None,
) -> Made:
    """Write a study's report, and return what was written where.

    Args:
        database: Where the study is.
        study: Whose report it is.
        file: What to write; ``None`` names it after the study.
        gradients: As they were checked, or why they were not.
        figures: Whether to draw them.
        by: What trials are ranked by; ``None`` as the recipe says.
        comments: A file with the author's comments, by section.
    """
    from coarsefine.studies.reports.report import read_report

    path = file or Path(f"{file_stem(database, study.name)}-report.html")
    folder = _folder(path)
    checked = spelled(gradients) if isinstance(gradients, Message) else gradients
    contents = _commented(read_report(database, study, checked, typed, by, OF_SEARCHES), comments)
    drawn = _figures(database, contents, by, {}) if figures else {}
    return _made(contents, path, folder, drawn)


def write_lab_report(
    database: "Database",
    lab: "Lab",
    file: Path | None,
    checks: "Mapping[str, Checked]",
    *,
    figures: bool,
    comments: Path | None = None,
) -> Made:
    """Write the report of a whole lab, and return what was written where.

    Args:
        database: Where its studies are.
        lab: Whose report it is.
        file: What to write; ``None`` names it after the lab.
        checks: What came of the parts that are no searches, by name.
        figures: Whether to draw them.
        comments: A file with the author's comments, by section.
    """
    from coarsefine.studies.labs.files import lab_text, presets
    from coarsefine.studies.reports.lab import read_lab_report

    named = f"{lab.name}-quick" if lab.is_quick else lab.name
    path = file or Path(f"{stem(named)}-report.html")
    folder = _folder(path)
    text = "" if lab.named in presets() else lab_text(lab.named)[2]
    contents = _commented(
        read_lab_report(database, lab, text, checks, typed, OF_SEARCHES), comments
    )
    drawn = _figures(database, contents, None, checks) if figures else {}
    return _made(contents, path, folder, drawn)


def _folder(path: Path) -> Path:
    """Return where the figures go that a report cannot hold, once it can be written."""
    check_format(path)
    folder = path.with_name(f"{path.stem}-figures")
    check_place(path)
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"figures are written into a folder, got the file {folder}")
    return folder


def _commented(contents: "Report", comments: Path | None) -> "Report":
    if comments is None:
        return contents
    if not comments.exists():
        write_outline(contents, comments)
    return with_comments(contents, comments)


def _made(contents: "Report", path: Path, folder: Path, figures: "Mapping[str, Figure]") -> Made:
    files = rendered(contents, format_of(path), figures, folder.name)
    _write(path, folder, files)
    return Made(contents, path, folder, files, figures)


def _figures(
    database: "Database",
    contents: "Report",
    by: "str | None",
    checks: "Mapping[str, Checked]",
) -> "dict[str, Figure]":
    """Return the figures that a report has places for, by their names, as far as there are any."""
    from coarsefine.studies.results.reading import find_trial, named_study, read_ranking

    @cache
    def ranking_of(study: str) -> "Ranking":
        return read_ranking(database, named_study(database, study), by)

    drawn: dict[str, Figure] = {}
    for place in contents.pictures():
        try:
            if place.kind not in KINDS:
                drawn[place.name] = _overlay(checks[place.study])
                continue
            ranking = ranking_of(place.study or contents.study)
            trials = () if place.trial is None else (find_trial(ranking, place.trial),)
            drawn[place.name] = KINDS[place.kind].draw(Subject(database, ranking, trials))
        except FigureError:
            continue  # the study has none of this kind
    return drawn


def _overlay(check: "Checked") -> "Figure":
    """Return the figure of a cross-check."""
    from coarsefine.search.figures.overlay import overlay
    from coarsefine.studies.labs.carrying_out import Compared

    if not isinstance(check, Compared):
        raise FigureError("an overlay needs a cross-check")
    return overlay(check.found, f"{check.data}, {check.found.network}")


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
