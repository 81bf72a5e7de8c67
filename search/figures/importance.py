"""Which parameters matter: the share of the differences between trials that each explains."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from coarsefine.search.errors import require
from coarsefine.search.figures.style import MARKS, house_style, light_grid, new_sheet, plain
from coarsefine.search.figures.trials import entry, measured
from coarsefine.search.words import counted
from coarsefine.studies.results.scoring.splits import replicates_in_words

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.importance import Importance
    from coarsefine.studies.results.ranking import Ranking

_HEIGHT = 0.32


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    from coarsefine.studies.results.importance import lacks as lacks_it

    return lacks_it(subject.ranking)


def drawn(subject: "Subject") -> Figure:
    """Return the figure of a study, computed from its record."""
    from coarsefine.studies.results.importance import read_importance

    require(lacks(subject))
    return importance(subject.ranking, read_importance(subject.database, subject.ranking))


def importance(ranking: "Ranking", found: "Sequence[Importance]") -> Figure:
    """Return a bar a parameter: the mean over seeds, with each seed's own share.

    Args:
        ranking: Of the study.
        found: As ``coarsefine.studies.results.importance.read_importance`` returns it.
    """
    names = [plain(ranking.symbol(each.name)) for each in found]
    n_seeds, what = len(found[0].by_seed), replicates_in_words(ranking.study)
    with house_style():
        sheet = new_sheet(
            ranking.study,
            f"what explains the differences in {plain(ranking.metric.words)}",
            heights=[0.75 + _HEIGHT * len(found)],
        )
        panel = sheet.first
        light_grid(panel, "x")
        rows = range(len(found) - 1, -1, -1)
        panel.barh(rows, [100 * each.mean for each in found], height=0.6, color=MARKS[0].colour)
        for row, each in zip(rows, found, strict=True):
            end = 100 * each.mean
            if each.deviation is not None:
                panel.errorbar(
                    [end],
                    [row],
                    xerr=[100 * each.deviation],
                    color="black",
                    capsize=3,
                    linewidth=1.0,
                    zorder=4,
                )
                panel.scatter(
                    [100 * share for share in each.by_seed],
                    [row] * n_seeds,
                    s=9,
                    facecolors="white",
                    edgecolors="black",
                    linewidths=0.6,
                    zorder=5,
                    gid="seeds",
                )
        panel.set_yticks(rows, names)
        panel.set_ylim(-0.6, len(found) - 0.4)
        panel.set_xlim(0, 100)
        panel.set_xlabel("share of the variance explained by the parameter alone (%)")
        legend = [entry("o", "black", "one seed", face="white", size=3.5)] if n_seeds > 1 else []
        noise = (
            f"bars: means over {n_seeds} {what} ± a standard deviation"
            if n_seeds > 1
            else "one seed: how much it varies between seeds is not known"
        )
        n = len(measured(ranking))
        return sheet.finished(
            legend,
            (
                f"functional analysis of variance of {counted(n, 'trial')} by a random forest",
                noise,
                "most trials lie where the best are" if len(ranking.stages) > 1 else "",
            ),
        )
