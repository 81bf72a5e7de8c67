"""Is everything there, and as it should be? Looks at a whole database and changes nothing."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.engine import Database, open_database
from coarsefine.db.errors import StorageError
from coarsefine.db.records import FINAL_STATES
from coarsefine.db.tables import (
    Checkpoint,
    Cohort,
    Epoch,
    FinalRun,
    Opening,
    Run,
    Stage,
    Study,
    Trial,
)

Plain = Callable[[Any], Any]

# Means of the same numbers in another order.
_CLOSE: Final = 1e-9

_RESTORE: Final = "restore a copy of the file, or search again under another name with --study"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be, and what to do about it."""

    what: str
    advice: str


@dataclass(slots=True)
class Check:
    """One kind of thing looked at.

    Attributes:
        looked_at: How many of what ``thing`` is one of.
        left_out: Not looked at here; a note says why.
        notes: What is worth knowing and in order.
    """

    name: str
    thing: str
    looked_at: int = 0
    left_out: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Return whether all is as it should be."""
        return not self.problems

    def wrong(self, what: str, advice: str = _RESTORE) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, advice))


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a database found."""

    label: str
    revision: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether all is as it should be."""
        return all(check.passed for check in self.checks)


def check_database(url: str, plain: Plain = lambda value: value) -> Report:
    """Return what is in order in a database and what is not, without changing anything.

    A search may go on meanwhile.

    Args:
        url: As ``storage_url`` returns it.
        plain: Turns a trial's parameter into what Optuna is told of it.

    Raises:
        StorageError: If there is no database of ours that could be looked at.
    """
    with open_database(url, read_only=True, older=True) as database:
        revision = schema.read_revision(database.engine) or schema.HEAD
        checks = []
        for make, look in _CHECKS:
            check = make()
            checks.append(check)
            try:
                if look is _optuna:
                    _optuna(database, check, plain)
                else:
                    with database.session() as session:
                        look(session, check)
            except StorageError as error:
                check.wrong(f"could not be read: {error}", "restore a copy of the file")
    return Report(database.label, revision, tuple(checks))


# ------------------------------------------------------------------------------------ the file


def _file(session: Session, check: Check) -> None:
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        check.left_out = True
        check.notes.append("not looked at: a server looks after its files itself")
        return
    check.looked_at = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    advice = (
        "the file is damaged: restore a copy of it, or save what can be read: "
        "sqlite3 FILE .recover | sqlite3 NEW-FILE"
    )
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
        if line != "ok":
            for each in str(line).splitlines():
                check.wrong(each, advice)


def _schema(session: Session, check: Check) -> None:
    check.looked_at = 1
    revision = session.scalar(sa.text(schema.SELECT_REVISION))
    if revision != schema.HEAD:
        kept = ", and keeps a copy" if session.connection().dialect.name == "sqlite" else ""
        check.notes.append(
            f"schema {revision}, now {schema.HEAD}: the next search or test brings it up to date"
            f"{kept}"
        )


def _links(session: Session, check: Check) -> None:
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        check.left_out = True
        check.notes.append(
            "not looked at: a server keeps rows from pointing to rows that are not there"
        )
        return
    check.looked_at = len(sa.inspect(connection).get_table_names())
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        lost[str(table), str(parent)] += 1
    for (table, parent), count in lost.items():
        check.wrong(f"{count} rows of {table} point to rows of {parent} that are not there")


# ------------------------------------------------------------------------------------ our tables


def _plans(session: Session, check: Check) -> None:
    """Look for gaps: a plan is written in one transaction and never loses a part."""
    stages = _stages(session)
    check.looked_at = len(stages)
    for study, positions in _grouped(session, Stage.study_id, Stage.position).items():
        if not _counts(positions):
            name = session.scalar(sa.select(Study.name).where(Study.id == study))
            check.wrong(f"study {name}: its stages are numbered {_shown(positions)}")
    for kind, thing in ((Trial, "trials"), (Cohort, "cohorts")):
        for stage, positions in _grouped(session, kind.stage_id, kind.position).items():
            if not _counts(positions):
                check.wrong(f"{stages[stage]}: its {thing} are numbered {_shown(positions)}")
    replicates = _grouped(session, Run.trial_id, Run.replicate)
    trials = session.execute(
        sa.select(Trial.id, Trial.stage_id, Trial.position, Trial.replicates).order_by(Trial.id)
    )
    for trial, stage, position, wanted in trials:
        found = replicates.get(trial, [])
        if found != list(range(wanted)):
            check.wrong(
                f"{stages[stage]}: trial {position} has the training runs {_shown(found)} of "
                f"{wanted}"
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
                f"{stages[stage]}: cohort {position} has the slots {_shown(found)} of {wanted}"
            )


def _curves(session: Session, check: Check) -> None:
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
            *(Run.id, Run.epochs, Run.state, Run.replicate, Run.cohort_id),
            *(Trial.stage_id, Trial.position),
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


def _results(session: Session, check: Check) -> None:
    """Look whether trials are the means of their runs, and runs what their curves say."""
    stages = _stages(session)
    _cohort_states(session, check, stages)
    runs: dict[int, list[Any]] = defaultdict(list)
    measured = sa.select(
        Run.id,
        Run.trial_id,
        Run.state,
        Run.validation_accuracy,
        Epoch.validation_accuracy.label("in_curve"),
    ).outerjoin(Epoch, (Epoch.run_id == Run.id) & (Epoch.epoch == Run.best_epoch))
    for run in session.execute(measured.order_by(Run.id)):
        runs[run.trial_id].append(run)
    trials = session.execute(
        sa.select(
            Trial.id, Trial.stage_id, Trial.position, Trial.state, Trial.validation_accuracy
        ).order_by(Trial.id)
    )
    unfinished: dict[int, int] = defaultdict(int)
    for trial in trials:
        check.looked_at += 1
        where = f"{stages[trial.stage_id]}: trial {trial.position}"
        mine = runs.get(trial.id, [])
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
        if None in accuracies or not _close(
            trial.validation_accuracy, sum(accuracies) / len(accuracies)
        ):
            check.wrong(
                f"{where}: its validation accuracy is {trial.validation_accuracy}, those of its "
                f"training runs are {', '.join(map(str, accuracies))}"
            )
        for run in mine:
            if run.in_curve is None or not _close(run.validation_accuracy, run.in_curve):
                check.wrong(
                    f"{where}: a training run has the validation accuracy "
                    f"{run.validation_accuracy}, its curve says {run.in_curve}"
                )
    for stage, count in unfinished.items():
        check.notes.append(
            f"{stages[stage]}: {count} trials are not finished; its command carries on with them"
        )


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


def _checkpoints(session: Session, check: Check) -> None:
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
        lost = (
            "restore a copy of the file; its results stand, `test --refit none` cannot be had"
            if cohort.state == "done"
            else _RESTORE
        )
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


def _openings(session: Session, check: Check) -> None:
    """Look at the record of the test set."""
    ranks = _grouped(session, FinalRun.opening_id, FinalRun.rank)
    openings = session.execute(
        sa.select(Opening.id, Opening.opened_at, Study.name)
        .join(Study, Opening.study_id == Study.id)
        .order_by(Opening.id)
    )
    for opening, moment, study in openings:
        check.looked_at += 1
        when = f"study {study}: the test set was opened at {moment:%Y-%m-%d %H:%M:%S} UTC"
        if opening not in ranks:
            check.notes.append(f"{when}, and what was measured was not stored")


# ---------------------------------------------------------------------------------- Optuna's side

_STATES: Final = {
    "complete": "complete",
    "pruned": "pruned",
    "diverged": "fail",
    "failed": "fail",
}


def _optuna(database: Database, check: Check, plain: Plain) -> None:
    """Compare with Optuna's studies. Ours are read first: what is told by then is there."""
    with database.session() as session:
        if not sa.inspect(session.connection()).has_table("trial_user_attributes"):
            told = session.scalar(sa.select(sa.func.count()).where(Trial.told.is_(True)))
            if told:
                check.wrong(f"{told} trials were told to Optuna, whose tables are not there")
            return
        stages = session.execute(
            sa.select(Stage.id, Stage.uuid, Stage.optuna_name)
            .where(Stage.optuna_name.is_not(None))
            .order_by(Stage.id)
        ).all()
        trials: dict[int, list[Any]] = defaultdict(list)
        for trial in session.execute(
            sa.select(
                Trial.stage_id,
                Trial.uuid,
                Trial.position,
                Trial.number,
                Trial.params,
                Trial.state,
                Trial.validation_accuracy,
                Trial.told,
            ).order_by(Trial.stage_id, Trial.position)
        ):
            trials[trial.stage_id].append(trial)
    from coarsefine.db.optuna_studies import read_studies

    theirs = read_studies(database)
    by_uuid = defaultdict(list)
    for study in theirs:
        by_uuid[study.uuid].append(study)
    with database.session() as session:  # once more: a search may have gone on meanwhile
        known = set(session.scalars(sa.select(Trial.uuid)))
        known_stages = set(session.scalars(sa.select(Stage.uuid)))
    for stage in stages:
        there = [s for s in by_uuid[stage.uuid] if s.name == stage.optuna_name]
        if there:
            _compare(check, stage.optuna_name, trials[stage.id], there[0].trials, known, plain)
        elif renamed := by_uuid[stage.uuid]:
            check.looked_at += len(trials[stage.id])
            check.wrong(
                f"Optuna's study {stage.optuna_name} was renamed to {renamed[0].name}",
                "give it its name back; the ranking does not need it",
            )
        elif any(trial.told for trial in trials[stage.id]):
            check.looked_at += len(trials[stage.id])
            check.wrong(
                f"Optuna's study {stage.optuna_name} was deleted",
                "the ranking does not need it; it is made anew when more trials are added",
            )
    for study in theirs:
        if study.uuid is not None and study.uuid not in known_stages:
            check.notes.append(f"Optuna's study {study.name} belongs to none that is here")


def _compare(
    check: Check,
    name: str,
    ours: Sequence[Any],
    theirs: Sequence[Any],
    known: set[str],
    plain: Plain,
) -> None:
    again = f"the dashboard shows something else than the ranking, which is right; {_RESTORE}"
    by_uuid: dict[str, list[Any]] = defaultdict(list)
    for trial in theirs:
        if trial.uuid is not None:
            by_uuid[trial.uuid].append(trial)
        if trial.uuid not in known and trial.state == "running":
            check.wrong(
                f"{name}: Optuna's trial {trial.number} is running and none of ours",
                "run the search's command again: it ends such trials",
            )
    for mine in ours:
        check.looked_at += 1
        where = f"{name}: trial {mine.position}"
        found = by_uuid.get(mine.uuid, [])
        if len(found) > 1:
            check.wrong(f"{where} is {len(found)} times in Optuna", again)
        if not mine.told:
            continue
        if not found:
            check.wrong(f"{where} was told to Optuna and is not there", again)
            continue
        their = found[0]
        if their.state != _STATES.get(mine.state):
            check.wrong(f"{where} is {mine.state}, Optuna has it {their.state}", again)
        if mine.state == "complete" and their.value != mine.validation_accuracy:
            check.wrong(
                f"{where} reached {mine.validation_accuracy}, Optuna has {their.value}", again
            )
        if their.number != mine.number:
            check.wrong(f"{where} has number {mine.number}, Optuna's is {their.number}", again)
        if not _same_params(mine.params, their.params, plain):
            check.wrong(f"{where} has {dict(mine.params)}, Optuna has {their.params}", again)


def _same_params(ours: Mapping[str, Any], theirs: Mapping[str, Any], plain: Plain) -> bool:
    if set(ours) != set(theirs):
        return False
    pairs = [(plain(value), theirs[name]) for name, value in ours.items()]
    return all(
        _close(a, b) if isinstance(a, float) and isinstance(b, float) else a == b for a, b in pairs
    )


# ------------------------------------------------------------------------------------- helpers


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


def _shown(numbers: Sequence[int]) -> str:
    """Return numbers in order, those in a row as ``2–5``."""
    if not numbers:
        return "none"
    ends = [i for i, (a, b) in enumerate(pairwise(numbers)) if b != a + 1]
    starts = [0, *(i + 1 for i in ends)]
    ranges = zip(starts, [*ends, len(numbers) - 1], strict=True)
    words = [
        str(numbers[a]) if a == b else f"{numbers[a]}–{numbers[b]}" for a, b in islice(ranges, 9)
    ]
    return ", ".join(words) + (", …" if len(starts) > len(words) else "")


def _close(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-12)


_Look = Callable[[Session, Check], None]
_CHECKS: tuple[tuple[Callable[[], Check], Any], ...] = (
    (lambda: Check("file", "page"), _file),
    (lambda: Check("schema", "version"), _schema),
    (lambda: Check("links", "table"), _links),
    (lambda: Check("plans", "stage"), _plans),
    (lambda: Check("curves", "run"), _curves),
    (lambda: Check("results", "trial"), _results),
    (lambda: Check("checkpoints", "checkpoint"), _checkpoints),
    (lambda: Check("test set", "opening"), _openings),
    (lambda: Check("Optuna", "trial"), _optuna),
)
