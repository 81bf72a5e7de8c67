"""Optuna's studies and trials for its dashboard: read by plain SQL, and remembered.

Optuna's own storage takes most of a second for 500 trials with curves, and the dashboard asks for
all of them every few seconds. This one reads a trial once it has ended and never again, and writes
nothing unless it is given a storage that does.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from copy import deepcopy as copied
from datetime import UTC, datetime
from functools import lru_cache
from heapq import nlargest
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.column_types import json_of
from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.optuna import tables
from coarsefine.db.repository.common import TRASH

if TYPE_CHECKING:
    from optuna.study._frozen import FrozenStudy

_TRASHED: Final = re.compile(TRASH + "[0-9a-f-]{36}/")

_ONE_BY_ONE: Final = 400
"""More trials than these are read with all others of their study: SQLite takes 999 parameters."""

MOST_CURVES: Final = 200
"""Of more trials in a study only the best and those under way have points of their curves: the page
draws a line a trial, and a browser that is given ten thousand of them says nothing any more."""


class ReadingStorage(BaseStorage):
    """An Optuna storage that reads fast; safe to be used by several threads."""

    def __init__(self, database: Database, optuna: Callable[[], RDBStorage]) -> None:
        """Make the storage.

        Args:
            database: Where the tables are. Nothing is written if it is open for reading only.
            optuna: Opens Optuna's own storage of it, for what is seldom asked, and for writing.
        """
        self._database = database
        self._open = optuna
        self._opened: RDBStorage | None = None
        self._opening = Lock()
        self._reading = Lock()
        self._studies: dict[int, dict[int, tuple[tuple[Any, ...], FrozenTrial]]] = {}

    def close(self) -> None:
        """Close Optuna's connections."""
        if self._opened is not None:
            self._opened.remove_session()
            self._opened.engine.dispose()

    @property
    def _optuna(self) -> RDBStorage:
        """Optuna's own storage; it cannot be opened before there is something in its tables.

        Raises:
            KeyError: If there is not, so that there is nothing that could be meant either.
        """
        with self._opening:
            if self._opened is None:
                with self._database.session() as session:
                    if not schema.optuna_has_begun(session.connection()):
                        raise KeyError("Optuna has no studies here yet")
                self._opened = self._open()
            return self._opened

    # ------------------------------------------------------------------------------- studies

    def get_all_studies(self) -> "list[FrozenStudy]":
        """Return the studies, in the order they were made; none before Optuna has its tables.

        Those in the trash are left out.
        """
        try:
            return [s for s in self._optuna.get_all_studies() if not _TRASHED.match(s.study_name)]
        except KeyError:
            return []

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return a study's id."""
        return self._optuna.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return a study's name."""
        return self._optuna.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return what a study maximises or minimises."""
        return self._optuna.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's attributes."""
        return self._optuna.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return what Optuna keeps of a study, notes and plots among it."""
        return self._optuna.get_study_system_attrs(study_id)

    # -------------------------------------------------------------------------------- trials

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial.

        Raises:
            KeyError: If there is none.
        """
        with self._database.session() as session:
            query = sa.select(tables.TRIALS.c.study_id).where(tables.TRIALS.c.trial_id == trial_id)
            study_id = session.scalar(query)
        known = {} if study_id is None else self._read(study_id)
        if trial_id not in known:
            raise KeyError(f"no trial has the id {trial_id}")
        return known[trial_id][1]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return a study's trials, by number; ``deepcopy`` if they will be changed."""
        trials = sorted(
            (
                trial
                for _, trial in self._read(study_id).values()
                if states is None or trial.state in states
            ),
            key=lambda trial: trial.number,
        )
        return copied(trials) if deepcopy else trials

    def _read(self, study_id: int) -> dict[int, tuple[tuple[Any, ...], FrozenTrial]]:
        """Return a study's trials by id, each with the row that it was made from."""
        with self._reading:
            before = self._studies.get(study_id, {})
            with self._database.session() as session:
                rows = session.execute(
                    sa.select(tables.TRIALS).where(tables.TRIALS.c.study_id == study_id)
                )
                found = {row.trial_id: tuple(row) for row in rows}
                # A finished trial is immutable. Its id may be another's by now: SQLite gives those
                # of deleted rows out again; but not with the same moments.
                fresh = [
                    key
                    for key, row in found.items()
                    if key not in before
                    or before[key][0] != row
                    or not before[key][1].state.is_finished()
                ]
                made = _made(
                    session,
                    study_id,
                    {key: found[key] for key in fresh},
                    curved=lambda values: self._curved(study_id, found, values),
                )
            known = {
                key: (row, made[key]) if key in made else before[key] for key, row in found.items()
            }
            self._studies[study_id] = known
            return known

    def _curved(
        self,
        study_id: int,
        rows: dict[int, tuple[Any, ...]],
        values: dict[int, dict[Any, Any]],
    ) -> list[int] | None:
        """Return which trials have points of their curves; ``None`` for all.

        Args:
            study_id: Whose trials.
            rows: All of them.
            values: Of those that are read.
        """
        if len(rows) <= MOST_CURVES:
            return None
        sign = 1 if self.get_study_directions(study_id)[0] == StudyDirection.MAXIMIZE else -1
        scores = {
            key: sign * (trial.values or [math.nan])[0]
            for key, (_, trial) in self._studies.get(study_id, {}).items()
            if trial.state == TrialState.COMPLETE
        }
        scores |= {key: sign * each[0] for key, each in values.items() if 0 in each}
        finished = {state.name for state in TrialState if state.is_finished()}
        under_way = [key for key, row in rows.items() if row[3] not in finished]
        return [*nlargest(MOST_CURVES, scores, key=scores.__getitem__), *under_way[:MOST_CURVES]]

    # ------------------------------------------------------------------------------- writing

    def _writing(self) -> RDBStorage:
        if self._database.read_only:
            raise StorageError(f"{self._database.label} was opened for reading only")
        return self._optuna

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Make a study, if anything may be changed."""
        return self._writing().create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Delete a study, if anything may be changed."""
        self._writing().delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set an attribute, if anything may be changed."""
        self._writing().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set an attribute of Optuna's, if anything may be changed."""
        self._writing().set_study_system_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Make a trial, if anything may be changed."""
        return self._writing().create_new_trial(study_id, template_trial)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Set a parameter, if anything may be changed."""
        writing = self._writing()
        writing.set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set a trial's state, if anything may be changed."""
        return self._writing().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Set a point of a curve, if anything may be changed."""
        self._writing().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute, if anything may be changed."""
        self._writing().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of Optuna's, if anything may be changed."""
        self._writing().set_trial_system_attr(trial_id, key, value)


def _made(
    session: Session,
    study_id: int,
    rows: dict[int, tuple[Any, ...]],
    curved: Callable[[dict[int, dict[Any, Any]]], list[int] | None],
) -> dict[int, FrozenTrial]:
    """Return trials by id, of rows of their table by id.

    Args:
        session: Where they are.
        study_id: Whose trials.
        rows: By id.
        curved: Returns which trials have points of their curves, given their values.
    """
    if not rows:
        return {}

    def of(
        table: sa.Table, order: str | None = None, only: list[int] | None = None
    ) -> Iterator[Sequence[Any]]:
        _, *columns = table.c
        query = sa.select(*columns)
        if only is not None:
            query = query.where(table.c.trial_id.in_(only))
        elif len(rows) > _ONE_BY_ONE:
            ids = sa.select(tables.TRIALS.c.trial_id).where(tables.TRIALS.c.study_id == study_id)
            query = query.where(table.c.trial_id.in_(ids))
        else:
            query = query.where(table.c.trial_id.in_(list(rows)))
        return iter(session.execute(query if order is None else query.order_by(table.c[order])))

    def by_trial(found: Iterable[tuple[int, Any, Any]]) -> dict[int, dict[Any, Any]]:
        gathered: dict[int, dict[Any, Any]] = defaultdict(dict)
        for trial_id, key, value in found:
            gathered[trial_id][key] = value
        return gathered

    params: dict[int, dict[str, Any]] = defaultdict(dict)
    distributions: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for trial_id, name, value, text in of(tables.PARAMS, "param_id"):
        distribution = _distribution(text)
        distributions[trial_id][name] = distribution
        params[trial_id][name] = distribution.to_external_repr(value)
    values = by_trial(
        (i, objective, _finite(v, kind)) for i, objective, v, kind in of(tables.VALUES)
    )
    points = by_trial(
        (i, step, _finite(v, kind)) for i, step, v, kind in of(tables.POINTS, only=curved(values))
    )
    user = by_trial((i, key, json_of(text)) for i, key, text in of(tables.TRIAL_USER))
    system = by_trial((i, key, json_of(text)) for i, key, text in of(tables.TRIAL_SYSTEM))
    return {
        key: FrozenTrial(
            trial_id=key,
            number=number,
            state=TrialState[state],
            value=None,
            values=[v for _, v in sorted(values[key].items())] if key in values else None,
            datetime_start=_local(started),
            datetime_complete=_local(ended),
            params=params.get(key, {}),
            distributions=distributions.get(key, {}),
            user_attrs=user.get(key, {}),
            system_attrs=system.get(key, {}),
            intermediate_values=points.get(key, {}),
        )
        for key, number, _, state, started, ended in rows.values()
    }


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    # Most trials of a study share one: reading it takes longer than all else of a trial.
    return json_to_distribution(text)


def _finite(value: float | None, kind: str) -> float:
    return tables.NOT_FINITE[kind] if value is None else value


def _local(moment: datetime | None) -> datetime | None:
    """Return a stored moment (UTC) as Optuna has it: local, without a zone."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
