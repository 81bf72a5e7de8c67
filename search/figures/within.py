"""Training as it goes within epochs: the losses of batches, smoothed, and each evaluation."""

from typing import TYPE_CHECKING, Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from coarsefine.hints import Message, option
from coarsefine.search.errors import Lack, require
from coarsefine.search.figures.quantities import loss_of
from coarsefine.search.figures.style import GREY, house_style, light_grid, mark, new_sheet
from coarsefine.search.figures.trials import described, entry

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.evaluations import RunEvaluation
    from coarsefine.studies.results.ranking import RankedTrial

_MARKERS: Final = 12


def lacks(subject: "Subject") -> Lack:
    """Return why a study has no such figure, if so."""
    recipe = subject.ranking.study.recipe
    training: dict[str, Any] = recipe.get("training", {})
    within = (training.get("evaluations") or 1) > 1 or training.get("evaluate_every")
    if recipe.get("trainer") or not within:
        return Message(
            "within needs several evaluations an epoch: ",
            option("training.evaluations"),
            " or ",
            option("training.evaluate_every"),
        )
    return None if subject.chosen() else "within needs a complete trial, or the name of another"


def drawn(subject: "Subject") -> Figure:
    """Return loss and accuracy of some trials by update, at each evaluation.

    The losses of the batches are drawn as their mean between two evaluations, with a band of one
    standard deviation, where a recipe had them measured. Of several seeds it is the first.
    """
    from coarsefine.studies.results.evaluations import read_evaluations

    require(lacks(subject))
    ranking, trials = subject.ranking, subject.chosen()
    rows = read_evaluations(subject.database, ranking, trials)
    require(None if rows else "within needs evaluations; those of this study are older")
    batches = any(row.measured.batch_loss is not None for row in rows)
    unit = " (nats)" if loss_of(ranking).endswith("cross-entropy") else ""
    with house_style():
        sheet = new_sheet(ranking.study, "loss and accuracy within epochs", heights=[2.4, 1.5])
        loss, accuracy = sheet.panels[:2]
        loss.set_ylabel(f"loss{unit}")
        accuracy.set_ylabel("accuracy (%)")
        for panel in (loss, accuracy):
            light_grid(panel)
        for position, trial in enumerate(trials):
            first = [row for row in rows if row.trial is trial and row.replicate == 0]
            _draw(loss, accuracy, position, first)
        loss.set_ylim(bottom=0)
        accuracy.set_xlim(left=0)
        accuracy.set_xlabel("updates")
        accuracy.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        legend = [
            entry(mark(i).shape, mark(i).colour, _name(subject, trial))
            for i, trial in enumerate(trials)
        ]
        legend.append(entry("o", GREY, "validation, at each evaluation"))
        several = any(row.replicate for row in rows)
        notes = (
            "line with a band: mean loss of the batches since the evaluation before, each before "
            "its update, ±1 standard deviation"
            if batches
            else "the losses of batches were not measured: running measures",
            "of several seeds, the first" if several else "",
        )
        return sheet.finished(legend, notes)


def _name(subject: "Subject", trial: "RankedTrial") -> str:
    return f"{described(subject.ranking, trial)} ({trial.name})"


def _draw(loss: Axes, accuracy: Axes, position: int, rows: "list[RunEvaluation]") -> None:
    own = mark(position)
    for panel, key, factor in (
        (loss, "validation_loss", 1.0),
        (accuracy, "validation_accuracy", 100.0),
    ):
        known = [(r.measured.step, v) for r in rows if (v := getattr(r.measured, key)) is not None]
        panel.plot(
            [step for step, _ in known],
            [factor * value for _, value in known],
            color=own.colour,
            marker=own.shape,
            markersize=4,
            markevery=max(1, len(known) // _MARKERS),
            gid=f"validation-{position}",
        )
    smooth = [
        (row.measured.step, row.measured.batch_loss, row.measured.batch_deviation)
        for row in rows
        if row.measured.batch_loss is not None and row.measured.batch_deviation is not None
    ]
    if smooth:
        steps, means, spreads = (list(each) for each in zip(*smooth, strict=True))
        loss.plot(steps, means, color=own.colour, linewidth=0.9, gid=f"batches-{position}")
        low = [max(0.0, mean - spread) for mean, spread in zip(means, spreads, strict=True)]
        high = [mean + spread for mean, spread in zip(means, spreads, strict=True)]
        loss.fill_between(
            steps,
            low,
            high,
            color=own.colour,
            alpha=0.18,
            linewidth=0,
            zorder=1,
            gid=f"batches-{position}-band",
        )
