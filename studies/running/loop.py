"""The run loop: trains what is planned of a stage, stores it, and tells Optuna.

The order makes it safe to be killed anywhere: the plan is stored before anything is trained, a
segment with its checkpoint before the next one counts, a trial's result before Optuna hears of it;
and each of these may be done twice without harm.
"""

import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import (
    FINAL_STATES,
    CohortRecord,
    EpochRecord,
    PlanRecord,
    RunRecord,
    RunUpdate,
    SegmentResult,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialUpdate,
)
from coarsefine.models.cohort import (
    CohortPlan,
    CohortState,
    pruned,
    state_from_bytes,
    state_to_bytes,
)
from coarsefine.models.data import PreparedData
from coarsefine.models.errors import DataError
from coarsefine.models.segment import Segment
from coarsefine.models.segment import SegmentResult as Trained
from coarsefine.models.training import EpochRow
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import epoch_seconds, plan_from_json
from coarsefine.studies.planning.pruning import HALVING, rungs, to_stop
from coarsefine.studies.planning.runs import Prepare, spec_from_json, trial_update
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.results.notes.marks import described
from coarsefine.studies.running.executors import Executor

# A segment should take about this long: hand-over and storing take milliseconds, and a kill costs
# no more than this per worker.
SEGMENT_SECONDS = 3.0
# The first ones are shorter: whoever watches should soon see that something happens.
FIRST_SECONDS = 1.0
# With many workers segments take longer, so that to store all of theirs takes the driver no more
# than this share of its time: a cluster would wait for it.
STORING_SHARE = 0.5
_USUAL_SECONDS = SEGMENT_SECONDS
# How much the last segment counts in what storing one takes.
_NEWEST = 0.1


@dataclass(frozen=True, slots=True)
class CohortProgress:
    """Where a cohort is, for whoever watches.

    Attributes:
        cohort: From 1, of ``n_cohorts`` that the stage has yet to train.
        params: Of its trials, in slot order.
        epoch: Of ``n_epochs``.
        best_accuracy: Highest validation accuracy in the last epoch; ``None`` if none is left.
        seconds_left: Estimate for this cohort; ``None`` before there is one.
    """

    stage: str
    cohort: int
    n_cohorts: int
    n_trials: int
    replicate: int
    epoch: int
    n_epochs: int
    best_accuracy: float | None
    seconds_left: float | None


class Observer(Protocol):
    """Watches a search, and may ask it to stop."""

    @property
    def stop_requested(self) -> bool:
        """Return whether the search should end after the segments under way."""

    def begins(
        self, study: StudyRecord, stage: StageRecord, recipe: Recipe, data: PreparedData
    ) -> None:
        """Hear what is about to be trained, if any of it is left."""

    def progressed(self, progress: CohortProgress) -> None:
        """Hear of a cohort that came further."""

    def said(self, line: str) -> None:
        """Hear of something worth knowing."""


class Quiet:
    """Watches nothing."""

    stop_requested = False

    def begins(
        self, study: StudyRecord, stage: StageRecord, recipe: Recipe, data: PreparedData
    ) -> None:
        """Look away."""

    def progressed(self, progress: CohortProgress) -> None:
        """Look away."""

    def said(self, line: str) -> None:
        """Look away."""


class StoppedByRequest(KeyboardInterrupt):
    """The search was asked to stop; what was trained is stored."""


class Mirror(Protocol):
    """Optuna's side of a stage."""

    def start(self, trials: Sequence[TrialRecord]) -> None:
        """Have every trial running in Optuna, and its number there in our tables."""

    def tell(self, trials: Sequence[TrialRecord]) -> None:
        """Tell the results of finished trials; twice does no harm."""


@dataclass(slots=True)
class _Cohort:
    """A cohort that is being trained; ``epoch`` and ``seconds`` (by slot) are as stored."""

    record: CohortRecord
    position: int
    plan: CohortPlan
    runs: list[RunRecord]
    data: PreparedData
    state: CohortState | None
    epoch: int
    seconds: list[float]
    seconds_per_epoch: float | None = None

    @property
    def done(self) -> bool:
        return self.state is not None and self.state.done

    @property
    def n_epochs(self) -> int:
        return self.plan.training.n_epochs(self.data.n_train)

    @property
    def reached(self) -> int:
        return 0 if self.state is None else self.state.epoch


def train_stage(
    database: Database,
    stage: StageRecord,
    data: PreparedData,
    executor: Executor,
    mirror: Mirror | None,
    observer: Observer,
    prepare: Prepare | None = None,
    trainer: str | None = None,
) -> None:
    """Train all cohorts that are planned and not done, and tell Optuna of all finished trials.

    Args:
        database: Where the plan is, and results go.
        stage: Which plan.
        data: What the plan's cohorts are trained on, unless they name data of their own.
        executor: Where they are trained.
        mirror: Optuna's side, if the stage has one.
        observer: Hears of progress; may ask to stop.
        prepare: Returns the data that a cohort names.
        trainer: The user's own, as their recipe names it: no other is called.

    Raises:
        StoppedByRequest: If the observer asked to stop; the same call carries on.
    """
    _StageRun(database, stage, data, executor, mirror, observer, prepare, trainer).run()


class _StageRun:
    """One call of ``train_stage``."""

    def __init__(
        self,
        database: Database,
        stage: StageRecord,
        data: PreparedData,
        executor: Executor,
        mirror: Mirror | None,
        observer: Observer,
        prepare: Prepare | None,
        trainer: str | None,
    ) -> None:
        self.trainer = trainer
        self.database = database
        self.stage = stage
        self.data = data
        self.executor = executor
        self.mirror = mirror
        self.observer = observer
        self.prepare = prepare
        self.prepared: dict[str, PreparedData] = {data.key: data}
        self.started = False
        self.store_seconds = 0.0
        plan = repository.load_plan(database, stage)
        self.trials = {trial.id: trial for trial in plan.trials}
        self.outcomes: dict[int, dict[int, RunRecord | RunUpdate]] = defaultdict(dict)
        for run in plan.runs:
            self.outcomes[run.trial_id][run.id] = run
        # Told when they ended, and not again with each segment of the others.
        self.finished = {trial.id for trial in plan.trials if trial.state in FINAL_STATES}
        self.cohorts = {cohort.record.uuid: cohort for cohort in self._unfinished(plan)}

    def run(self) -> None:
        cohorts = list(self.cohorts.values())
        n_epochs = max((cohort.n_epochs for cohort in cohorts), default=0)
        halving = self.stage.options.get("prune") == HALVING
        for rung in rungs(n_epochs) if halving else ():
            self._train_until(rung)
            self._stop_trials(rung)
        self._train_until(n_epochs)

    def _train_until(self, epoch: int) -> None:
        """Train all cohorts that are not as far."""
        waiting = [c for c in self.cohorts.values() if not c.done and c.reached < epoch]
        n_running = 0
        while waiting and n_running < self.executor.n_workers and not self.observer.stop_requested:
            self._submit(waiting.pop(0), epoch)
            n_running += 1
        # Workers are at work by now: they need not wait for Optuna.
        self._start_in_optuna()
        while n_running:
            trained = self.executor.next_result()
            cohort = self.cohorts[trained.key]
            cohort.state = trained.state
            n_running -= 1
            # Hand out the next work before storing, for the same reason.
            if not self.observer.stop_requested:
                unfinished = not cohort.done and cohort.reached < epoch
                following = cohort if unfinished else waiting.pop(0) if waiting else None
                if following is not None:
                    self._submit(following, epoch)
                    n_running += 1
                # A cluster may have grown.
                while waiting and n_running < self.executor.n_workers:
                    self._submit(waiting.pop(0), epoch)
                    n_running += 1
            began = time.perf_counter()
            self._store(cohort, trained)
            self.store_seconds += _NEWEST * (time.perf_counter() - began - self.store_seconds)
        if self.observer.stop_requested and not all(c.done for c in self.cohorts.values()):
            raise StoppedByRequest

    def _start_in_optuna(self) -> None:
        if self.mirror is not None and not self.started:
            self.started = True
            self.mirror.start(list(self.trials.values()))
            self._tell([trial for trial in self.trials.values() if not trial.told])

    def _stop_trials(self, rung: int) -> None:
        """End the trials that are too far behind at a rung.

        Decided from what is stored of the rung alone, so that it comes out the same after a kill;
        stored with the next segment, or here where a cohort has no trial left.
        """
        accuracies = repository.accuracies_at(self.database, self.stage, rung)
        n_measured = self.data.n_validation * max(
            trial.replicates for trial in self.trials.values()
        )
        stopped = to_stop(accuracies, rung, n_measured)
        ids = {trial.id for trial in self.trials.values() if trial.uuid in stopped}
        for cohort in self.cohorts.values():
            if cohort.state is None or cohort.done:
                continue
            slots = {slot for slot, run in enumerate(cohort.runs) if run.trial_id in ids}
            cohort.state = state = pruned(cohort.state, slots)
            if state.done:
                self._store(cohort, Trained(cohort.record.uuid, state, [], 0.0))

    def _unfinished(self, plan: PlanRecord) -> list[_Cohort]:
        runs: dict[int | None, list[RunRecord]] = defaultdict(list)
        for run in plan.runs:
            runs[run.cohort_id].append(run)
        records = [cohort for cohort in plan.cohorts if cohort.state != "done"]
        cohorts = []
        for position, record in enumerate(records, 1):
            in_order = sorted(runs[record.id], key=lambda run: run.slot or 0)
            cohorts.append(
                _Cohort(
                    record=record,
                    position=position,
                    plan=plan_from_json(record.plan),
                    runs=in_order,
                    data=self._data(record),
                    state=self._checkpoint(record),
                    epoch=record.epochs_done,
                    seconds=[run.seconds or 0.0 for run in in_order],
                )
            )
        return cohorts

    def _data(self, record: CohortRecord) -> PreparedData:
        """Return what a cohort is trained on."""
        named = record.plan.get("data")
        if named is None:
            return self.data
        if named["key"] not in self.prepared and self.prepare is not None:
            data = self.prepare(spec_from_json(named))
            self.prepared[data.key] = data
        if named["key"] not in self.prepared:
            raise DataError(
                f"the data {self.data.name} must be what the search began with; put the old files "
                "back, or choose another name with --study"
            )
        return self.prepared[named["key"]]

    def _checkpoint(self, record: CohortRecord) -> CohortState | None:
        stored = repository.state_to_carry_on(self.database, record)
        return None if stored is None else state_from_bytes(stored)

    def _submit(self, cohort: _Cohort, until: int) -> None:
        # An estimate at first, then what was measured. How long a segment is changes no result.
        estimated = cohort.seconds_per_epoch is None
        seconds = cohort.seconds_per_epoch or epoch_seconds(cohort.plan, cohort.data.n_train)
        wanted = self._segment_seconds(estimated=estimated)
        left = min(until, cohort.n_epochs) - cohort.reached
        n_epochs = min(max(1, int(wanted / seconds)), left)
        self.executor.submit(
            Segment(
                key=cohort.record.uuid,
                plan=cohort.plan,
                data=cohort.data,
                state=cohort.state,
                n_epochs=n_epochs,
                blas_threads=cohort.record.blas_threads,
                plugin=plugins.of_plan(cohort.record.plan, self.trainer),
                # What has the machine to itself is timed, not what it takes to get going.
                warm_up=estimated and bool(self.stage.options.get("alone")),
            )
        )

    def _segment_seconds(self, *, estimated: bool) -> float:
        """Return how long a segment should take."""
        usual = min(FIRST_SECONDS, SEGMENT_SECONDS) if estimated else SEGMENT_SECONDS
        storing = self.executor.n_workers * self.store_seconds
        return usual * max(1.0, storing / (STORING_SHARE * _USUAL_SECONDS))

    def _store(self, cohort: _Cohort, trained: Trained) -> None:
        """Write a segment in one transaction, then tell Optuna which trials it finished."""
        state = trained.state
        updates = self._run_updates(cohort, trained)
        for update, run in zip(updates, cohort.runs, strict=True):
            self.outcomes[run.trial_id][update.run_id] = update
        finished = {
            trial_id: trial_update
            for trial_id in dict.fromkeys(run.trial_id for run in cohort.runs)
            if trial_id not in self.finished
            and (trial_update := self._trial_update(trial_id)) is not None
        }
        repository.store_segment(
            self.database,
            SegmentResult(
                cohort_uuid=cohort.record.uuid,
                from_epoch=cohort.epoch,
                to_epoch=state.epoch,
                epochs=[_epoch_record(cohort.runs[row.slot].id, row) for row in trained.rows],
                runs=updates,
                trials=list(finished.values()),
                checkpoint=state_to_bytes(state),
                done=state.done,
            ),
        )
        if state.epoch > cohort.epoch:
            cohort.seconds_per_epoch = trained.seconds / (state.epoch - cohort.epoch)
        cohort.epoch = state.epoch
        self._report(cohort, trained.rows)
        if trained.failure is not None:
            params = self.trials[cohort.runs[0].trial_id].params
            self.observer.said(f"the trial at {described(params)} failed: {trained.failure}")
        self.finished.update(finished)
        self._tell(
            [
                dataclasses.replace(trial, **_fields(finished[trial.id]))
                for trial in self.trials.values()
                if trial.id in finished
            ]
        )

    def _run_updates(self, cohort: _Cohort, trained: Trained) -> list[RunUpdate]:
        """Return where each run of the cohort stands, in slot order."""
        rows = {(row.slot, row.epoch): row for row in trained.rows}
        last = {row.slot: row for row in trained.rows}
        for row in trained.rows:
            cohort.seconds[row.slot] += row.seconds
        updates = []
        for slot, run in enumerate(cohort.runs):
            finished = trained.state.finished.get(slot)
            if slot not in last:
                # Finished before this segment: at the end of an earlier one, or at a rung.
                before = _unchanged(self.outcomes[run.trial_id][run.id])
                state = before.state if finished is None else finished.outcome
                updates.append(dataclasses.replace(before, state=state, failure=trained.failure))
                continue
            scored: EpochRow | EpochRecord = last[slot]
            if finished is not None and finished.scored_epoch != scored.epoch:
                trained_now = rows.get((slot, finished.scored_epoch))
                scored = trained_now or self._stored_row(run.id, finished.scored_epoch)
            # One that failed has no score either.
            diverged = finished is not None and finished.outcome in {"diverged", "failed"}
            updates.append(
                RunUpdate(
                    run_id=run.id,
                    state="running" if finished is None else finished.outcome,
                    epochs=last[slot].epoch,
                    updates=last[slot].step,
                    validation_accuracy=None if diverged else scored.validation_accuracy,
                    validation_loss=None if diverged else _known(scored.validation_loss),
                    train_accuracy=None if diverged else _known(scored.train_accuracy),
                    train_loss=None if diverged else _known(scored.train_loss),
                    best_epoch=None if finished is None else finished.scored_epoch,
                    seconds=cohort.seconds[slot],
                    failure=trained.failure,
                )
            )
        return updates

    def _stored_row(self, run_id: int, epoch: int) -> EpochRecord:
        rows = repository.epoch_rows(self.database, run_ids=[run_id])
        return next(row for row in rows if row.epoch == epoch)

    def _trial_update(self, trial_id: int) -> TrialUpdate | None:
        """Return a trial's means over its replicates, once the last of them is finished."""
        trial = self.trials[trial_id]
        return trial_update(trial.uuid, trial.replicates, list(self.outcomes[trial_id].values()))

    def _tell(self, trials: Sequence[TrialRecord]) -> None:
        finished = [trial for trial in trials if trial.state in FINAL_STATES]
        if self.mirror is not None and finished:
            self.mirror.tell(finished)

    def _report(self, cohort: _Cohort, rows: Sequence[EpochRow]) -> None:
        n_epochs = cohort.n_epochs
        accuracies = [row.validation_accuracy for row in rows if row.epoch == cohort.epoch]
        seconds_left = None
        if cohort.seconds_per_epoch is not None:
            seconds_left = cohort.seconds_per_epoch * (n_epochs - cohort.epoch)
        self.observer.progressed(
            CohortProgress(
                stage=self.stage.name,
                cohort=cohort.position,
                n_cohorts=len(self.cohorts),
                n_trials=len(cohort.runs),
                replicate=cohort.record.replicate,
                epoch=cohort.epoch,
                n_epochs=n_epochs,
                best_accuracy=max(accuracies, default=None),
                seconds_left=0.0 if cohort.done else seconds_left,
            )
        )


def _fields(update: TrialUpdate) -> dict[str, Any]:
    return {name: getattr(update, name) for name in _TOLD_FIELDS}


_TOLD_FIELDS = ("state", "validation_accuracy", "validation_loss", "train_accuracy", "seconds")


def _known(value: float | None) -> float | None:
    """Return a measure; ``None`` for NaN, which stands for what the user's trainer left out."""
    return None if value is None or math.isnan(value) else value


def _unchanged(run: RunRecord | RunUpdate) -> RunUpdate:
    if isinstance(run, RunUpdate):
        return run
    names = (field.name for field in dataclasses.fields(RunUpdate) if field.name != "run_id")
    return RunUpdate(run_id=run.id, **{name: getattr(run, name) for name in names})


def _epoch_record(run_id: int, row: EpochRow) -> EpochRecord:
    return EpochRecord(
        run_id=run_id,
        epoch=row.epoch,
        step=row.step,
        eta=row.eta,
        train_loss=row.train_loss,
        train_cost=row.train_cost,
        train_accuracy=row.train_accuracy,
        validation_loss=row.validation_loss,
        validation_cost=row.validation_cost,
        validation_accuracy=row.validation_accuracy,
        seconds=row.seconds,
        evaluation_seconds=row.evaluation_seconds,
        running_accuracy=getattr(row, "running_accuracy", None),
        running_loss=getattr(row, "running_loss", None),
    )
