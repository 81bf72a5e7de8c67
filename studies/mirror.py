"""Optuna's side of a stage, kept in step with ours. Optuna is imported when it is needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from db import repository
from db.engine import Database
from db.records import StageRecord, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from db.optuna_studies import OptunaStage

# Points of a curve that Optuna's dashboard gets: each is a transaction of a millisecond.
CURVE_POINTS = 8


class OptunaMirror:
    """A stage's trials as Optuna's, opened when there is something to tell."""

    def __init__(self, database: Database, study: StudyRecord, stage: StageRecord) -> None:
        self._database = database
        self._study = study
        self._stage = stage
        self._optuna: OptunaStage | None = None
        self._numbers: dict[str, int] = {}

    def start(self, trials: Sequence[TrialRecord]) -> None:
        """Have every trial running in Optuna, and its number there in our tables."""
        untold = [trial for trial in trials if not trial.told]
        if not untold:
            return
        from db.optuna_studies import OptunaTrial, Range

        values = [float(trial.params[self._stage.parameter]) for trial in trials]
        low = min(values if self._stage.low is None else [self._stage.low, *values])
        high = max(values if self._stage.high is None else [self._stage.high, *values])
        space = {self._stage.parameter: Range(low, high, log=low > 0)}
        stage = self._open()
        numbers = stage.start([OptunaTrial(t.uuid, t.params, space) for t in untold])
        repository.set_numbers(
            self._database,
            {t.uuid: numbers[t.uuid] for t in untold if t.number != numbers[t.uuid]},
        )
        self._numbers.update(numbers)
        stage.fail_strays({trial.uuid for trial in trials})

    def tell(self, trials: Sequence[TrialRecord]) -> None:
        """Tell the results of finished trials, with a few points of their curves."""
        if not trials:
            return
        stage = self._open()
        curves = repository.mean_accuracies(self._database, [trial.id for trial in trials])
        for trial in trials:
            number = self._numbers[trial.uuid]
            curve = curves.get(trial.id, {})
            stage.report(number, {epoch: curve[epoch] for epoch in thinned(list(curve))})
            stage.finish(
                number,
                trial.state,  # type: ignore[arg-type]  # finished, so neither planned nor running
                trial.validation_accuracy,
                {
                    "validation_loss": trial.validation_loss,
                    "train_accuracy": trial.train_accuracy,
                    "seconds": trial.seconds,
                    "replicates": trial.replicates,
                },
            )
        repository.mark_told(self._database, [trial.uuid for trial in trials])

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
            from db.optuna_studies import OptunaStage

            self._optuna = OptunaStage.open(
                self._database,
                self._stage.optuna_name or "",
                {
                    "uuid": self._stage.uuid,
                    "study": self._study.name,
                    "stage": self._stage.name,
                    "parent": self._stage.parent,
                    "low": self._stage.low,
                    "high": self._stage.high,
                    "reason": self._stage.reason,
                    "data": self._study.data_name,
                    "seed": self._study.seed,
                },
            )
        return self._optuna


def thinned(epochs: Sequence[int], most: int = CURVE_POINTS) -> list[int]:
    """Return at most ``most`` of the epochs, evenly spread, the last among them.

    >>> thinned(range(0, 17), 5)
    [0, 4, 8, 12, 16]
    """
    if len(epochs) <= most:
        return list(epochs)
    last = len(epochs) - 1
    return [epochs[round(i * last / (most - 1))] for i in range(most)]
