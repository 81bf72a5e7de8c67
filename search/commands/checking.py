"""``check``: is everything in the database there, and as it should be?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from coarsefine.db.checks.report import Check, Report
from coarsefine.db.checks.stored import Faults
from coarsefine.db.checks.whole import check_database
from coarsefine.db.connections.engine import open_database
from coarsefine.models.outcomes import read_accuracy
from coarsefine.search.console import note, print_table, say, say_json, stdout
from coarsefine.search.errors import DONE, FAILED
from coarsefine.search.hints import spelled
from coarsefine.search.options import OUTPUT, OutputOptions, StorageOptions, option
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import counted
from coarsefine.studies.results.sound import fault_of_options, fault_of_params, fault_of_recipe
from coarsefine.studies.spaces.dimensions import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Of one kind: what is wrong a thousand times has one cause.
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What is done about what is found."""

    repair: Annotated[
        bool,
        option(
            OUTPUT,
            "--repair",
            help="First write studies again that somebody deleted or renamed in Optuna or its "
            "dashboard, and end trials that somebody left running there, by study.ask() say "
            "(default: change nothing).",
        ),
    ] = False


def check(what: CheckOptions, storage: StorageOptions, output: OutputOptions) -> int:
    """Look through a database: is everything there, and as it should be?

    Reads recipes, options and parameters as searches do, and compares plans with training runs,
    curves, results and checkpoints, and all of them with Optuna's studies. Changes nothing without
    --repair; a search may go on meanwhile. Exits 1 if something is wrong.

    Examples:
        python -m search check
        python -m search check --storage old.db --json
        python -m search check --repair
    """
    repaired = []
    if what.repair:
        # Repairs lock studies, with filelock, and know how searches are planned.
        from coarsefine.db.checks.repair import end_strays
        from coarsefine.studies.tidying.mending import mend

        with open_database(storage.url, said=note) as database:
            repaired = mend(database)
        repaired += end_strays(storage.url, note)
    faults = Faults(fault_of_recipe, fault_of_options, fault_of_params)
    report = check_database(storage.url, _plain, read_accuracy, faults)
    if output.json:
        say_json(to_json(report) | {"repaired": repaired})
    else:
        for line in repaired:
            say(line)
        _print(report, quiet=output.quiet)
    return DONE if report.passed else FAILED


def to_json(report: Report) -> dict[str, Any]:
    """Return what ``check --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "storage": report.label,
        "schema": report.revision,
        "passed": report.passed,
        "checks": [
            {
                "name": one.name,
                "passed": one.passed,
                "looked_at": one.looked_at,
                "thing": one.thing,
                "problems": [{"what": p.what, "advice": spelled(p.advice)} for p in one.problems],
                "notes": list(one.notes),
            }
            for one in report.checks
        ],
    }


def _plain(value: Any) -> Any:
    """Return a parameter as Optuna is told of it: hidden layers as text."""
    return shown(value) if isinstance(value, list | tuple) else value


def _print(report: Report, *, quiet: bool) -> None:
    console = stdout()
    print_table(console, _table(console, report))
    for one in report.checks:
        for problem in one.problems[:_MOST_SHOWN]:
            say(f"\n{one.name}: {problem.what}\n    {spelled(problem.advice)}")
        more = len(one.problems) - _MOST_SHOWN
        if more > 0:
            say(f"\n{one.name}: and {counted(more, 'more problem')}; --json has them all")
        for line in one.notes:
            note(f"note: {line}", quiet=quiet)


def _table(console: "Console", report: Report) -> "Table":
    columns: list[TextColumn[Check]] = [
        TextColumn("check", lambda c: c.name, right=False),
        TextColumn("looked at", lambda c: counted(c.looked_at, c.thing), right=False),
        TextColumn("found", _found, right=False),
    ]
    title = f"{report.label}: schema {report.revision}"
    return fitting(console, title, columns, report.checks, lambda c: "" if c.passed else "bold red")


def _found(one: Check) -> str:
    if one.left_out:
        return "not looked at"
    return "in order" if one.passed else counted(len(one.problems), "problem")
