"""How the cost grows: with trials, rows, hidden units, workers and trials stored."""

import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.common import (
    Options,
    Spread,
    Table,
    interleaved,
    log,
    machine_line,
    main,
    n_cores,
)
from benchmarks.ours import Ours
from benchmarks.storage import EXPORT, RANK, THEIRS, measured
from benchmarks.work import w2
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.models.training import train

TRIALS = (1, 2, 4, 8, 16, 32, 64)
ROWS = (1_000, 3_000, 10_000, 30_000, 50_000)
HIDDEN = (10, 30, 100, 300, 1000)
BATCH = 100
# Updates that tell how long one takes.
UPDATES = 100


@dataclass(frozen=True, slots=True)
class Series:
    """One curve of the figure."""

    what: str
    against: str
    unit: str
    points: Sequence[tuple[float, Spread]]


def run(options: Options) -> list[Table]:
    """Draw the figure and return the tables."""
    rounds = options.rounds or 3
    panels = [
        _by_trials(rounds),
        _by_rows(rounds),
        _by_hidden(rounds),
        _by_workers(options, rounds),
        _by_stored(options),
    ]
    _draw(panels, options.figure)
    table = Table(
        "How the cost grows: median (lowest–highest)",
        ("against", "what", "size", "cost", "unit"),
        notes=[f"figure: {options.figure}"],
    )
    for panel in panels:
        for series in panel:
            for size, cost in series.points:
                table.rows.append(
                    (series.against, series.what, f"{size:,.0f}", str(cost), series.unit)
                )
    return [table]


def _by_trials(rounds: int) -> list[Series]:
    """Return the cost of a trial-update by the width of its cohort."""
    log("scaling: trials")
    found = []
    for name, n_features, hidden in (("3072-50-10", 3072, (50,)), ("784-10", 784, ())):
        data = _samples(5_000, n_features)
        steps = {str(n): partial(_update_seconds, data, hidden, n, BATCH) for n in TRIALS}
        times = _rounds(steps, rounds)
        points = [(n, Spread(tuple(t / n * 1e6 for t in times[str(n)].values))) for n in TRIALS]
        found.append(Series(f"{name}, one core", "trials of a cohort", "µs a trial-update", points))
    return found


def _by_rows(rounds: int) -> list[Series]:
    """Return the cost of an epoch of eight trials by the size of the training set."""
    log("scaling: rows")
    data = {rows: _samples(rows, 784) for rows in ROWS}
    steps = {str(rows): partial(_epoch_seconds, data[rows]) for rows in ROWS}
    times = _rounds(steps, rounds)
    points = [(rows, times[str(rows)]) for rows in ROWS]
    return [Series("784-10, 8 trials, one core", "training samples", "s an epoch", points)]


def _by_hidden(rounds: int) -> list[Series]:
    """Return the cost of a trial-update by the width of the hidden layer."""
    log("scaling: hidden units")
    data = _samples(5_000, 784)
    steps = {str(h): partial(_update_seconds, data, (h,), 4, BATCH, 40) for h in HIDDEN}
    times = _rounds(steps, rounds)
    points = [(h, Spread(tuple(t / 4 * 1e6 for t in times[str(h)].values))) for h in HIDDEN]
    return [Series("784-H-10, 4 trials, one core", "hidden units H", "µs a trial-update", points)]


def _by_workers(options: Options, rounds: int) -> list[Series]:
    """Return the time of a whole search by the number of workers."""
    log("scaling: workers")
    work = w2(options, n_epochs=4)
    workers = tuple(range(1, n_cores() + 1))
    sides = {str(n): Ours(n) for n in workers}
    try:
        steps: dict[str, Callable[[], float]] = {
            name: lambda side=side: side.search(work).seconds  # type: ignore[misc]
            for name, side in sides.items()
        }
        times = _rounds(steps, rounds)
    finally:
        for side in sides.values():
            side.close()
    points = [(n, times[str(n)]) for n in workers]
    return [Series(f"W2, {work.task.n_epochs} epochs, end to end", "workers", "s a search", points)]


def _by_stored(options: Options) -> list[Series]:
    """Return the time of ranking and exporting by the number of trials stored."""
    log("scaling: trials stored")
    found = measured(options.rounds, huge=options.huge)
    return [
        Series(
            name,
            "trials stored",
            "s a process",
            [(s.n_trials, Spread(tuple(s.seconds[name]))) for s in found if name in s.seconds],
        )
        for name in (RANK, EXPORT, THEIRS)
    ]


def _rounds(steps: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Spread]:
    interleaved(steps, 1)
    return {name: Spread(tuple(times)) for name, times in interleaved(steps, rounds).items()}


@dataclass(frozen=True, slots=True)
class _Samples:
    x_train: Array
    y_train: Labels
    x_validation: Array
    y_validation: Labels
    sample_shape: tuple[int, ...] = ()


def _samples(n_samples: int, n_features: int) -> _Samples:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    y = rng.integers(0, 10, n_samples)
    n_validation = max(100, n_samples // 10)
    return _Samples(x, y, x[:n_validation], y[:n_validation])


def _plan(n_features: int, hidden: tuple[int, ...], n_trials: int, n_updates: int) -> CohortPlan:
    strengths = np.logspace(-5, -1, n_trials)
    return CohortPlan(
        NetworkSpec(n_features, hidden, 10),
        TrainingSpec(BATCH, n_updates, schedule="cyclical"),
        tuple(Hyperparameters(l2_strength=float(v), eta_max=0.02) for v in strengths),
        seed=0,
    )


def _update_seconds(
    data: _Samples,
    hidden: tuple[int, ...],
    n_trials: int,
    batch_size: int,
    n_updates: int = UPDATES,
) -> float:
    plan = _plan(data.x_train.shape[1], hidden, n_trials, n_updates)
    with limited_blas(1):
        rows = train(plan, initial_state(plan), data, -(-n_updates * batch_size // 1000))[1]
    return sum(row.seconds for row in rows) / n_updates


def _epoch_seconds(data: _Samples) -> float:
    plan = _plan(data.x_train.shape[1], (), 8, len(data.y_train) // BATCH)
    started = time.perf_counter()
    with limited_blas(1):
        train(plan, initial_state(plan), data, 1)
    return time.perf_counter() - started


def _draw(panels: Sequence[Sequence[Series]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 3)
    for axis, panel in zip(axes.flat, panels, strict=False):
        for series in panel:
            sizes = [size for size, _ in series.points]
            medians = [spread.median for _, spread in series.points]
            below = [s.median - min(s.values) for _, s in series.points]
            above = [max(s.values) - s.median for _, s in series.points]
            axis.errorbar(sizes, medians, (below, above), marker="o", capsize=3, label=series.what)
        if panel:
            axis.set_xlabel(panel[0].against)
            axis.set_ylabel(panel[0].unit)
        if panel and panel[0].against == "workers":
            axis.set_xticks([size for size, _ in panel[0].points])
            axis.set_ylim(bottom=0)
        else:
            axis.set_xscale("log")
            axis.set_yscale("log")
        axis.grid(visible=True, which="both", alpha=0.25)
        axis.legend(fontsize=8)
    for axis in list(axes.flat)[len(panels) :]:
        axis.axis("off")
    axes.flat[-1].text(0, 0.9, textwrap.fill(machine_line(), 48), va="top", fontsize=9)
    figure.suptitle("How the cost grows (median, lowest and highest of interleaved rounds)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(run, __doc__)
