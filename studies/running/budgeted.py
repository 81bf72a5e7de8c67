"""A search within a budget: what is said of it beforehand, what waits, and what was cut."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StageRecord
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.forecast import forecast
from coarsefine.studies.planning.pruning import to_stop
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.planning.within import Cut
from coarsefine.studies.results.notes.budget import within_line
from coarsefine.studies.running.executors import Executor
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.work import CohortAtWork, Left, Work


def planned_within(
    work: Work, budget: Budget, cohorts: Sequence[CohortAtWork], executor: Executor
) -> str:
    """Return what is to be trained, how long it takes, and what the budget allows of it.

    Args:
        work: The stage.
        budget: Its time.
        cohorts: Those that it has left.
        executor: Who trains them.
    """
    race, jobs = work.stage.race, [c.job(work.stage.run_options.n_runs(1)) for c in cohorts]
    new = race is not None and not race.n_trials and not any(cohort.epoch for cohort in cohorts)
    more = race.most - race.least if race is not None and new else 0
    found = forecast(work.stage, jobs, budget.costs, executor.n_workers, more)
    return within_line(found, budget.asked, budget.left)


def patience(work: Work, budget: Budget | None) -> float | None:
    """Return how long a segment is waited for; ``None`` if as long as it takes.

    A trainer of the user's is not ended half-way.
    """
    return None if budget is None or work.trainer is not None else budget.patience


def ahead(
    database: Database, work: Work, cohorts: Sequence[CohortAtWork], rung: int
) -> list[CohortAtWork]:
    """Return the cohorts that go on at a rung: those with a trial that is not far behind.

    Cohorts wait as a whole: without some of its trials, a cohort would have other last bits.

    Args:
        database: Where their curves are.
        work: The stage.
        cohorts: Trained up to the rung.
        rung: An epoch.
    """
    trials = {run.id: run.trial_id for cohort in cohorts for run in cohort.runs}
    accuracies: dict[int, list[float]] = {}
    losses: dict[int, list[float]] = {}
    for row in repository.epoch_rows(database, run_ids=list(trials), epoch=rung):
        accuracy, loss = row.validation_accuracy, row.validation_loss
        if accuracy is not None and loss is not None:
            accuracies.setdefault(trials[row.run_id], []).append(accuracy)
            losses.setdefault(trials[row.run_id], []).append(loss)
    mean_losses = {str(trial): fmean(each) for trial, each in losses.items()}
    behind = to_stop(
        {str(trial): fmean(each) for trial, each in accuracies.items()},
        rung,
        work.data.n_validation,
        mean_losses if work.by_loss else None,
    )
    return [c for c in cohorts if any(str(run.trial_id) not in behind for run in c.runs)]


def cut(resources: Resources, record: StageRecord, stage: Stage, left: Left) -> Stage:
    """Store what a stage did not come to within its budget, and return the stage with it.

    Args:
        resources: With the budget.
        record: The stage as it is stored.
        stage: The same.
        left: What is left over of it.
    """
    assert resources.budget is not None  # noqa: S101  # nothing else leaves anything over
    stored = repository.load_plan(resources.database, record)
    with_seeds = [trial for trial in stored.trials if trial.state == "complete"]
    whole = len(with_seeds) == len(stored.trials)
    n_runs = stage.run_options.n_runs(1)
    n_seeds = Counter(run.trial_id for run in stored.runs)
    firsts = {run.id: run for run in stored.runs if run.replicate < n_runs}
    epoch = min((run.epochs or 0 for run in firsts.values()), default=0)
    best = _best_at(resources.database, epoch, list(firsts)) if epoch and not with_seeds else None
    uuids = {trial.id: trial.uuid for trial in stored.trials}
    found = Cut(
        within=resources.budget.asked,
        n_values=len(stored.trials),
        n_complete=len(with_seeds),
        seeds=min((trial.replicates for trial in with_seeds), default=0) // n_runs,
        of_seeds=max(n_seeds.values(), default=0) // n_runs,
        epoch=epoch,
        of_epochs=left.n_epochs,
        seconds_left=left.seconds,
        best=None if best is None else uuids[firsts[best[0]].trial_id],
        best_accuracy=None if best is None else best[1],
        next_seconds=left.next_seconds if whole else None,
        seconds_unused=min(max(0.0, left.seconds_unused), resources.budget.asked),
        n_begun=left.n_begun if whole else 0,
        begun_epoch=left.begun_epoch if whole else 0,
    )
    return with_cut(resources.database, record, stage, found)[1]


def _best_at(database: Database, epoch: int, runs: Sequence[int]) -> tuple[int, float] | None:
    """Return which of some runs has the highest validation accuracy at an epoch, and that."""
    found = {
        row.run_id: row.validation_accuracy
        for row in repository.epoch_rows(database, run_ids=runs, epoch=epoch)
        if row.validation_accuracy is not None
    }
    return max(found.items(), key=lambda each: each[1], default=None)


def with_cut(
    database: Database, record: StageRecord, stage: Stage, found: Cut | None
) -> tuple[StageRecord, Stage]:
    """Store what a budget has cut of a stage, or that nothing is cut, and return the stage."""
    if stage.cut == found:
        return record, stage
    stage = replace(stage, cut=found)
    return repository.set_stage_options(database, record, stage.options), stage
