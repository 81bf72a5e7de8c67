"""Compares our trials with those that Optuna has."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from types import SimpleNamespace
from typing import Any, Final

import sqlalchemy as sa

from coarsefine.db import schema
from coarsefine.db.checks.report import RESTORE, Check, close, shown_numbers
from coarsefine.db.connections.engine import Database
from coarsefine.db.repository.common import TRASH
from coarsefine.db.tables import Run, Stage, Trial
from coarsefine.hints import Message, command

Plain = Callable[[Any], Any]

_STATES: Final = {
    "complete": "complete",
    "pruned": "pruned",
    "diverged": "fail",
    "failed": "fail",
}
_PUT_RIGHT: Final = Message(
    "the ranking does not need it; to write it again from our tables, run `",
    command("check", repair=True),
    "`",
)
_OVER: Final = frozenset({"complete", "pruned", "fail"})


def check_optuna(database: Database, check: Check, plain: Plain) -> None:
    """Compare with Optuna's studies. Ours are read first: what is told by then is there."""
    with database.session() as session:
        if not schema.optuna_has_begun(session.connection()):
            told = session.scalar(sa.select(sa.func.count()).where(Trial.told.is_(True)))
            if told:
                check.wrong(f"{told} trials were told to Optuna, whose tables are not there")
            return
        stages = session.execute(
            sa.select(Stage.id, Stage.uuid, Stage.optuna_name)
            # What Optuna has lost of the trash is written again once it is taken back.
            .where(Stage.optuna_name.is_not(None), Stage.optuna_name.not_like(f"{TRASH}%"))
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
                Trial.replicates,
            ).order_by(Trial.stage_id, Trial.position)
        ):
            trials[trial.stage_id].append(trial)
        by_seed: dict[str, list[float | None]] = defaultdict(list)
        for uuid, accuracy in session.execute(
            sa.select(Trial.uuid, Run.validation_accuracy)
            .join(Run, Run.trial_id == Trial.id)
            .where(Trial.replicates > 1)
            .order_by(Run.trial_id, Run.replicate)
        ):
            by_seed[uuid].append(accuracy)
    from coarsefine.db.optuna.listing import read_studies

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
            # Of equal UUIDs, the first.
            as_told = {each.uuid: each for each in reversed(there[0].trials)}
            mine = [_as_told(each, as_told.get(each.uuid), by_seed) for each in trials[stage.id]]
            n_more = sum(a is not b for a, b in zip(mine, trials[stage.id], strict=True))
            if n_more:
                check.notes.append(
                    f"{stage.optuna_name}: {n_more} trials got more seeds after Optuna was told of "
                    "them; finished trials cannot be changed there, so its values are means of the "
                    "first seeds"
                )
            _compare(check, stage.optuna_name, mine, there[0].trials, known, plain)
        elif renamed := by_uuid[stage.uuid]:
            check.looked_at += len(trials[stage.id])
            check.wrong(
                f"Optuna's study {stage.optuna_name} was renamed to {renamed[0].name}", _PUT_RIGHT
            )
        elif any(trial.told for trial in trials[stage.id]):
            check.looked_at += len(trials[stage.id])
            check.wrong(f"Optuna's study {stage.optuna_name} was deleted", _PUT_RIGHT)
    for study in theirs:
        if study.uuid is not None and study.uuid not in known_stages:
            check.notes.append(f"Optuna's study {study.name} belongs to none that is here")


def _as_told(mine: Any, their: Any | None, by_seed: Mapping[str, Sequence[float | None]]) -> Any:
    """Return a trial as it was when Optuna was told of it: before it got more seeds."""
    if not mine.told or their is None or not 0 < their.replicates < mine.replicates:
        return mine
    first = [each for each in by_seed[mine.uuid][: their.replicates] if each is not None]
    if len(first) < their.replicates:
        return mine
    return SimpleNamespace(
        **{**mine._mapping, "state": "complete", "validation_accuracy": fmean(first)}
    )


def _compare(
    check: Check,
    name: str,
    ours: Sequence[Any],
    theirs: Sequence[Any],
    known: set[str],
    plain: Plain,
) -> None:
    again = Message(
        "the dashboard shows something else than the ranking, which is right; ", RESTORE
    )
    _look_for_strangers(check, name, theirs, known)
    by_uuid: dict[str, list[Any]] = defaultdict(list)
    for trial in theirs:
        if trial.uuid is not None:
            by_uuid[trial.uuid].append(trial)
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
        value_differs = mine.state == "complete" and their.value != mine.validation_accuracy
        state_differs = their.state != _STATES.get(mine.state)
        if their.state in _OVER and not their.ended_by_us and (state_differs or value_differs):
            check.notes.append(
                f"{where} is {mine.state}, and ranked as that; somebody else ended it in Optuna as "
                f"{their.state}, which cannot be changed there"
            )
        elif state_differs:
            check.wrong(f"{where} is {mine.state}, Optuna has it {their.state}", again)
        elif value_differs:
            check.wrong(
                f"{where} reached {mine.validation_accuracy}, Optuna has {their.value}", again
            )
        if their.number != mine.number:
            check.wrong(f"{where} has number {mine.number}, Optuna's is {their.number}", again)
        if not _same_params(mine.params, their.params, plain):
            check.wrong(
                f"{where} has {str(mine.params)[:60]}, Optuna has {str(their.params)[:60]}", again
            )


def _look_for_strangers(check: Check, name: str, theirs: Sequence[Any], known: set[str]) -> None:
    """Look for trials that somebody else began in a study of ours."""
    strangers = [trial for trial in theirs if trial.uuid not in known]
    for trial in strangers:
        if trial.state == "running":
            check.wrong(
                f"{name}: Optuna's trial {trial.number} is running and is not this program's",
                Message("end it with `", command("check", repair=True), "`"),
            )
    added = [t.number for t in strangers if t.state in _OVER and not t.ended_by_us]
    if added:
        check.notes.append(
            f"{name}: Optuna's trials {shown_numbers(added)} were added by somebody else, by "
            "study.optimize say; the ranking is without them"
        )


def _same_params(ours: Mapping[str, Any], theirs: Mapping[str, Any], plain: Plain) -> bool:
    ours = {name: value for name, value in ours.items() if value is not None}
    if set(ours) != set(theirs):
        return False
    pairs = [(plain(value), theirs[name]) for name, value in ours.items()]
    return all(
        close(a, b) if isinstance(a, float) and isinstance(b, float) else a == b for a, b in pairs
    )
