"""The kinds of figures there are, and how each is drawn from a database alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from matplotlib.figure import Figure

from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures import (
    bars,
    certainty,
    confused,
    contour,
    gradients,
    heatmap,
    importance,
    isolation,
    norms,
    parallel,
    race,
    range_test,
    replay,
    sizes,
    trade_off,
    trained,
    values,
    weights,
    within,
)

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import TestOpeningRecord
    from coarsefine.search.figures.along import Against
    from coarsefine.studies.results.ranking import RankedTrial, Ranking


On = Literal["validation", "test"]
ON: Final[tuple[On, ...]] = get_args(On)


@dataclass(frozen=True, slots=True)
class Subject:
    """What figures are drawn of.

    Attributes:
        trials: Those that figures of single trials show; the best ones unless named.
        n_best: How many of the best; as many as suits the figure unless named.
        against: What curves are drawn against.
        on: Which samples confusions are of; ``None`` for the test set where it was opened.
        known_openings: Final tests of the study, if they were read already.
    """

    database: "Database"
    ranking: "Ranking"
    trials: "tuple[RankedTrial, ...]" = ()
    n_best: int | None = None
    against: "Against" = "epochs"
    on: "On | None" = None
    known_openings: "tuple[TestOpeningRecord, ...] | None" = None

    def chosen(self, usual: int) -> "tuple[RankedTrial, ...]":
        """Return the trials to show: those named, or so many of the best."""
        from coarsefine.studies.results.ranking import top

        return self.trials or top(self.ranking.trials, self.n_best or usual)

    def latest_opening(self) -> "TestOpeningRecord | None":
        """Return the latest final test."""
        from coarsefine.db import repository

        openings = self.known_openings
        if openings is None:
            openings = tuple(repository.openings(self.database, self.ranking.study))
        return openings[-1] if openings else None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: What it is called on the command line, and its file.
        shows: What it shows, in a few words.
        lacks: Returns what a study lacks for it, or ``None`` if the figure can be drawn. Cheap:
            the dashboard asks it of every trial of a page.
        draw: Returns the figure, or raises a FigureError that says what the study lacks.
        in_dashboard: On which pages of the dashboard it stands: of a ``study``, of a ``trial``.
    """

    name: str
    shows: str
    lacks: Callable[[Subject], str | None]
    draw: Callable[[Subject], Figure]
    in_dashboard: frozenset[str] = frozenset({"study"})


def drawn(
    subject: Subject, kinds: "Iterable[Kind] | None" = None
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Return the figures that suit a study by kind, and why others were left out.

    Args:
        subject: What is drawn.
        kinds: Those to try; all unless named.
    """
    figures: dict[str, Figure] = {}
    left_out: dict[str, str] = {}
    for kind in KINDS.values() if kinds is None else kinds:
        try:
            figures[kind.name] = kind.draw(subject)
        except FigureError as error:
            left_out[kind.name] = str(error)
    return figures, left_out


# --------------------------------------------------------------------- figures of the whole study


def _of_ranking(lacks: "Callable[[Ranking], str | None]") -> Callable[[Subject], str | None]:
    return lambda subject: lacks(subject.ranking)


def _values(subject: Subject) -> Figure:
    return values.values(subject.ranking, windows=_ranges(subject))


def _ranges(subject: Subject) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, by stage and parameter, from where to where was searched."""
    from coarsefine.db import repository
    from coarsefine.studies.planning.stages import Stage

    return {
        stage.name: {
            d.name: (d.range.low, d.range.high)
            for d in Stage.of(stage).dimensions
            if d.range is not None
        }
        for stage in repository.stages(subject.database, subject.ranking.study)
        if stage.optuna_name is not None
    }


def _trade_off(subject: Subject) -> Figure:
    from coarsefine.db import repository
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.results.curves.runs import read_runs

    stages = repository.stages(subject.database, subject.ranking.study)
    searched = [Stage.of(stage) for stage in stages if stage.optuna_name is not None]
    alone = all(stage.run_options.alone for stage in searched)
    runs = read_runs(subject.database, subject.ranking)
    return trade_off.trade_off(subject.ranking, runs, alone=alone)


def _sizes(subject: Subject) -> Figure:
    from coarsefine.studies.results.curves.runs import read_runs
    from coarsefine.studies.results.predictions import scores_by_run

    ranking = subject.ranking
    scores = scores_by_run(subject.database, ranking.study, ranking.by)
    return sizes.sizes(ranking, read_runs(subject.database, ranking), scores)


def _bars(subject: Subject) -> Figure:
    from coarsefine.studies.results.curves.runs import read_runs

    return bars.bars(subject.ranking, read_runs(subject.database, subject.ranking))


# ------------------------------------------------------------------------- figures of trials


def _lacks_weights(subject: Subject) -> str | None:
    trainer = subject.ranking.study.recipe.get("trainer")
    if trainer:
        return f"weights are {trainer}'s own, which trains this study"
    chosen = subject.chosen(1)
    if not chosen or any(trial.rank is None for trial in chosen):
        return "weights needs a complete trial, or the name of another one"
    return weights.lacks(subject.ranking)


def _weights(subject: Subject) -> Figure:
    from coarsefine.db.errors import StorageError
    from coarsefine.studies.errors import StudyError
    from coarsefine.studies.results.curves.first_layer import read_first_layer

    # Checkpoints are large: none is read to be refused.
    require(_lacks_weights(subject))
    ranking = subject.ranking
    try:
        layers = [read_first_layer(subject.database, ranking, trial) for trial in subject.chosen(1)]
    except (StudyError, StorageError) as error:
        raise FigureError(f"weights: {error}") from error
    return weights.weights(ranking, layers)


# ------------------------------------------------------------- figures of races and replays


def _race(subject: Subject) -> Figure:
    from coarsefine.studies.results.racing import read_race

    require(race.lacks(subject.ranking))
    return race.race(read_race(subject.database, subject.ranking))


def _lacks_replay(subject: Subject) -> str | None:
    return replay.lacks(subject.ranking)


def _replay(subject: Subject) -> Figure:
    from coarsefine.studies.results.replay.reading import read_replay

    require(_lacks_replay(subject))
    return replay.replay(read_replay(subject.database, subject.ranking))


_NOWHERE: Final = frozenset[str]()
_EITHER: Final = frozenset({"study", "trial"})

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "curves",
            "accuracy, loss, cost and η by epoch",
            trained.lacks,
            trained.drawn,
            in_dashboard=_EITHER,
        ),
        Kind(
            "final-curves",
            "the same of the final training",
            trained.lacks_final,
            trained.drawn_final,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "values",
            "the searched numbers against what trials are ranked by",
            _of_ranking(values.lacks),
            _values,
        ),
        Kind(
            "heatmap",
            "what trials are ranked by over two searched numbers",
            _of_ranking(heatmap.lacks),
            lambda subject: heatmap.heatmap(subject.ranking),
        ),
        Kind(
            "race",
            "how far values are behind the best, seed by seed",
            _of_ranking(race.lacks),
            _race,
        ),
        Kind(
            "within",
            "loss and accuracy at each evaluation within epochs",
            within.lacks,
            within.drawn,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "trade-off",
            "what trials are ranked by against time, by batch size",
            _of_ranking(trade_off.lacks),
            _trade_off,
        ),
        Kind(
            "sizes",
            "what trials are ranked by, by the number of training samples",
            _of_ranking(sizes.lacks),
            _sizes,
        ),
        Kind(
            "bars",
            "what choices are ranked by, with the updates they took",
            _of_ranking(bars.lacks),
            _bars,
        ),
        Kind(
            "weights",
            "the first layer's weights as images",
            _lacks_weights,
            _weights,
            in_dashboard=_EITHER,
        ),
        Kind(
            "norms",
            "the size of the weights by epoch, and against what was searched",
            norms.lacks,
            norms.drawn,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "certainty",
            "the probability given to the true class, right and wrong",
            certainty.lacks,
            certainty.drawn,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "range-test",
            "loss and accuracy while η rises",
            range_test.lacks,
            range_test.drawn,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "gradients",
            "errors of the gradients, by parameter",
            gradients.lacks,
            gradients.drawn,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "confusion",
            "the confusion matrix of the latest final test, or on the validation samples",
            confused.lacks,
            confused.drawn,
            in_dashboard=_EITHER,
        ),
        Kind(
            "replay",
            "what sloppier protocols would have concluded",
            _lacks_replay,
            _replay,
            in_dashboard=_NOWHERE,
        ),
        Kind(
            "contour",
            "what trials are ranked by over each two of the searched numbers",
            _of_ranking(contour.lacks),
            lambda subject: contour.contour(subject.ranking),
        ),
        Kind(
            "isolation",
            "the best over all other parameters, by each parameter",
            _of_ranking(isolation.lacks),
            lambda subject: isolation.isolation(subject.ranking),
        ),
        Kind(
            "parallel",
            "what each trial had of each parameter, and its score",
            _of_ranking(parallel.lacks),
            lambda subject: parallel.parallel(subject.ranking),
        ),
        Kind(
            "importance",
            "what explains the differences in what trials are ranked by",
            importance.lacks,
            importance.drawn,
        ),
    )
}
