"""The options that commands share, as dataclasses: what is not said is ``None``.

Defaults are the recipe's, which depend on each other; the help names them. A file is a panel of
the help, or what makes up one; ``declaring`` is how an option of any of them is written.
"""

from coarsefine.search.options.data import DataDir, DataOptions, absolute
from coarsefine.search.options.declaring import (
    DATA,
    FINAL,
    NETWORK,
    OUTPUT,
    RECIPE,
    SEARCH,
    TRAINING,
    all_of,
    number,
    number_option,
    one_of,
    option,
    text_option,
    whole,
    whole_option,
)
from coarsefine.search.options.final import FinalOptions
from coarsefine.search.options.network import NetworkOptions
from coarsefine.search.options.output import (
    NoNotes,
    OutputOptions,
    RankedBy,
    StorageOptions,
    StudyArgument,
    StudyFlag,
)
from coarsefine.search.options.recipe import RecipeFile, RecipeOptions
from coarsefine.search.options.searching import (
    GridOptions,
    LayersOptions,
    RangeTestOptions,
    StageOptions,
    TricksOptions,
)
from coarsefine.search.options.training import Loss, TrainingOptions
from coarsefine.search.options.workers import JobsOptions

__all__ = [
    "DATA",
    "FINAL",
    "NETWORK",
    "OUTPUT",
    "RECIPE",
    "SEARCH",
    "TRAINING",
    "DataDir",
    "DataOptions",
    "FinalOptions",
    "GridOptions",
    "JobsOptions",
    "LayersOptions",
    "Loss",
    "NetworkOptions",
    "NoNotes",
    "OutputOptions",
    "RangeTestOptions",
    "RankedBy",
    "RecipeFile",
    "RecipeOptions",
    "StageOptions",
    "StorageOptions",
    "StudyArgument",
    "StudyFlag",
    "TrainingOptions",
    "TricksOptions",
    "absolute",
    "all_of",
    "number",
    "number_option",
    "one_of",
    "option",
    "text_option",
    "whole",
    "whole_option",
]
