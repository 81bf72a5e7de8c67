"""Figures of a study, from the database alone: functions that return matplotlib figures.

Nothing is trained for them, no display is needed, and equal studies give equal files.
"""

from coarsefine.search.figures.bars import bars
from coarsefine.search.figures.confusion import confusion
from coarsefine.search.figures.curves import curves
from coarsefine.search.figures.gradients import gradients
from coarsefine.search.figures.heatmap import heatmap
from coarsefine.search.figures.range_test import range_test
from coarsefine.search.figures.rendering import FORMATS, rendered
from coarsefine.search.figures.sizes import sizes
from coarsefine.search.figures.style import caption_of
from coarsefine.search.figures.trade_off import trade_off
from coarsefine.search.figures.values import values
from coarsefine.search.figures.weights import weights

__all__ = [
    "FORMATS",
    "bars",
    "caption_of",
    "confusion",
    "curves",
    "gradients",
    "heatmap",
    "range_test",
    "rendered",
    "sizes",
    "trade_off",
    "values",
    "weights",
]
