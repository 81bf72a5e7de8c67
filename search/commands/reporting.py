"""``report``: a study as one file, to be handed in and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.search.commands.ranking import chosen
from coarsefine.search.console import note, say, say_json
from coarsefine.search.errors import UsageError
from coarsefine.search.options import (
    OUTPUT,
    DataDir,
    OutputOptions,
    RankedBy,
    StorageOptions,
    StudyArgument,
    option,
)
from coarsefine.search.options.output import study_and_file
from coarsefine.search.words import counted

if TYPE_CHECKING:
    from coarsefine.search.report.writing import Made


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the report holds, and where it goes."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY] [FILE]",
            help="The study's name (default: the most recent one), and the file to write, with an "
            "ending (default: STUDY-report.html).",
            show_default=False,
        ),
    ] = None
    out: Annotated[
        Path | None,
        option(
            OUTPUT,
            "--out",
            "-o",
            metavar="FILE",
            help="As FILE: .html, .md, .tex or .pdf (default: STUDY-report.html).",
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
    study: Annotated[
        str | None, option(OUTPUT, "--study", metavar="NAME", help="As STUDY.", hidden=True)
    ] = None

    def places(self) -> tuple[StudyArgument, Path | None]:
        """Return study and file."""
        study, file = study_and_file("report", self.names, self.study)
        if file is not None and self.out is not None:
            raise UsageError(f"a report is one file, got {file} and -o {self.out}")
        return study, file or self.out


def report(
    what: ReportOptions, by: RankedBy, storage: StorageOptions, output: OutputOptions
) -> None:
    """Write a report of a study: html, md, tex or pdf.

    Question, recipe, data, parameter counts, gradient check, stages and why they looked where they
    did, ranking with intervals and ties, figures, final test, warnings, and the commands that make
    it all again. Numbers come from the database; only gradients are checked anew, on a few samples.
    HTML is one file. Markdown and LaTeX have their figures in a folder beside them. A file that is
    there is replaced.

    Examples:
        python -m search report
        python -m search report mnist/lambda report.tex
        python -m search report mnist/lambda -o report.md --no-figures
    """
    from coarsefine.db.engine import open_database
    from coarsefine.search.progress import watching
    from coarsefine.search.report.writing import check_format, write_report
    from coarsefine.studies.reports.gradients import checked_gradients, unchecked

    study, file = what.places()
    check_format(file)
    with open_database(storage.url, read_only=True) as database:
        found = chosen(database, study, quiet=output.quiet)
        with watching(quiet=output.quiet) as watch:
            gradients = (
                unchecked("it was left out with --no-gradcheck")
                if what.no_gradcheck
                else checked_gradients(found, what.data_dir, watch)
            )
        made = write_report(
            *(database, found, file, gradients), figures=not what.no_figures, by=by.metric
        )
    if output.json:
        say_json(_to_json(made))
        return
    say(f"{made.file}: {made.contents.title}")
    if made.files.beside:
        say(f"{made.folder}: {counted(len(made.files.beside), 'figure')}")
    if not made.contents.finished:
        note("this search is not finished, and the report says so", quiet=output.quiet)
    elif not made.contents.n_openings and found.recipe["data"].get("test") != "none":
        note("the test set was not opened yet, and the report says so", quiet=output.quiet)


def _to_json(made: "Made") -> dict[str, Any]:
    """Return what ``report --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "study": made.contents.study,
        "file": str(made.file),
        "finished": made.contents.finished,
        "test_openings": made.contents.n_openings,
        "figures": list(made.figures),
        "files_beside": [str(made.folder / name) for name in made.files.beside],
    }
