"""The keys of a recipe's data."""

from typing import Annotated, Final

from coarsefine.models.specs import (
    CategoricalName,
    DecimalName,
    MissingName,
    NormalisationName,
    SplitMethod,
    TestName,
)
from coarsefine.studies.recipes.keys.key import Key, Needs
from coarsefine.studies.recipes.keys.kinds import Choice, Size, Switch, Text, Whole
from coarsefine.studies.recipes.keys.lists import Classes

_FILE: Final = "it says how a file is read, and another file is another study"
_REPLICATES: Final = "it says what replicates are, which all trials have alike"
_COLUMNS: Final = "other columns or samples are other data, and another study"


class DataKeys:
    """Which samples are trained on and validated with.

    Attributes:
        name: A data set's name or the path of a file.
        train: Number or fraction of training samples; ``None`` takes all that are left.
        validation: Number or fraction of validation samples; ``None`` where the split
            is canonical or folds.
        stratified: Keep each class's share; ``None`` where the split is neither random nor folds.
        folds: In how many parts samples are dealt out; ``None`` where the split is not folds.
        redraw: Whether each replicate has another random split, or other folds; ``None`` is no.
        test: Whether test samples are set aside; ``None`` is ``own``.
        classes: Of old ones, each one or several; ``None`` is all of them.
        label: The column of labels of a table.
        header: Whether a table of text has a line of names; ``None`` is yes. These four keys and
            ``label`` play a part with tables alone.
        decimal: What stands before decimals; ``None`` is a point.
        categorical: What becomes of columns of words; ``None`` refuses them.
        missing: What becomes of missing values; ``None`` refuses them.
    """

    name: Annotated[
        str,
        Key(
            kind=Text(min_length=1),
            option="data",
            metavar="NAME|FILE",
            other_names=("dataset",),
            not_searched="another data set is another study",
            help="digits, mnist, fashion-mnist, cifar10, or an .npz, .csv or .parquet file "
            "(default: digits).",
        ),
    ] = "digits"
    split: Annotated[
        SplitMethod,
        Key(
            kind=Choice(),
            help="random, ordered, canonical: the data set's own, or folds: cross-validation "
            "(default: random).",
        ),
    ] = "random"
    train: Annotated[
        int | float | None,
        Key(
            kind=Size(),
            symbol="training samples",
            help="Training samples: a number, or a fraction below 1 (default: all that are left).",
        ),
    ] = None
    validation: Annotated[
        int | float | None,
        Key(
            kind=Size(),
            symbol="validation samples",
            needs=Needs("split", ("random", "ordered")),
            help="Validation samples: a number, or a fraction below 1 "
            "(default: 0.1; digits and files 0.25).",
        ),
    ] = None
    stratified: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            needs=Needs("split", ("random", "folds")),
            help="Keep each class's share in both parts of a random split, or in each fold "
            "(default: stratified).",
        ),
    ] = None
    folds: Annotated[
        int | None,
        Key(
            kind=Whole(least=2),
            stored_if_used=True,
            not_searched=_REPLICATES,
            needs=Needs("split", ("folds",), instead_of=("random",)),
            help="Deal out the samples outside the test set to so many folds; a trial is trained "
            "once for each, which validates (default: no folds; 5 with split folds).",
        ),
    ] = None
    redraw: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            unnamed=False,
            stored_if_used=True,
            not_searched=_REPLICATES,
            needs=Needs("split", ("random", "folds")),
            help="Draw another random split for each replicate, or deal the folds anew: repeated "
            "cross-validation (default: one split for all).",
        ),
    ] = None
    test: Annotated[
        TestName | None,
        Key(
            kind=Choice(),
            unnamed="own",
            stored_if_used=True,
            not_searched=_COLUMNS,
            help="own: test samples are set aside, of a file without any a fifth; none: no sample "
            "is, and a data set's own test samples validate in its canonical split (default: own).",
        ),
    ] = None
    classes: Annotated[
        tuple[tuple[str, ...], ...] | None,
        Key(
            kind=Classes(),
            option="only_classes",
            stored_if_used=True,
            not_searched=_COLUMNS,
            help="Classes there are, samples of others are left out: 2,3 or, several taken for "
            "one, 0+1+2+3+4,5+6+7+8+9 (default: all).",
        ),
    ] = None
    normalisation: Annotated[
        NormalisationName,
        Key(
            kind=Choice(),
            help="none, scale (to 0 … 1), symmetric (-1 … 1), shifted (-1/2 … 1/2), or by the "
            "training samples centre, standardise, standardise-all (default: standardise).",
        ),
    ] = "standardise"
    label: Annotated[
        str | None,
        Key(
            kind=Text(),
            metavar="COLUMN",
            before="split",
            not_searched=_FILE,
            help="Column of labels in a table (default: label); without a header its number: 0 is "
            "the first, -1 the last.",
        ),
    ] = None
    header: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            before="split",
            unnamed=True,
            stored_if_used=True,
            not_searched=_FILE,
            help="Whether the first line of a .csv file names its columns (default: header).",
        ),
    ] = None
    decimal: Annotated[
        DecimalName | None,
        Key(
            kind=Choice(),
            metavar="SIGN",
            before="split",
            unnamed=".",
            stored_if_used=True,
            not_searched=_FILE,
            help="Decimal sign of a .csv file: . or , (default: .).",
        ),
    ] = None
    categorical: Annotated[
        CategoricalName | None,
        Key(
            kind=Choice(),
            before="split",
            stored_if_used=True,
            not_searched=_COLUMNS,
            help="one-hot: turn columns of words into numbers, by the training samples "
            "(default: refuse them).",
        ),
    ] = None
    missing: Annotated[
        MissingName | None,
        Key(
            kind=Choice(),
            before="split",
            stored_if_used=True,
            not_searched=_COLUMNS,
            help="median or indicator: fill missing values by the training samples; drop: leave "
            "out samples that have some (default: refuse them).",
        ),
    ] = None
