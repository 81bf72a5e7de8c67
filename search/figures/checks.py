"""Figures that checks draw into a file which the user names.

It is read without matplotlib: the file of a figure is imported when one is drawn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.search.figures.rendering import write_figure

if TYPE_CHECKING:
    from coarsefine.studies.checks.crosscheck_result import CrossCheck
    from coarsefine.studies.checks.network import NetworkCheck
    from coarsefine.studies.checks.range_test import Found


def draw_gradients(
    file: Path, checks: "Sequence[NetworkCheck]", data_name: str, about: str
) -> None:
    """Draw the errors of a gradient check, as ``figures.gradients.gradients`` does."""
    from coarsefine.search.figures.gradients import gradients

    write_figure(file, gradients(checks, data_name, about))


def draw_overlay(file: Path, found: "CrossCheck", what: str) -> None:
    """Draw the curves of both sides of a cross-check, as ``figures.overlay.overlay`` does."""
    from coarsefine.search.figures.overlay import overlay

    write_figure(file, overlay(found, what))


def draw_range_test(file: Path, found: "Found", data_name: str, about: str) -> None:
    """Draw loss and accuracy by η, as ``figures.range_test.range_test`` does."""
    from coarsefine.search.figures.range_test import range_test

    write_figure(file, range_test(found, data_name, about))
