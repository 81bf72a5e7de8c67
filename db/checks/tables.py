"""Looks at our tables: whether plans, curves, results and checkpoints are whole and agree."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.checks.report import RESTORE, Check, close, shown_numbers
from coarsefine.db.curve_tables import Epoch, Evaluation
from coarsefine.db.records import FINAL_STATES
from coarsefine.db.tables import Checkpoint, Cohort, FinalRun, Opening, Run, Stage, Study, Trial
from coarsefine.hints import Message, command


def check_plans(session: Session, check: Check) -> None:
    """Look for gaps: a plan is written in one transaction and never loses a part."""
    stages = _stages(session)
    check.looked_at = len(stages)
    for study, positions in _grouped(session, Stage.study_id, Stage.position).items():
        if not _counts(positions):
            name = session.scalar(sa.select(Study.name).where(Study.id == study))
            check.wrong(f"study {name}: its stages are numbered {shown_numbers(positions)}")
    for kind, thing in ((Trial, "trials"), (Cohort, "cohorts")):
        for stage, positions in _grouped(session, kind.stage_id, kind.position).items():
            if not _counts(positions):
                check.wrong(f"{stages[stage]}: its {thing} are numbered {shown_numbers(positions)}")
    replicates = _grouped(session, Run.trial_id, Run.replicate)
    trials = session.execute(
        sa.select(Trial.id, Trial.stage_id, Trial.position, Trial.replicates).order_by(Trial.id)
    )
    for trial, stage, position, wanted in trials:
        found = replicates.get(trial, [])
        # Beyond those that count there may be seeds that are under way.
        if len(found) < wanted or found != list(range(len(found))):
            check.wrong(
                f"{stages[stage]}: trial {position} has the training runs "
                f"{shown_numbers(found)} of {wanted}"
            )
    slots = _grouped(session, Run.cohort_id, Run.slot)
    cohorts = session.execute(
        sa.select(Cohort.id, Cohort.stage_id, Cohort.position, Cohort.plan).order_by(Cohort.id)
    )
    for cohort, stage, position, plan in cohorts:
        found = slots.get(cohort, [])
        planned = plan.get("trials") if isinstance(plan, dict) else None
        wanted = len(planned) if isinstance(planned, list) else len(found)
        if found != list(range(wanted)) or not found:
            check.wrong(
                f"{stages[stage]}: cohort {position} has the slots {shown_numbers(found)} of "
                f"{wanted}"
            )


def check_curves(session: Session, check: Check) -> None:
    """Look for epochs that are missing from a curve, or too many."""
    curves = {
        run: (first, last, count)
        for run, first, last, count in session.execute(
            sa.select(
                Epoch.run_id, sa.func.min(Epoch.epoch), sa.func.max(Epoch.epoch), sa.func.count()
            ).group_by(Epoch.run_id)
        )
    }
    stages = _stages(session)
    # A trainer of the user's own may leave out what was before the first update.
    own = {
        cohort
        for cohort, plan in session.execute(sa.select(Cohort.id, Cohort.plan))
        if isinstance(plan, dict) and plan.get("trainer") is not None
    }
    runs = session.execute(
        sa.select(
            Run.id,
            Run.epochs,
            Run.state,
            Run.replicate,
            Run.cohort_id,
            Trial.stage_id,
            Trial.position,
        )
        .join(Trial, Run.trial_id == Trial.id)
        .order_by(Run.id)
    )
    for run, epochs, state, replicate, cohort, stage, position in runs:
        check.looked_at += 1
        where = f"{stages[stage]}: trial {position}, replicate {replicate}"
        curve = curves.pop(run, None)
        if curve is None:
            if epochs or state in {"running", "complete"}:
                check.wrong(f"{where}: has trained {epochs} epochs and has no curve")
            continue
        first, last, count = curve
        latest = 1 if cohort is None or cohort in own else 0
        if first > latest or last != epochs or count != last - first + 1:
            check.wrong(
                f"{where}: its curve has {count} epochs from {first} to {last}, it has trained "
                f"{epochs}"
            )
    for run in curves:
        check.wrong(f"there is a curve of a training run {run} that is not there")


def _evaluated(session: Session) -> dict[int, set[float]]:
    """Return the accuracies of evaluations within epochs, by run: one of them may count."""
    found: dict[int, set[float]] = defaultdict(set)
    # A database of an older version may be looked at as it is.
    if not sa.inspect(session.connection()).has_table(Evaluation.__tablename__):
        return found
    for run, accuracy in session.execute(
        sa.select(Evaluation.run_id, Evaluation.validation_accuracy).where(
            Evaluation.validation_accuracy.is_not(None)
        )
    ):
        found[run].add(float(accuracy or 0.0))
    return found


def check_results(session: Session, check: Check) -> None:
    """Look whether trials are the means of their runs, and runs what their curves say."""
    stages = _stages(session)
    _cohort_states(session, check, stages)
    runs: dict[int, list[Any]] = defaultdict(list)
    measured = sa.select(
        Run.id,
        Run.trial_id,
        Run.state,
        Run.replicate,
        Run.validation_accuracy,
        Epoch.validation_accuracy.label("in_curve"),
    ).outerjoin(Epoch, (Epoch.run_id == Run.id) & (Epoch.epoch == Run.best_epoch))
    for run in session.execute(measured.order_by(Run.id)):
        runs[run.trial_id].append(run)
    within = _evaluated(session)
    trials = session.execute(
        sa.select(
            Trial.id,
            Trial.stage_id,
            Trial.position,
            Trial.state,
            Trial.validation_accuracy,
            Trial.replicates,
        ).order_by(Trial.id)
    )
    unfinished: dict[int, int] = defaultdict(int)
    more_seeds: dict[int, int] = defaultdict(int)
    for trial in trials:
        check.looked_at += 1
        where = f"{stages[trial.stage_id]}: trial {trial.position}"
        own = runs.get(trial.id, [])
        mine = [run for run in own if run.replicate < trial.replicates]
        added = [run.state in FINAL_STATES for run in own if run.replicate >= trial.replicates]
        more_seeds[trial.stage_id] += bool(added)
        if added and all(added):
            check.wrong(f"{where}: {len(added)} finished training runs do not count")
        finished = bool(mine) and all(run.state in FINAL_STATES for run in mine)
        if trial.state not in FINAL_STATES:
            unfinished[trial.stage_id] += 1
            if finished:
                check.wrong(f"{where}: all its training runs are finished, it is {trial.state}")
            continue
        if not finished:
            check.wrong(f"{where}: it is {trial.state}, not all of its training runs are finished")
            continue
        if trial.state != "complete":
            continue
        accuracies = [run.validation_accuracy for run in mine]
        if None in accuracies or not close(
            trial.validation_accuracy, sum(accuracies) / len(accuracies)
        ):
            check.wrong(
                f"{where}: its validation accuracy is {trial.validation_accuracy}, those of its "
                f"training runs are {', '.join(map(str, accuracies))}"
            )
        for run in mine:
            known = {run.in_curve, *within.get(run.id, ())}
            if not any(close(run.validation_accuracy, one) for one in known if one is not None):
                check.wrong(
                    f"{where}: a training run has the validation accuracy "
                    f"{run.validation_accuracy}, its curve says {run.in_curve}"
                )
    for counts, what in (
        (unfinished, "are not finished"),
        (more_seeds, "are being trained with more seeds"),
    ):
        check.notes += [
            f"{stages[stage]}: {count} trials {what}; its command carries on with them"
            for stage, count in counts.items()
            if count
        ]


def _cohort_states(session: Session, check: Check, stages: Mapping[int, str]) -> None:
    states: dict[int | None, set[str]] = defaultdict(set)
    for cohort_id, state in session.execute(
        sa.select(Run.cohort_id, Run.state).where(Run.cohort_id.is_not(None)).distinct()
    ):
        states[cohort_id].add(state)
    cohorts = session.execute(
        sa.select(Cohort.id, Cohort.stage_id, Cohort.position, Cohort.state).order_by(Cohort.id)
    )
    for cohort in cohorts:
        found = states.get(cohort.id, set())
        if (found <= FINAL_STATES) != (cohort.state == "done"):
            check.wrong(
                f"{stages[cohort.stage_id]}: cohort {cohort.position} is {cohort.state}, its "
                f"training runs are {', '.join(sorted(found))}"
            )


def check_checkpoints(session: Session, check: Check) -> None:
    """Look whether what trainings are carried on from, and weights, are as they were stored."""
    stages = _stages(session)
    there: dict[int, int] = {}
    stored = session.execute(
        sa.select(Checkpoint.cohort_id, Checkpoint.epoch, Checkpoint.sha256, Checkpoint.payload)
        # One at a time: they may be large.
        .execution_options(yield_per=1)
    )
    damaged = set()
    for key, epoch, digest, payload in stored:
        check.looked_at += 1
        there[key] = epoch
        if hashlib.sha256(payload).hexdigest() != digest:
            damaged.add(key)
    cohorts = session.execute(
        sa.select(
            Cohort.id, Cohort.stage_id, Cohort.position, Cohort.state, Cohort.epochs_done
        ).order_by(Cohort.id)
    )
    for cohort in cohorts:
        where = f"{stages[cohort.stage_id]}: cohort {cohort.position}"
        lost = RESTORE
        if cohort.state == "done":
            untrained = command("test", refit="none")
            advice = "restore a copy of the file; its results stand, `"
            lost = Message(advice, untrained, "` cannot be read")
        if cohort.id in damaged:
            check.wrong(f"{where}: its checkpoint is not what was stored", lost)
        elif cohort.id not in there:
            if cohort.epochs_done and cohort.state != "done":
                check.wrong(f"{where}: it stands at epoch {cohort.epochs_done}, without checkpoint")
        elif there[cohort.id] != cohort.epochs_done:
            check.wrong(
                f"{where}: it stands at epoch {cohort.epochs_done}, its checkpoint at epoch "
                f"{there[cohort.id]}",
                lost,
            )


def check_openings(session: Session, check: Check) -> None:
    """Look at the record of the test set."""
    ranks = _grouped(session, FinalRun.opening_id, FinalRun.rank)
    called = sa.func.coalesce("study " + Study.name, "a study that was deleted")
    openings = session.execute(
        sa.select(Opening.id, Opening.opened_at, called)
        .join(Study, Opening.study_id == Study.id, isouter=True)
        .order_by(Opening.id)
    )
    for opening, moment, study in openings:
        check.looked_at += 1
        when = f"{study}: the test set was opened at {moment:%Y-%m-%d %H:%M:%S} UTC"
        if opening not in ranks:
            check.notes.append(f"{when}, and what was measured was not stored")


def _stages(session: Session) -> dict[int, str]:
    """Return what each stage is called in messages, by id."""
    rows = session.execute(
        sa.select(Stage.id, Study.name, Stage.name).join(Study, Stage.study_id == Study.id)
    )
    names = {key: f"{study}/{stage}" for key, study, stage in rows}
    return defaultdict(lambda: "a stage that is not there", names)


def _grouped(session: Session, by: Any, what: Any) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for key, number in session.execute(
        sa.select(by, what).where(by.is_not(None)).order_by(by, what)
    ):
        groups[key].append(number)
    return groups


def _counts(numbers: Sequence[int]) -> bool:
    return list(numbers) == list(range(len(numbers)))
