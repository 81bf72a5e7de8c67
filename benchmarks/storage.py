"""W4: ranking and exporting large studies, beside Optuna's own data frame."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from benchmarks.commands import CommandFailedError, python, seconds
from benchmarks.common import (
    Options,
    Spread,
    Table,
    interleaved,
    log,
    main,
    ratios,
    short,
    verdict,
)
from benchmarks.filled import EPOCHS, STAGE, STUDY, fill

SIZES = (100, 1_000, 10_000)
HUGE = 100_000
TARGET_SECONDS = 0.8
TARGET_RATIO = 10.0
JUDGED = 10_000

RANK, EXPORT, THEIRS = "rank --json", "export x.csv", "Optuna's trials_dataframe()"

DATAFRAME = (
    "import optuna, sys; optuna.logging.set_verbosity(optuna.logging.ERROR); "
    "optuna.load_study(study_name=sys.argv[1], storage='sqlite:///' + sys.argv[2])"
    ".trials_dataframe()"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was measured on a study of one size; commands that fail are missing.

    Attributes:
        seconds: By command, round by round.
        megabytes: Of the file.
        failures: What the failing commands said.
    """

    n_trials: int
    seconds: Mapping[str, Sequence[float]]
    megabytes: float
    failures: Sequence[str]


def run(options: Options) -> list[Table]:
    """Return the table."""
    table = Table(
        f"W4: studies with a curve of {EPOCHS} epochs a trial; whole processes, s",
        ("trials", RANK, EXPORT, THEIRS, "rank faster by", "export faster by", "file"),
    )
    for stored in measured(options.rounds, huge=options.huge):
        _add(table, stored)
    return [table]


@cache
def measured(rounds: int | None, *, huge: bool) -> list[Stored]:
    """Return what was measured on studies of all sizes."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = (*SIZES, HUGE) if huge else SIZES
        return [_measured(Path(folder), size, rounds) for size in sizes]


def _measured(folder: Path, size: int, rounds: int | None) -> Stored:
    path = folder / f"{size}.db"
    started = time.perf_counter()
    fill(path, size)
    log(f"storage: {size:,} trials written in {time.perf_counter() - started:.0f} s")
    at = ("--storage", str(path))
    steps = {
        RANK: partial(seconds, python("-m", "search", "rank", STUDY, "--json", *at)),
        EXPORT: partial(
            seconds, python("-m", "search", "export", STUDY, str(folder / "x.csv"), *at)
        ),
        THEIRS: partial(seconds, python("-c", DATAFRAME, STAGE, str(path))),
    }
    failures = []
    for name in list(steps):
        try:
            steps[name]()  # reads the file into the page cache
        except CommandFailedError as error:
            failures.append(f"{size:,} trials, {name}: {error}")
            del steps[name]
    times = interleaved(steps, 1 if size > JUDGED else rounds or 3)
    return Stored(size, times, path.stat().st_size / 1e6, failures)


def _add(table: Table, stored: Stored) -> None:
    times = stored.seconds
    spreads = {name: Spread(tuple(values)) for name, values in times.items()}
    faster = {
        name: ratios(times[THEIRS], times[name])
        for name in (RANK, EXPORT)
        if name in times and THEIRS in times
    }
    table.rows.append(
        (
            f"{stored.n_trials:,}",
            *(str(spreads.get(name, "–")) for name in (RANK, EXPORT, THEIRS)),
            *(str(faster.get(name, "–")) for name in (RANK, EXPORT)),
            f"{stored.megabytes:.1f} MB",
        )
    )
    table.notes += stored.failures
    if stored.n_trials == JUDGED:
        for name, ratio in faster.items():
            taken, times_as_fast = spreads[name].median, ratio.median
            table.notes.append(
                f"{name} of {JUDGED:,} trials: {short(taken)} s (target ≤ {TARGET_SECONDS}: "
                f"{verdict(taken, at_most=TARGET_SECONDS)}), {short(times_as_fast)} times as fast "
                f"as trials_dataframe() (target ≥ {TARGET_RATIO:g}: "
                f"{verdict(times_as_fast, at_least=TARGET_RATIO)})"
            )


if __name__ == "__main__":
    main(run, __doc__)
