"""Figures of a study, from the database alone: functions that return matplotlib figures.

Nothing is trained for them, no display is needed, and equal studies give equal files.
"""

from search.figures.bars import bars
from search.figures.confusion import confusion
from search.figures.curves import curves
from search.figures.gradients import gradients
from search.figures.heatmap import heatmap
from search.figures.range_test import range_test
from search.figures.rendering import FORMATS, rendered
from search.figures.sizes import sizes
from search.figures.style import caption_of
from search.figures.trade_off import trade_off
from search.figures.values import values
from search.figures.weights import weights

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
