"""Optuna's side of a stage. Optuna is imported here and for its dashboard, by public names alone.

Our tables are the record; Optuna samples, and mirrors trials for its dashboard and its users. Each
step is one transaction and may be repeated: a trial is known by its UUID (a user attribute), and a
finished one stays as it is.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Self

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.optuna.storage import close_storage, explained_by_optuna, opened_storage
from coarsefine.db.optuna.trials import UUID, End, FinalState, OptunaTrial, inside, plain
from coarsefine.db.optuna.values import distribution_of, quiet, uuid_of


class EnqueuedTrial(NamedTuple):
    """A trial that somebody enqueued in Optuna's study.

    Attributes:
        uuid: Ours, once one was reserved for it.
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
        with quiet(), explained_by_optuna(database.label):
            storage = opened_storage(database)
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
                close_storage(storage)
                raise
        return stage

    @staticmethod
    def delete(database: Database, name: str) -> bool:
        """Delete the Optuna study called ``name``; return whether there was one."""
        with quiet(), explained_by_optuna(database.label):
            storage = opened_storage(database)
            try:
                optuna.delete_study(study_name=name, storage=storage)
            except KeyError:
                return False
            finally:
                close_storage(storage)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close Optuna's connections to the database."""
        close_storage(self._storage)

    @property
    def name(self) -> str:
        """Return the study's name."""
        return self._study.study_name

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set those attributes of the study that are not yet as given."""
        with explained_by_optuna(self._label):
            known = self._study.user_attrs
            for key, value in attributes.items():
                attribute = plain(value)
                if key not in known or known[key] != attribute:
                    self._study.set_user_attr(key, attribute)

    def known(self) -> set[str]:
        """Return which trials are there, by UUID."""
        with quiet(), explained_by_optuna(self._label):
            return set(self._numbers())

    def start(
        self, trials: Sequence[OptunaTrial], started: Callable[[int], None] | None = None
    ) -> dict[str, int]:
        """Start those trials that are not there, and return the numbers of all, by UUID.

        Each is one transaction: killed at any moment, a trial is there whole or not at all. One
        that has ended is written with its end at once, which takes a fifth of the time of telling
        the end of one that is there. One that waits, which somebody enqueued, is taken up as it
        is.

        Args:
            trials: Those of the stage.
            started: Hears after each how many are there; what it raises ends this half-way.
        """
        with quiet(), explained_by_optuna(self._label):
            self._check_still_there()
            numbers = self._numbers()
            waiting = {uuid_of(trial): trial.number for trial in self._trials(TrialState.WAITING)}
            ids: dict[str, int] = {}
            for n_there, trial in enumerate(trials):
                if started is not None:
                    started(n_there)
                if trial.uuid in waiting:
                    self._take_up(waiting[trial.uuid], trial)
                if trial.uuid in numbers or trial.uuid in ids:
                    if trial.end is not None and trial.uuid in numbers:
                        self.end(numbers[trial.uuid], trial.end)
                    continue
                ids[trial.uuid] = self._storage.create_new_trial(self._study_id, _whole(trial))
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
        self.end(number, End.of(state, value, attributes, curve))

    def end(self, number: int, end: End) -> None:
        """Tell how a trial ended; telling it again changes nothing."""
        with self._trial(number) as trial_id:
            # All before the end is told: a finished trial cannot be changed.
            for key, attribute in end.attributes.items():
                self._storage.set_trial_user_attr(trial_id, key, attribute)
            for step, point in end.points.items():
                self._storage.set_trial_intermediate_value(trial_id, step, point)
            # What Study.tell does after it has read all of the trial, which takes as long again.
            values = None if end.value is None else [end.value]
            self._storage.set_trial_state_values(trial_id, TrialState[end.state], values)

    def enqueued(self) -> list[EnqueuedTrial]:
        """Return the trials that somebody enqueued and that have not ended, by number."""
        with quiet(), explained_by_optuna(self._label):
            self._check_still_there()
            found = []
            for trial in self._trials(TrialState.WAITING, TrialState.RUNNING):
                enqueued = trial.system_attrs.get("fixed_params")
                waits = trial.state is TrialState.WAITING
                if waits or enqueued is not None:
                    named = enqueued if isinstance(enqueued, Mapping) else {}
                    params = {**trial.params, **named}
                    found.append(EnqueuedTrial(trial.number, uuid_of(trial), params, waits))
            return found

    def reserve(self, number: int, uuid: str) -> None:
        """Give a trial that waits the UUID of ours that it is going to be."""
        with self._trial(number) as trial_id:
            self._storage.set_trial_user_attr(trial_id, UUID, uuid)

    def refuse(self, number: int, reason: str) -> None:
        """Fail a trial that waits, and say why."""
        self.finish(number, "failed", attributes={"reason": reason})

    def _take_up(self, number: int, trial: OptunaTrial) -> None:
        """Have a trial that waits running, with the parameters that are trained."""
        with self._trial(number) as trial_id:
            for name, where in trial.used.items():
                distribution = distribution_of(where)
                value = inside(plain(trial.params[name]), where)
                # Of another kind than in trials before: ours has it, the dashboard goes without.
                with suppress(ValueError):
                    self._storage.set_trial_param(
                        trial_id, name, distribution.to_internal_repr(value), distribution
                    )
            for key, attribute in trial.attributes.items():
                self._storage.set_trial_user_attr(trial_id, key, plain(attribute))
            self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)

    def fail_strays(self, known: set[str]) -> list[int]:
        """Fail running trials that are not ``known``; return their numbers.

        Waiting ones were enqueued by somebody, from the dashboard say, and stay.
        """
        with quiet(), explained_by_optuna(self._label):
            self._check_still_there()
            strays = [
                trial.number
                for trial in self._trials(TrialState.RUNNING)
                if uuid_of(trial) not in known
            ]
        for number in strays:
            self.finish(number, "failed")
        return strays

    def states(self) -> dict[str, str]:
        """Return Optuna's state of each trial of ours, by UUID, in lower case."""
        with quiet(), explained_by_optuna(self._label):
            states = {uuid_of(trial): trial.state.name.lower() for trial in self._trials()}
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
            uuid = uuid_of(trial)
            if uuid is not None:
                # Whoever enqueues a trial can copy another's attributes: the first has them.
                numbers.setdefault(uuid, trial.number)
        return numbers

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    @contextmanager
    def _trial(self, number: int) -> Generator[int]:
        """Yield Optuna's id of a trial; leave the block silently if the trial is finished."""
        with quiet(), explained_by_optuna(self._label):
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


def _whole(trial: OptunaTrial) -> FrozenTrial:
    """Return a trial to be written at once."""
    end = trial.end or End("RUNNING")
    return create_trial(
        state=TrialState[end.state],
        value=end.value,
        params=trial.suggested,
        distributions={name: distribution_of(where) for name, where in trial.used.items()},
        user_attrs=trial.user_attributes,
        intermediate_values=end.points,
    )


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
