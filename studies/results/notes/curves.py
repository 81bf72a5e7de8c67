"""What a trial's curves show: overfitting, a training cut short, noise at the end, saturation.

Each finding is tested against noise at a level of 1 %: that of the samples, or of the curve itself
around a line (least squares). Half a point of accuracy does not count. Curves of several seeds are
averaged; noise is measured in each.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from coarsefine.hints import Part, option, search_command
from coarsefine.models.special import chdtrc, stdtrit
from coarsefine.studies.results.judging.statistics import INDIFFERENT
from coarsefine.studies.results.notes.marks import ASSUMED_POINTS
from coarsefine.studies.results.notes.note import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import EpochRecord
    from coarsefine.studies.results.curves.runs import TrialCurves
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

    Floats = npt.NDArray[np.float64]

# What can be found, by its code.
CODES: Final = {
    "none-complete": "no trial was completed: all diverged or failed",
    "not-learnt": "no network came a tenth of the way from the commonest class to 100 %",
    "no-better-than-majority": "the best trial is not better than the commonest class",
    "overfits": "training accuracy is above validation accuracy by half a point, or more",
    "still-rising": "as many epochs again would raise accuracy by half a point or more",
    "noisy-end": "at the end, accuracy moves more from epoch to epoch than between seeds",
    "saturated": "in the second half of the training or longer, accuracy did not change",
}
LEVEL: Final = 0.01
_FAR: Final = NormalDist().inv_cdf(1 - LEVEL)
# Shorter ends of curves have slopes and noise that nobody can tell from each other.
LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """Measures after each epoch that all runs of a trial have; (R, E) for R runs and E epochs.

    Attributes:
        epochs: (E,).
        validation: Accuracies in [0, 1].
        training: The same of training samples.
        losses: Of validation samples; ``None`` where a trainer reports none.
        n_validation: Validation samples.
        n_training: Training samples that accuracies are of.
        ends: (E,), which epochs can be compared with each other: all where η is constant, those at
            the ends of cycles where it is cyclical, none where it falls.
    """

    epochs: "Floats"
    validation: "Floats"
    training: "Floats | None"
    losses: "Floats | None"
    n_validation: int
    n_training: int
    ends: "npt.NDArray[np.bool_]"


def curve_of(ranking: "Ranking", curves: "TrialCurves") -> Curve | None:
    """Return a trial's curve; ``None`` where no epoch was measured."""
    shared = set.intersection(
        *({row.epoch for row in rows if row.epoch} for rows in curves.replicates)
    )
    runs = [[row for row in rows if row.epoch in shared] for rows in curves.replicates]

    def of(name: str) -> "Floats | None":
        values = [[getattr(row, name) for row in rows] for rows in runs]
        known = all(value is not None for row in values for value in row)
        return np.array(values, np.float64) if known and values[0] else None

    validation = of("validation_accuracy")
    if validation is None:
        return None
    n_training = int(ranking.study.data.get("n_train", 0)) or ranking.n_validation or 1
    return Curve(
        epochs=np.array(sorted(shared), np.float64),
        validation=validation,
        training=of("train_accuracy"),
        losses=of("validation_loss"),
        n_validation=ranking.n_validation or 0,
        n_training=min(n_training, curves.train_samples or n_training),
        ends=_comparable(curves, runs[0]),
    )


def _comparable(curves: "TrialCurves", rows: "Sequence[EpochRecord]") -> "npt.NDArray[np.bool_]":
    """Return which epochs were measured at the same point of the schedule of η."""
    rates = curves.rates
    if rates is None or rates.schedule == "constant":
        return np.ones(len(rows), np.bool_)
    steps = np.array([row.step for row in rows])
    ends = np.zeros(len(rows), np.bool_)
    if rates.schedule == "cyclical" and rates.cycle:
        for turn in range(rates.cycle, int(steps[-1]) + rates.cycle // 2, rates.cycle):
            nearest = int(np.abs(steps - turn).argmin())
            # An epoch may be longer than a cycle, or end in the middle of one.
            ends[nearest] |= abs(steps[nearest] - turn) <= rates.cycle / 20
    return ends


def read(curve: Curve, seed_deviation: float | None = None) -> tuple[Note, ...]:
    """Return what a curve shows, the most important first.

    Args:
        curve: Of a trial.
        seed_deviation: Of accuracies over seeds, where it is known.
    """
    rising = _rising(curve)
    found = (
        None if rising else _overfits(curve),
        rising,
        _noisy(curve, seed_deviation or ASSUMED_POINTS / 100),
        _saturated(curve),
    )
    return tuple(note for note in found if note is not None)


def _overfits(curve: Curve) -> Note | None:
    """Training accuracy has left validation accuracy behind."""
    if curve.training is None or not curve.n_validation or len(curve.epochs) < LEAST:
        return None
    validation, training = curve.validation.mean(axis=0), curve.training.mean(axis=0)
    gap = training - validation
    error = np.sqrt(
        _variance(validation, curve.n_validation) + _variance(training, curve.n_training)
    )
    far = gap > INDIFFERENT + _FAR * error
    if not far[-1]:
        return None
    near = np.flatnonzero(~far)
    since = curve.epochs[near[-1] + 1 if len(near) else 0]
    line = (
        f"overfits since epoch {since:.0f}: training accuracy ends at {100 * training[-1]:.1f} %, "
        f"validation accuracy at {100 * validation[-1]:.1f} %"
    )
    if curve.losses is not None:
        losses = curve.losses.mean(axis=0)
        least = int(losses.argmin())
        if len(losses) - least >= LEAST and _rises(losses[least:]):
            line += (
                f"; validation loss rose from {losses[least]:.4g} after epoch "
                f"{curve.epochs[least]:.0f} to {losses[-1]:.4g}"
            )
    return Note("overfits", line)


def _rising(curve: Curve) -> Note | None:
    """Validation accuracy still rises at the end."""
    slope = _slope(curve)
    # As many epochs again, at this rate at the least, would gain what counts.
    if slope is None or slope.least * curve.epochs[-1] < INDIFFERENT:
        return None
    line = (
        f"still rising at the end: by {100 * slope.per_epoch:.2g} ± {100 * slope.error:.1g} points "
        f"an epoch over the last {slope.n} {_what(curve)}"
    )
    return Note("still-rising", line)


def _noisy(curve: Curve, seeds: float) -> Note | None:
    """From epoch to epoch, accuracy moves more than between seeds."""
    tail, slope = _tail(curve), _slope(curve)
    # A rise that levels off is no noise.
    if tail is None or slope is None or slope.least > 0 or not curve.n_validation:
        return None
    squares, df = 0.0, 0
    for row in curve.validation[:, tail]:
        left = row - np.polyval(np.polyfit(curve.epochs[tail], row, 2), curve.epochs[tail])
        squares, df = squares + float(left @ left), df + len(left) - 3
    usual = seeds**2 + 1 / curve.n_validation**2
    if chdtrc(df, squares / usual) >= LEVEL:
        return None
    deviation = float(np.sqrt(squares / df))
    line = (
        f"noisy at the end: accuracy moves by {100 * deviation:.2g} points "
        f"(standard deviation of the last {len(tail)} {_what(curve)}), between seeds by "
        f"{100 * seeds:.2g}: when training ends decides"
    )
    return Note("noisy-end", line)


def _saturated(curve: Curve) -> Note | None:
    """From some epoch in the first half on, accuracy did not change by what counts."""
    epochs, mean = curve.epochs[curve.ends], curve.validation.mean(axis=0)[curve.ends]
    for start in range(len(mean) // 2 + 1):
        if len(mean) - start < LEAST:
            break
        fit = _line(epochs[start:], mean[start:])
        length = epochs[-1] - epochs[start]
        if (abs(fit.per_epoch) + fit.quantile * fit.error) * length < INDIFFERENT and (
            abs(mean[start:].mean() - mean[start]) < INDIFFERENT
        ):
            line = (
                f"saturated since epoch {epochs[start]:.0f} of {curve.epochs[-1]:.0f}: accuracy "
                f"changed by {100 * fit.per_epoch * length:+z.2f} ± "
                f"{100 * fit.error * length:.2f} points since"
            )
            return Note("saturated", line)
    return None


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line through the end of a curve, with its standard error."""

    per_epoch: float
    error: float
    n: int
    quantile: float

    @property
    def least(self) -> float:
        """Return the lower bound of the slope, at the level of the tests here."""
        return self.per_epoch - self.quantile * self.error


def _slope(curve: Curve) -> _Line | None:
    """Return the slope of validation accuracy at the end; ``None`` where none can be told."""
    tail = _tail(curve)
    if tail is None:
        return None
    return _line(curve.epochs[tail], curve.validation.mean(axis=0)[tail])


def _line(x: "Floats", y: "Floats") -> _Line:
    n = len(x)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    left = y - y.mean() - slope * centred
    error = float(np.sqrt(left @ left / (n - 2) / (centred @ centred)))
    return _Line(slope, error, n, float(stdtrit(n - 2, 1 - LEVEL)))


def _tail(curve: Curve) -> "npt.NDArray[np.int64] | None":
    """Return the places of the last third of the epochs to compare, at least ``LEAST``."""
    places = np.flatnonzero(curve.ends)
    return places[-max(LEAST, -(-len(places) // 3)) :] if len(places) >= LEAST else None


def _what(curve: Curve) -> str:
    return "epochs" if curve.ends.all() else "cycles"


def _rises(y: "Floats") -> bool:
    """Return whether ``y`` has a rising trend, by Kendall's test (1975) in its normal limit."""
    n = len(y)
    concordance = float(np.sign(y[None] - y[:, None])[np.triu_indices(n, 1)].sum())
    return concordance - 1 > _FAR * float(np.sqrt(n * (n - 1) * (2 * n + 5) / 18))


def _variance(share: "Floats", n: int) -> "Floats":
    return share * (1 - share) / n


def of_trial(
    database: "Database", ranking: "Ranking", trial: "RankedTrial | None"
) -> tuple[Note, ...]:
    """Return all that is to be said of a trial's training: by its study, and by its curves.

    Args:
        database: That the study is in.
        ranking: Of the study, with its notes.
        trial: One of it; ``None`` where none is complete.
    """
    from coarsefine.studies.results.curves.runs import read_curves
    from coarsefine.studies.results.notes.learnt import on_learning

    found = on_learning(ranking)
    if found or trial is None:
        return found
    of_best = ranking.notes if trial is ranking.best else ()
    found = tuple(
        note
        for note in of_best
        if isinstance(note, Note) and note.code == "no-better-than-majority"
    )
    curves = read_curves(database, ranking, [trial])
    curve = curve_of(ranking, curves[0]) if curves else None
    if curve is None:
        return found
    comparison = ranking.comparison
    known = None if comparison is None else comparison.seed_deviation
    return (*found, *(_advised(ranking, trial, note) for note in read(curve, known)))


def _advised(ranking: "Ranking", trial: "RankedTrial", note: Note) -> Note:
    """Return a note with what to do about it; nothing where only the trainer's author knows."""
    training = ranking.study.recipe.get("training", {})
    length = "cycles" if training.get("schedule") == "cyclical" else "epochs"
    n, eta = training.get(length), training.get("eta")
    advice: tuple[Part, ...] = ()
    if ranking.study.recipe.get("trainer"):
        return note
    if note.code == "overfits" and "lambda" not in trial.params:
        advice = ("; search a penalty: ", search_command("lambda", "coarse"))
    elif note.code == "overfits":
        advice = ("; see whether more samples help: ", search_command("dataset-size"))
    elif note.code == "still-rising" and n and length not in trial.params:
        advice = ("; train longer: ", option(f"training.{length}", 2 * n))
    elif note.code == "saturated" and n and n > 1 and length not in trial.params:
        advice = ("; half as long may do: ", option(f"training.{length}", -(-n // 2)))
    elif note.code == "noisy-end" and eta and "eta" not in trial.params:
        advice = ("; end with smaller steps: ", option("training.eta", float(f"{eta / 3:.2g}")))
    return Note(note.code, note.evidence, *advice)
