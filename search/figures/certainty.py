"""What the networks gave the true class: histograms of samples they were right and wrong on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures.style import (
    BLUE,
    GREY,
    VERMILLION,
    house_style,
    light_grid,
    new_sheet,
)
from coarsefine.search.figures.trials import described
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.curves.certainty import Certainty
    from coarsefine.studies.results.ranking import Ranking

_BINS: Final = 20


def lacks(subject: "Subject") -> str | None:
    """Return what a study lacks for the figure, if that is known from its record."""
    trainer = subject.ranking.study.recipe.get("trainer")
    if trainer:
        return f"certainty is {trainer}'s own, which trains this study"
    if not any(trial.state == "complete" for trial in subject.chosen()):
        return "certainty needs a complete trial, or the name of another one"
    return None


def drawn(subject: "Subject") -> Figure:
    """Return the figure of the trials that are chosen.

    Raises:
        FigureError: If the study lacks something for it.
    """
    from coarsefine.studies.results.curves.certainty import certainty_of

    require(lacks(subject))
    chosen = [trial for trial in subject.chosen() if trial.state == "complete"]
    try:
        found = [certainty_of(subject.database, subject.ranking, trial) for trial in chosen]
    except StudyError as error:
        raise FigureError(f"certainty: {error}") from error
    return histograms(subject.ranking, [each for each in found if each is not None])


def histograms(ranking: "Ranking", found: "Sequence[Certainty]") -> Figure:
    """Return a histogram for each trial of the probability that it gives the true class.

    Args:
        ranking: That the trials are of.
        found: As ``coarsefine.studies.results.curves.certainty.certainty_of`` returns them.

    Raises:
        FigureError: If there is none.
    """
    if not found:
        raise FigureError(
            "certainty needs a trial that predicts probabilities: train with loss cross-entropy"
        )
    edges = np.linspace(0, 1, _BINS + 1).tolist()
    with house_style():
        what = "probability given to the true class"
        sheet = new_sheet(ranking.study, what, heights=[1.7] * len(found))
        for panel, each in zip(sheet.panels, found, strict=True):
            light_grid(panel)
            parts = [each.probabilities[each.right], each.probabilities[~each.right]]
            share = 100 / len(each.right)
            panel.hist(
                parts,
                edges,
                weights=[np.full(len(part), share) for part in parts],
                color=[BLUE, VERMILLION],
                stacked=True,
                zorder=2,
            )
            panel.set_xlim(0, 1)
            panel.set_ylabel("samples (%)")
            name = described(ranking, each.trial)
            panel.set_title(
                f"{name}: mean {each.probabilities.mean():.3f}", loc="left", size=7.5, color=GREY
            )
        sheet.panels[-1].set_xlabel("probability of the true class")
        entries = [
            Patch(color=BLUE, label="right: it was the highest"),
            Patch(color=VERMILLION, label="wrong: another class was"),
        ]
        notes = (f"all {ranking.n_validation:,} validation samples, with the first seed's network",)
        return sheet.finished(entries, notes)
