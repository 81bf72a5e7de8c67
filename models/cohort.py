"""A cohort: training runs that are trained as one, what they share and how far they are."""

import io
import json
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array
from coarsefine.models.early_stopping import Watch, new_watch
from coarsefine.models.errors import ModelError
from coarsefine.models.evaluation import SampleOutcomes
from coarsefine.models.network import Parameters, initial_parameters
from coarsefine.models.specs import (
    KERNELS,
    Hyperparameters,
    KernelName,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.models.updaters import new_slots

Outcome = Literal["complete", "diverged", "pruned", "failed"]

# Which stream of random numbers: part of every seed, so that no two uses ever share one.
WEIGHTS, ORDER, AUGMENTATION, NOISE, DROPOUT = range(5)


@dataclass(frozen=True, slots=True)
class CohortPlan:
    """Everything that decides what a cohort's training ends with, but the data.

    Attributes:
        trials: One entry per slot; they differ in numbers only.
        seed: The study's seed.
        replicate: Which repetition, from 0. Initial weights and batch order follow from seed and
            replicate alone, so that trials differ in their hyperparameters only.
        kernel: What makes the updates (``coarsefine.models.kernels``): it decides the last bits.
    """

    network: NetworkSpec
    training: TrainingSpec
    trials: tuple[Hyperparameters, ...]
    seed: int
    replicate: int = 0
    kernel: KernelName = "numpy"

    def __post_init__(self) -> None:
        if self.kernel not in KERNELS:
            raise ModelError(
                f"the study was planned with the kernel {self.kernel!r}, which this version does "
                "not have: use the version that began the study"
            )
        if not self.trials:
            raise ModelError("a cohort must have at least one trial, got none")
        if self.seed < 0 or self.replicate < 0:
            raise ModelError(
                f"seed and replicate must be >= 0, got {self.seed} and {self.replicate}"
            )

    @property
    def dtype(self) -> type[np.floating]:
        """Return the type that is trained in."""
        return np.float64 if self.training.precision == "float64" else np.float32

    def generator(self, *stream: int) -> np.random.Generator:
        """Return the generator of one use of randomness, such as (ORDER, epoch)."""
        entropy = np.random.SeedSequence(self.seed, spawn_key=(self.replicate, *stream))
        return np.random.default_rng(entropy)


@dataclass(frozen=True, slots=True)
class Lowest:
    """The evaluation with a trial's lowest validation loss, which need not be an epoch's end.

    Attributes:
        step: Updates made by then.
        validation_loss: Mean over the validation split.
        validation_accuracy: In [0, 1].
        train_loss: Mean over all training samples; ``None`` unless the trial counts with it.
        train_accuracy: Likewise.
    """

    step: int
    validation_loss: float
    validation_accuracy: float
    train_loss: float | None = None
    train_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial of a cohort whose training is over.

    Attributes:
        outcome: ``diverged`` where loss, accuracy or weights stopped being finite (or the cost
            passed ``TrainingSpec.diverged_at``); ``pruned`` where others were so far ahead that the
            search did not wait for the end; ``failed`` where a trainer of the user's did.
        epoch: The last one trained, from 1; of the one that early stopping ends within, a part.
        scored_epoch: The one the trial counts with: the last, the best, or the one that has the
            evaluation with the lowest loss in it.
        parameters: Those of ``scored_epoch``, T = 1.
        step: Updates made in all; ``None`` in checkpoints of older versions.
        lowest: ``None`` likewise, and where no loss was finite.
        snapshots: The networks that its cycles ended with, T = 1 each, where they are kept.
    """

    outcome: Outcome
    epoch: int
    scored_epoch: int
    parameters: Parameters
    step: int | None = None
    lowest: Lowest | None = None
    snapshots: tuple[Parameters, ...] = ()

    @property
    def restored(self) -> Lowest | None:
        """Return the evaluation that the trial counts with, where that is no epoch's row."""
        known = self.lowest is not None and self.lowest.train_accuracy is not None
        return self.lowest if known else None


@dataclass(frozen=True, slots=True)
class CohortState:
    """How far a cohort is: all that training it further needs.

    Attributes:
        step: Updates made.
        epoch: Epochs made, counting a last part of one.
        slots: Which trials of the plan are still being trained, in the order of the rows.
        parameters: Their parameters.
        optimizer: Their optimizer's slots.
        initial_cost: (T,), training cost before the first update; NaN before it is measured.
        watch: What early stopping remembers.
        best_accuracy: (T,), validation accuracy of the best epoch so far.
        best_epoch: (T,), that epoch; where trials count with their lowest loss, its epoch.
        best: Its parameters, where trials do not count with their last epoch, else ``None``.
        best_outcomes: Its outcomes on the validation split, likewise; ``None`` before there are
            any, and where they are not wanted.
        finished: By slot, the trials that are done.
        snapshots: By slot, the networks that the cycles of the others ended with so far.
    """

    step: int
    epoch: int
    slots: tuple[int, ...]
    parameters: Parameters
    optimizer: list[Array]
    initial_cost: npt.NDArray[np.float64]
    watch: Watch
    best_accuracy: npt.NDArray[np.float64]
    best_epoch: npt.NDArray[np.int64]
    best: Parameters | None = None
    best_outcomes: SampleOutcomes | None = None
    finished: dict[int, Finished] = field(default_factory=dict)
    snapshots: dict[int, tuple[Parameters, ...]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Return whether no trial is left to train."""
        return not self.slots

    def rows(self, which: Sequence[int]) -> "CohortState":
        """Return a copy that trains only the trials at the positions ``which``."""
        index = np.asarray(which, dtype=np.intp)
        slots = tuple(self.slots[i] for i in which)
        return replace(
            self,
            slots=slots,
            parameters=self.parameters.rows(which),
            optimizer=[array[index] for array in self.optimizer],
            initial_cost=self.initial_cost[index],
            watch=self.watch.rows(which),
            best_accuracy=self.best_accuracy[index],
            best_epoch=self.best_epoch[index],
            best=None if self.best is None else self.best.rows(which),
            best_outcomes=None if self.best_outcomes is None else self.best_outcomes.rows(index),
            snapshots={s: kept for s, kept in self.snapshots.items() if s in slots},
        )

    def with_snapshots(self, rows: Sequence[int]) -> "CohortState":
        """Return the state with the networks of the trials at some positions kept as they are."""
        snapshots = dict(self.snapshots)
        for row in rows:
            slot = self.slots[row]
            snapshots[slot] = (*snapshots.get(slot, ()), self.parameters.rows([row]))
        return replace(self, snapshots=snapshots)

    def lowest(self, row: int) -> Lowest | None:
        """Return the evaluation with the lowest loss of the trial at a position."""
        watch = self.watch
        if not np.isfinite(watch.lowest[row]):
            return None
        return Lowest(int(watch.step[row]), float(watch.lowest[row]), float(watch.accuracy[row]))


def pruned(state: CohortState, slots: Collection[int]) -> CohortState:
    """Return the state without those trials: their rows dropped, the arrays compacted.

    Args:
        state: Left as it is.
        slots: Trials to end; those that have ended already are passed over.
    """
    ended = [row for row, slot in enumerate(state.slots) if slot in slots]
    if not ended:
        return state
    finished = dict(state.finished)
    for row in ended:
        parameters = state.parameters.rows([row])
        finished[state.slots[row]] = Finished(
            "pruned", state.epoch, state.epoch, parameters, state.step, state.lowest(row)
        )
    kept = [row for row in range(len(state.slots)) if row not in ended]
    return replace(state.rows(kept), finished=finished)


def initial_state(plan: CohortPlan) -> CohortState:
    """Return the state before the first update: the same weights for every trial."""
    n_trials = len(plan.trials)
    parameters = initial_parameters(plan.network, n_trials, plan.dtype, plan.generator(WEIGHTS))
    return CohortState(
        step=0,
        epoch=0,
        slots=tuple(range(n_trials)),
        parameters=parameters,
        optimizer=new_slots(plan.training.optimizer, parameters),
        initial_cost=np.full(n_trials, np.nan),
        watch=new_watch(n_trials),
        best_accuracy=np.full(n_trials, -1.0),
        best_epoch=np.zeros(n_trials, np.int64),
        best=parameters.rows(range(n_trials)) if plan.training.score != "final" else None,
    )


def state_to_bytes(state: CohortState) -> bytes:
    """Return the state as an ``.npz`` archive without pickles."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "initial_cost": state.initial_cost,
        **{f"watch/{name}": array for name, array in state.watch.arrays().items()},
        "best_accuracy": state.best_accuracy,
        "best_epoch": state.best_epoch,
    }
    _put(arrays, "parameters", state.parameters)
    for i, array in enumerate(state.optimizer):
        arrays[f"optimizer/{i}"] = array
    if state.best is not None:
        _put(arrays, "best", state.best)
    if state.best_outcomes is not None:
        arrays["best/predicted"] = state.best_outcomes.predicted
        arrays["best/losses"] = state.best_outcomes.losses
    for slot, done in state.finished.items():
        _put(arrays, f"finished/{slot}", done.parameters)
    kept = {slot: done.snapshots for slot, done in state.finished.items()} | state.snapshots
    for slot, snapshots in kept.items():
        for i, parameters in enumerate(snapshots):
            _put(arrays, f"snapshots/{slot}/{i}", parameters)
    header = {
        "step": state.step,
        "epoch": state.epoch,
        "slots": state.slots,
        "best": state.best is not None,
        "n_optimizer": len(state.optimizer),
        "n_layers": len(state.parameters.weights),
        "n_biases": len(state.parameters.biases),
        "n_normalised": len(state.parameters.gains),
        "finished": {
            str(slot): [
                done.outcome,
                done.epoch,
                done.scored_epoch,
                done.step,
                None if done.lowest is None else astuple(done.lowest),
            ]
            for slot, done in state.finished.items()
        },
        "snapshots": {str(slot): len(snapshots) for slot, snapshots in kept.items()},
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def state_from_bytes(payload: bytes) -> CohortState:
    """Return the state that ``state_to_bytes`` wrote.

    Raises:
        ModelError: If the payload is anything else.
    """
    try:
        _check_size(payload)
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())

            n_layers, n_trials = header["n_layers"], len(header["slots"])
            # Older versions did not remember at which step the loss was lowest.
            now = "initial_cost" in archive
            # Older checkpoints say only whether there are biases: all layers had them, or none.
            n_biases = header["n_biases"] if "n_biases" in header else n_layers * header["biases"]

            n_normalised = header.get("n_normalised", 0)
            counts = {"W": n_layers, "b": n_biases} | dict.fromkeys("gmv", n_normalised)

            def parameters(prefix: str) -> Parameters:
                return Parameters(
                    *(
                        [archive[f"{prefix}/{letter}{i}"] for i in range(count)]
                        for letter, count in counts.items()
                    )
                )

            snapshots = {
                int(slot): tuple(parameters(f"snapshots/{slot}/{i}") for i in range(count))
                for slot, count in header.get("snapshots", {}).items()
            }
            return CohortState(
                step=header["step"],
                epoch=header["epoch"],
                slots=tuple(header["slots"]),
                parameters=parameters("parameters"),
                optimizer=[archive[f"optimizer/{i}"] for i in range(header["n_optimizer"])],
                initial_cost=archive["initial_cost"] if now else np.full(n_trials, np.nan),
                watch=(
                    Watch(**{name: archive[f"watch/{name}"] for name in Watch.__slots__})
                    if now
                    else replace(
                        new_watch(n_trials), lowest=archive["best_loss"], waited=archive["waited"]
                    )
                ),
                best_accuracy=archive["best_accuracy"],
                best_epoch=archive["best_epoch"],
                best=parameters("best") if header["best"] else None,
                # Older versions did not keep them.
                best_outcomes=(
                    SampleOutcomes(archive["best/predicted"], archive["best/losses"])
                    if "best/predicted" in archive
                    else None
                ),
                finished={
                    int(slot): replace(
                        _finished(stored, parameters(f"finished/{slot}")),
                        snapshots=snapshots.get(int(slot), ()),
                    )
                    for slot, stored in header["finished"].items()
                },
                snapshots={slot: snapshots[slot] for slot in header["slots"] if slot in snapshots},
            )
    except Exception as error:
        # A zip archive can be damaged in more ways than there are names for.
        raise ModelError(
            f"a checkpoint must be an archive that this program wrote, got {error!r}"
        ) from error


def _check_size(payload: bytes) -> None:
    """Raise a ValueError if a checkpoint unpacks to more than it is: ours are not compressed."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    if n_bytes > len(payload):
        raise ValueError(f"{len(payload):,} bytes that unpack to {n_bytes:,}")


def _finished(stored: list[Any], parameters: Parameters) -> Finished:
    # Older versions stored the first three.
    outcome, epoch, scored_epoch, step, lowest = [*stored, None, None][:5]
    lowest = None if lowest is None else Lowest(*lowest)
    return Finished(outcome, epoch, scored_epoch, parameters, step, lowest)


def _put(arrays: dict[str, npt.NDArray[Any]], prefix: str, parameters: Parameters) -> None:
    for letter, values in zip("Wbgmv", parameters.lists, strict=True):
        arrays |= {f"{prefix}/{letter}{i}": array for i, array in enumerate(values)}
