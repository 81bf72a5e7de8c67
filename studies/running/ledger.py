"""What came of a segment: where its runs and its trials stand, as it is stored."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import (
    FINAL_STATES,
    EpochRecord,
    EvaluationRecord,
    PlanRecord,
    RunRecord,
    RunUpdate,
    SegmentResult,
    TrialRecord,
    TrialUpdate,
)
from coarsefine.models.cohort import Lowest, state_to_bytes
from coarsefine.models.segment import SegmentResult as Trained
from coarsefine.models.training import EpochRow
from coarsefine.studies.planning.trials import trial_update
from coarsefine.studies.running.work import CohortAtWork


class Ledger:
    """A stage's runs and trials as they stand, segment by segment."""

    def __init__(self, database: Database, plan: PlanRecord) -> None:
        self._database = database
        self.trials = {trial.id: trial for trial in plan.trials}
        # Told when they ended, and not again with each segment of the others.
        self._runs: dict[int, dict[int, RunRecord | RunUpdate]] = defaultdict(dict)
        self._replicates = {run.id: run.replicate for run in plan.runs}
        for run in plan.runs:
            self._runs[run.trial_id][run.id] = run
        # One with more runs than count is trained with more seeds: it ends again.
        self._finished = {
            trial.id
            for trial in plan.trials
            if trial.state in FINAL_STATES and len(self._runs[trial.id]) == trial.replicates
        }

    def segment(self, cohort: CohortAtWork, trained: Trained) -> SegmentResult:
        """Return what a segment adds to the database, and remember where its runs stand."""
        state, ids = trained.state, [run.id for run in cohort.runs]
        return SegmentResult(
            cohort_uuid=cohort.record.uuid,
            from_epoch=cohort.epoch,
            to_epoch=state.epoch,
            epochs=[EpochRecord(ids[row.slot], *_MEASURES(row)) for row in trained.rows],
            evaluations=[
                EvaluationRecord(ids[row.slot], *_WITHIN(row)) for row in trained.evaluations
            ],
            runs=self._run_updates(cohort.runs, cohort.seconds, trained),
            trials=self._ended_now(cohort.runs),
            outcomes={ids[slot]: packed for slot, packed in trained.outcomes.items()},
            # Of custom trainers, which train one trial at a time.
            metrics={(ids[0], epoch): each for epoch, each in trained.metrics.items()},
            checkpoint=state_to_bytes(state),
            done=state.done,
        )

    def _run_updates(
        self, runs: Sequence[RunRecord], seconds: Sequence[float], trained: Trained
    ) -> list[RunUpdate]:
        """Return where each run of a cohort stands after a segment, and remember it.

        Args:
            runs: The cohort's, in slot order.
            seconds: That each has taken, this segment included.
            trained: The segment.
        """
        rows = {(row.slot, row.epoch): row for row in trained.rows}
        last = {row.slot: row for row in trained.rows}
        updates = []
        for slot, run in enumerate(runs):
            finished = trained.state.finished.get(slot)
            if slot not in last:
                # Finished before this segment: at the end of an earlier one, or at a rung.
                before = _unchanged(self._runs[run.trial_id][run.id])
                state = before.state if finished is None else finished.outcome
                updates.append(dataclasses.replace(before, state=state, failure=trained.failure))
                continue
            scored: EpochRow | EpochRecord | Lowest = last[slot]
            if finished is not None and finished.restored is not None:
                scored = finished.restored
            elif finished is not None and finished.scored_epoch != last[slot].epoch:
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
                    seconds=seconds[slot],
                    failure=trained.failure,
                )
            )
        for update, run in zip(updates, runs, strict=True):
            self._runs[run.trial_id][update.run_id] = update
        return updates

    def _ended_now(self, runs: Sequence[RunRecord]) -> list[TrialUpdate]:
        """Return the trials of some runs that are finished now and were not before."""
        updates = []
        for trial_id in dict.fromkeys(run.trial_id for run in runs):
            trial = self.trials[trial_id]
            known = list(self._runs[trial_id].values())
            update = trial_update(trial.uuid, len(known), known)
            if trial_id not in self._finished and update is not None:
                updates.append(update)
        return updates

    def finish(self, updates: Sequence[TrialUpdate]) -> list[TrialRecord]:
        """Note that these trials are stored as finished, and return them as they stand."""
        by_uuid = {update.uuid: update for update in updates}
        finished = [
            dataclasses.replace(trial, **_fields(by_uuid[trial.uuid]))
            for trial in self.trials.values()
            if trial.uuid in by_uuid
        ]
        self.trials.update((trial.id, trial) for trial in finished)
        self._finished.update(trial.id for trial in finished)
        return finished

    def so_far(self, n_runs: int) -> list[TrialUpdate]:
        """Return where trials stand that have some of their seeds, and lack others.

        Args:
            n_runs: That a seed has: one, or one a fold.
        """
        updates = []
        for trial_id, trial in self.trials.items():
            ended, n = self._ended(trial_id), len(self._runs[trial_id])
            ended = ended[: len(ended) // n_runs * n_runs]
            if trial_id not in self._finished and 0 < len(ended) < n:
                update = trial_update(trial.uuid, len(ended), ended)
                assert update is not None  # noqa: S101  # all of these runs have ended
                updates.append(update)
        return updates

    def lacks(self, trial_id: int, n_runs: int) -> bool:
        """Return whether the first ``n_runs`` runs of a trial have yet to end."""
        return len(self._ended(trial_id)) < n_runs

    def _ended(self, trial_id: int) -> list[RunRecord | RunUpdate]:
        """Return the first runs of a trial, up to one that has not ended."""
        known = sorted(self._runs[trial_id].items(), key=lambda each: self._replicates[each[0]])
        return list(takewhile(lambda run: run.state in FINAL_STATES, (run for _, run in known)))

    def as_seen(self) -> list[TrialRecord]:
        """Return all trials as Optuna is to see them: running until the last seed has ended."""
        return [
            trial
            if trial.told or trial.id in self._finished
            else dataclasses.replace(trial, state="running")
            for trial in self.trials.values()
        ]

    def _stored_row(self, run_id: int, epoch: int) -> EpochRecord:
        (row,) = repository.epoch_rows(self._database, run_ids=[run_id], epoch=epoch)
        return row


# An epoch's measures have the same names where they are made and where they are stored.
_MEASURES = attrgetter(*EpochRecord._fields[1:])
_WITHIN = attrgetter(*EvaluationRecord._fields[1:])
_TOLD_FIELDS = (
    *("state", "validation_accuracy", "validation_loss", "train_accuracy", "seconds"),
    "replicates",
)


def _fields(update: TrialUpdate) -> dict[str, Any]:
    return {name: getattr(update, name) for name in _TOLD_FIELDS}


def _known(value: float | None) -> float | None:
    """Return a measure; ``None`` for NaN, which stands for what the user's trainer left out."""
    return None if value is None or math.isnan(value) else value


def _unchanged(run: RunRecord | RunUpdate) -> RunUpdate:
    if isinstance(run, RunUpdate):
        return run
    names = (field.name for field in dataclasses.fields(RunUpdate) if field.name != "run_id")
    return RunUpdate(run_id=run.id, **{name: getattr(run, name) for name in names})
