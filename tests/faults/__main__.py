"""``make faults``: harm searches in many ways, carry on, and print what it came to.

A line a fault: how often, trials lost and duplicated, bytes that differ from what an undisturbed
search ends with (ranking, export, curves, final weights, Optuna's tables; not timings), trials left
running in Optuna, and how many segments a cohort was trained again, at the most. Then a service
with its dashboard, that is killed and started again while commands and Optuna use its database.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from coarsefine.models.blas_threads import n_cores
from tests.faults.crowd import crowd
from tests.faults.dashboards import INSTALLED
from tests.faults.scenarios import (
    BOTH,
    COMMIT,
    DRIVER,
    FULL,
    INTERRUPT,
    INTERRUPT_TWICE,
    KINDS,
    MIGRATION,
    NO_WRITING,
    SCENARIOS,
    STATEMENT,
    TERMINATE,
    TWICE,
    WORKER,
    Moment,
    Outcome,
    Reference,
    attempt,
    moments,
    reference,
)
from tests.faults.serving import Served, serve
from tests.faults.zygote import Line, Zygote

T = TypeVar("T")

# In each scenario; migrations in the one that has any.
TIMES = {STATEMENT: 4, COMMIT: 3, TWICE: 2, MIGRATION: 12, DRIVER: 2, WORKER: 2, BOTH: 2}
TIMES |= {NO_WRITING: 2, FULL: 2, INTERRUPT: 2, INTERRUPT_TWICE: 2, TERMINATE: 2}
DRIVERS_AND_TRIALS = 4, 500
CROWD = "4 drivers of 500 trials on one file, a reader" + (
    " and Optuna's dashboard" if INSTALLED else ""
)
SERVICE = "a service that is killed while it is used"
# What is to be seen when something is wrong.
_MOST, _LONGEST = 5, 1500


def main() -> int:
    """Return 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--times", type=int, default=1, help="so many times the tries (default: 1)")
    parser.add_argument("--only", help="scenarios and kinds of faults with this in their name")
    asked = parser.parse_args()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        _small_disk(Path(folder)) as disk,
        Zygote() as zygote,
    ):
        wanted = {
            name: [
                kind
                for kind in KINDS
                if (kind != MIGRATION or name == "an older database")
                and (kind != FULL or disk is not None)
                and (asked.only is None or asked.only in f"{name} {kind}")
            ]
            for name in SCENARIOS
        }
        names = [name for name, kinds in wanted.items() if kinds]
        references = _in_parallel(zygote, _referring, names, Path(folder))
        tries = [
            (known, moment, disk if kind == FULL else None)
            for known in references
            for kind in wanted[known.scenario.name]
            for moment in moments(known, kind, TIMES[kind] * asked.times, asked.seed)
        ]
        outcomes = _in_parallel(zygote, _trying, tries, Path(folder))
        if asked.only is None or asked.only in CROWD:
            outcomes.append(_crowded(zygote, Path(folder) / "crowd"))
        served = []
        for number in range(asked.times if asked.only is None or asked.only in SERVICE else 0):
            place = Path(folder) / f"service-{number}"
            place.mkdir()
            served.append(serve(zygote, place, seed=asked.seed + number))
    if not outcomes and not served:
        parser.error(f"no scenario or kind of faults has {asked.only!r} in its name")
    if outcomes:
        _print(outcomes)
    _print_served(served)
    if disk is None:
        print(f"not tried, for want of the right to mount a small file system: {FULL}")
    seconds = time.monotonic() - started
    print(
        f"\n{len(outcomes)} tries, {sum(o.passed for o in outcomes)} as they should be; "
        f"{datetime.now(UTC):%Y-%m-%d}, seed {asked.seed}, {seconds:.0f} s on {n_cores()} cores"
    )
    return 0 if all(each.passed for each in (*outcomes, *served)) else 1


def _referring(line: Line, name: str, folder: Path) -> Reference:
    return reference(line, SCENARIOS[name], folder, timed_with_workers=True)


def _crowded(zygote: Zygote, folder: Path) -> Outcome:
    folder.mkdir()
    made = crowd(zygote, folder, *DRIVERS_AND_TRIALS)
    counts = (made.lost, made.duplicated, made.differing, made.running)
    return Outcome(Moment(CROWD, "crowd", 0), True, *counts, wrong=made.wrong)


_disk_in_use = threading.Lock()


def _trying(line: Line, asked: tuple[Reference, Moment, Path | None], folder: Path) -> Outcome:
    known, moment, disk = asked
    if disk is None:
        outcome = attempt(line, known, moment, folder)
    else:
        with _disk_in_use:
            outcome = attempt(line, known, moment, disk / "try")
            shutil.rmtree(disk / "try")
    mark = "." if outcome.met else "-"
    print(mark if outcome.passed else "F", end="", file=sys.stderr, flush=True)
    return outcome


def _in_parallel(
    zygote: Zygote, work: Callable[..., T], items: Sequence[Any], folder: Path
) -> list[T]:
    """Return what ``work`` makes of each item, in their order; a process a core."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)
    done: dict[int, T] = {}
    failed: list[BaseException] = []

    def serve() -> None:
        with zygote.line() as line:
            while not failed:
                try:
                    number = waiting.get_nowait()
                except queue.Empty:
                    return
                place = folder / f"{work.__name__}-{number}"
                place.mkdir()
                try:
                    done[number] = work(line, items[number], place)
                except BaseException as error:
                    failed.append(error)
                if work is _trying:
                    shutil.rmtree(place)

    threads = [threading.Thread(target=serve) for _ in range(min(4, os.cpu_count() or 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [done[number] for number in range(len(items))]


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """Yield a file system of a few megabytes, ``None`` where there is no right to mount one."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    mounted = False
    with suppress(OSError):
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)


def _print(outcomes: list[Outcome]) -> None:
    by_kind = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.moment.kind].append(outcome)
    # As Markdown, for docs/reliability.md.
    heads = ("fault", "tries", "met", "lost", "duplicated", "differing", "left running", "again")
    print(f"\n\n| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    for kind, found in by_kind.items():
        sums = (
            *(len(found), sum(o.met for o in found), sum(o.lost for o in found)),
            *(sum(o.duplicated for o in found), sum(o.differing for o in found)),
            *(sum(o.running for o in found), max(o.repeated for o in found)),
        )
        print(f"| {kind} | {' | '.join(map(str, sums))} |")
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed[:_MOST]:
        print(f"\nfailed: {outcome.moment}")
        for line in outcome.wrong:
            print(f"    {line[-_LONGEST:]}")


def _print_served(served: list[Served]) -> None:
    if not served:
        return
    counts = (
        *("actions", "kills", "stops", "polls", "looks", "submitted"),
        *("finished", "cancelled", "failed", "lost", "enqueued", "running"),
    )
    print(f"\n\n{SERVICE}\n\n| {' | '.join(counts)} |\n{'| --- ' * len(counts)}|")
    for each in served:
        values = (
            sum(each.actions.values()) if name == "actions" else getattr(each, name)
            for name in counts
        )
        print(f"| {' | '.join(map(str, values))} |")
        for line in each.wrong[:_MOST]:
            print(f"    {line[-_LONGEST:]}")


if __name__ == "__main__":
    sys.exit(main())
