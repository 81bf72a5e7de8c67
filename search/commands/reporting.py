"""``report``: a study as one file, to be handed in and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.records import StudyRecord
from coarsefine.search.choosing import chosen
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
from coarsefine.search.progress import watching
from coarsefine.search.report.writing import Made, check_format, write_lab_report, write_report
from coarsefine.search.words import counted
from coarsefine.studies.labs.files import Lab, presets, read_lab
from coarsefine.studies.reports.gradients import checked_gradients, unchecked


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the report holds, and where it goes."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY|LAB] [FILE]",
            help="The study's name (default: the most recent one), or a lab: its file or preset; "
            "and the file to write, with an ending (default: STUDY-report.html).",
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
    notes: Annotated[
        Path | None,
        option(
            OUTPUT,
            "--notes",
            metavar="FILE.md",
            help="Add the comments of a Markdown file, a heading a section; a file that is not "
            "there is written with the headings (default: no comments).",
        ),
    ] = None
    quick: Annotated[
        bool,
        option(OUTPUT, "--quick", help="Of a lab, its quick look (default: the whole lab)."),
    ] = False
    data_dir: DataDir = None
    study: Annotated[
        str | None,
        option(
            OUTPUT,
            "--study",
            metavar="NAME",
            help="As STUDY; of a lab, what the names of its studies begin with (default: the "
            "lab's name).",
        ),
    ] = None

    def lab_and_file(self) -> tuple[Lab | None, Path | None]:
        """Return the lab, if it is one that is reported, and the file."""
        first = (self.names or [""])[0]
        if not (first.endswith(".toml") or first in presets()):
            if self.quick:
                raise UsageError("--quick is of a lab; name its file or preset")
            return None, None
        _, file = study_and_file("report", (self.names or [])[1:], "")
        lab = read_lab(first, quick=self.quick, name=self.study)
        return lab, self._one_file(file)

    def places(self) -> tuple[StudyArgument, Path | None]:
        """Return study and file."""
        study, file = study_and_file("report", self.names, self.study)
        return study, self._one_file(file)

    def _one_file(self, file: Path | None) -> Path | None:
        if file is not None and self.out is not None:
            raise UsageError(f"a report is one file, got {file} and -o {self.out}")
        return file or self.out


def report(
    what: ReportOptions, by: RankedBy, storage: StorageOptions, output: OutputOptions
) -> None:
    """Write a report of a study or of a whole lab: html, md, tex or pdf.

    Question, recipe, data, parameter counts, gradient check, stages and why they looked where they
    did, ranking with intervals and ties, figures, final test, warnings, and the commands that make
    it all again. Numbers come from the database; only gradients are checked anew, on a few samples.
    A lab's report has all of its parts, its own figures beside ours, and the curves of every
    setting; checks and cross-checks are made anew. HTML is one file. Markdown and LaTeX have their
    figures in a folder beside them. A file that is there is replaced.

    Examples:
        python -m search report
        python -m search report mnist/lambda report.tex
        python -m search report mnist/lambda -o report.md --no-figures
        python -m search report cifar-linear lab.pdf --notes comments.md
    """
    lab, file = what.lab_and_file()
    if lab is not None and by.by is not None:
        raise UsageError("parts of a lab are ranked as their recipes say; leave out --by")
    study, file = (None, file) if lab is not None else what.places()
    check_format(file)
    outlined = what.notes is not None and not what.notes.exists()
    with open_database(storage.url, read_only=True) as database:
        if lab is not None:
            made, notes = _of_lab(database, what, lab, file, output)
        else:
            found = chosen(database, study or StudyArgument(), quiet=output.quiet)
            made, notes = _of_study(database, what, found, file, by, output)
    if output.json:
        say_json(_to_json(made))
        return
    say(f"{made.file}: {made.contents.title}")
    if made.files.beside:
        say(f"{made.folder}: {counted(len(made.files.beside), 'figure')}")
    if outlined:
        say(f"{what.notes}: a heading for each section; write below them, and report again")
    for line in notes:
        note(f"{line}, and the report says so", quiet=output.quiet)


def _of_study(
    database: Database,
    what: ReportOptions,
    study: StudyRecord,
    file: Path | None,
    by: RankedBy,
    output: OutputOptions,
) -> tuple[Made, list[str]]:
    """Write the report of a study; return it, and what is still to be done."""
    with watching(quiet=output.quiet) as watch:
        gradients = (
            unchecked(_LEFT_OUT)
            if what.no_gradcheck
            else checked_gradients(study, what.data_dir, watch)
        )
    made = write_report(
        database,
        study,
        file,
        gradients,
        figures=not what.no_figures,
        by=by.metric,
        comments=what.notes,
    )
    if not made.contents.finished:
        return made, ["this search is not finished"]
    if not made.contents.n_openings and study.recipe["data"].get("test") != "none":
        return made, ["the test set was not opened yet"]
    return made, []


def _of_lab(
    database: Database, what: ReportOptions, lab: Lab, file: Path | None, output: OutputOptions
) -> tuple[Made, list[str]]:
    """Write the report of a lab; return it, and what is still to be done."""
    # Parts are carried out as `run` does, with worker processes and locks of studies: a report of
    # one study does without both.
    from coarsefine.studies.reports.lab_checks import checked_parts, unchecked_parts
    from coarsefine.studies.running.resources import Resources

    with watching(quiet=output.quiet) as watch:
        resources = Resources(database, data_dir=what.data_dir, observer=watch, progress=watch)
        checks = (
            unchecked_parts(lab, _LEFT_OUT) if what.no_gradcheck else checked_parts(resources, lab)
        )
    made = write_lab_report(
        database, lab, file, checks, figures=not what.no_figures, comments=what.notes
    )
    return made, [] if made.contents.finished else ["parts of this lab are not finished"]


_LEFT_OUT = "it was left out with --no-gradcheck"


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
