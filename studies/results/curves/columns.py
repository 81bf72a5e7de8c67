"""Columns of curves: a row an epoch of each training run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.models.specs import TRAIN_SAMPLES
from coarsefine.studies.results.columns.column import Column, Face, finite, of_one_kind, searched
from coarsefine.studies.results.columns.rankings import own_column
from coarsefine.studies.results.columns.shared import PARAMS, STAGE, STUDY, TITLE, TRIAL
from coarsefine.studies.results.ranking import Ranking


class CurveOf(NamedTuple):
    """Whose curve it is: what is the same for all of its epochs."""

    study: str
    stage: str
    trial: int
    params: Mapping[str, Any]
    replicate: int


_TIME: Final = "the ranking has the time of the whole training"
_RUNNING: Final = "it is measured only where a recipe asks for it"
_BATCHES: Final = (
    "mean over the epoch's batches, each before its update; empty unless running measures were"
    " asked for"
)

EPOCHS: Final[tuple[Column, ...]] = (
    replace(STUDY, value=None),
    *(
        replace(column, value=None, of_table=True, absent=TITLE, paper=Face())
        for column in (STAGE, TRIAL, PARAMS)
    ),
    Column(
        name="replicate",
        kind="whole",
        meaning="of the trial, from 0",
        of_table=True,
        absent=TITLE,
        paper=Face(),
    ),
    Column(
        name="epoch",
        kind="whole",
        meaning="epochs trained; 0 is before the first update",
        unit="epochs",
        terminal=Face(place=1),
        report=Face(place=1),
    ),
    Column(
        name="updates",
        kind="count",
        meaning="updates made so far",
        unit="updates",
        value=attrgetter("step"),
        terminal=Face(place=2, spare=2),
        report=Face(place=2),
    ),
    Column(
        name="epoch_eta",
        kind="value",
        meaning="η of the epoch's last update; at epoch 0, of the first",
        value=attrgetter("eta"),
        heading="η",
        terminal=Face(place=3),
        report=Face(place=3),
    ),
    Column(
        name="train_loss",
        kind="loss",
        meaning="on training samples after the epoch, without the penalty",
        heading="training\nloss",
        terminal=Face(place=4),
        report=Face(place=4),
    ),
    Column(
        name="train_cost",
        kind="loss",
        meaning="on training samples after the epoch, with the penalty λ Σ W²",
        heading="training\ncost",
        terminal=Face(place=5, spare=3),
        report=Face(place=5),
    ),
    Column(
        name="train_accuracy",
        kind="percent",
        meaning="on training samples after the epoch, re-evaluated",
        terminal=Face("training\naccuracy\n%", place=8, spare=1),
        report=Face("training", place=8),
        paper=Face("training accuracy (%)"),
    ),
    Column(
        name="validation_loss",
        kind="loss",
        meaning="on the validation samples after the epoch, without the penalty",
        heading="validation\nloss",
        terminal=Face(place=6),
        report=Face(place=6),
    ),
    Column(
        name="validation_cost",
        kind="loss",
        meaning="on the validation samples after the epoch, with the penalty λ Σ W²",
        heading="validation\ncost",
        terminal=Face(place=7, spare=4),
        report=Face(absent="its penalty is the one of the training cost"),
    ),
    Column(
        name="validation_accuracy",
        kind="percent",
        meaning="on the validation samples after the epoch, re-evaluated",
        terminal=Face("validation\naccuracy\n%", place=9),
        report=Face("validation", place=9),
        paper=Face("validation accuracy (%)"),
    ),
    Column(
        name="running_loss",
        kind="loss",
        meaning=_BATCHES,
        absent=_RUNNING,
        paper=Face(),
    ),
    Column(
        name="running_accuracy",
        kind="percent",
        meaning=_BATCHES,
        absent=_RUNNING,
        paper=Face("running accuracy (%)"),
    ),
    Column(
        name="squared_weights",
        kind="value",
        meaning="Σ W² after the epoch, over all layers, biases not counted; empty of curves that "
        "are older than this column",
        heading="Σ W²",
        terminal=Face(place=10, spare=5),
        report=Face(place=10),
        shown_if=lambda rows: any(row.squared_weights is not None for row in rows),
    ),
    Column(
        name="seconds",
        kind="real",
        unit="s",
        meaning="training the epoch: the run's share of its cohort's",
        absent=_TIME,
        paper=Face("training (s)", absent=_TIME),
    ),
    Column(
        name="evaluation_seconds",
        kind="real",
        unit="s",
        meaning="measuring after the epoch",
        absent=_TIME,
        paper=Face("measuring (s)", absent=_TIME),
    ),
)


def measured_on(study: StudyRecord) -> str:
    """Return on how many training samples a curve's rows are measured, where they differ in it."""
    if study.recipe.get("trainer") or int(study.data.get("n_train", 0)) <= TRAIN_SAMPLES:
        return ""
    return f"training is measured on {TRAIN_SAMPLES:,} samples, in the last row on all"


def curve_cells(
    database: Database, ranking: Ranking
) -> tuple[dict[str, Sequence[Any]], dict[str, Column]]:
    """Return the curves of a ranking's trials by column, and what the columns are.

    A value an epoch, in order of trial, replicate and epoch.
    """
    measured = repository.epoch_columns(database, ranking.study)
    runs, places = _placed(_runs(database, ranking), measured["run_id"])
    if places != [range(len(measured["run_id"]))]:
        measured = {name: _in_order(values, places) for name, values in measured.items()}
    rows = SimpleNamespace(**measured)
    own: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
    if ranking.study.recipe.get("trainer"):
        for place, metrics in repository.epoch_metrics(database, study=ranking.study).items():
            for name, value in metrics.items():
                own[name][place] = value
    names = ranking.searched
    cells: dict[str, Sequence[Any]] = {}
    for column in EPOCHS:
        if column.name == "params":
            for name in names:
                cells[name] = [v for of, n in runs for v in (finite(of.params.get(name)),) * n]
        elif column.of_table:
            cells[column.name] = [v for of, n in runs for v in (column.of(of),) * n]
        else:
            # All rows at once: what takes an attribute from a row takes the column here.
            cells[column.name] = column.exact(column.of(rows))
    for name, known_values in own.items():
        cells[_own(name)] = list(map(known_values.get, zip(rows.run_id, rows.epoch, strict=True)))
    known = {column.name: column for column in (*EPOCHS, *map(own_column, own))}
    for name in names:
        cells[name] = of_one_kind(cells[name])
        known[name] = searched(name, cells[name])
    return cells, known


def _in_order(values: Any, places: Iterable[range]) -> Any:
    """Return the values of a list or an array at some places, of the same kind."""
    found = values[:0]
    for place in places:
        found += values[place.start : place.stop]
    return found


def _own(name: str) -> str:
    return own_column(name).name


def _placed(
    runs: Sequence[tuple[int, CurveOf]], run_ids: Sequence[int]
) -> tuple[list[tuple[CurveOf, int]], list[range]]:
    """Return how many epochs each run has, and where these stand, neighbours together.

    Args:
        runs: In the order that is wanted, by their keys.
        run_ids: The run of each epoch that is stored; those of a run stand together.
    """
    stored: dict[int, range] = {}
    for run_id, n_epochs in Counter(run_ids).items():
        start = next(reversed(stored.values())).stop if stored else 0
        stored[run_id] = range(start, start + n_epochs)
    counted: list[tuple[CurveOf, int]] = []
    places: list[range] = []
    for run_id, of in runs:
        place = stored.get(run_id, range(0))
        counted.append((of, len(place)))
        if place and places and places[-1].stop == place.start:
            places[-1] = range(places[-1].start, place.stop)
        elif place:
            places.append(place)
    return counted, places


def _runs(database: Database, ranking: Ranking) -> list[tuple[int, CurveOf]]:
    """Return the training runs of a ranking's trials, by their keys in the database."""
    places = {trial.uuid: trial for trial in ranking.trials}
    rows = repository.trial_rows(database, ranking.study)
    trials = {row.id: places[row.uuid] for row in rows if row.uuid in places}
    found = []
    for run in repository.run_rows(database, ranking.study):
        trial = trials.get(run.trial_id)
        if trial is not None:
            of = CurveOf(ranking.study.name, trial.stage, trial.trial, trial.params, run.replicate)
            found.append((run.id, of))
    return found
