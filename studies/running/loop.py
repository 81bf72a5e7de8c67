"""The run loop: trains what is planned of a stage, stores it, and tells Optuna.

The order makes it safe to be killed anywhere: the plan is stored before anything is trained, a
segment with its checkpoint before the next one counts, a trial's result before Optuna hears of it;
and each of these may be done twice without harm.
"""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Sequence

from coarsefine.db import repository
from coarsefine.db.records import (
    FINAL_STATES,
    CohortRecord,
    PlanRecord,
    RunRecord,
    TrialRecord,
)
from coarsefine.hints import option
from coarsefine.models.cohort import (
    CohortState,
    pruned,
    state_from_bytes,
)
from coarsefine.models.data import PreparedData
from coarsefine.models.errors import DataError
from coarsefine.models.segment import Segment
from coarsefine.models.segment import SegmentResult as Trained
from coarsefine.models.training import EpochRow
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import (
    epoch_seconds,
    makespan,
    plan_from_json,
    training_seconds,
)
from coarsefine.studies.planning.costs import SMALL_SECONDS
from coarsefine.studies.planning.point_runs import spec_from_json
from coarsefine.studies.planning.pruning import HALVING, rungs, to_stop
from coarsefine.studies.running.budgeted import ahead, patience, planned_within
from coarsefine.studies.running.executors import Executor
from coarsefine.studies.running.ledger import Ledger
from coarsefine.studies.running.pace import Pace
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.watching import CohortProgress, StoppedByRequest
from coarsefine.studies.running.work import CohortAtWork, Left, Work
from coarsefine.studies.spaces.dimensions import described

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
# Of so many trials that Optuna hears of, one after the other, there is a line.
_MANY = 1_000


def train(resources: Resources, work: Work, plan: PlanRecord) -> Left | None:
    """Train all cohorts that are planned and not done, and tell Optuna of all finished trials.

    Within a budget, as many of the first seeds are trained as it allows. Trials that lack seeds
    then count with those that they have, and Optuna hears of them when they have all.

    Args:
        resources: Who trains, where results go, and who watches, and may ask to stop.
        work: What is trained.
        plan: All that is stored of the stage.

    Returns:
        What the budget has left over; ``None`` if all is trained.

    Raises:
        StoppedByRequest: If the observer asked to stop; the same call carries on.
    """
    return _StageRun(resources, work, plan).run()


class _StageRun:
    """One call of ``train``."""

    def __init__(self, resources: Resources, work: Work, plan: PlanRecord) -> None:
        self.resources = resources
        self.database = resources.database
        self.observer = resources.observer
        self.budget = resources.budget
        self.work = work
        # That a seed has: one a fold, where there are folds.
        self.n_runs = work.stage.run_options.n_runs(1)
        self.executor: Executor
        self.prepared: dict[str, PreparedData] = {work.data.key: work.data}
        self.started = False
        self.at_once = False
        self.store_seconds = 0.0
        # Until a first segment is there: that workers may take to start.
        self.starting = 0.0
        self.ledger = Ledger(self.database, plan)
        self.trials = self.ledger.trials
        self.cohorts = {cohort.record.uuid: cohort for cohort in self._unfinished(plan)}
        if self.budget is not None:
            jobs = [cohort.job(self.n_runs) for cohort in self.cohorts.values()]
            self.budget.costs.measure(jobs, self.budget.measuring)
        self.pace = Pace(
            {uuid: (self._estimate(c), c.n_epochs - c.epoch) for uuid, c in self.cohorts.items()}
        )
        known = [run.validation_accuracy for run in plan.runs]
        self.best = max((each for each in known if each is not None), default=None)

    def run(self) -> Left | None:
        cohorts = list(self.cohorts.values())
        n_train, alone = self.work.data.n_train, self.work.stage.run_options.alone
        seconds = sum(training_seconds(c.plan, n_train, c.plugin) for c in cohorts)
        seconds = max(seconds, self.pace.seconds)
        n_epochs = max((cohort.n_epochs for cohort in cohorts), default=0)
        # Trials that get more seeds were not stopped early, and are not now.
        first = any(
            run.replicate < self.trials[run.trial_id].replicates for c in cohorts for run in c.runs
        )
        halving = first and self.work.stage.prune == HALVING
        seeds = {cohort.seed(self.n_runs) for cohort in cohorts}
        # Sooner trained than seen running in Optuna: its trials are written once, with their ends.
        race = self.work.stage.race if self.work.racing else None
        self.at_once = seconds < SMALL_SECONDS if race is None else race.is_quick(seconds, seeds)
        with self.resources.workers(seconds, len(cohorts), alone=alone) as self.executor:
            if self.budget is not None and cohorts:
                self.observer.said(planned_within(self.work, self.budget, cohorts, self.executor))
            for rung in rungs(n_epochs) if halving else ():
                if self._train_until(rung):
                    self._stop_trials(rung)
            if self.budget is None or halving:
                self._train_until(n_epochs)
            else:
                self._train_within(n_epochs)
        left = [cohort for cohort in cohorts if not cohort.done]
        unused = 0.0 if self.budget is None else self.budget.left
        if left:
            repository.update_trials(self.database, self.ledger.so_far(self.n_runs))
        if left or not (self.at_once and self.work.racing):
            self._start_in_optuna()
        return self._left(left, n_epochs, unused) if left else None

    def _left(self, cohorts: Sequence[CohortAtWork], n_epochs: int, unused: float) -> Left:
        """Return what the budget has left over; ``unused`` of it were left in the end."""
        first = min(cohort.seed(self.n_runs) for cohort in cohorts)
        following = [cohort for cohort in cohorts if cohort.seed(self.n_runs) == first]
        begun = [cohort for cohort in cohorts if cohort.epoch]
        return Left(
            seconds=self._seconds(cohorts),
            n_epochs=n_epochs,
            next_seconds=self._seconds(following),
            seconds_unused=unused,
            n_begun=len({cohort.seed(self.n_runs) for cohort in begun}),
            begun_epoch=min((cohort.epoch for cohort in begun), default=0),
        )

    def _train_within(self, n_epochs: int) -> None:
        """Train as many of the first seeds as the budget allows.

        Where it does not allow the first one, values that are far behind wait at each rung.
        """
        assert self.budget is not None  # noqa: S101  # there is one
        self.starting = self.budget.costs.starting(self.executor.n_workers)
        if not (self.starting or self.at_once):
            self._start_in_optuna()  # before this process trains, not in its time
        while chosen := self._allowed(self.budget.left - self.starting):
            for rung in rungs(n_epochs):
                if self._seconds(chosen) <= self.budget.left or not self._train_until(rung, chosen):
                    break
                chosen = ahead(self.database, self.work, chosen, rung)
            if not self._train_until(n_epochs, chosen):
                break

    def _allowed(self, seconds: float) -> list[CohortAtWork]:
        """Return the cohorts of the seeds that end in some time; of trials without seeds, all."""
        n_runs, waiting = self.n_runs, [c for c in self.cohorts.values() if not c.done]
        new = [c for c in waiting if any(self.ledger.lacks(r.trial_id, n_runs) for r in c.runs)]
        first = min((cohort.seed(n_runs) for cohort in new), default=0)
        chosen = [cohort for cohort in new if cohort.seed(n_runs) == first]
        seconds = max(seconds, self._seconds(chosen))
        for seed in sorted({cohort.seed(n_runs) for cohort in waiting}):
            more = [c for c in waiting if c.seed(n_runs) <= seed or c in chosen]
            if self._seconds(more) > seconds:
                break
            chosen = more
        return chosen

    def _seconds(self, cohorts: Sequence[CohortAtWork]) -> float:
        """Return how long it takes to train some cohorts to their ends."""
        seconds = [self.pace.seconds_of(cohort.record.uuid) for cohort in cohorts]
        return makespan(seconds, self.executor.n_workers) if seconds else 0.0

    def _train_until(self, epoch: int, cohorts: Sequence[CohortAtWork] | None = None) -> bool:
        """Train cohorts that are not as far, all if none are named.

        Returns:
            Whether they are as far now: the budget may have ended it.
        """
        named = list(self.cohorts.values()) if cohorts is None else cohorts
        waiting = [c for c in named if not c.done and c.reached < epoch]
        n_running = self._hand_out(waiting, epoch, 0)
        if not self.at_once:
            # Workers are at work by now: they need not wait for Optuna.
            self._start_in_optuna()
        while n_running:
            trained = self.executor.next_result(patience(self.work, self.budget))
            if trained is None:
                break  # thrown away, and trained again by whoever carries on
            self.starting = 0.0
            cohort = self.cohorts[trained.key]
            cohort.state = trained.state
            if not cohort.done and cohort.reached < epoch:
                waiting.insert(0, cohort)
            # Before storing, for the same reason. A cluster may have grown.
            n_running = self._hand_out(waiting, epoch, n_running - 1)
            began = time.perf_counter()
            self._store(cohort, trained)
            self.store_seconds += _NEWEST * (time.perf_counter() - began - self.store_seconds)
        if self.observer.stop_requested and not all(c.done for c in self.cohorts.values()):
            if self.at_once:
                # What is stopped can be looked at, and trials be enqueued, until it goes on.
                self._start_in_optuna()
            raise StoppedByRequest
        return all(c.done or c.reached >= epoch for c in named)

    def _hand_out(self, waiting: list[CohortAtWork], epoch: int, n_running: int) -> int:
        """Have workers train what waits, and return how many are at work then."""
        while waiting and n_running < self.executor.n_workers and not self.observer.stop_requested:
            n_running += self._submit(waiting.pop(0), epoch)
        return n_running

    def _start_in_optuna(self) -> None:
        if self.work.mirror is not None and not self.started:
            self.started = True
            started = None if self.at_once else self._started
            trials = self.ledger.as_seen()
            if self.work.racing:
                trials = [t if t.told else dataclasses.replace(t, state="running") for t in trials]
            self.work.mirror.start(trials, started)

    def _started(self, n_there: int) -> None:
        """Hear how many trials Optuna has; long before the first training where there are many."""
        if self.observer.stop_requested:
            raise StoppedByRequest
        if n_there and n_there % _MANY == 0:
            self.observer.said(f"{n_there:,} of {len(self.trials):,} trials are planned in Optuna")

    def _stop_trials(self, rung: int) -> None:
        """End the trials that are too far behind at a rung.

        Decided from what is stored of the rung alone, so that it comes out the same after a kill;
        stored with the next segment, or here where a cohort has no trial left.
        """
        accuracies = repository.accuracies_at(self.database, self.work.record, rung)
        n_measured = self.work.data.n_validation * max(
            trial.replicates for trial in self.trials.values()
        )
        losses = None
        if self.work.by_loss:
            losses = repository.accuracies_at(self.database, self.work.record, rung, losses=True)
        stopped = to_stop(accuracies, rung, n_measured, losses)
        ids = {trial.id for trial in self.trials.values() if trial.uuid in stopped}
        for cohort in self.cohorts.values():
            if cohort.state is None or cohort.done:
                continue
            slots = {slot for slot, run in enumerate(cohort.runs) if run.trial_id in ids}
            cohort.state = state = pruned(cohort.state, slots)
            if state.done:
                self._store(cohort, Trained(cohort.record.uuid, state, [], 0.0))

    def _unfinished(self, plan: PlanRecord) -> list[CohortAtWork]:
        runs: dict[int | None, list[RunRecord]] = defaultdict(list)
        for run in plan.runs:
            runs[run.cohort_id].append(run)
        records = [cohort for cohort in plan.cohorts if cohort.state != "done"]
        return [
            CohortAtWork(
                record=record,
                position=position,
                plan=plan_from_json(record.plan),
                plugin=plugins.of_plan(record.plan, self.work.trainer),
                runs=sorted(runs[record.id], key=lambda run: run.slot or 0),
                data=self._data(record),
                state=self._checkpoint(record),
            )
            for position, record in enumerate(records, 1)
        ]

    def _data(self, record: CohortRecord) -> PreparedData:
        """Return what a cohort is trained on."""
        named = record.plan.get("data")
        if named is None:
            return self.work.data
        if named["key"] not in self.prepared:
            data = self.work.prepare(spec_from_json(named))
            self.prepared[data.key] = data
        if named["key"] not in self.prepared:
            raise DataError(
                f"the data {self.work.data.name} must be what the search began with; put the old "
                "files back, or choose another name with ",
                option("study"),
            )
        return self.prepared[named["key"]]

    def _checkpoint(self, record: CohortRecord) -> CohortState | None:
        stored = repository.state_to_carry_on(self.database, record)
        return None if stored is None else state_from_bytes(stored)

    def _estimate(self, cohort: CohortAtWork) -> float:
        """Return about how long an epoch takes, before one was trained."""
        if self.budget is None:
            return epoch_seconds(cohort.plan, cohort.data.n_train)
        return self.budget.costs.epoch_seconds(cohort.plan, cohort.data)

    def _submit(self, cohort: CohortAtWork, until: int) -> bool:
        """Have a worker train a segment, unless the budget does not allow an epoch of it."""
        # An estimate at first, then what was measured. How long a segment is changes no result.
        estimated = cohort.seconds_per_epoch is None
        seconds = cohort.seconds_per_epoch or self._estimate(cohort) * self.pace.ratio
        wanted = self._segment_seconds(estimated=estimated)
        left = min(until, cohort.n_epochs) - cohort.reached
        if self.budget is not None:
            least = self.starting + (seconds if cohort.plugin is None else seconds * left)
            if not self.budget.allows(least):
                return False
            wanted = min(wanted, self.budget.at_once(self.starting))
        n_epochs = min(max(1, int(wanted / seconds)), left)
        self.executor.submit(
            Segment(
                key=cohort.record.uuid,
                plan=cohort.plan,
                data=cohort.data,
                state=cohort.state,
                n_epochs=n_epochs,
                blas_threads=cohort.record.blas_threads,
                plugin=cohort.plugin,
                # What has the machine to itself is timed, not what it takes to get going.
                warm_up=estimated and self.work.stage.run_options.alone,
            )
        )
        return True

    def _segment_seconds(self, *, estimated: bool) -> float:
        """Return how long a segment should take."""
        usual = min(FIRST_SECONDS, SEGMENT_SECONDS) if estimated else SEGMENT_SECONDS
        storing = self.executor.n_workers * self.store_seconds
        return usual * max(1.0, storing / (STORING_SHARE * _USUAL_SECONDS))

    def _store(self, cohort: CohortAtWork, trained: Trained) -> None:
        """Write a segment in one transaction, then tell Optuna which trials it finished."""
        state = trained.state
        for row in trained.rows:
            cohort.seconds[row.slot] += row.seconds
        segment = self.ledger.segment(cohort, trained)
        repository.store_segment(self.database, segment)
        if state.epoch > cohort.epoch:
            cohort.seconds_per_epoch = trained.seconds / (state.epoch - cohort.epoch)
        left = 0 if cohort.done else cohort.n_epochs - state.epoch
        self.pace.trained(cohort.record.uuid, state.epoch - cohort.epoch, left, trained.seconds)
        cohort.epoch = state.epoch
        self._report(cohort, trained.rows)
        if trained.failure is not None:
            params = self.trials[cohort.runs[0].trial_id].params
            self.observer.said(f"the trial at {described(params)} failed: {trained.failure}")
        self._tell(self.ledger.finish(segment.trials))

    def _tell(self, trials: Sequence[TrialRecord]) -> None:
        # What Optuna was told once cannot be changed there.
        finished = [trial for trial in trials if trial.state in FINAL_STATES and not trial.told]
        if self.work.mirror is not None and self.started and finished and not self.work.racing:
            self.work.mirror.tell(finished)

    def _report(self, cohort: CohortAtWork, rows: Sequence[EpochRow]) -> None:
        n_epochs = cohort.n_epochs
        accuracies = [row.validation_accuracy for row in rows if row.epoch == cohort.epoch]
        if accuracies:
            self.best = max([*accuracies, *([] if self.best is None else [self.best])])
        self.observer.progressed(
            CohortProgress(
                stage=self.work.stage.name,
                cohort=cohort.position,
                n_cohorts=len(self.cohorts),
                n_trials=len(cohort.runs),
                replicate=cohort.record.replicate,
                epoch=cohort.epoch,
                n_epochs=n_epochs,
                best_accuracy=self.best,
                seconds_left=self.pace.seconds_left(self.executor.n_workers, self.budget),
                done=cohort.done,
                empty=not accuracies,
            )
        )
