"""The options that say what a search tries."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from coarsefine.search.options.declaring import (
    SEARCH,
    TRAINING,
    number_option,
    option,
    text_option,
    whole_option,
)

# So many take an hour or more, and a database of a size to be asked about.
MANY_TRIALS: Final = 5_000

_TRIALS = Annotated[
    int | None,
    whole_option(
        SEARCH,
        "--trials",
        "Trials the stage has in the end; running again with more adds some (default: see above; "
        "fine: as many as --coarse was asked for).",
    ),
]
_LOW = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--low",
        "X",
        "Lower end of the range, > 0; of several parameters one each, separated by commas "
        "(default: see above; fine: by the results).",
    ),
]
_HIGH = Annotated[
    str | None,
    text_option(SEARCH, "--high", "X", "Upper end of the range (default: as for --low)."),
]
_SAMPLER = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--sampler",
        "KIND",
        "grid, random, qmc, tpe, or gp with PyTorch, on a log scale (default: grid; fine: as "
        "--coarse).",
    ),
]
_REPLICATES = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--replicates",
        "N",
        "Training runs a trial, each with a seed of its own; their mean counts. auto, or a range "
        "as in 3..20: all trials get a few, and those that may be the best get more, seed by seed "
        "(default: auto for --coarse where that takes seconds, else 1; dataset-size: 3).",
    ),
]
_INDIFFERENCE = Annotated[
    float | None,
    number_option(
        SEARCH,
        "--indifference",
        "The largest difference that does not matter to --replicates auto, in percentage points "
        "(default: 0.5).",
    ),
]
_ONLY = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--only",
        "WHICH",
        "Which trials get more seeds, where --replicates asks for more than they have: tied or all "
        "(default: those that --values names, or tied).",
    ),
]
_ETA_RANGE = Annotated[
    str | None,
    text_option(
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
WITHIN = Annotated[
    str | None,
    text_option(
        SEARCH,
        "--within",
        "TIME",
        "How long it may take, as in 90s, 20m or 1h30m: fewer seeds first, then values far behind "
        "wait, and it ends there with a ranking; the same without this goes on (default: as long "
        "as it takes).",
    ),
]
DRY_RUN = Annotated[
    bool,
    option(
        SEARCH,
        "--dry-run",
        help="Say what would be trained, how long it takes and how much memory, and train nothing "
        "(default: train).",
    ),
]
YES = Annotated[
    bool,
    option(
        SEARCH,
        "--yes",
        help=f"Do not ask before a search of {MANY_TRIALS:,} trials or more (default: ask).",
    ),
]
_STUDY = Annotated[
    str | None,
    text_option(
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
        text_option(
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
    only: _ONLY = None
    indifference: _INDIFFERENCE = None
    prune: Annotated[
        str | None,
        text_option(
            SEARCH,
            "--prune",
            "KIND",
            "halving stops trials that are far behind the best, none trains all to the end "
            "(default: none).",
        ),
    ] = None
    eta_range: _ETA_RANGE = None
    within: WITHIN = None
    dry_run: DRY_RUN = False
    fresh: _FRESH = False
    yes: YES = False
    study: _STUDY = None


@dataclass(frozen=True, slots=True)
class GridOptions:
    """What a search that is one grid of values tries."""

    values: Annotated[
        str | None,
        text_option(
            SEARCH,
            "--values",
            "LIST",
            "The values to try, separated by commas; hidden layers as in 64,59-59 "
            "(default: see above).",
        ),
    ] = None
    replicates: _REPLICATES = None
    only: _ONLY = None
    indifference: _INDIFFERENCE = None
    equal: Annotated[
        str | None,
        text_option(
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
            help="Train trials one after another, nothing beside them, so that their times can "
            "be compared, or together (default: alone for batch-size, else together).",
        ),
    ] = None
    eta_range: _ETA_RANGE = None
    within: WITHIN = None
    dry_run: DRY_RUN = False
    fresh: _FRESH = False
    yes: YES = False
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
    figure: Annotated[
        Path | None,
        option(
            SEARCH,
            "--figure",
            metavar="FILE",
            help="Draw the range test into a png, svg or pdf file, too (default: none).",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class LayersOptions:
    """How deep networks are."""

    layers: Annotated[
        str | None,
        text_option(
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
