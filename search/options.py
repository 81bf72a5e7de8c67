"""The options that commands share, as dataclasses: what is not said is ``None``.

Defaults are the recipe's, which depend on each other; the help names them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from search.errors import UsageError

RECIPE, DATA, NETWORK, TRAINING = "Recipe", "Data", "Network", "Training"
SEARCH, FINAL, OUTPUT = "Search", "Final test", "Output"


# ------------------------------------------------------------------------------ kinds of options


def whole(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, got {text!r}") from None


def number(text: str) -> float:
    """Return a number; whether it is one that can be used is for others to say."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number, got {text!r}") from None


def option(
    panel: str,
    *names: str,
    help: str,  # noqa: A002  # Typer's word
    metavar: str | None = None,
    parser: Callable[[str], Any] | None = None,
    hidden: bool = False,
) -> Any:
    """Return a Typer option; its default is in the help's words."""
    return typer.Option(
        *names,
        help=help,
        metavar=metavar,
        parser=parser,
        hidden=hidden,
        rich_help_panel=panel,
        show_default=False,
    )


def _text(panel: str, name: str, metavar: str, help: str) -> Any:  # noqa: A002
    return option(panel, name, help=help, metavar=metavar)


def _whole(panel: str, name: str, help: str, metavar: str = "N") -> Any:  # noqa: A002
    return option(panel, name, help=help, metavar=metavar, parser=whole)


def _number(panel: str, name: str, help: str, metavar: str = "X") -> Any:  # noqa: A002
    return option(panel, name, help=help, metavar=metavar, parser=number)


# ------------------------------------------------------------------------------------ the recipe


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
        _text(
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
        _text(DATA, "--label", "COLUMN", "Column of labels in a table (default: label)."),
    ] = None
    split: Annotated[
        str | None,
        _text(
            DATA,
            "--split",
            "KIND",
            "random, ordered, or canonical: the data set's own (default: random).",
        ),
    ] = None
    train: Annotated[
        str | None,
        _text(
            DATA,
            "--train",
            "SIZE",
            "Training samples: a number, or a fraction below 1 (default: all that are left).",
        ),
    ] = None
    validation: Annotated[
        str | None,
        _text(
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
        _text(
            DATA,
            "--normalisation",
            "KIND",
            "none, scale, centre, standardise or standardise-all, by the training samples "
            "(default: standardise).",
        ),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's data."""
        from studies.recipe import parse_size

        return {
            "data.name": None if self.data is None else absolute(self.data),
            "data.label": self.label,
            "data.split": self.split,
            "data.train": None if self.train is None else parse_size(self.train),
            "data.validation": None if self.validation is None else parse_size(self.validation),
            "data.stratified": self.stratified,
            "data.normalisation": self.normalisation,
        }


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network."""

    hidden: Annotated[
        str | None,
        _text(
            NETWORK,
            "--hidden",
            "WIDTHS",
            "Units of each hidden layer, as in 50,50, or none (default: 50).",
        ),
    ] = None
    activation: Annotated[
        str | None,
        _text(
            NETWORK,
            "--activation",
            "KIND",
            "relu, sigmoid, improved-sigmoid or tanh (default: relu).",
        ),
    ] = None
    initialisation: Annotated[
        str | None,
        _text(
            NETWORK,
            "--initialisation",
            "KIND",
            "First weights: he, xavier, glorot-uniform, normal, uniform or zero (default: he).",
        ),
    ] = None
    sigma: Annotated[
        float | None,
        _number(
            NETWORK,
            "--sigma",
            "Standard deviation of normal first weights (default: 0.01), or the largest of "
            "uniform ones (default: 1), > 0.",
        ),
    ] = None
    bias: Annotated[
        bool | None,
        option(
            NETWORK,
            "--bias/--no-bias",
            help="Whether all layers add a bias or none (default: all).",
        ),
    ] = None
    bias_trick: Annotated[
        bool,
        option(
            NETWORK,
            "--bias-trick",
            help="Give a bias to the first layer alone, as a constant 1 in the input does "
            "(default: to all layers).",
        ),
    ] = False

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's network."""
        from studies.recipe import parse_hidden

        if self.bias_trick and self.bias is not None:
            given = "--bias" if self.bias else "--no-bias"
            raise UsageError(f"biases are said by one option, got --bias-trick and {given}")
        return {
            "network.hidden": None if self.hidden is None else parse_hidden(self.hidden),
            "network.activation": self.activation,
            "network.initialisation": self.initialisation,
            "network.sigma": self.sigma,
            "network.bias": "input" if self.bias_trick else self.bias,
        }


Loss = Annotated[
    str | None,
    _text(TRAINING, "--loss", "KIND", "cross-entropy or squared-error (default: cross-entropy)."),
]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How it is trained."""

    loss: Loss = None
    lambda_: Annotated[
        float | None,
        _number(TRAINING, "--lambda", "Strength of the L2 penalty λ Σ W², >= 0 (default: 0)."),
    ] = None
    optimizer: Annotated[
        str | None,
        _text(TRAINING, "--optimizer", "KIND", "sgd, momentum, nesterov or adam (default: sgd)."),
    ] = None
    momentum: Annotated[
        float | None,
        _number(
            TRAINING,
            "--momentum",
            "Share of the last step that is kept, in [0, 1) (default: 0.9 where there is one).",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        _text(
            TRAINING,
            "--schedule",
            "KIND",
            "How η goes: constant, step, cyclical, or geometric, from lowest to highest over the "
            "training (default: cyclical).",
        ),
    ] = None
    eta: Annotated[
        float | None,
        _number(
            TRAINING,
            "--eta",
            "Learning rate η of a constant or step schedule, > 0 "
            "(default: 0.1; momentum 0.02, adam 0.001).",
        ),
    ] = None
    eta_min: Annotated[
        float | None,
        _number(TRAINING, "--eta-min", "Lowest η of a cycle or rise, > 0 (default: 1e-5)."),
    ] = None
    eta_max: Annotated[
        float | None,
        _number(
            TRAINING,
            "--eta-max",
            "Highest η of a cycle or rise, > 0 (default: 0.1; momentum 0.02, adam 0.001).",
        ),
    ] = None
    ns: Annotated[
        int | None,
        _whole(
            TRAINING,
            "--ns",
            "Half a cycle, in updates (default: those of two epochs).",
        ),
    ] = None
    step_factor: Annotated[
        float | None,
        _number(
            TRAINING,
            "--step-factor",
            "What η is multiplied with at a step, in (0, 1] (default: 0.1).",
        ),
    ] = None
    step_every: Annotated[
        int | None,
        _whole(TRAINING, "--step-every", "Epochs between two steps of η (default: 5)."),
    ] = None
    batch_size: Annotated[
        int | None,
        _whole(TRAINING, "--batch-size", "Samples a batch (default: 100; digits and files 20)."),
    ] = None
    epochs: Annotated[
        int | None,
        _whole(
            TRAINING,
            "--epochs",
            "Length of the training, in epochs (default: 10 where η has no cycle).",
        ),
    ] = None
    cycles: Annotated[
        int | None,
        _whole(
            TRAINING,
            "--cycles",
            "Length of the training, in cycles of η (default: 2; digits and files 8).",
        ),
    ] = None
    shuffle: Annotated[
        bool | None,
        option(
            TRAINING,
            "--shuffle/--no-shuffle",
            help="Another order of the samples each epoch (default: shuffle).",
        ),
    ] = None
    drop_last: Annotated[
        bool | None,
        option(
            TRAINING,
            "--drop-last/--no-drop-last",
            help="Leave out an epoch's last batch if it is smaller (default: no-drop-last).",
        ),
    ] = None
    evaluations: Annotated[
        int | None,
        _whole(
            TRAINING,
            "--evaluations",
            "Times an epoch that the validation split is measured for early stopping (default: 1).",
        ),
    ] = None
    patience: Annotated[
        int | None,
        _whole(
            TRAINING,
            "--patience",
            "Evaluations without a lower validation loss after which a trial stops "
            "(default: never).",
        ),
    ] = None
    stop_rule: Annotated[
        str | None,
        _text(
            TRAINING,
            "--stop-rule",
            "KIND",
            "best counts them from the lowest loss so far; window stops when the oldest of the "
            "last patience + 1 losses is their lowest (default: best).",
        ),
    ] = None
    diverged_at: Annotated[
        float | None,
        _number(
            TRAINING,
            "--diverged-at",
            "Times its cost before training, > 1, past which a trial counts as diverged "
            "(default: not finite).",
        ),
    ] = None
    score: Annotated[
        str | None,
        _text(
            TRAINING,
            "--score",
            "EPOCH",
            "The epoch a trial counts with: final or best (default: final).",
        ),
    ] = None
    running: Annotated[
        bool | None,
        option(
            TRAINING,
            "--running/--no-running",
            help="Measure the training accuracy of each batch before its update, too, whose mean "
            "is what Keras prints (default: no-running).",
        ),
    ] = None
    precision: Annotated[
        str | None,
        _text(TRAINING, "--precision", "TYPE", "float32 or float64 (default: float32)."),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's training."""
        return {
            f"training.{name.rstrip('_')}": getattr(self, name)
            for name in self.__dataclass_fields__
        }


@dataclass(frozen=True, slots=True)
class FinalOptions:
    """How the best trials are trained before the test set is opened."""

    top: Annotated[
        int | None,
        _whole(FINAL, "--top", "Best trials of the ranking that are tested (default: 3)."),
    ] = None
    refit: Annotated[
        str | None,
        _text(
            FINAL,
            "--refit",
            "PARTS",
            "train+validation trains them once more on both parts, none takes the weights they "
            "have (default: train+validation).",
        ),
    ] = None
    final_validation: Annotated[
        str | None,
        _text(
            FINAL,
            "--final-validation",
            "SIZE",
            "What both parts keep for validation: a number of samples, or a fraction below 1 "
            "(default: 0.02).",
        ),
    ] = None
    final_epochs: Annotated[
        int | None,
        _whole(
            FINAL,
            "--final-epochs",
            "Length of the final training, in epochs (default: as in the search).",
        ),
    ] = None
    final_cycles: Annotated[
        int | None,
        _whole(
            FINAL,
            "--final-cycles",
            "Length of the final training, in cycles of η (default: as in the search).",
        ),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's final section."""
        from studies.recipe import parse_size

        validation = self.final_validation
        return {
            "final.top": self.top,
            "final.refit": self.refit,
            "final.validation": None if validation is None else parse_size(validation),
            "final.epochs": self.final_epochs,
            "final.cycles": self.final_cycles,
        }


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe file, and the seed."""

    recipe: Annotated[
        Path | None,
        option(
            RECIPE,
            "--recipe",
            metavar="FILE",
            help="TOML file that says what the options below say; these overrule it "
            "(default: none).",
        ),
    ] = None
    seed: Annotated[
        int | None,
        _whole(
            RECIPE,
            "--seed",
            "Decides the split, the first weights and the order of batches, >= 0 (default: 0).",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class RecipeOptions:
    """A whole recipe."""

    file: RecipeFile
    data: DataOptions
    network: NetworkOptions
    training: TrainingOptions
    final: FinalOptions

    @property
    def path(self) -> Path | None:
        """Return the recipe file."""
        return self.file.recipe

    def flags(self) -> dict[str, Any]:
        """Return all that flags state, by the recipe's keys."""
        sections = (self.data, self.network, self.training, self.final)
        flags: dict[str, Any] = {"seed": self.file.seed}
        for section in sections:
            flags |= section.flags()
        return {key: value for key, value in flags.items() if value is not None}


def absolute(data: str) -> str:
    """Return a data set's name as it is, and the path of a file that is here as an absolute one.

    So the study finds it from any folder. What is not here may be in the data folder.
    """
    from models.data.catalogue import CATALOGUE

    path = Path(data).expanduser()
    if data in CATALOGUE or not data or not path.exists():
        return data
    return str(path.absolute())


# ------------------------------------------------------------------------------------- the search


_TRIALS = Annotated[
    int | None,
    _whole(
        SEARCH,
        "--trials",
        "Trials the stage has in the end; running again with more adds some (default: see above).",
    ),
]
_LOW = Annotated[
    str | None,
    _text(
        SEARCH,
        "--low",
        "X",
        "Lower end of the range, > 0; of several parameters one each, separated by commas "
        "(default: see above; fine: by the results).",
    ),
]
_HIGH = Annotated[
    str | None,
    _text(SEARCH, "--high", "X", "Upper end of the range (default: as for --low)."),
]
_SAMPLER = Annotated[
    str | None,
    _text(
        SEARCH,
        "--sampler",
        "KIND",
        "grid, random, qmc or tpe, on a log scale (default: grid).",
    ),
]
_REPLICATES = Annotated[
    int | None,
    _whole(
        SEARCH,
        "--replicates",
        "Training runs a trial, each with a seed of its own; their mean counts (default: 1; "
        "dataset-size: 3).",
    ),
]
_ETA_RANGE = Annotated[
    str | None,
    _text(
        TRAINING,
        "--eta-range",
        "auto",
        "auto: take --eta-min and --eta-max from a range test, which trains for a moment first "
        "(default: as they are stated).",
    ),
]
_FRESH = Annotated[
    bool,
    option(
        SEARCH,
        "--fresh",
        help="Train again what was trained before, in this study or another of the file "
        "(default: take it over).",
    ),
]
_STUDY = Annotated[
    str | None,
    _text(
        SEARCH,
        "--study",
        "NAME",
        "The study's name (default: data set and search, as in digits/lambda; fine without "
        "--data: the most recent one).",
    ),
]


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What a stage of a search that refines itself tries."""

    coarse: Annotated[
        bool, option(SEARCH, "--coarse", help="Search the whole range, or carry on with it.")
    ] = False
    fine: Annotated[
        bool,
        option(
            SEARCH,
            "--fine",
            help="Search the window that the coarse results leave, or carry on with it.",
        ),
    ] = False
    finer: Annotated[
        bool,
        option(SEARCH, "--finer", help="Search the window that the fine results leave."),
    ] = False
    auto: Annotated[
        bool,
        option(
            SEARCH,
            "--auto",
            help="Search coarsely, finely and on until the values left differ by less than noise.",
        ),
    ] = False
    trials: _TRIALS = None
    values: Annotated[
        str | None,
        _text(
            SEARCH,
            "--values",
            "LIST",
            "The values to try, as in 1e-5,1e-3,1e-1, in place of a number of trials; of several "
            "parameters a list each, separated by ; (default: the sampler's).",
        ),
    ] = None
    low: _LOW = None
    high: _HIGH = None
    sampler: _SAMPLER = None
    replicates: _REPLICATES = None
    prune: Annotated[
        str | None,
        _text(
            SEARCH,
            "--prune",
            "KIND",
            "halving stops trials that are far behind the best, none trains all to the end "
            "(default: none).",
        ),
    ] = None
    eta_range: _ETA_RANGE = None
    fresh: _FRESH = False
    study: _STUDY = None


@dataclass(frozen=True, slots=True)
class GridOptions:
    """What a search that is one grid of values tries."""

    values: Annotated[
        str | None,
        _text(
            SEARCH,
            "--values",
            "LIST",
            "The values to try, separated by commas; hidden layers as in 64,59-59 "
            "(default: see above).",
        ),
    ] = None
    replicates: _REPLICATES = None
    equal: Annotated[
        str | None,
        _text(
            SEARCH,
            "--equal",
            "WHAT",
            "epochs: all trials see the training set as often; updates: all make as many updates "
            "as the recipe itself does (default: epochs).",
        ),
    ] = None
    alone: Annotated[
        bool | None,
        option(
            SEARCH,
            "--alone/--together",
            help="Train trials one after another on all cores, so that their times can be "
            "compared, or together (default: alone for batch-size, else together).",
        ),
    ] = None
    eta_range: _ETA_RANGE = None
    fresh: _FRESH = False
    study: _STUDY = None


@dataclass(frozen=True, slots=True)
class RangeTestOptions:
    """A test in place of a search."""

    range_test: Annotated[
        bool,
        option(
            SEARCH,
            "--range-test",
            help="Train once while η rises from --low to --high (default: from 1e-6 to 100), and "
            "suggest the ends of a cycle.",
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class LayersOptions:
    """How deep networks are."""

    layers: Annotated[
        str | None,
        _text(
            SEARCH,
            "--layers",
            "LIST",
            "Numbers of hidden layers to try, as in 1,2,10, each as wide as the recipe's first "
            "(default: --values).",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class TricksOptions:
    """How tricks are put together."""

    one_at_a_time: Annotated[
        bool,
        option(
            SEARCH,
            "--one-at-a-time",
            help="Add each trick to the base alone (default: each to all before it).",
        ),
    ] = False


# ---------------------------------------------------------------------------- storage and output


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Where studies are kept."""

    storage: Annotated[
        str | None,
        _text(
            OUTPUT,
            "--storage",
            "FILE|URL",
            "SQLite file or SQLAlchemy URL that keeps the studies "
            "(default: $SEARCH_STORAGE, else search.db in this folder).",
        ),
    ] = None

    @property
    def url(self) -> str:
        """Return it as a URL."""
        from db.engine import storage_url

        return storage_url(self.storage)


@dataclass(frozen=True, slots=True)
class JobsOptions:
    """On how many cores."""

    jobs: Annotated[
        int | None,
        _whole(OUTPUT, "--jobs", "Worker processes, >= 1 (default: one a core)."),
    ] = None

    @property
    def n_jobs(self) -> int:
        """Return how many workers there may be."""
        from studies.executors import n_cores

        if self.jobs is None:
            return n_cores()
        if self.jobs < 1:
            raise UsageError(f"--jobs must be >= 1, got {self.jobs}")
        return self.jobs


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is printed."""

    quiet: Annotated[
        bool,
        option(OUTPUT, "--quiet", "-q", help="Print no progress (default: print)."),
    ] = False
    json: Annotated[
        bool,
        option(
            OUTPUT,
            "--json",
            help="Print one JSON object in place of a table, see docs/cli.md (default: a table).",
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class StudyArgument:
    """Which study a command is about."""

    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="The study's name, as `list` shows it (default: the most recent one).",
            show_default=False,
        ),
    ] = None
    study_flag: Annotated[
        str | None, option(OUTPUT, "--study", metavar="NAME", help="As STUDY.", hidden=True)
    ] = None

    @property
    def name(self) -> str | None:
        """Return the name, ``None`` for the most recent study."""
        if self.study is not None and self.study_flag is not None:
            raise UsageError(f"one study at a time, got {self.study} and {self.study_flag}")
        return self.study or self.study_flag
