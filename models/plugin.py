"""Training by a custom trainer: found, called, and its answers checked.

The function is called once for a whole training. What it reports becomes the run's curve; what goes
wrong in it is the run's failure, and no one else's.
"""

import contextlib
import hashlib
import importlib
import inspect
import json
import math
import numbers
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from coarsefine.hints import option
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.cohort import CohortPlan, CohortState, Finished, Outcome, initial_state
from coarsefine.models.errors import ModelError
from coarsefine.models.training import EpochRow, Samples

REQUIRED = "validation_accuracy"
ACCURACIES = (REQUIRED, "train_accuracy")
LOSSES = ("validation_loss", "train_loss")
METRICS = (REQUIRED, "validation_loss", "train_accuracy", "train_loss")
PREDICT = "predict"
# Of metrics of other names: so many an epoch are kept, with names of so many characters.
MOST_METRICS, _LONGEST_NAME = 50, 64
# Of a sample: an accuracy may be reported in single precision.
_CLOSE = 0.1
# What Python says to a daemon, as Dask's workers under a nanny are.
_DAEMONS = "daemonic processes are not allowed to have children"
_NO_CHILDREN = (
    "the trainer starts processes, and this worker may not have any: start Dask's workers without "
    "a nanny, or search without Dask"
)
# Of an exception: some quote whole arrays, and each trial keeps its own.
_LONGEST_LINE = 300

Trainer = Callable[..., Any]
Predict = Callable[[Array], Any]


class PluginError(ModelError):
    """A trainer that cannot be found, or an answer of its that is none."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A call of a user's trainer.

    Attributes:
        name: ``package.module:function``.
        source: SHA-256 of the file that the function is in, when the training was planned.
        params: What it is called with, as JSON: the recipe's values and what is searched.
        score: Whether a training counts with its last epoch or its best.
    """

    name: str
    source: str
    params: str
    score: str = "final"


@dataclass(frozen=True, slots=True)
class PluginData:
    """What a trainer sees: never a test sample. Arrays are read-only.

    Attributes:
        x_train: (N, D), normalised as the recipe says.
        y_train: (N,), in 0 … n_classes - 1.
        x_validation: (N', D).
        y_validation: (N',).
    """

    x_train: Array
    y_train: Labels
    x_validation: Array
    y_validation: Labels
    n_classes: int


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a call.

    Attributes:
        rows: A row for each epoch that was reported.
        outcome: ``failed`` where an exception or an answer that is none ended it.
        failure: Why, in a line.
        predict: Returns the classes of samples, if the function returned it.
        metrics: By epoch, those of other names that it reported.
    """

    rows: list[EpochRow]
    outcome: Outcome
    failure: str | None = None
    predict: Predict | None = None
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)


def found(name: str) -> Trainer:
    """Return the function of that name, looked for in the current folder, too.

    Raises:
        PluginError: If there is none.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    # A command that was installed does not look in the current folder by itself. It stays there:
    # the function may import its neighbours when it is called.
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise PluginError(
            f"trainer {name} cannot be imported: {error}; run the command in the folder that "
            f"{module_name.partition('.')[0]} is in"
        ) from None
    except Exception as error:
        raise PluginError(f"trainer {name} cannot be imported: {_line(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        what = "has no" if function is None else "is not a function:"
        raise PluginError(
            f"trainer {name} must be a function, {module_name} {what} {function_name}"
        )
    return function  # type: ignore[no-any-return]  # callable, as checked


def source(name: str) -> str:
    """Return the SHA-256 of the file that a trainer is in.

    Raises:
        PluginError: If there is no such function or no such file.
    """
    function = inspect.unwrap(found(name))
    try:
        path = inspect.getsourcefile(function)
        assert path is not None  # noqa: S101  # an error as any other here
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (TypeError, OSError, AssertionError):
        raise PluginError(
            f"trainer {name} must be a function in a Python file, so that changes to it are noticed"
        ) from None


def trained(plugin: Plugin, data: Samples, n_classes: int, seed: int, replicate: int) -> Trained:
    """Return what came of a training by the user's function.

    Raises:
        PluginError: If it is not there, or its file was changed since the training was planned.
    """
    function = found(plugin.name)
    if source(plugin.name) != plugin.source:
        raise PluginError(
            f"trainer {plugin.name} was changed since this training was planned; put it back, or "
            "choose another name with ",
            option("study"),
        )
    reports = _Reports()
    failure, predict, answer = None, None, None
    # What it prints must not get between the lines of an answer on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = function(
                json.loads(plugin.params),
                PluginData(
                    data.x_train, data.y_train, data.x_validation, data.y_validation, n_classes
                ),
                seed_of(seed, replicate),
                reports,
            )
            predict = reports.end(answer)
        except (Exception, SystemExit) as error:
            failure = _line(error)
    if failure is not None:
        return Trained(reports.rows, "failed", failure, metrics=reports.metrics)
    outcome: Outcome = "diverged" if reports.diverged else "complete"
    return Trained(reports.rows, outcome, predict=predict, metrics=reports.metrics)


def seed_of(seed: int, replicate: int) -> int:
    """Return the seed that a trainer gets: the same for all trials of a replicate."""
    return int(np.random.SeedSequence(seed, spawn_key=(replicate,)).generate_state(1)[0])


def final_state(plan: CohortPlan, plugin: Plugin, done: Trained) -> CohortState:
    """Return the state of a cohort of one after such a training: over, and without weights."""
    last = done.rows[-1].epoch if done.rows else 0
    scored = last
    if plugin.score == "best" and done.outcome == "complete":
        trained_rows = (row for row in done.rows if row.epoch)
        scored = max(trained_rows, key=lambda row: row.validation_accuracy).epoch
    state = initial_state(plan).rows([])
    finished = Finished(done.outcome, last, scored, state.parameters)
    return replace(state, epoch=last, finished={0: finished})


def predicted(done: Trained, state: CohortState, data: Samples, n_classes: int) -> Labels | None:
    """Return the classes that a training of the user's finds for the validation samples.

    Returns:
        ``None`` without a ``predict`` that works, or where it does not have the accuracy that was
        reported of the epoch that counts: it may predict with the weights of another one.
    """
    if done.predict is None or done.outcome != "complete":
        return None
    try:
        classes = classes_of(done.predict, data.x_validation, n_classes)
    except (PluginError, SystemExit):
        return None
    scored = next(row for row in done.rows if row.epoch == state.finished[0].scored_epoch)
    difference = float(np.mean(classes == data.y_validation)) - scored.validation_accuracy
    return classes if abs(difference) * len(classes) < _CLOSE else None


class _Reports:
    """The ``report`` of a call: makes a row of each.

    Attributes:
        diverged: Whether a loss of the last epoch is not finite. In a row, NaN stands for what
            was not reported, too.
        metrics: By epoch, numbers of other names.
    """

    def __init__(self) -> None:
        self.rows: list[EpochRow] = []
        self.metrics: dict[int, dict[str, float]] = {}
        self.diverged = False
        self._last: dict[str, float] = {}
        self._since = time.perf_counter()

    def __call__(self, epoch: Any, **metrics: Any) -> None:
        """Take in the metrics of an epoch."""
        following = {self.rows[-1].epoch + 1} if self.rows else {0, 1}
        if not isinstance(epoch, numbers.Integral) or epoch not in following:
            raise PluginError(
                "epochs must be reported one after another, from 1 (or 0, before the first update);"
                f" got {epoch!r}" + (f" after {self.rows[-1].epoch}" if self.rows else "")
            )
        self._add(int(epoch), self._checked(metrics, "reported"))
        self._keep(metrics)

    def end(self, answer: Any) -> Predict | None:
        """Take in what the function returned: the metrics of the last epoch, and ``predict``."""
        predict = None
        if answer is not None:
            if not isinstance(answer, Mapping):
                raise PluginError(
                    f"a trainer must return a dict of metrics or nothing, got {_short(answer)}"
                )
            metrics = dict(answer)
            predict = metrics.pop(PREDICT, None)
            if predict is not None and not callable(predict):
                raise PluginError(f"predict must be a function, got {_short(predict)}")
            # One that reports may return its predict alone.
            if metrics or not self.rows:
                self._replace_last(self._checked(metrics, "returned", self._last))
                self._keep(metrics)
        if not self.rows or not self.rows[-1].epoch:
            raise PluginError(f"a trainer must return or report {REQUIRED}, got neither")
        return predict

    def _checked(
        self, metrics: Mapping[str, Any], how: str, before: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Return metrics as numbers, with those that were reported before and are not said anew."""
        from_user = dict(before or {})
        for name, value in metrics.items():
            if name not in METRICS:
                continue
            number = _number(value)
            if number is None:
                raise PluginError(f"{name} must be a number, got {_short(value)}")
            from_user[name] = number
        if REQUIRED not in from_user:
            others = ", ".join(_short(name) for name in metrics if name not in METRICS)
            raise PluginError(
                f"a trainer must return or report {REQUIRED}, it {how} none"
                + (f"; {others} was {how}" if others else "")
            )
        for name in ACCURACIES:
            # NaN is neither.
            if name in from_user and not 0 <= from_user[name] <= 1:
                raise PluginError(f"{name} must be in [0, 1], got {from_user[name]:g}")
        return from_user

    def _keep(self, metrics: Mapping[str, Any]) -> None:
        """Keep the numbers of other names of the last epoch; anything else is left alone."""
        kept = self.metrics.setdefault(self.rows[-1].epoch, {})
        for name, value in metrics.items():
            number = _number(value)
            if (
                name not in METRICS
                and number is not None
                and math.isfinite(number)
                and _is_name(name)
                and (name in kept or len(kept) < MOST_METRICS)
            ):
                kept[name] = number
        if not kept:
            del self.metrics[self.rows[-1].epoch]

    def _replace_last(self, metrics: dict[str, float]) -> None:
        last = self.rows[-1] if self.rows else None
        if last is None or not last.epoch:
            self._add(1, metrics)
            return
        self.rows.pop()
        self._add(last.epoch, metrics, seconds=last.seconds)

    def _add(self, epoch: int, metrics: Mapping[str, float], seconds: float = 0.0) -> None:
        now = time.perf_counter()
        losses = [metrics[name] for name in LOSSES if name in metrics]
        self.diverged = not all(math.isfinite(loss) for loss in losses)
        self._last = dict(metrics)
        self.rows.append(
            EpochRow(
                slot=0,
                epoch=epoch,
                step=0,
                eta=math.nan,
                train_loss=metrics.get("train_loss", math.nan),
                train_cost=math.nan,
                train_accuracy=metrics.get("train_accuracy", math.nan),
                validation_loss=metrics.get("validation_loss", math.nan),
                validation_cost=math.nan,
                validation_accuracy=metrics[REQUIRED],
                seconds=seconds + now - self._since,
                evaluation_seconds=0.0,
            )
        )
        self._since = now


def classes_of(predict: Predict, x: Array, n_classes: int) -> Labels:
    """Return the classes that a user's function finds, checked.

    Raises:
        PluginError: If they are none, or it fails.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            classes = np.asarray(predict(x))
    except Exception as error:
        raise PluginError(f"predict must return a class for each sample: {_line(error)}") from error
    if classes.shape != (len(x),) or not np.issubdtype(classes.dtype, np.integer):
        raise PluginError(
            f"predict must return {len(x)} whole numbers, a class for each sample; got "
            f"{classes.dtype} of shape {classes.shape}"
        )
    if len(classes) and not (classes.min() >= 0 and classes.max() < n_classes):
        raise PluginError(
            f"predict must return classes 0 … {n_classes - 1}, got {classes.min()} … "
            f"{classes.max()}"
        )
    return classes.astype(np.int64)


def _number(value: Any) -> float | None:
    """Return a value as a number; ``None`` if it is none."""
    # A mean of NumPy's may be an array without a shape.
    plain = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(plain, bool) or not isinstance(plain, numbers.Real):
        return None
    return float(plain)


def _is_name(name: Any) -> bool:
    """Return whether a metric can be called so: a colon says which way it is ranked."""
    text = isinstance(name, str) and 0 < len(name.strip()) == len(name) <= _LONGEST_NAME
    return text and name.isprintable() and not set(name) & {":", ",", '"', "'"}


def _line(error: BaseException) -> str:
    """Return an exception as the last line of its traceback has it."""
    if isinstance(error, AssertionError) and _DAEMONS in str(error):
        return _NO_CHILDREN
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    except Exception:  # an exception of theirs may fail to say what it is
        lines = []
    text = f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
    if isinstance(error, PluginError):
        text = " ".join(lines)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
