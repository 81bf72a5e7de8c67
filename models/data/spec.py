"""Which data a training run sees: the data set, its split and its normalisation."""

from dataclasses import dataclass, field
from typing import get_args

from coarsefine.models.errors import DataError
from coarsefine.models.specs import (
    NORMALISATIONS,
    PRECISIONS,
    SPLIT_METHODS,
    CategoricalName,
    DecimalName,
    MissingName,
    NormalisationName,
    PrecisionName,
    SplitMethod,
    TestName,
)


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """How the samples outside the test set become a training and a validation split.

    Attributes:
        method: ``random``: a seeded order, of which the validation split is the first part and
            the training split the part after it, so that another ``train`` keeps the validation
            split and gives nested training splits. ``ordered``: the first ``train`` samples of
            the file, the validation split right after them. ``canonical``: the split that the
            data set defines itself; ``validation``, ``stratified`` and ``seed`` play no part.
            ``folds``: a seeded order dealt out to ``folds`` parts, of which one validates and the
            others are trained on.
        train: Number of training samples, or a fraction in (0, 1); ``None`` takes all the rest.
            A fraction is one of the samples outside the test set (canonical: of its training part).
        validation: Number of validation samples, or a fraction in (0, 1).
        stratified: Keep every class's share in both splits (``random`` and ``folds`` only).
        seed: Chooses the random order; ``>= 0``.
        draw: Which of several training splits of the same size, ``>= 0``, beside the same
            validation split. 0 is as said above. Others take the training samples in another
            random order, of which ``train`` are the first: of all samples outside test and
            validation (canonical: of the training part). Within a draw smaller training splits
            lie inside larger ones (not ``ordered``, whose validation split moves with ``train``).
        folds: In how many parts the samples are dealt out, ``>= 2`` (``folds`` only).
        fold: Which of them validates, from 0.
        redraw: Which of several random splits of these sizes, training and validation both,
            or which deal of folds, ``>= 0`` (``random`` and ``folds`` only). 0 is as said above.
    """

    method: SplitMethod = "random"
    train: int | float | None = None
    validation: int | float = 0.1
    stratified: bool = True
    seed: int = 0
    draw: int = 0
    folds: int = 0
    fold: int = 0
    redraw: int = 0

    def __post_init__(self) -> None:
        if self.method not in SPLIT_METHODS:
            raise DataError(
                f"split method must be one of {', '.join(SPLIT_METHODS)}, got {self.method!r}"
            )
        if self.train is not None:
            check_amount("train", self.train)
        check_amount("validation", self.validation)
        if self.seed < 0:
            raise DataError(f"split seed must be >= 0, got {self.seed}")
        if self.draw < 0:
            raise DataError(f"split draw must be >= 0, got {self.draw}")
        if self.redraw < 0:
            raise DataError(f"split redraw must be >= 0, got {self.redraw}")
        if self.method == "folds" and not 0 <= self.fold < self.folds >= 2:
            raise DataError(
                f"a split in folds must have 2 or more and validate with one of them, got fold "
                f"{self.fold} of {self.folds}"
            )


@dataclass(frozen=True, slots=True)
class DataSpec:
    """A data set as a network is to see it.

    Attributes:
        name: A name from the catalogue, or the path of an .npz, .csv or .parquet file.
        normalisation: ``none``: values as they are. ``scale``: to [0, 1]. ``symmetric``: to
            [-1, 1]. ``shifted``: to [-½, ½]. ``centre``: scaled, less the training mean of each
            feature. ``standardise``: each feature to mean 0 and standard deviation 1.
            ``standardise-all``: one mean and deviation for all features.
        precision: Floating-point type of the samples.
        label: Column that holds the labels of a .csv or .parquet file; ``None`` is ``label``.
        header: Whether a .csv file has a line of names; without it, ``label`` is a number.
        decimal: What stands before the decimals in a .csv file.
        categorical: ``one-hot``: a word of a column becomes a feature if it is frequent in the
            training split. ``None`` refuses columns of words.
        missing: ``median``: the training median stands in for missing values. ``indicator``: also
            a feature says where. ``drop``: samples with missing values are left out. ``None``
            refuses them.
        test: ``own``: the data set's own test samples, or a fifth of a file without any, are set
            aside. ``none``: no sample is; a data set's own test samples are those that its
            canonical split validates with.
        classes: Which classes there are: each an old one, or several that are taken for one;
            samples of others are left out. ``None`` takes all as they are.
    """

    name: str
    split: SplitSpec = field(default_factory=SplitSpec)
    normalisation: NormalisationName = "standardise"
    precision: PrecisionName = "float32"
    label: str | None = None
    header: bool = True
    decimal: DecimalName = "."
    categorical: CategoricalName | None = None
    missing: MissingName | None = None
    test: TestName = "own"
    classes: tuple[tuple[str, ...], ...] | None = None

    @property
    def of_tables(self) -> dict[str, str | bool]:
        """Return what is stated that only tables have, by name."""
        stated = {
            "label": self.label,
            "header": self.header,
            "decimal": self.decimal,
            "categorical": self.categorical,
            "missing": self.missing,
        }
        unstated = {"header": True, "decimal": "."}
        return {
            name: value
            for name, value in stated.items()
            if value is not None and value != unstated.get(name)
        }

    def __post_init__(self) -> None:
        if not self.name:
            raise DataError("data must be a data set's name or a file, got ''")
        if self.normalisation not in NORMALISATIONS:
            raise DataError(
                f"normalisation must be one of {', '.join(NORMALISATIONS)}, "
                f"got {self.normalisation!r}"
            )
        if self.precision not in PRECISIONS:
            raise DataError(
                f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}"
            )

        for name, value, known in (
            ("decimal", self.decimal, get_args(DecimalName)),
            ("categorical", self.categorical, (None, *get_args(CategoricalName))),
            ("missing", self.missing, (None, *get_args(MissingName))),
            ("test", self.test, get_args(TestName)),
        ):
            if value not in known:
                choices = ", ".join(str(one) for one in known if one is not None)
                raise DataError(f"{name} must be one of {choices}, got {value!r}")


def check_amount(what: str, amount: int | float) -> None:
    """Raise a DataError unless ``amount`` is a count >= 1 or a fraction in (0, 1)."""
    rule = f"{what} must be a number of samples >= 1 or a fraction between 0 and 1"
    fits = amount >= 1 if isinstance(amount, int) else 0 < amount < 1
    if isinstance(amount, bool) or not fits:
        raise DataError(f"{rule}, got {amount}")
