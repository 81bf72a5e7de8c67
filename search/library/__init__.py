"""Searches from Python: what ``import studies`` offers, a face beside the command line.

It lives on this floor because it shows what the command line shows: progress, tables, figures and
reports. ``studies`` hands it on; see ``docs/decisions/0007-python-has-a-face-of-its-own.md``.
"""

from coarsefine.search.library.audits import Audit
from coarsefine.search.library.forecasts import Forecast
from coarsefine.search.library.listing import compare_studies, list_studies
from coarsefine.search.library.model import Model
from coarsefine.search.library.moving import merge_studies, pack_studies, unpack_studies
from coarsefine.search.library.recipe import Recipe
from coarsefine.search.library.replays import Replay
from coarsefine.search.library.results import Comparison, RangeTest, Ranking, TestResult
from coarsefine.search.library.study import Study
from coarsefine.search.library.tidying import purge_studies, remove_studies, restore_studies

__all__ = [
    "Audit",
    "Comparison",
    "Forecast",
    "Model",
    "RangeTest",
    "Ranking",
    "Recipe",
    "Replay",
    "Study",
    "TestResult",
    "compare_studies",
    "list_studies",
    "merge_studies",
    "pack_studies",
    "purge_studies",
    "remove_studies",
    "restore_studies",
    "unpack_studies",
]
