"""Optuna's side of a stage, kept in step with ours. Optuna is imported when it is needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import FINAL_STATES, StageRecord, StudyRecord, TrialRecord
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.spaces.dimensions import Dimension, shown

if TYPE_CHECKING:
    from coarsefine.db.optuna.studies import EnqueuedTrial, OptunaStage
    from coarsefine.db.optuna.trials import Choices, End, Range

# Points of a curve that Optuna's dashboard gets: each is a transaction of a millisecond.
CURVE_POINTS = 5


class OptunaMirror:
    """A stage's trials as Optuna's, opened when there is something to tell."""

    def __init__(self, database: Database, study: StudyRecord, stage: StageRecord) -> None:
        self._database = database
        self._study = study
        self._stage = stage
        self._optuna: OptunaStage | None = None
        self._numbers: dict[str, int] = {}
        self._begun = False

    def start(
        self, trials: Sequence[TrialRecord], started: Callable[[int], None] | None = None
    ) -> None:
        """Have every trial running or ended in Optuna, and its number there in our tables.

        If somebody deleted Optuna's study, it is made anew with all that it was told before.

        Args:
            trials: The stage's.
            started: Hears after each how many are there; what it raises ends this half-way.

        Raises:
            StorageError: If somebody renamed it.
        """
        if not all(trial.told for trial in trials):
            self.write(trials, started)

    def write(
        self, trials: Sequence[TrialRecord], started: Callable[[int], None] | None = None
    ) -> None:
        """Do as ``start``, also where all trials were told before: Optuna may have lost them."""
        from coarsefine.db.optuna.trials import OptunaTrial

        space = {
            d.name: _searched(d, trials)
            for d in Stage.of(self._stage).dimensions
            if any(trial.params[d.name] is not None for trial in trials)
        }
        self._begun = any(trial.number is not None for trial in trials)
        if not self._begun and self._written(trials, space):
            return
        stage = self._open()
        known = stage.known() if self._begun else set()
        lost = {t.uuid: t for t in trials if t.told and t.uuid not in known}
        repository.forget_told(self._database, list(lost))
        untold = [trial for trial in trials if not trial.told or trial.uuid in lost]
        ended = [trial for trial in untold if trial.state in FINAL_STATES]
        ends = self._ends(ended)
        numbers = stage.start(
            [OptunaTrial(t.uuid, _plain(t.params), space, end=ends.get(t.uuid)) for t in untold],
            started,
        )
        repository.set_numbers(
            self._database,
            {
                t.uuid: numbers[t.uuid]
                for t in untold
                if t.uuid in lost or t.number != numbers[t.uuid]
            },
        )
        self._numbers.update(numbers)
        stage.fail_strays({trial.uuid for trial in trials})
        repository.mark_told(self._database, [trial.uuid for trial in ended])

    def _written(
        self, trials: Sequence[TrialRecord], space: "Mapping[str, Range | Choices]"
    ) -> bool:
        """Write the stage whole, without Optuna, if all of it has ended and Optuna has none of it.

        Returns:
            Whether it is written.
        """
        from coarsefine.db.optuna import writing as optuna_writing
        from coarsefine.db.optuna.trials import OptunaTrial

        if self._optuna is not None or any(trial.state not in FINAL_STATES for trial in trials):
            return False
        ends = self._ends(trials)
        whole = [OptunaTrial(t.uuid, _plain(t.params), space, end=ends[t.uuid]) for t in trials]
        name = self._stage.optuna_name or ""
        numbers = optuna_writing.written(self._database, name, self._attributes, whole)
        if numbers is None:
            return False
        self._numbers.update(numbers)
        repository.set_numbers(self._database, numbers)
        repository.mark_told(self._database, list(numbers))
        return True

    def tell(self, trials: Sequence[TrialRecord]) -> None:
        """Tell the results of finished trials, with a few points of their curves."""
        if not trials:
            return
        stage = self._open()
        for uuid, end in self._ends(trials).items():
            stage.end(self._numbers[uuid], end)
        repository.mark_told(self._database, [trial.uuid for trial in trials])

    def _ends(self, trials: Sequence[TrialRecord]) -> "dict[str, End]":
        """Return how finished trials ended, by UUID."""
        from coarsefine.db.optuna.trials import End

        ends = {}
        curves = repository.mean_accuracies(self._database, [trial.id for trial in trials])
        for trial in trials:
            curve = curves.get(trial.id, {})
            attributes = {
                "validation_loss": trial.validation_loss,
                "train_accuracy": trial.train_accuracy,
                "seconds": trial.seconds,
            }
            if trial.replicates > 1:
                attributes["replicates"] = trial.replicates
            ends[trial.uuid] = End.of(
                trial.state,  # type: ignore[arg-type]  # finished, so neither planned nor running
                trial.validation_accuracy,
                attributes,
                {epoch: curve[epoch] for epoch in thinned(list(curve))},
            )
        return ends

    def enqueued(self) -> "list[EnqueuedTrial]":
        """Return the trials that somebody enqueued in Optuna's study, by number."""
        self._begun = True
        return self._open().enqueued()

    def reserve(self, number: int, uuid: str) -> None:
        """Have a trial that was enqueued be the one of ours with that UUID."""
        self._open().reserve(number, uuid)

    def refuse(self, number: int, reason: str) -> None:
        """Fail a trial that was enqueued, and say why."""
        self._open().refuse(number, reason)

    def close(self) -> None:
        """Close Optuna's connections, if there are any."""
        if self._optuna is not None:
            self._optuna.close()
            self._optuna = None

    def __enter__(self) -> "OptunaMirror":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> "OptunaStage":
        if self._optuna is None:
            from coarsefine.db.optuna.studies import OptunaStage

            self._optuna = OptunaStage.open(
                self._database,
                self._stage.optuna_name or "",
                self._attributes,
                begun=self._begun,
            )
        return self._optuna

    @property
    def _attributes(self) -> dict[str, Any]:
        """Return what Optuna's study says of the stage."""
        return {
            "uuid": self._stage.uuid,
            "study": self._study.name,
            "stage": self._stage.name,
            "parent": self._stage.parent,
            "low": self._stage.low,
            "high": self._stage.high,
            "reason": self._stage.reason,
            "data": self._study.data_name,
            "seed": self._study.seed,
        }


def _searched(dimension: Dimension, trials: Sequence[TrialRecord]) -> "Range | Choices":
    """Return where Optuna is told that a parameter may lie: it wants every value inside."""
    from coarsefine.db.optuna.trials import Choices, Range

    if not dimension.parameter.numeric:
        return Choices(tuple(_plain_value(value) for value in dimension.values or ()))
    values = [t.params[dimension.name] for t in trials if t.params[dimension.name] is not None]
    if dimension.range is not None:
        ends = (dimension.range.low, dimension.range.high)
        values += map(round, ends) if all(isinstance(v, int) for v in values) else ends
    low, high = min(values), max(values)
    return Range(low, high, log=low > 0 and dimension.scale == "log")


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in params.items()}


def _plain_value(value: Any) -> Any:
    """Return a value as Optuna knows it: hidden layers as text."""
    return shown(value) if isinstance(value, list | tuple) else value


def thinned(epochs: Sequence[int], most: int = CURVE_POINTS) -> list[int]:
    """Return at most ``most`` of the epochs, evenly spread, the last among them.

    >>> thinned(range(0, 17), 5)
    [0, 4, 8, 12, 16]
    """
    if len(epochs) <= most:
        return list(epochs)
    last = len(epochs) - 1
    return [epochs[round(i * last / (most - 1))] for i in range(most)]
