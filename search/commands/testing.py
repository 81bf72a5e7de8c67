"""``test``: the best trials meet the test set."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from search.commands.ranking import chosen, file_name
from search.console import note, print_table, say, say_json, stdout, tell
from search.hints import command as typed
from search.options import (
    FINAL,
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    StudyArgument,
    option,
    whole,
)
from search.words import counted

if TYPE_CHECKING:
    from studies.final_test import FinalTest


@dataclass(frozen=True, slots=True)
class TestOptions:
    """Which trials are tested, and how they are trained for it."""

    __test__ = False  # pytest: not a test

    top: Annotated[
        int | None,
        option(
            FINAL,
            "--top",
            metavar="N",
            parser=whole,
            help="Best trials of the ranking that are tested (default: the recipe's, 3).",
        ),
    ] = None
    refit: Annotated[
        str | None,
        option(
            FINAL,
            "--refit",
            metavar="PARTS",
            help="train+validation trains them once more on both parts, none takes the weights "
            "they have (default: the recipe's, train+validation).",
        ),
    ] = None
    data_dir: DataDir = None


def test(
    study: StudyArgument,
    final: TestOptions,
    storage: StorageOptions,
    jobs: JobsOptions,
    output: OutputOptions,
) -> None:
    """Train the best trials once more and measure them on the test set.

    They are trained as the recipe's final section says: on training and validation data together,
    less a small part. No search reads the test set; each time it is opened is on record, and shown
    by `show`: whoever chooses by what it says needs another test set.

    Examples:
        python -m search test
        python -m search test mnist/lambda --top 1 --refit none
    """
    from db.engine import open_database
    from search.interrupts import stoppable
    from search.progress import watching
    from studies.final_test import final_test
    from studies.means import Means

    n_jobs = jobs.n_jobs
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        open_database(storage.url, said=note) as database,
    ):
        found = chosen(database, study, quiet=output.quiet)
        means = Means(
            database, n_jobs=n_jobs, data_dir=final.data_dir, observer=watch, progress=watch
        )
        result = final_test(means, found, n_top=final.top, refit=final.refit)
    if output.json:
        say_json(to_json(result))
        return
    _print(result, storage)


def to_json(result: "FinalTest") -> dict[str, Any]:
    """Return what ``test --json`` prints: a stable contract, see ``docs/cli.md``."""
    opening = result.opening
    return {
        "study": result.study.name,
        "data": result.study.data_name,
        "opened": result.n_before + 1,
        "trials": [
            {
                "rank": run.rank,
                "stage": run.stage,
                "params": run.params,
                "validation_accuracy": run.validation_accuracy,
                "test_accuracy": run.test_accuracy,
                "test_loss": run.test_loss,
                "refit": opening.refit,
            }
            for run in opening.runs
        ],
    }


def _print(result: "FinalTest", storage: StorageOptions) -> None:
    from search.tables import test_table

    console = stdout()
    print_table(console, test_table(console, result.study, result.opening))
    if result.n_before:
        times = counted(result.n_before, "time")
        tell(f"\nnote: the test set had been opened {times} before for this study")
    name = result.study.name
    say(f"\nnext: {typed('export', name, file_name(name), storage=storage.storage)}")
