"""``list``: which studies there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from coarsefine.db.connections.engine import open_database
from coarsefine.db.records import StudySummary
from coarsefine.search.console import note, print_table, say_json, stdout
from coarsefine.search.hints import command
from coarsefine.search.options import OutputOptions, StorageOptions
from coarsefine.search.options.tidying import FilterOptions
from coarsefine.search.tables.listing import studies_table
from coarsefine.studies.tidying.mending import lost_studies
from coarsefine.studies.tidying.selection import selected


def list_studies(which: FilterOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """List the studies, the most recent first.

    Examples:
        python -m search list
        python -m search list 'mnist/*' --search lambda --since 7d
        python -m search list --tag final --storage course.db --json
        python -m search list --trash
    """
    with open_database(storage.url, read_only=True) as database:
        summaries = selected(database, which.filters(), trashed=which.trash)
        lost = lost_studies(database)
    note_lost(lost, storage.storage, quiet=output.quiet)
    if output.json:
        say_json({"studies": [_summary_json(summary) for summary in summaries]})
        return
    console = stdout()
    print_table(console, studies_table(console, database.label, summaries))


def note_lost(names: Sequence[str], storage: str | None, *, quiet: bool) -> None:
    """Say which studies somebody deleted or renamed in Optuna, and what to do.

    Args:
        names: Theirs.
        storage: What ``--storage`` was given.
        quiet: Whether to say nothing.
    """
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        note(
            f"note: Optuna has lost {', '.join(names[:3])}{more}: deleted or renamed there, or "
            f"interrupted; `{command('check', '--repair', storage=storage)}` writes it again, `"
            f"{command('rm', names[0], storage=storage)}` deletes it here, too",
            quiet=quiet,
        )


def _summary_json(summary: StudySummary) -> dict[str, Any]:
    return {
        "study": summary.name,
        "search": summary.search,
        "data": summary.data_name,
        "stages": list(summary.stages),
        "trials": summary.trials,
        "best_validation_accuracy": summary.best_accuracy,
        "test_openings": summary.test_openings,
        "tags": list(summary.tags),
        "note": summary.note,
        "created_at": moment(summary.created_at),
        "updated_at": moment(summary.updated_at),
        "trashed_at": None if summary.trashed_at is None else moment(summary.trashed_at),
    }


def moment(at: datetime) -> str:
    """Return a moment as ``--json`` writes it, to the second."""
    return at.isoformat(timespec="seconds")
