"""Training runs, epoch by epoch, as figures show them: read from the database, never trained."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EpochRecord, RunRecord
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.schedules import rates_at
from coarsefine.studies.metric import OWN
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.results.ranking import RankedTrial, Ranking

# With more updates than this, η is given at so many of them, and wherever it turns or steps.
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Rates:
    """η over a training.

    Attributes:
        steps: Updates, from 0, in order; not all of them where there are many.
        etas: η at these.
        schedule: ``constant``, ``step`` or ``cyclical``.
        cycle: Updates of a whole cycle; ``None`` where there is none.
    """

    steps: npt.NDArray[np.int64]
    etas: npt.NDArray[np.float64]
    schedule: str
    cycle: int | None = None


@dataclass(frozen=True, slots=True)
class TrialCurves:
    """The curves of a trial.

    Attributes:
        trial: Its place in the ranking.
        replicates: A curve each, in order of the epochs.
        updates_per_epoch: Of a whole epoch; 0 of a custom trainer, which does not say.
        rates: η; ``None`` where the plan is no longer in the database.
        train_samples: How many training samples accuracy and loss are measured on after an epoch
            at the most; ``None`` for all of them.
        metrics: By run and epoch, what a custom trainer reported under names of its own.
    """

    trial: RankedTrial
    replicates: tuple[tuple[EpochRecord, ...], ...]
    updates_per_epoch: int
    rates: Rates | None
    train_samples: int | None = None
    metrics: Mapping[tuple[int, int], Mapping[str, float]] = field(default_factory=dict)

    def value(self, row: EpochRecord, key: str) -> float | None:
        """Return what a row holds: a measure of ours, or ``metrics.NAME``."""
        if key.startswith(OWN):
            return self.metrics.get((row.run_id, row.epoch), {}).get(key.removeprefix(OWN))
        known: float | None = getattr(row, key, None)
        return known

    @property
    def own_metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that a custom trainer reported, each once."""
        return tuple(dict.fromkeys(name for values in self.metrics.values() for name in values))


def read_runs(
    database: Database, ranking: Ranking, trials: Collection[RankedTrial] | None = None
) -> dict[str, list[RunRecord]]:
    """Return the runs of some trials, or of all, by the trial's UUID and in order of replicates."""
    names = {row.id: row.uuid for row in repository.trial_rows(database, ranking.study)}
    wanted = None
    if trials is not None:
        uuids = {trial.uuid for trial in trials}
        wanted = [key for key, uuid in names.items() if uuid in uuids]
    study = ranking.study if wanted is None else None
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for run in repository.run_rows(database, study, trial_ids=wanted):
        # The training for a final test is no trial of the ranking.
        if run.trial_id in names:
            runs[names[run.trial_id]].append(run)
    return dict(runs)


def read_curves(
    database: Database, ranking: Ranking, trials: Sequence[RankedTrial]
) -> list[TrialCurves]:
    """Return the curves of some trials; of those that are not trained at all, none."""
    runs = read_runs(database, ranking, trials)
    return _curves(database, ranking, [(t, runs.get(t.uuid or "", [])) for t in trials])


def read_final_curves(database: Database, ranking: Ranking) -> list[TrialCurves]:
    """Return the curves of the trials that were trained once more for the latest final test."""
    rows = repository.trial_rows(database, ranking.study, final=True)
    latest = [row for row in rows if row.stage == rows[-1].stage]
    runs: dict[int, list[RunRecord]] = defaultdict(list)
    for run in repository.run_rows(database, trial_ids=[row.id for row in latest]):
        runs[run.trial_id].append(run)
    trained = [
        (
            RankedTrial(
                row.stage,
                row.position,
                row.state,
                row.params,
                row.replicates,
                validation_accuracy=row.validation_accuracy,
                uuid=row.uuid,
                rank=row.position + 1,
            ),
            runs[row.id],
        )
        for row in latest
    ]
    return _curves(database, ranking, trained)


def _curves(
    database: Database,
    ranking: Ranking,
    trained: Sequence[tuple[RankedTrial, Sequence[RunRecord]]],
) -> list[TrialCurves]:
    found = []
    for trial, own in trained:
        rows = repository.epoch_rows(database, run_ids=[run.id for run in own])
        by_run: dict[int, list[EpochRecord]] = defaultdict(list)
        for row in rows:
            by_run[row.run_id].append(row)
        curves = [(run, tuple(by_run[run.id])) for run in own if by_run[run.id]]
        if not curves:
            continue
        run, first = curves[0]
        plan = _plan(database, run)
        n_updates = max(curve[-1].step for _, curve in curves)
        found.append(
            TrialCurves(
                trial=trial,
                replicates=tuple(curve for _, curve in curves),
                updates_per_epoch=_updates_per_epoch(first),
                rates=None
                if plan is None or not n_updates
                else _rates(*plan, n_updates, _updates_per_epoch(first)),
                train_samples=None if plan is None else plan[0].training.train_samples,
                metrics=repository.epoch_metrics(database, run_ids=[run.id for run, _ in curves])
                if ranking.study.recipe.get("trainer")
                else {},
            )
        )
    return found


def _updates_per_epoch(curve: Sequence[EpochRecord]) -> int:
    counted = any(row.step for row in curve) or curve[-1].epoch == 0
    return next((row.step for row in curve if row.epoch == 1 and row.step), int(counted))


def _plan(database: Database, run: RunRecord) -> tuple[CohortPlan, int] | None:
    """Return the plan that a run was trained by, and its place in it."""
    from coarsefine.db.errors import StorageError

    try:
        source, cohort = repository.trained_run(database, run)
    except StorageError:
        return None  # the study it was taken over from was deleted
    # Databases that a program fills to be measured may plan nothing.
    return (plan_from_json(cohort.plan), source.slot or 0) if "network" in cohort.plan else None


def _rates(plan: CohortPlan, slot: int, n_updates: int, per_epoch: int) -> Rates:
    training, trial = plan.training, plan.trials[slot]
    cycle = None
    turns: Sequence[int] = ()
    if training.schedule == "cyclical":
        half = trial.half_cycle
        cycle = 2 * int(half)
        turns = range(trial.warm_up, n_updates, int(half))
    elif training.schedule == "step":
        every = int(trial.step_every)
        turns = [at for step in range(every, n_updates, every) for at in (step - 1, step)]
    spread = np.linspace(0, max(n_updates - 1, 0), min(max(n_updates, 1), _MOST)).astype(np.int64)
    steps = np.unique(np.concatenate([spread, np.array(turns, np.int64)]))
    etas = rates_at(training.schedule, steps, [trial], per_epoch)[:, 0]
    return Rates(steps, etas, training.schedule, cycle)
