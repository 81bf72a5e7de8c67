"""``predict``: what a saved model makes of other samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from coarsefine.models.data.new_samples import read_samples
from coarsefine.paths import expanded
from coarsefine.search.console import note, say, say_json
from coarsefine.search.files import check_place, write
from coarsefine.search.formats.csv_xlsx_parquet import csv_of
from coarsefine.search.library.model import Model
from coarsefine.search.options import OUTPUT, OutputOptions, option

MODEL = "Model"


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
