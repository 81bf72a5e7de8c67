"""Optuna's side of a stage. Optuna is imported here and for its dashboard, by public names alone.

Our tables are the record; Optuna samples, and mirrors trials for its dashboard and its users. Each
step is one transaction and may be repeated: a trial is known by its UUID (a user attribute), and a
finished one stays as it is.
"""

import math
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from coarsefine.db import sqlite_files
from coarsefine.db.engine import Database, explained
from coarsefine.db.errors import StorageError
from coarsefine.db.lock import tables_lock
from coarsefine.db.repository.measurements import get_measurement, set_measurement

SamplerName = Literal["random", "qmc", "tpe"]
FinalState = Literal["complete", "diverged", "pruned", "failed"]

UUID: Final = "uuid"
"""Attribute of a study (our stage) and of a trial (our trial): Optuna's ids are reused."""

STATE: Final = "state"
"""Attribute of a failed trial: whether it diverged."""

TPE_STARTUP: Final = 4
"""Random points before TPE learns from them. Optuna's 10 are more than a search here has trials."""

_SNAP: Final = 1e-9
_SAME: Final = 1e-6
_TRIES: Final = 50


class Range(NamedTuple):
    """Where a number may lie; of integers if both ends are."""

    low: float
    high: float
    log: bool = False


class Choices(NamedTuple):
    """What a parameter may be; must be the same for all trials of a stage."""

    values: tuple[str | int | float | bool | None, ...]


@dataclass(frozen=True, slots=True)
class OptunaTrial:
    """A trial to be started in Optuna's study.

    Attributes:
        uuid: Ours; a trial that is there already is not started again.
        params: By the names that users know.
        space: Range or choices of each parameter.
        attributes: Shown by the dashboard; JSON.
    """

    uuid: str
    params: Mapping[str, Any]
    space: Mapping[str, Range | Choices]
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Wish(NamedTuple):
    """A trial that somebody enqueued in Optuna's study.

    Attributes:
        uuid: Ours, once it was promised.
        waits: Whether nobody is at it: it may have been taken up by a process of somebody else's.
    """

    number: int
    uuid: str | None
    params: dict[str, Any]
    waits: bool


class OptunaStage:
    """One stage as an Optuna study that maximises validation accuracy."""

    def __init__(self, storage: RDBStorage, study: Study, uuid: object, label: str) -> None:
        self._storage = storage
        self._study = study
        self._uuid = uuid
        self._label = label
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._trial_ids: dict[int, int] = {}  # by number

    @classmethod
    def open(
        cls, database: Database, name: str, attributes: Mapping[str, Any], *, begun: bool = False
    ) -> Self:
        """Return the Optuna study called ``name``, made if it is not there.

        Args:
            database: Where our tables are, too.
            name: ``STUDY/STAGE``.
            attributes: Of the study (parent, window, reason, …), with our stage's ``uuid``.
            begun: It should be there: if it is not, one that was renamed is looked for.

        Raises:
            StorageError: If it was renamed, or a study of that name is another's, or has another
                direction.
        """
        with _quiet(), _explained(database.label):
            storage = _storage(database)
            try:
                if begun:
                    _check_name(storage, database.label, name, attributes.get(UUID))
                study = optuna.create_study(
                    study_name=name,
                    storage=storage,
                    direction="maximize",
                    sampler=optuna.samplers.RandomSampler(seed=0),  # never asked
                    load_if_exists=True,
                )
                uuid, label = attributes.get(UUID), f"Optuna's study {name!r} in {database.label}"
                stage = cls(storage, study, uuid, label)
                stage._check_owner()
                stage.set_attributes(attributes)
            except BaseException:
                _close(storage)
                raise
        return stage

    @staticmethod
    def delete(database: Database, name: str) -> bool:
        """Delete the Optuna study called ``name``; return whether there was one."""
        with _quiet(), _explained(database.label):
            storage = _storage(database)
            try:
                optuna.delete_study(study_name=name, storage=storage)
            except KeyError:
                return False
            finally:
                _close(storage)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close Optuna's connections to the database."""
        _close(self._storage)

    @property
    def name(self) -> str:
        """Return the study's name."""
        return self._study.study_name

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set those attributes of the study that are not yet as given."""
        with _explained(self._label):
            known = self._study.user_attrs
            for key, value in attributes.items():
                plain = _plain(value)
                if key not in known or known[key] != plain:
                    self._study.set_user_attr(key, plain)

    def known(self) -> set[str]:
        """Return which trials are there, by UUID."""
        with _quiet(), _explained(self._label):
            return set(self._numbers())

    def start(self, trials: Sequence[OptunaTrial]) -> dict[str, int]:
        """Start those trials that are not there, and return the numbers of all, by UUID.

        Each is one transaction: killed at any moment, a trial is there whole or not at all. One
        that waits is somebody's wish, and is taken up as it is.
        """
        with _quiet(), _explained(self._label):
            self._check_still_there()
            numbers = self._numbers()
            waiting = {_uuid(trial): trial.number for trial in self._trials(TrialState.WAITING)}
            ids: dict[str, int] = {}
            for trial in trials:
                if trial.uuid in waiting:
                    self._take_up(waiting[trial.uuid], trial)
                if trial.uuid in numbers or trial.uuid in ids:
                    continue
                space = {name: _distribution(where) for name, where in trial.space.items()}
                ids[trial.uuid] = self._storage.create_new_trial(
                    self._study_id,
                    create_trial(
                        state=TrialState.RUNNING,
                        params={
                            name: _inside(_plain(trial.params[name]), where)
                            for name, where in trial.space.items()
                        },
                        distributions=space,
                        user_attrs={**_plain(trial.attributes), UUID: trial.uuid},
                    ),
                )
            if ids:
                numbers = self._numbers()
                self._trial_ids.update({numbers[uuid]: key for uuid, key in ids.items()})
            return {trial.uuid: numbers[trial.uuid] for trial in trials}

    def finish(
        self,
        number: int,
        state: FinalState,
        value: float | None = None,
        *,
        attributes: Mapping[str, Any] | None = None,
        curve: Mapping[int, float] | None = None,
    ) -> None:
        """Tell how a trial ended; telling it again changes nothing.

        Args:
            number: Optuna's.
            state: Diverged and failed are both Optuna's FAIL, told apart by an attribute.
            value: Mean validation accuracy; needed for a complete trial only.
            attributes: Shown by the dashboard; JSON. Each costs a transaction, as points do.
            curve: Values by step, for the dashboard; not finite ones are left out. Each costs a
                transaction of most of a millisecond: give few.
        """
        if state == "complete" and (value is None or not math.isfinite(value)):
            raise ValueError(f"a complete trial needs a finite value, got {value}")
        kinds = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        points = {int(s): float(v) for s, v in (curve or {}).items() if math.isfinite(v)}
        shown = dict(attributes or {})
        if state not in kinds:
            shown[STATE] = state
        if state == "pruned":  # Optuna's convention
            value = points[max(points)] if points else None
        values = None if value is None or state not in kinds else [float(value)]
        with self._trial(number) as trial_id:
            # All before the end is told: a finished trial cannot be changed.
            for key, attribute in shown.items():
                self._storage.set_trial_user_attr(trial_id, key, _plain(attribute))
            for step, point in points.items():
                self._storage.set_trial_intermediate_value(trial_id, step, point)
            # What Study.tell does after it has read all of the trial, which takes as long again.
            self._storage.set_trial_state_values(
                trial_id, kinds.get(state, TrialState.FAIL), values
            )

    def wishes(self) -> list[Wish]:
        """Return the trials that somebody enqueued and that have not ended, by number."""
        with _quiet(), _explained(self._label):
            self._check_still_there()
            found = []
            for trial in self._trials(TrialState.WAITING, TrialState.RUNNING):
                enqueued = trial.system_attrs.get("fixed_params")
                waits = trial.state is TrialState.WAITING
                if waits or enqueued is not None:
                    named = enqueued if isinstance(enqueued, Mapping) else {}
                    params = {**trial.params, **named}
                    found.append(Wish(trial.number, _uuid(trial), params, waits))
            return found

    def promise(self, number: int, uuid: str) -> None:
        """Give a trial that waits the UUID of ours that it is going to be."""
        with self._trial(number) as trial_id:
            self._storage.set_trial_user_attr(trial_id, UUID, uuid)

    def refuse(self, number: int, reason: str) -> None:
        """Fail a trial that waits, and say why."""
        self.finish(number, "failed", attributes={"reason": reason})

    def _take_up(self, number: int, trial: OptunaTrial) -> None:
        """Have a trial that waits running, with the parameters that are trained."""
        with self._trial(number) as trial_id:
            for name, where in trial.space.items():
                distribution = _distribution(where)
                value = _inside(_plain(trial.params[name]), where)
                # Of another kind than in trials before: ours has it, the dashboard goes without.
                with suppress(ValueError):
                    self._storage.set_trial_param(
                        trial_id, name, distribution.to_internal_repr(value), distribution
                    )
            for key, attribute in trial.attributes.items():
                self._storage.set_trial_user_attr(trial_id, key, _plain(attribute))
            self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)

    def fail_strays(self, known: set[str]) -> list[int]:
        """Fail running trials that are not ``known``; return their numbers.

        Waiting ones are somebody's wish, from the dashboard say, and stay.
        """
        with _quiet(), _explained(self._label):
            self._check_still_there()
            strays = [
                trial.number
                for trial in self._trials(TrialState.RUNNING)
                if _uuid(trial) not in known
            ]
        for number in strays:
            self.finish(number, "failed")
        return strays

    def states(self) -> dict[str, str]:
        """Return Optuna's state of each trial of ours, by UUID, in lower case."""
        with _quiet(), _explained(self._label):
            states = {_uuid(trial): trial.state.name.lower() for trial in self._trials()}
            return {uuid: state for uuid, state in states.items() if uuid is not None}

    def _check_owner(self) -> None:
        if self._study.directions != [StudyDirection.MAXIMIZE]:
            directions = ", ".join(each.name.lower() for each in self._study.directions)
            raise StorageError(
                f"{self._label} must maximise one value, but has the direction {directions};"
                " name another study"
            )
        owner = self._study.user_attrs.get(UUID)
        if owner != self._uuid and (owner is not None or self._trials()):
            raise StorageError(
                f"{self._label} was not made by this stage; rename or delete it, or name another"
                " study"
            )

    def _check_still_there(self) -> None:
        # Another study may have the id by now: SQLite gives those of deleted rows out again.
        try:
            found = self._storage.get_study_id_from_name(self.name)
        except KeyError:
            found = None
        if found != self._study_id:
            raise self._gone()

    def _gone(self) -> StorageError:
        return StorageError(
            f"{self._label} was renamed or deleted from outside; give it its name back if it was"
            " renamed, and run the same command again"
        )

    def _numbers(self) -> dict[str, int]:
        numbers: dict[str, int] = {}
        for trial in self._trials():
            uuid = _uuid(trial)
            if uuid is not None:
                # Whoever enqueues a trial can copy another's attributes: the first has them.
                numbers.setdefault(uuid, trial.number)
        return numbers

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    @contextmanager
    def _trial(self, number: int) -> Generator[int]:
        """Yield Optuna's id of a trial; leave the block silently if the trial is finished."""
        with _quiet(), _explained(self._label):
            try:
                # Another study may have the ids by now: SQLite gives those of deleted rows out
                # again. No single trial can be deleted: they are ours as long as the study is.
                owner = self._storage.get_study_user_attrs(self._study_id).get(UUID)
                if owner != self._uuid:
                    raise self._gone()
                if number not in self._trial_ids:
                    self._trial_ids[number] = self._storage.get_trial_id_from_study_id_trial_number(
                        self._study_id, number
                    )
                yield self._trial_ids[number]
            except UpdateFinishedTrialError:
                return
            except KeyError as error:
                raise self._gone() from error


# ------------------------------------------------------------------------------------- looked at


class OptunaRow(NamedTuple):
    """A trial as Optuna has it; ``uuid`` is ours, ``state`` in lower case."""

    number: int
    uuid: str | None
    state: str
    value: float | None
    params: dict[str, Any]


class OptunaStudy(NamedTuple):
    """A study as Optuna has it; ``uuid`` is our stage's."""

    name: str
    uuid: str | None
    trials: list[OptunaRow]


def read_studies(database: Database) -> list[OptunaStudy]:
    """Return all that Optuna has, of a database that may be open for reading only."""
    kwargs: dict[str, Any] = database.server_options
    if database.connect is not None:
        kwargs["creator"] = database.connect
    with _quiet(), _explained(database.label):
        storage = RDBStorage(
            database.url,
            engine_kwargs=kwargs,
            skip_compatibility_check=True,
            skip_table_creation=True,
        )
        try:
            return [
                OptunaStudy(
                    study.study_name,
                    study.user_attrs.get(UUID),
                    _rows(storage, storage.get_study_id_from_name(study.study_name)),
                )
                for study in storage.get_all_studies()
                if len(study.directions) == 1
            ]
        finally:
            _close(storage)


def _rows(storage: RDBStorage, study_id: int) -> list[OptunaRow]:
    return [
        OptunaRow(
            trial.number,
            _uuid(trial),
            trial.state.name.lower(),
            trial.value,
            trial.params,
        )
        for trial in storage.get_all_trials(study_id, deepcopy=False)
    ]


# ---------------------------------------------------------------------------------- new points


def propose(
    sampler: SamplerName,
    space: Mapping[str, Range],
    history: Sequence[tuple[Mapping[str, Any], float | None, str]],
    n: int,
    *,
    seed: int,
    batch: int,
) -> list[dict[str, Any]]:
    """Return up to ``n`` new points of ``space``, the same for the same arguments.

    Args:
        sampler: ``qmc`` goes on with one scrambled Sobol sequence; ``tpe`` learns from history.
        space: Range of each parameter.
        history: Parameters, value and state of each point so far, running ones included.
        n: How many points.
        seed: The study's.
        batch: How many batches were proposed before: a sampler that started with the same seed
            each time would repeat itself.

    Returns:
        Points that are neither in history nor twice among themselves; fewer than ``n`` if the
        space has no more to give.
    """
    entropy = [abs(seed), 0 if sampler == "qmc" else batch]
    state = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    distributions = {name: _distribution(where) for name, where in space.items()}
    taken = np.array([_coordinates(space, params) for params, _, _ in history])
    taken = taken.reshape(len(history), len(space))
    found: list[dict[str, Any]] = []
    with _quiet():
        study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, state))
        study.add_trials(_past(space, distributions, history))
        if sampler == "qmc":
            # The first trial of a study would be random: QMC learns the space from one.
            low = {name: where.low for name, where in space.items()}
            study.add_trial(
                create_trial(state=TrialState.RUNNING, params=low, distributions=distributions)
            )
        # A Sobol sequence starts from its beginning and passes all that was asked before.
        tries = _TRIES + (len(history) if sampler == "qmc" else 0)
        failures = 0
        while len(found) < n and failures < tries:
            trial = study.ask(distributions)
            here = _coordinates(space, trial.params)
            if (np.abs(taken - here).max(axis=1) <= _SAME).any():
                study.tell(trial, state=TrialState.FAIL)
                failures += 1
                continue
            failures = 0
            taken = np.vstack([taken, here])
            found.append({name: trial.params[name] for name in space})
    return found


def _sampler(name: SamplerName, seed: int) -> optuna.samplers.BaseSampler:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "qmc":
        return optuna.samplers.QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=TPE_STARTUP)


def _past(
    space: Mapping[str, Range],
    distributions: Mapping[str, BaseDistribution],
    history: Sequence[tuple[Mapping[str, Any], float | None, str]],
) -> list[FrozenTrial]:
    trials = []
    for params, value, state in history:
        inside = {name: _inside(_plain(params[name]), where) for name, where in space.items()}
        if any(not where.low <= inside[name] <= where.high for name, where in space.items()):
            continue
        complete = state == "complete" and value is not None and math.isfinite(value)
        trials.append(
            create_trial(
                state=TrialState.COMPLETE if complete else _PAST_STATES[state],
                value=float(value) if complete and value is not None else None,
                params=inside,
                distributions=dict(distributions),
            )
        )
    return trials


# TPE takes a pruned trial for a bad one but ignores a failed one, and would go there again.
_PAST_STATES: Final = {
    "complete": TrialState.FAIL,  # without a value
    "diverged": TrialState.PRUNED,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "planned": TrialState.RUNNING,
}


def _coordinates(space: Mapping[str, Range], params: Mapping[str, Any]) -> list[float]:
    """Return the point such that what is closer than ``_SAME`` in all of it is the same."""
    return [
        math.log(params[name]) if where.log else params[name] / (where.high - where.low or 1)
        for name, where in space.items()
    ]


def worse_half(values: Mapping[str, float], step: int) -> set[str]:
    """Return which trials Optuna's median pruner would stop, whatever their order.

    Args:
        values: Validation accuracy at this step, by trial UUID.
        step: The epoch.
    """
    names = list(values)
    pruner = optuna.pruners.PercentilePruner(50.0, n_startup_trials=0, n_warmup_steps=0)
    with _quiet():
        study = optuna.create_study(direction="maximize", pruner=pruner)
        # The pruner compares a trial with finished ones: at a rung, with all that came to it.
        for name in names:
            value = float(values[name])
            study.add_trial(create_trial(value=value, intermediate_values={step: value}))
        trials = study.get_trials(deepcopy=False)
        return {
            name for name, trial in zip(names, trials, strict=True) if pruner.prune(study, trial)
        }


# ------------------------------------------------------------------------------------- helpers


def _storage(database: Database) -> RDBStorage:
    """Return Optuna's storage in the same database, with the same settings as our engine."""
    engine_kwargs: dict[str, Any] = database.server_options
    if database.path is not None:
        # Python opens transactions with SQLite's write lock: readers never have to upgrade to
        # writers, which is where "database is locked" comes from despite a timeout.
        engine_kwargs["creator"] = partial(
            sqlite_files.connect, database.path, isolation_level="IMMEDIATE"
        )
    with tables_lock(database):
        # Optuna compares its schema with the file's at each opening, which takes longer (0.2 s)
        # than telling a search's results. Once is enough for one version of it and of the file.
        schema = _schema(database)
        known = schema is not None and get_measurement(database, _CHECKED) == schema
        storage = RDBStorage(
            database.url,
            engine_kwargs=engine_kwargs,
            skip_compatibility_check=known,
            skip_table_creation=known,
        )
        if not known:
            set_measurement(database, _CHECKED, _schema(database))
        return storage


_CHECKED: Final = "optuna schema checked"


def _schema(database: Database) -> dict[str, str] | None:
    """Return the version of Optuna and of its tables in the file; ``None`` if there are none."""
    with database.session() as session:
        if not sa.inspect(session.connection()).has_table("alembic_version"):
            return None
        revision = session.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return {"optuna": optuna.__version__, "tables": str(revision)}


def _close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _check_name(storage: RDBStorage, label: str, name: str, uuid: object) -> None:
    studies = storage.get_all_studies()
    if any(study.study_name == name for study in studies):
        return
    for study in studies:
        if study.user_attrs.get(UUID) == uuid:
            raise StorageError(
                f"Optuna's study {name!r} in {label} was renamed to {study.study_name!r}; give it "
                "its name back, or start a study of another name"
            )


def _distribution(where: Range | Choices) -> BaseDistribution:
    if isinstance(where, Choices):
        return CategoricalDistribution(where.values)
    if isinstance(where.low, int) and isinstance(where.high, int):
        return IntDistribution(where.low, where.high, log=where.log)
    return FloatDistribution(float(where.low), float(where.high), log=where.log)


def _inside(value: Any, where: Range | Choices) -> Any:
    """Return ``value``, or the end of its range if it is past it by rounding only."""
    if isinstance(where, Range):
        for end in (where.low, where.high):
            if value != end and math.isclose(value, end, rel_tol=_SNAP):
                return end
    return value


def _uuid(trial: FrozenTrial) -> str | None:
    """Return a trial's UUID of ours; attributes can be anything, whoever set them."""
    uuid = trial.user_attrs.get(UUID)
    return uuid if isinstance(uuid, str) else None


def _plain(value: Any) -> Any:
    """Return ``value`` with Python's numbers for NumPy's, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def _quiet() -> Generator[None]:
    """Keep Optuna's notes about itself off the user's screen."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _explained(label: str) -> Generator[None]:
    try:
        with explained(label):
            yield
    except StorageInternalError as error:  # Optuna's wrapping of what the driver said
        with explained(label):
            raise error.__cause__ or error from None
