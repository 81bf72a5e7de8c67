"""``report``: a study as one file, to be handed in and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from coarsefine.search.commands.ranking import chosen
from coarsefine.search.console import note, say, say_json
from coarsefine.search.errors import ExportError
from coarsefine.search.files import check_place, file_stem, write
from coarsefine.search.options import (
    OUTPUT,
    DataDir,
    OutputOptions,
    StorageOptions,
    StudyArgument,
    option,
)
from coarsefine.search.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from coarsefine.db.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.progress import Watch
    from coarsefine.search.report import Rendered
    from coarsefine.studies.reports.parts import Report
    from coarsefine.studies.reports.setup import GradientCheck


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the report holds, and where it goes."""

    out: Annotated[
        Path | None,
        option(
            OUTPUT,
            "--out",
            "-o",
            metavar="FILE",
            help="The file to write, .html, .md, .tex or .pdf (default: STUDY-report.html).",
        ),
    ] = None
    no_figures: Annotated[
        bool, option(OUTPUT, "--no-figures", help="Leave figures out (default: draw them).")
    ] = False
    no_gradcheck: Annotated[
        bool,
        option(
            OUTPUT,
            "--no-gradcheck",
            help="Do not check the gradients, which needs the data (default: check them).",
        ),
    ] = False
    data_dir: DataDir = None


def report(
    study: StudyArgument, what: ReportOptions, storage: StorageOptions, output: OutputOptions
) -> None:
    """Write a report of a study: html, md, tex or pdf.

    Question, recipe, data, parameter counts, gradient check, stages and why they looked where they
    did, ranking with intervals and ties, figures, final test, warnings, and the commands that make
    it all again. Numbers come from the database; only gradients are checked anew, on a few samples.
    HTML is one file. Markdown and LaTeX have their figures in a folder beside them. A file that is
    there is replaced.

    Examples:
        python -m search report
        python -m search report mnist/lambda -o report.tex
        python -m search report mnist/lambda -o report.md --no-figures
    """
    made = write_report(study, what, storage.url, quiet=output.quiet)
    if output.json:
        say_json(_to_json(made))
        return
    say(f"{made.file}: {made.contents.title}")
    if made.files.beside:
        say(f"{made.folder}: {counted(len(made.files.beside), 'figure')}")
    if not made.contents.finished:
        note("this search is not finished, and the report says so", quiet=output.quiet)
    elif not made.contents.n_openings:
        note("the test set was not opened yet, and the report says so", quiet=output.quiet)


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was written."""

    contents: "Report"
    file: Path
    folder: Path
    files: "Rendered"
    figures: "Mapping[str, Figure]"


def write_report(study: StudyArgument, what: ReportOptions, url: str, *, quiet: bool) -> Made:
    """Write a study's report, and return what was written where."""
    from coarsefine.db.engine import open_database
    from coarsefine.search.report import format_of, rendered
    from coarsefine.studies.reports.report import read_report

    file_format = format_of(what.out)
    if file_format == "pdf":
        from coarsefine.search.formats.pdf import check_compiler

        check_compiler()
    with open_database(url, read_only=True) as database:
        found = chosen(database, study, quiet=quiet)
        file = what.out or Path(f"{file_stem(database, found.name)}-report.html")
        folder = file.with_name(f"{file.stem}-figures")
        check_place(file)
        if folder.exists() and not folder.is_dir():
            raise ExportError(f"figures are written into a folder, got the file {folder}")
        gradients = _gradients(found, what, quiet=quiet)
        contents = read_report(database, found, gradients)
        figures = {} if what.no_figures else _figures(database, found)
    files = rendered(contents, file_format, figures, folder.name)
    _write(file, folder, files)
    return Made(contents, file, folder, files, figures)


def _gradients(study: "StudyRecord", what: ReportOptions, *, quiet: bool) -> "GradientCheck | str":
    """Return the gradients of the study's network checked, or why they are not."""
    if what.no_gradcheck:
        return f"it was left out with --no-gradcheck; {_CHECK}"
    from coarsefine.models.data import status
    from coarsefine.models.errors import ModelError
    from coarsefine.search.progress import watching

    trainer = study.recipe.get("trainer")
    if trainer is not None:
        return f"the study is trained by {trainer}, whose gradients are its own; {_CHECK}"
    try:
        # Nobody who asks for a report expects a download.
        states = {each.info.name: each.state for each in status(what.data_dir)}
        if states.get(study.data_name) == "to download":
            return f"the data set {study.data_name} is not on this machine; {_CHECK}"
        with watching(quiet=quiet) as watch:
            return _checked(study, what.data_dir, watch)
    except ModelError as error:
        return f"{error}; {_CHECK}"


_CHECK = "python -m search gradcheck checks those of this program"


def _checked(study: "StudyRecord", data_dir: Path | None, watch: "Watch") -> "GradientCheck":
    from coarsefine.search.commands.networks import checked_networks
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.reports.setup import CheckedNetwork, GradientCheck

    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    checks, on = checked_networks(recipe, data_dir, watch)
    return GradientCheck(
        on=on,
        networks=[
            CheckedNetwork(
                name=check.label,
                l2_strength=check.l2_strength,
                parameters=check.parameters,
            )
            for check in checks
        ],
    )


def _figures(database: "Database", study: "StudyRecord") -> "dict[str, Figure]":
    """Return the figures that suit the study, by kind."""
    from coarsefine.search.figures.kinds import KINDS, Subject, drawn
    from coarsefine.studies.results.reading import read_ranking

    subject = Subject(database, read_ranking(database, study))
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


def _to_json(made: Made) -> dict[str, Any]:
    """Return what ``report --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "study": made.contents.study,
        "file": str(made.file),
        "finished": made.contents.finished,
        "test_openings": made.contents.n_openings,
        "figures": list(made.figures),
        "files_beside": [str(made.folder / name) for name in made.files.beside],
    }
