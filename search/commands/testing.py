"""``test``: the best trials meet the test set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import chosen, trial_place
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.ending import came_of
from coarsefine.search.errors import UsageError
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import spelled
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import (
    FINAL,
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    StudyArgument,
    option,
    whole,
)
from coarsefine.search.progress import watching
from coarsefine.search.tables.final_test import (
    ensemble_lines,
    ensemble_table,
    final_test_json,
    test_lines,
    test_table,
)
from coarsefine.studies.recipes.layers import load_recipe
from coarsefine.studies.results.notes.final_training import final_notes
from coarsefine.studies.running.final.test import FinalTest, final_test, result_on_record
from coarsefine.studies.running.resources import Resources


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
    trial: Annotated[
        list[str] | None,
        option(
            FINAL,
            "--trial",
            metavar="STAGE:NUMBER",
            help="A trial to test in place of the best, as in coarse:4; several with commas, or "
            "given again. On record as picked by hand (default: the top of the ranking).",
        ),
    ] = None
    replicates: Annotated[
        int | None,
        option(
            FINAL,
            "--replicates",
            metavar="R",
            parser=whole,
            help="Seeds that each tested trial is trained with: means, and intervals for new seeds "
            "and new samples (default: the recipe's, 1).",
        ),
    ] = None
    ensemble: Annotated[
        bool | None,
        option(
            FINAL,
            "--ensemble/--no-ensemble",
            help="Test the tied trials as one predictor, too: by the vote of their networks, and "
            "by the mean of their probabilities. All tied trials are trained for it "
            "(default: the recipe's, no).",
        ),
    ] = None
    again: Annotated[
        bool,
        option(
            FINAL,
            "--again",
            help="Open the test set once more for trials whose result is on record "
            "(default: show that result).",
        ),
    ] = False
    recipe: Annotated[
        Path | None,
        option(
            FINAL,
            "--recipe",
            metavar="FILE",
            help="The study's recipe file; needed where it names a custom trainer, which is "
            "imported only then (default: the study's recipe).",
        ),
    ] = None
    data_dir: DataDir = None

    def picks(self) -> tuple[tuple[str, int], ...]:
        """Return stages and numbers of the trials that are named."""
        named = [part.strip() for words in self.trial or () for part in words.split(",")]
        if named and self.top is not None:
            raise UsageError("name what to test with --top or with --trial, got both")
        return tuple(dict.fromkeys(trial_place(part, "coarse:4") for part in named))


def test(
    study: StudyArgument,
    final: TestOptions,
    storage: StorageOptions,
    jobs: JobsOptions,
    output: OutputOptions,
) -> None:
    """Train the best trials once more and measure them on the test set.

    They are trained as the recipe's final section says: on training and validation data together,
    less a small part. With --replicates, each is trained with several seeds: the table has their
    mean, and intervals for new seeds and for new samples. No search reads the test set; each time
    it is opened is on record, and shown by `show`: whoever chooses by what it says needs another
    test set. The same command typed again shows the result on record; --again opens the test set
    once more, and so does asking for more seeds than are on record, or for an ensemble that is not.

    Examples:
        python -m search test
        python -m search test mnist/lambda --top 1 --refit none
        python -m search test --trial coarse:4,fine:0
        python -m search test --replicates 3 --ensemble
    """
    picks = final.picks()
    trainer = None if final.recipe is None else load_recipe(final.recipe).trainer
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        jobs.opened(watch.said) as workers,
        open_database(storage.url, said=note) as database,
    ):
        found = chosen(database, study, quiet=output.quiet)
        asked: dict[str, Any] = {
            "n_top": final.top,
            "refit": final.refit,
            "picks": picks,
            "replicates": final.replicates,
            "ensemble": final.ensemble,
        }
        on_record = None if final.again else result_on_record(database, found, **asked)
        if on_record is not None:
            note(shown_again(on_record), quiet=output.quiet)
        resources = Resources(
            database, data_dir=final.data_dir, observer=watch, progress=watch, **workers
        )
        result = on_record or final_test(resources, found, trainer=trainer, **asked)
    accuracies = [run.test_accuracy for run in result.opening.runs]
    came_of(study=found.name, test_accuracies=accuracies)
    if output.json:
        say_json(final_test_json(result))
        return
    _print(result, storage)


def shown_again(result: FinalTest) -> str:
    """Return the note that a result is an earlier one."""
    when = f"{result.opening.opened_at:%Y-%m-%d %H:%M}"
    return (
        f"these trials were tested on {when} UTC: this is that result, the test set was not "
        "opened again (--again opens it once more)"
    )


def print_test(result: FinalTest) -> None:
    """Print what the tested trials reached, and what that should not be read without."""
    console = stdout()
    print_table(console, test_table(console, result))
    say("")
    for line in test_lines(result):
        tell(line)
    if result.evidence.ensembles:
        say("")
        print_table(console, ensemble_table(console, result))
        say("")
        for line in ensemble_lines(result):
            tell(line)
    for note_ in final_notes(result.study, result.opening):
        tell(f"note: {spelled(note_)}")
    for warning in result.notes:
        tell(f"warning: {spelled(warning)}")


def _print(result: FinalTest, storage: StorageOptions) -> None:
    print_test(result)
    say(f"\nnext: {typed('report', result.study.name, storage=storage.storage)}")
