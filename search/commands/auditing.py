"""``audit``: some runs of a study, drawn at random, are trained again: the same bits?"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.db.packing import ENDING, check_packed
from coarsefine.paths import expanded
from coarsefine.search.choosing import chosen
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.errors import FAILED
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import (
    DataDir,
    OutputOptions,
    StorageOptions,
    StudyArgument,
    StudyFlag,
    option,
    whole,
)
from coarsefine.search.progress import watching
from coarsefine.search.report.claims import read_claims
from coarsefine.search.tables.audit import audit_json, audit_table
from coarsefine.search.words import counted
from coarsefine.studies.checks.audit import Audit
from coarsefine.studies.checks.audit import audit as audited
from coarsefine.studies.checks.audit_record import AuditRecord, record_of
from coarsefine.studies.recipes.layers import load_recipe
from coarsefine.studies.results.notes.auditing import about, conclusions
from coarsefine.studies.results.notes.note import duration
from coarsefine.studies.running.resources import NewDatabase, Resources

DRAW = "Draw"


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What is audited, and how much of it."""

    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY|REPORT.html|FILE.cfs]",
            help="The study's name (default: the most recent one), or a report in HTML or a packed "
            "file, which need no database; of several studies in a file, --study names one.",
            show_default=False,
        ),
    ] = None
    runs: Annotated[
        int | None,
        option(
            DRAW,
            "--runs",
            metavar="N",
            parser=whole,
            help="Training runs to draw (default: 5).",
        ),
    ] = None
    seed: Annotated[
        int | None,
        option(
            DRAW,
            "--seed",
            metavar="N",
            parser=whole,
            help="Draw the runs of an earlier audit, which says its seed (default: a draw that "
            "nobody can foresee).",
        ),
    ] = None
    recipe: Annotated[
        Path | None,
        option(
            DRAW,
            "--recipe",
            metavar="FILE",
            help="The study's recipe file; needed where it names a custom trainer, which is "
            "imported only then (default: the study's recipe).",
        ),
    ] = None
    data_dir: DataDir = None
    study: StudyFlag = None

    @property
    def report(self) -> Path | None:
        """Return the report that is audited, if it is none of the database's studies."""
        named = self.what is not None and self.what.lower().endswith((".html", ".htm"))
        return expanded(self.what or "") if named else None

    @property
    def packed(self) -> str | None:
        """Return the packed file whose study is audited, if one is named."""
        return self.what if self.what is not None and self.what.endswith(ENDING) else None


def audit(what: AuditOptions, storage: StorageOptions, output: OutputOptions) -> int:
    """Draw runs of a study at random, train them again, and compare every measure with the record.

    On the same machine and versions they are the same to the last bit; elsewhere they agree to
    rounding. Says how likely invented rows were to escape such a draw. Each row is also held
    against the recipe, and each mean against its runs. Cohorts are trained whole, so a few runs
    can take as long as many. Nothing is stored. A report is audited by the record inside it, and
    its ranking is compared with that record. The test set stays shut: final tests are audited as
    far as the training for them. Exit status 1 if anything differs.

    Examples:
        python -m search audit
        python -m search audit mnist/lambda --runs 12
        python -m search audit hand-in.html
        python -m search audit hand-in.cfs
    """
    trainer = None if what.recipe is None else load_recipe(what.recipe).trainer
    differing: list[str] = []
    record: AuditRecord
    if what.report is not None:
        record, differing = read_claims(what.report)
    else:
        packed = what.packed
        place = storage if packed is None else StorageOptions(packed)
        with open_database(place.url, read_only=True) as database:
            if packed is not None:
                check_packed(database)
            named = StudyArgument(None if packed else what.what, what.study)
            record = record_of(database, chosen(database, named, quiet=output.quiet))
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch, resumable=False),
    ):
        # Nothing is stored: there is no database.
        nowhere = NewDatabase("sqlite://", create=True)
        resources = Resources(nowhere, data_dir=what.data_dir, observer=watch, progress=watch)
        found = audited(
            resources,
            record,
            n_runs=5 if what.runs is None else what.runs,
            seed=what.seed,
            trainer=trainer,
        )
    if differing:
        found = replace(found, inconsistent=(*differing, *found.inconsistent))
    if output.json:
        say_json(audit_json(found))
    else:
        _print(found)
    if what.report is not None:
        note(
            "of the report, the ranking and the training behind it were audited; texts, figures "
            "and test accuracies were not",
            quiet=output.quiet,
        )
    return 0 if found.passed else FAILED


def _print(found: Audit) -> None:
    console = stdout()
    print_table(console, audit_table(console, found))
    say("")
    for line in (*conclusions(found), *about(found)):
        tell(line)
    tell(
        f"seed {found.seed} draws the same runs again; {counted(len(found.checked), 'run')} "
        f"trained in {duration(found.seconds)}"
    )
