"""A gradient check: how far analytic gradients and differences are apart, by parameter."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures.scales import set_log
from coarsefine.search.figures.style import (
    GREY,
    Mark,
    fitted,
    house_style,
    light_grid,
    mark,
    new_sheet,
    origin,
)
from coarsefine.search.figures.trials import entry
from coarsefine.search.words import counted, value
from coarsefine.studies.checks.network import checked_without_data

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.checks.network import NetworkCheck

# Rows of a figure; more networks are for the table.
_MOST: Final = 60
_ROW: Final = 0.24
# Inches of a row's name.
_NAME_WIDTH: Final = 2.4
# Errors below this are rounding of what was subtracted, or 0, for which there is no logarithm.
_LEAST: Final = 1e-14


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    trainer = subject.ranking.study.recipe.get("trainer")
    return f"gradients are {trainer}'s own, which trains this study" if trainer else None


def drawn(subject: "Subject") -> Figure:
    """Return the errors of the gradients of a study's network, checked now, without its data."""
    from coarsefine.studies.recipes.recipe import from_json

    require(lacks(subject))
    study = subject.ranking.study
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    ends = int(study.data["n_features"]), int(study.data["n_classes"])
    checks, about = checked_without_data(recipe, *ends)
    said = f"{origin(study, sizes=False)}; {checks[0].label}, {about}"
    return gradients(checks, study, said)


def gradients(checks: "Sequence[NetworkCheck]", study: "StudyRecord | str", about: str) -> Figure:
    """Return the largest relative error of each parameter tensor, a mark for each λ.

    Several networks have a row each, for the largest error of all their tensors.

    Args:
        checks: At least one.
        study: Whose network it is, or what to call it where there is no study.
        about: On which samples.

    Raises:
        FigureError: If there are too many networks.
    """
    from coarsefine.models.gradient_check import TOLERANCE

    errors = _errors(checks)
    rows = list(dict.fromkeys(name for name, _, _ in errors))
    if len(rows) > _MOST:
        raise FigureError(f"a gradient check is drawn of {_MOST} rows or fewer, got {len(rows)}")
    strengths = list(dict.fromkeys(strength for _, strength, _ in errors))
    marks = {strength: mark(place) for place, strength in enumerate(strengths)}
    finite = [error for _, _, error in errors if math.isfinite(error)]
    high = 30 * max([TOLERANCE, *finite])
    with house_style():
        heights = [0.6 + _ROW * len(rows)]
        sheet = new_sheet(study, "gradient check", heights=heights, about=about)
        panel = sheet.first
        light_grid(panel, "x")
        set_log(panel, min([TOLERANCE, *(max(each, _LEAST) for each in finite)]) / 10, high, "x")
        places = {name: -place for place, name in enumerate(rows)}
        panel.set_yticks(list(places.values()), [fitted(name, _NAME_WIDTH, 7.5) for name in places])
        panel.set_ylim(-len(rows) + 0.4, 0.6)
        panel.axvline(TOLERANCE, color=GREY, linestyle="--", linewidth=1, gid="tolerance")
        for strength, its in marks.items():
            these = [(name, error) for name, s, error in errors if s == strength]
            # Two λ of a row stand beside each other.
            shift = 0.12 * (strengths.index(strength) - (len(strengths) - 1) / 2)
            panel.scatter(
                [_place(error, high) for _, error in these],
                [places[name] - shift for name, _ in these],
                s=20,
                marker=its.shape,
                c=its.colour,
                gid=f"lambda-{strength:g}",
                zorder=3,
            )
        panel.set_xlabel("largest relative error (log scale)")
        passed = all(check.passed for check in checks)
        return sheet.finished(
            [*_legend(marks), _limit(TOLERANCE)],
            (
                "passed" if passed else "FAILED: a mark right of the line is a wrong gradient",
                "error: |gₐ − gₙ| / max(10⁻⁴, |gₐ| + |gₙ|), analytic and central differences",
                "in double precision",
                _skipped(checks),
            ),
        )


def _errors(checks: "Sequence[NetworkCheck]") -> list[tuple[str, float, float]]:
    """Return row, λ and error of each mark."""
    one = len({check.network for check in checks}) == 1
    if one:
        return [
            (parameter.name, check.l2_strength, parameter.max_relative_error)
            for check in checks
            for parameter in check.parameters
        ]
    return [(check.label, check.l2_strength, check.worst) for check in checks]


def _place(error: float, high: float) -> float:
    # What is not a number is as wrong as can be drawn.
    return max(error, _LEAST) if math.isfinite(error) else high / 2


def _legend(marks: dict[float, Mark]) -> list[Line2D]:
    return [entry(its.shape, its.colour, f"λ {value(s)}") for s, its in marks.items()]


def _limit(tolerance: float) -> Line2D:
    words = f"allowed: {value(tolerance)}"
    return Line2D([], [], color=GREY, linestyle="--", linewidth=1, label=words)


def _skipped(checks: "Sequence[NetworkCheck]") -> str:
    n = sum(parameter.n_skipped for check in checks for parameter in check.parameters)
    if not n:
        return ""
    return f"{counted(n, 'element')} beside a kink of the activation left out"
