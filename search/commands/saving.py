"""``save``: a study's trained model as a file; ``predict``: what it makes of other samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.paths import expanded
from coarsefine.search.commands.ranking import chosen, trial_place
from coarsefine.search.console import note, say, say_json, tell
from coarsefine.search.errors import UsageError
from coarsefine.search.files import check_place, write
from coarsefine.search.formats.csv_xlsx_parquet import csv_of
from coarsefine.search.hints import command as typed
from coarsefine.search.interrupts import stoppable
from coarsefine.search.library.model import Model
from coarsefine.search.options import (
    OUTPUT,
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
from coarsefine.studies.spaces.dimensions import described

if TYPE_CHECKING:
    from coarsefine.models.saved import SavedModel

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
    from coarsefine.db.connections.engine import open_database
    from coarsefine.models.plain_numpy import lines_of
    from coarsefine.studies.running.resources import Resources
    from coarsefine.studies.running.saving import model_of

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


def _in_words(model: "SavedModel") -> str:
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


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What is predicted, and where it goes."""

    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL.npz", help="What `save` wrote.", show_default=False),
    ]
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Samples as in the training file: .csv or .parquet with its columns (labels are "
            "not looked at), or .npy or .npz with an array x.",
            show_default=False,
        ),
    ]
    out: Annotated[
        Path | None,
        option(
            OUTPUT, "--out", "-o", metavar="FILE", help="A .csv file to write (default: stdout)."
        ),
    ] = None
    probabilities: Annotated[
        bool,
        option(
            MODEL,
            "--probabilities",
            help="A column with the output of each class, too (default: of the predicted one).",
        ),
    ] = False


def predict(what: PredictOptions, output: OutputOptions) -> None:
    """Predict the classes of samples with a saved model: a row each, in csv.

    Words, gaps and numbers become what they became in training. No database is needed.

    Examples:
        python -m search predict model.npz new.csv
        python -m search predict model.npz new.csv --probabilities -o predicted.csv
    """
    from coarsefine.models.data.new_samples import read_samples

    if what.out is not None:
        check_place(expanded(what.out))
    model = Model.load(what.model)
    saved = model.saved
    samples = read_samples(expanded(what.samples), saved.layout, saved.transform.encoder)
    for line in samples.notes:
        note(f"note: {line}", quiet=output.quiet)
    classes, outputs = saved.predicted(samples)
    names = [saved.class_names[place] for place in classes]
    chosen_outputs = outputs[range(len(classes)), classes].tolist()
    output_name, each = ("probability", "p") if saved.probable else ("score", "score")
    columns: dict[str, list[Any]] = {"prediction": names, output_name: chosen_outputs}
    if what.probabilities:
        columns |= {
            f"{each}({name})": outputs[:, k].tolist() for k, name in enumerate(saved.class_names)
        }
    if output.json:
        say_json(
            {"samples": len(names), **{name: list(values) for name, values in columns.items()}}
        )
        return
    contents = csv_of(columns)
    if what.out is None:
        say(contents.decode().rstrip("\n"))
        return
    write(expanded(what.out), contents)
    say(f"wrote {what.out}: {len(names):,} predictions")
