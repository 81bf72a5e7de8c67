"""Plans: stages, their trials and cohorts, written before the first of them is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.new_records import NewStage
from coarsefine.db.records import (
    CohortRecord,
    NewCohort,
    NewRun,
    NewTrial,
    PlanRecord,
    RunRecord,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialUpdate,
)
from coarsefine.db.repository.common import (
    RUN_RESULTS,
    chunks,
    now,
    stage_id,
    study_id,
    table,
    touch,
    touch_stage,
)
from coarsefine.db.repository.results import write_trial_updates
from coarsefine.db.table_base import Base
from coarsefine.db.tables import CURVES, Cohort, Run, SampleOutcomes, Stage, Study, Trial
from coarsefine.hints import option

_REUSABLE = ("complete", "diverged")


def add_stage(db: Database, study: StudyRecord, new: NewStage) -> StageRecord:
    """Add a stage after those that the study has, and return it.

    Raises:
        StorageError: If the study has a stage of that name.
    """
    try:
        with db.write() as session:
            owner = study_id(session, study)
            position = session.scalar(
                sa.select(sa.func.count()).select_from(Stage).where(Stage.study_id == owner)
            )
            session.execute(
                sa.insert(table(Stage)).values(
                    uuid=new.uuid,
                    study_id=owner,
                    name=new.name,
                    position=position,
                    optuna_name=new.optuna_name,
                    parent=new.parent,
                    parameter=new.parameter,
                    low=new.low,
                    high=new.high,
                    values=None if new.values is None else list(new.values),
                    sampler=new.sampler,
                    reason=new.reason,
                    options=dict(new.options),
                    created_at=now(),
                )
            )
            touch(session, owner)
            row = session.execute(sa.select(table(Stage)).where(Stage.uuid == new.uuid)).one()
    except IntegrityError as error:
        raise StorageError(f"study {study.name!r} has a stage {new.name!r} already") from error
    return StageRecord(*row)


def set_stage_options(db: Database, stage: StageRecord, options: Mapping[str, Any]) -> StageRecord:
    """Store what is asked of a stage, or decided, and return the stage with it."""
    with db.write() as session:
        key = stage_id(session, stage)
        session.execute(
            sa.update(table(Stage)).where(Stage.id == key).values(options=dict(options))
        )
        touch_stage(session, key)
    return replace(stage, options=dict(options))


def stages(db: Database, study: StudyRecord) -> list[StageRecord]:
    """Return the stages of ``study`` in order."""
    statement = (
        sa.select(table(Stage))
        .join(table(Study), Stage.study_id == Study.id)
        .where(Study.uuid == study.uuid)
        .order_by(Stage.position)
    )
    with db.session() as session:
        return [StageRecord(*row) for row in session.execute(statement)]


def add_plan(
    db: Database,
    stage: StageRecord,
    trials: Sequence[NewTrial],
    cohorts: Sequence[NewCohort] = (),
    *,
    reused: Sequence[NewRun] = (),
    finished: Sequence[TrialUpdate] = (),
) -> PlanRecord:
    """Write trials, cohorts and runs, and return the stage's whole plan.

    Args:
        db: The database.
        stage: The stage; positions go on from what it has.
        trials: Points to be trained.
        cohorts: With their runs, in slot order; runs name a trial of this plan or an earlier one.
        reused: Runs outside cohorts: each takes over the results and the curve of a finished one.
        finished: Where trials stand whose runs were all reused.

    Raises:
        StorageError: If a run to be reused is no longer there or not finished.
    """
    with db.write() as session:
        key = stage_id(session, stage)
        if trials:
            position = _next_position(session, Trial, key)
            session.execute(
                sa.insert(table(Trial)),
                [
                    {
                        "uuid": trial.uuid,
                        "stage_id": key,
                        "position": position + i,
                        "params": dict(trial.params),
                        "state": "planned",
                        "replicates": trial.replicates,
                        "told": False,
                    }
                    for i, trial in enumerate(trials)
                ],
            )
        known = sa.select(Trial.uuid, Trial.id).where(Trial.stage_id == key)
        ids = {row.uuid: row.id for row in session.execute(known)}
        _add_cohorts(session, key, cohorts, ids)
        for run in reused:
            _add_reused(session, run, ids)
        write_trial_updates(session, finished)
        touch_stage(session, key)
        return _plan(session, key)


def load_plan(db: Database, stage: StageRecord) -> PlanRecord:
    """Return all trials, cohorts and runs of ``stage``, in order: what is needed to carry on."""
    with db.session() as session:
        return _plan(session, stage_id(session, stage))


def set_numbers(db: Database, numbers: Mapping[str, int]) -> None:
    """Note Optuna's numbers, by trial UUID."""
    if not numbers:
        return
    with db.write() as session:
        _forget(session, list(numbers))  # two trials may change numbers, which are unique
        session.execute(
            sa.update(table(Trial))
            .where(Trial.uuid == sa.bindparam("key"))
            .values(number=sa.bindparam("value")),
            [{"key": uuid, "value": int(number)} for uuid, number in numbers.items()],
        )


def forget_told(db: Database, uuids: Sequence[str]) -> None:
    """Note that Optuna does not know these trials any more."""
    if not uuids:
        return
    with db.write() as session:
        _forget(session, uuids, told=False)


def _forget(session: Session, uuids: Sequence[str], **values: bool) -> None:
    for keys in chunks(uuids):
        session.execute(
            sa.update(table(Trial)).where(Trial.uuid.in_(keys)).values(number=None, **values)
        )


def find_finished_run(db: Database, recipe_keys: Sequence[str]) -> dict[str, RunRecord]:
    """Return, for those recipe keys that were trained before, the run to reuse.

    Runs that were trained themselves come before copies: their weights are there, too.
    """
    found: dict[str, RunRecord] = {}
    with db.session() as session:
        for keys in chunks(recipe_keys):
            rows = session.execute(
                sa.select(table(Run))
                .where(Run.recipe_key.in_(keys), Run.state.in_(_REUSABLE))
                .order_by(Run.cohort_id.is_(None), Run.id)
            )
            for row in rows:
                found.setdefault(row.recipe_key, RunRecord(*row))
    return found


def trained_run(db: Database, run: RunRecord) -> tuple[RunRecord, CohortRecord]:
    """Return the run that a reused one was taken from, and its cohort.

    Raises:
        StorageError: If it is no longer there.
    """
    source = run
    with db.session() as session:
        while source.cohort_id is None:
            row = session.execute(
                sa.select(table(Run)).where(Run.id == source.reused_from)
            ).one_or_none()
            if row is None:
                raise StorageError(
                    f"the trained weights of a reused trial are no longer in {db.label}: the study "
                    "it was trained in was deleted; test it with ",
                    option("final.refit", "train+validation"),
                )
            source = RunRecord(*row)
        cohort = session.execute(
            sa.select(table(Cohort)).where(Cohort.id == source.cohort_id)
        ).one()
    return source, CohortRecord(*cohort)


def cohort_runs(db: Database, cohort: CohortRecord) -> list[RunRecord]:
    """Return the runs that a cohort trains, in the order of their slots."""
    with db.session() as session:
        rows = session.execute(
            sa.select(table(Run)).where(Run.cohort_id == cohort.id).order_by(Run.slot)
        )
        return [RunRecord(*row) for row in rows]


def _next_position(session: Session, mapped: type[Trial] | type[Cohort], stage: int) -> int:
    last = session.scalar(sa.select(sa.func.max(mapped.position)).where(mapped.stage_id == stage))
    return 0 if last is None else last + 1


def _add_cohorts(
    session: Session, stage: int, cohorts: Sequence[NewCohort], trial_ids: Mapping[str, int]
) -> None:
    position = _next_position(session, Cohort, stage)
    for i, cohort in enumerate(cohorts):
        cohort_id = session.execute(
            sa.insert(table(Cohort)).values(
                uuid=cohort.uuid,
                stage_id=stage,
                position=position + i,
                replicate=cohort.replicate,
                blas_threads=cohort.blas_threads,
                plan=dict(cohort.plan),
                state="planned",
                epochs_done=0,
            )
        ).inserted_primary_key[0]  # type: ignore[attr-defined]
        session.execute(
            sa.insert(table(Run)),
            [
                {
                    "trial_id": trial_ids[run.trial_uuid],
                    "cohort_id": cohort_id,
                    "slot": slot,
                    "replicate": run.replicate,
                    "seed": int(run.seed),
                    "recipe_key": run.recipe_key,
                    "state": "planned",
                    "epochs": 0,
                    "updates": 0,
                }
                for slot, run in enumerate(cohort.runs)
            ],
        )


def _add_reused(session: Session, run: NewRun, trial_ids: Mapping[str, int]) -> None:
    source = session.execute(
        sa.select(table(Run)).where(Run.id == run.reused_from, Run.state.in_(_REUSABLE))
    ).one_or_none()
    if source is None or source.recipe_key != run.recipe_key:
        raise StorageError(
            f"the finished run {run.reused_from} that was to be reused is no longer there;"
            " run the same command again"
        )
    copied = {name: getattr(source, name) for name in RUN_RESULTS}
    run_id = session.execute(
        sa.insert(table(Run)).values(
            trial_id=trial_ids[run.trial_uuid],
            replicate=run.replicate,
            seed=int(run.seed),
            recipe_key=run.recipe_key,
            reused_from=source.id,
            **copied,
        )
    ).inserted_primary_key[0]  # type: ignore[attr-defined]
    for mapped in (SampleOutcomes, *CURVES):
        _copy_of_run(session, mapped, source.id, run_id)


def _copy_of_run(session: Session, mapped: type[Base], source: int, run: int) -> None:
    """Give a training run what another has in a table, if it has anything there."""
    kept = table(mapped)
    columns = [column for column in kept.c if column.name not in {"id", "run_id"}]
    session.execute(
        sa.insert(kept).from_select(
            ["run_id", *(column.name for column in columns)],
            sa.select(sa.literal(run), *columns).where(kept.c.run_id == source),
        )
    )


def _plan(session: Session, stage: int) -> PlanRecord:
    trials = sa.select(table(Trial)).where(Trial.stage_id == stage).order_by(Trial.position)
    cohorts = sa.select(table(Cohort)).where(Cohort.stage_id == stage).order_by(Cohort.position)
    runs = (
        sa.select(table(Run))
        .join(table(Trial), Run.trial_id == Trial.id)
        .where(Trial.stage_id == stage)
        .order_by(Run.id)
    )
    return PlanRecord(
        trials=tuple(TrialRecord(*row) for row in session.execute(trials)),
        cohorts=tuple(CohortRecord(*row) for row in session.execute(cohorts)),
        runs=tuple(RunRecord(*row) for row in session.execute(runs)),
    )
