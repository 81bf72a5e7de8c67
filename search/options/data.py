"""The options that say which samples."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from coarsefine.search.options.declaring import DATA, option, text_option

DataDir = Annotated[
    Path | None,
    option(
        DATA,
        "--data-dir",
        metavar="FOLDER",
        help="Where data files are looked for before any is downloaded "
        "(default: $SEARCH_DATA_DIR, then the download cache).",
    ),
]


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which samples."""

    data: Annotated[
        str | None,
        text_option(
            DATA,
            "--data",
            "NAME|FILE",
            "digits, mnist, fashion-mnist, cifar10, or an .npz, .csv or .parquet file "
            "(default: digits).",
        ),
    ] = None
    data_dir: DataDir = None
    label: Annotated[
        str | None,
        text_option(
            DATA,
            "--label",
            "COLUMN",
            "Column of labels in a table (default: label); without a header its number: 0 is the "
            "first, -1 the last.",
        ),
    ] = None
    header: Annotated[
        bool | None,
        option(
            DATA,
            "--header/--no-header",
            help="Whether the first line of a .csv file names its columns (default: header).",
        ),
    ] = None
    decimal: Annotated[
        str | None,
        text_option(DATA, "--decimal", "SIGN", "Decimal sign of a .csv file: . or , (default: .)."),
    ] = None
    categorical: Annotated[
        str | None,
        text_option(
            DATA,
            "--categorical",
            "KIND",
            "one-hot: turn columns of words into numbers, by the training samples "
            "(default: refuse them).",
        ),
    ] = None
    missing: Annotated[
        str | None,
        text_option(
            DATA,
            "--missing",
            "KIND",
            "median or indicator: fill missing values by the training samples; drop: leave out "
            "samples that have some (default: refuse them).",
        ),
    ] = None
    split: Annotated[
        str | None,
        text_option(
            DATA,
            "--split",
            "KIND",
            "random, ordered, or canonical: the data set's own (default: random).",
        ),
    ] = None
    train: Annotated[
        str | None,
        text_option(
            DATA,
            "--train",
            "SIZE",
            "Training samples: a number, or a fraction below 1 (default: all that are left).",
        ),
    ] = None
    validation: Annotated[
        str | None,
        text_option(
            DATA,
            "--validation",
            "SIZE",
            "Validation samples: a number, or a fraction below 1 "
            "(default: 0.1; digits and files 0.25).",
        ),
    ] = None
    stratified: Annotated[
        bool | None,
        option(
            DATA,
            "--stratified/--no-stratified",
            help="Keep each class's share in both parts of a random split (default: stratified).",
        ),
    ] = None
    normalisation: Annotated[
        str | None,
        text_option(
            DATA,
            "--normalisation",
            "KIND",
            "none, scale, centre, standardise or standardise-all, by the training samples "
            "(default: standardise).",
        ),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's data."""
        from coarsefine.studies.recipes.layers import parse_size

        return {
            "data.name": None if self.data is None else absolute(self.data),
            "data.label": self.label,
            "data.header": self.header,
            "data.decimal": self.decimal,
            "data.categorical": self.categorical,
            "data.missing": self.missing,
            "data.split": self.split,
            "data.train": None if self.train is None else parse_size(self.train),
            "data.validation": None if self.validation is None else parse_size(self.validation),
            "data.stratified": self.stratified,
            "data.normalisation": self.normalisation,
        }


def absolute(data: str) -> str:
    """Return a data set's name as it is, and the path of a file that is here as an absolute one.

    So the study finds it from any folder. What is not here may be in the data folder.
    """
    from coarsefine.models.data.catalogue import CATALOGUE
    from coarsefine.models.data.paths import expanded

    path = expanded(data)
    if data in CATALOGUE or not data or not path.exists():
        return data
    return str(path.absolute())
