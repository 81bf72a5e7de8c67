"""Studies of one database written into another, and the results that both have, compared.

A study is the same wherever it has the same UUID, and a training run wherever it has the same
recipe key: recipe, data and seed. What both have should be equal to the bit.
"""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import check_not_driven
from coarsefine.db.connections.messages import first_line
from coarsefine.db.connections.server_errors import is_refused_row
from coarsefine.db.errors import StorageError
from coarsefine.db.new_records import LONGEST_NAME
from coarsefine.db.records import FINAL_STATES
from coarsefine.db.repository.common import chunks, table
from coarsefine.db.study_rows import UUID, StudyCopy
from coarsefine.db.tables import Cohort, Opening, Run, Stage, Study, Trial
from coarsefine.db.tidying import delete_rows

_RESULTS: Final = (
    *("state", "epochs", "updates", "validation_accuracy", "validation_loss"),
    *("train_accuracy", "train_loss", "best_epoch"),
)
_TRAINED: Final = ("complete", "diverged")


@dataclass(frozen=True, slots=True)
class UnequalRun:
    """Two training runs of one recipe, data and seed that came to different results.

    Attributes:
        there: Study, stage, trial and replicate of the one that was to be merged.
        here: Of the one that was here.
        fields: What differs, with both values, there and here.
    """

    there: str
    here: str
    fields: dict[str, tuple[Any, Any]]


@dataclass(slots=True)
class Merged:
    """What came of a merge.

    Attributes:
        added: Names of studies that are new here: there, and here.
        renewed: Studies that were here and had come further there.
        kept: Studies that were here already, as far or further.
        refused: Studies that were here with other results; they stay as they were.
        n_equal: Training runs that both had, with equal results.
        n_once: Of these, those of which one network is kept for both.
        unequal: Training runs that both had, with unequal results.
    """

    added: list[tuple[str, str]] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    n_equal: int = 0
    n_once: int = 0
    unequal: list[UnequalRun] = field(default_factory=list)


def merge(source: Database, target: Database, names: Mapping[str, str]) -> Merged:
    """Write studies into another database, all in one transaction.

    Args:
        source: Where they are; nothing is changed there.
        target: Where they go. Its tables of Optuna's are there.
        names: What they are to be called, by UUID; a number is added where a name is taken.

    Raises:
        BusyError: If a study that has come further is being driven in the target.
        StorageError: If what is in the source cannot have been written by this program.
    """
    merged = Merged()
    with source.session() as there, target.write() as here:
        _check_versions(source, there, here)
        for uuid, name in names.items():
            study = there.execute(sa.select(table(Study)).where(Study.uuid == uuid)).one_or_none()
            if study is None:
                raise StorageError(f"a study is no longer in {source.label}")
            _check(source.label, study, there)
            mine = here.execute(sa.select(table(Study)).where(Study.uuid == uuid)).one_or_none()
            if mine is not None:
                check_not_driven(target, here, {uuid: mine.name})
            with _refused(source.label, study.name):
                if mine is None:
                    free = _free_name(here, name)
                    _write(there, here, study, free, merged)
                    merged.added.append((study.name, free))
                else:
                    _renew(there, here, study, mine, merged)
    return merged


@contextmanager
def _refused(label: str, name: str) -> Generator[None]:
    """Say that rows cannot be ours where the tables do not take them."""
    try:
        yield
    except StatementError as error:
        if isinstance(error, DBAPIError) and not is_refused_row(error):
            raise
        raise StorageError(
            f"{label}: study {name!r} has a row that this program did not write "
            f"({first_line(error.orig)[:200]}); restore a copy of the file"
        ) from error


def _check_versions(source: Database, there: Session, here: Session) -> None:
    """Refuse tables of Optuna's of another version."""
    version = sa.text("SELECT version_num FROM alembic_version")
    if schema.optuna_has_begun(there.connection()):
        one, other = there.scalar(version), here.scalar(version)
        if one != other:
            raise StorageError(
                f"Optuna's tables in {source.label} are of another version ({one}, here {other}); "
                "search in it once with this program"
            )


def _check(label: str, study: Any, there: Session) -> None:
    """Refuse what this program does not write: names and UUIDs become names of files."""
    uuids = there.scalars(sa.select(Stage.uuid).where(Stage.study_id == study.id))
    stages = there.scalars(sa.select(Stage.name).where(Stage.study_id == study.id))
    texts = [study.name, *map(str, study.tags or ()), *stages]
    if not (
        all(UUID.fullmatch(str(uuid)) for uuid in (study.uuid, *uuids))
        and all(isinstance(text, str) and text.isprintable() for text in texts)
    ):
        raise StorageError(f"{label} holds a study that this program did not write")


def _free_name(here: Session, name: str) -> str:
    for number in count(1):
        end = "" if number == 1 else f"-{number}"
        free = f"{name[: LONGEST_NAME - len(end)]}{end}"
        if here.scalar(sa.select(Study.id).where(Study.name == free)) is None:
            return free
    raise AssertionError  # pragma: no cover  # numbers do not end


# ------------------------------------------------------------------- a study that is new here


def _write(there: Session, here: Session, study: Any, name: str, merged: Merged) -> None:
    """Write a study; networks that are here already are not kept twice."""
    run_for, trained = _known(there, here, study, merged)
    dropped = _dropped(there, study.id, trained)
    merged.n_once += sum(len(runs) for runs in dropped.values())
    # The openings of a study that was deleted here have it again.
    mine = there.scalars(sa.select(Opening.uuid).where(Opening.study_id == study.id)).all()
    for some in chunks(list(mine)):
        here.execute(
            sa.delete(table(Opening)).where(Opening.uuid.in_(some), Opening.study_id.is_(None))
        )
    StudyCopy(there, here, name, anew=False, run_for=run_for, dropped=dropped).write(study.id)


def _known(
    there: Session, here: Session, study: Any, merged: Merged
) -> tuple[dict[int, int], set[int]]:
    """Return the runs here that have the results of the study's; and which have networks here."""
    theirs = [run for run in _runs(there, Study.id == study.id) if run.state in _TRAINED]
    ours: dict[str, list[Any]] = defaultdict(list)
    for keys in chunks(sorted({run.recipe_key for run in theirs})):
        for run in _runs(here, Run.recipe_key.in_(keys), Run.state.in_(_TRAINED)):
            ours[run.recipe_key].append(run)
    run_for: dict[int, int] = {}
    trained = set()
    for run in theirs:
        candidates = ours.get(run.recipe_key, [])
        equal = [other for other in candidates if _differing(run, other) == {}]
        if equal:
            best = next((other for other in equal if other.cohort_id is not None), equal[0])
            run_for[run.id] = best.id
            if best.cohort_id is not None:
                trained.add(run.id)
            merged.n_equal += 1
        elif candidates:
            merged.unequal.append(_unequal(run, candidates[0]))
    return run_for, trained


def _dropped(there: Session, study_id: int, trained: set[int]) -> dict[int, list[int]]:
    """Return the cohorts all of whose runs have a network in the target, with their runs."""
    rows = there.execute(
        sa.select(Run.cohort_id, Run.id)
        .join(table(Cohort), Run.cohort_id == Cohort.id)
        .join(table(Stage), Cohort.stage_id == Stage.id)
        .where(Stage.study_id == study_id, Cohort.state == "done")
    )
    cohorts: dict[int, list[int]] = defaultdict(list)
    for cohort, run in rows:
        cohorts[cohort or 0].append(run)
    return {cohort: runs for cohort, runs in cohorts.items() if trained.issuperset(runs)}


def _runs(session: Session, *conditions: sa.ColumnElement[bool]) -> Sequence[Any]:
    return session.execute(
        sa.select(
            Run.id,
            Run.cohort_id,
            Run.recipe_key,
            Run.replicate,
            *(getattr(Run, name) for name in _RESULTS),
            Trial.uuid.label("trial"),
            Trial.position,
            Stage.name.label("stage"),
            sa.func.coalesce(Study.trashed_name, Study.name).label("study"),
        )
        .join(table(Trial), Run.trial_id == Trial.id)
        .join(table(Stage), Trial.stage_id == Stage.id)
        .join(table(Study), Stage.study_id == Study.id)
        .where(*conditions)
        .order_by(Run.id)
    ).all()


def _differing(a: Any, b: Any) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in _RESULTS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _unequal(there: Any, here: Any) -> UnequalRun:
    def place(run: Any) -> str:
        return f"{run.study} {run.stage}:{run.position}, replicate {run.replicate}"

    return UnequalRun(place(there), place(here), _differing(there, here))


# ----------------------------------------------------------------- a study that is here already


def _renew(there: Session, here: Session, study: Any, mine: Any, merged: Merged) -> None:
    """Have the study as it is where it came further, unless results differ."""
    theirs, ours = _finished(there, study.id), _finished(here, mine.id)
    openings = [
        set(session.scalars(sa.select(Opening.uuid).where(Opening.study_id == each.id)))
        for session, each in ((there, study), (here, mine))
    ]
    both = theirs.keys() & ours.keys()
    unequal = [
        _unequal(theirs[key], ours[key])
        for key in sorted(both)
        if _differing(theirs[key], ours[key])
    ]
    merged.n_equal += len(both) - len(unequal)
    merged.unequal += unequal
    name = mine.trashed_name or mine.name
    if not unequal and theirs.keys() <= ours.keys() and openings[0] <= openings[1]:
        merged.kept.append(name)
    elif not unequal and ours.keys() <= theirs.keys() and openings[1] <= openings[0]:
        _replace(there, here, study, mine)
        merged.renewed.append(name)
    else:
        merged.refused.append(name)


def _finished(session: Session, study_id: int) -> dict[tuple[str, int], Any]:
    """Return the runs that have ended, by UUID of their trial and replicate."""
    runs = _runs(session, Study.id == study_id, Run.state.in_(FINAL_STATES))
    return {(run.trial, run.replicate): run for run in runs}


def _replace(there: Session, here: Session, study: Any, mine: Any) -> None:
    """Write a study in place of what is here of it, under the name and labels that it has here."""
    own = sa.select(Run.id).join(table(Trial), Run.trial_id == Trial.id)
    own = own.join(table(Stage), Trial.stage_id == Stage.id).where(Stage.study_id == mine.id)
    borrowed = here.execute(
        sa.select(Run.id, Run.recipe_key).where(Run.reused_from.in_(own), Run.id.not_in(own))
    ).all()
    here.execute(sa.delete(table(Opening)).where(Opening.study_id == mine.id))
    delete_rows(here, [mine.id])
    StudyCopy(there, here, mine.name, anew=False).write(
        study.id, **{name: _stored(getattr(mine, name), name) for name in _LABELS}
    )
    found = {run.recipe_key: run.id for run in _runs(here, Study.uuid == study.uuid)}
    for run in borrowed:
        if run.recipe_key in found:
            here.execute(
                sa.update(table(Run))
                .where(Run.id == run.id)
                .values(reused_from=found[run.recipe_key])
            )


_LABELS: Final = ("tags", "note", "trashed_at", "trashed_name")


def _stored(value: Any, column: str) -> Any:
    """Return a value as it is stored."""
    kind: Any = table(Study).c[column].type
    bind = getattr(kind, "process_bind_param", None)
    return value if bind is None else bind(value, None)
