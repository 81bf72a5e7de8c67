"""The kinds of figures there are, and how each is drawn from a database alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from coarsefine.search.errors import FigureError
from coarsefine.search.figures.bars import bars
from coarsefine.search.figures.confusion import confusion
from coarsefine.search.figures.curves import Against, curves
from coarsefine.search.figures.gradients import gradients
from coarsefine.search.figures.heatmap import heatmap
from coarsefine.search.figures.range_test import range_test
from coarsefine.search.figures.sizes import sizes
from coarsefine.search.figures.style import origin
from coarsefine.search.figures.trade_off import trade_off
from coarsefine.search.figures.values import values
from coarsefine.search.figures.weights import check_images, weights
from coarsefine.search.hints import command as typed

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.studies.results.ranking import RankedTrial, Ranking


@dataclass(frozen=True, slots=True)
class Subject:
    """What figures are drawn of.

    Attributes:
        trials: Those that figures of single trials show; the best ones unless named.
        n_best: How many of the best; as many as suits the figure unless named.
        against: What curves are drawn against.
    """

    database: "Database"
    ranking: "Ranking"
    trials: "tuple[RankedTrial, ...]" = ()
    n_best: int | None = None
    against: Against = "epochs"

    def chosen(self, usual: int) -> "tuple[RankedTrial, ...]":
        """Return the trials to show: those named, or so many of the best."""
        from coarsefine.studies.results.ranking import top

        return self.trials or top(self.ranking.trials, self.n_best or usual)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: What it is called on the command line, and its file.
        shows: What it shows, in a few words.
        draw: Returns it, or raises a FigureError that says what the study lacks.
        reported: Whether a report shows it; else it has a table of its own of the same.
    """

    name: str
    shows: str
    draw: Callable[[Subject], Figure]
    reported: bool = True


def _curves(subject: Subject) -> Figure:
    from coarsefine.studies.results.curves import read_curves

    trained = read_curves(subject.database, subject.ranking, subject.chosen(3))
    return curves(subject.ranking, trained, subject.against)


def _values(subject: Subject) -> Figure:
    return values(subject.ranking, windows=_ranges(subject))


def _ranges(subject: Subject) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, by stage and parameter, from where to where was searched."""
    from coarsefine.db import repository
    from coarsefine.studies.planning.stages import dimensions_of

    return {
        stage.name: {
            d.name: (d.range.low, d.range.high) for d in dimensions_of(stage) if d.range is not None
        }
        for stage in repository.stages(subject.database, subject.ranking.study)
        if stage.optuna_name is not None
    }


def _heatmap(subject: Subject) -> Figure:
    return heatmap(subject.ranking)


def _trade_off(subject: Subject) -> Figure:
    from coarsefine.db import repository
    from coarsefine.studies.planning.stages import manner_of
    from coarsefine.studies.results.curves import read_runs

    stages = repository.stages(subject.database, subject.ranking.study)
    alone = all(manner_of(stage).alone for stage in stages if stage.optuna_name is not None)
    runs = read_runs(subject.database, subject.ranking)
    return trade_off(subject.ranking, runs, alone=alone)


def _sizes(subject: Subject) -> Figure:
    from coarsefine.studies.results.curves import read_runs

    return sizes(subject.ranking, read_runs(subject.database, subject.ranking))


def _bars(subject: Subject) -> Figure:
    from coarsefine.studies.results.curves import read_runs

    return bars(subject.ranking, read_runs(subject.database, subject.ranking))


def _weights(subject: Subject) -> Figure:
    from coarsefine.db.errors import StorageError
    from coarsefine.studies.errors import StudyError
    from coarsefine.studies.results.first_layer import read_first_layer

    ranking = subject.ranking
    chosen = subject.chosen(1)
    if not chosen:
        raise FigureError("weights needs a complete trial, or the name of another one")
    # Checkpoints are large: none is read to be refused.
    check_images(ranking)
    try:
        layers = [read_first_layer(subject.database, ranking, trial) for trial in chosen]
    except (StudyError, StorageError) as error:
        raise FigureError(f"weights: {error}") from error
    return weights(ranking, layers)


def _confusion(subject: Subject) -> Figure:
    from coarsefine.db import repository

    study = subject.ranking.study
    openings = repository.openings(subject.database, study)
    if not openings:
        raise FigureError(
            f"confusion needs a final test, there was none: {typed('test', study.name)}"
        )
    latest = openings[-1]
    if not subject.trials:
        return confusion(study, latest)
    if len(subject.trials) > 1:
        raise FigureError(f"confusion shows one trial, got {len(subject.trials)}")
    (trial,) = subject.trials
    for run in latest.runs:
        if run.stage == trial.stage and run.params == dict(trial.params):
            return confusion(study, latest, run)
    raise FigureError(
        "confusion needs a trial that was tested, the latest final test has no "
        f"{trial.stage}:{trial.trial}"
    )


def _gradients(subject: Subject) -> Figure:
    from coarsefine.studies.checks.network import checked_without_data
    from coarsefine.studies.recipes.recipe import from_json

    study = subject.ranking.study
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    if recipe.trainer is not None:
        raise FigureError(f"gradients are {recipe.trainer}'s own, which trains this study")
    ends = int(study.data["n_features"]), int(study.data["n_classes"])
    checks, about = checked_without_data(recipe, *ends)
    said = f"{origin(study, sizes=False)}; {checks[0].label}, {about}"
    return gradients(checks, study, said)


def _range_test(subject: Subject) -> Figure:
    from coarsefine.studies.checks.range_test import recorded

    study = subject.ranking.study
    found = recorded(subject.database, study)
    if found is None:
        raise FigureError(
            "range-test needs an η range test of the same recipe, data and seed, there was none: "
            f"{typed('eta', '--range-test')} with the recipe's options"
        )
    return range_test(found, study)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("curves", "accuracy, loss, cost and η by epoch", _curves),
        Kind("values", "the searched numbers against validation accuracy", _values),
        Kind("heatmap", "validation accuracy over two searched numbers", _heatmap),
        Kind("trade-off", "accuracy against time, by batch size", _trade_off),
        Kind("sizes", "accuracy by the number of training samples", _sizes),
        Kind("bars", "accuracy of choices, with the updates they took", _bars),
        Kind("weights", "the first layer's weights as images", _weights),
        Kind("range-test", "loss and accuracy while η rises", _range_test),
        Kind("gradients", "errors of the gradients, by parameter", _gradients, reported=False),
        Kind("confusion", "the confusion matrix of the latest final test", _confusion),
    )
}
