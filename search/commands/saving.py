"""``save``: a study's trained model as a file."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.models.plain_numpy import lines_of
from coarsefine.models.saved import SavedModel
from coarsefine.search.choosing import chosen, trial_place
from coarsefine.search.console import note, say, say_json, tell
from coarsefine.search.errors import UsageError
from coarsefine.search.files import check_place, write
from coarsefine.search.hints import command as typed
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import (
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    StudyFlag,
    option,
)
from coarsefine.search.options.output import study_and_file
from coarsefine.search.progress import watching
from coarsefine.search.words import counted, size
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.saving import model_of
from coarsefine.studies.spaces.dimensions import described

MODEL = "Model"
_USUAL = "model.npz"


@dataclass(frozen=True, slots=True)
class SaveOptions:
    """Which model is saved, and where."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY] FILE.npz",
            help="The study's name (default: the most recent one), and the file to write; one that "
            "is there is replaced.",
            show_default=False,
        ),
    ] = None
    trial: Annotated[
        str | None,
        option(
            MODEL,
            "--trial",
            metavar="STAGE:NUMBER",
            help="The trial to save, as in fine:6 (default: the best one).",
        ),
    ] = None
    ensemble: Annotated[
        bool,
        option(
            MODEL,
            "--ensemble",
            help="Save all trials that are tied with the best as one model: it predicts by the "
            "mean of their probabilities (default: one network).",
        ),
    ] = False
    refit: Annotated[
        str | None,
        option(
            MODEL,
            "--refit",
            metavar="PARTS",
            help="train+validation saves the network that `test` trains on both parts, none the "
            "one of the search (default: the recipe's, train+validation).",
        ),
    ] = None
    show: Annotated[
        bool,
        option(
            MODEL,
            "--show",
            help="Print a program in plain NumPy that predicts with the file (default: do not); "
            "without FILE nothing is written.",
        ),
    ] = False
    data_dir: DataDir = None
    study: StudyFlag = None

    @property
    def pick(self) -> tuple[str, int] | None:
        """Return stage and number of the trial, if one is named."""
        if self.trial is None:
            return None
        place = trial_place(self.trial.strip())
        if self.ensemble:
            raise UsageError(
                "save one trial with --trial or the tied ones with --ensemble, not both"
            )
        return place


def save(
    what: SaveOptions, storage: StorageOptions, jobs: JobsOptions, output: OutputOptions
) -> None:
    """Save a trained model, with all that it takes to predict: weights, encoding, labels.

    It is the network that `test` measures: trained once more on training and validation data, as
    the recipe's final section says; what `test` has trained is taken as it is, and the other way
    round. The test set is not opened. The file holds weights, the encoding and normalisation of
    samples, the names of classes, the recipe, fingerprints, and how often the test set was opened.
    `predict` takes it on any machine; --show prints a few lines of NumPy that do without this
    program.

    Examples:
        python -m search save model.npz
        python -m search save mnist/lambda model.npz --trial fine:6
        python -m search save model.npz --ensemble
        python -m search save --show
    """
    study, file = study_and_file("save", what.names, what.study)
    if file is None and not what.show:
        raise UsageError(f"name the file to write, as in `save {_USUAL}`")
    if file is not None and file.suffix.lower() != ".npz":
        raise UsageError(f"a model is an .npz file, got {file}")
    if file is not None:
        check_place(file)
    asked: dict[str, Any] = {"pick": what.pick, "ensemble": what.ensemble, "refit": what.refit}
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        jobs.opened(watch.said) as workers,
        open_database(storage.url, said=note) as database,
    ):
        found = chosen(database, study, quiet=output.quiet)
        resources = Resources(
            database, data_dir=what.data_dir, observer=watch, progress=watch, **workers
        )
        model = model_of(resources, found, **asked)
    contents = model.to_bytes()
    if file is not None:
        write(file, contents)
    lines = lines_of(model, str(file or _USUAL))
    if output.json:
        program = {"program": "\n".join(lines)} if what.show else {}
        written = {"file": str(file), "bytes": len(contents)} if file is not None else {}
        say_json({**written, **model.about, **program})
        return
    if what.show:
        for line in lines:
            say(line)
        return
    tell(f"wrote {file}, {size(len(contents))}: {_in_words(model)}")
    if not output.quiet:
        say(f"\nnext: {typed('predict', str(file), 'new.csv')}")


def _in_words(model: SavedModel) -> str:
    """Return what a model is, in a line."""
    about, n_networks = model.about, len(model.networks)
    first = about["trials"][0]
    which = f"{first['stage']}:{first['trial']} ({described(first['params'])})"
    if n_networks > 1:
        which = f"{n_networks} networks as one, the first {which}"
    n_openings = about["test_set"]["openings_of_these_trials"]
    tested = f"opened {counted(n_openings, 'time')}" if n_openings else "not opened"
    samples = f"{about['data']['training_samples']:,} training samples of {about['data']['name']}"
    return f"{which}, trained on {samples}; the test set was {tested} for it"
