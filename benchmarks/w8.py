"""W8: a Parquet table of a million rows, half of whose features are one-hot, and its memory."""

import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection

from benchmarks.common import Options, Table, log, main, n_cores, verdict
from benchmarks.contest import ONE_BY_ONE, Targets, contest, tables
from benchmarks.memory import Watch
from benchmarks.work import w8

TARGETS = Targets(strongest=1.15, waiting=0.05)
# Of the data as they are trained on.
MOST_WHILE_TRAINED = 1.2
MOST_WHILE_READ = 2.0


def run(options: Options) -> list[Table]:
    """Return the tables."""
    memory = _memory(options)
    work, rounds = w8(options), options.rounds or 3
    return [
        memory,
        *tables(*contest(work, options, rounds=rounds, without=ONE_BY_ONE), TARGETS),
    ]


def _memory(options: Options) -> Table:
    """Return the peaks of reading the table and of a search."""
    table = Table(
        "W8: memory at its peak, MB",
        ("what", "driver and workers (PSS)", "of that not file-backed", "of the data", "target"),
    )
    # A cache of their own, in which the table is not yet.
    with tempfile.TemporaryDirectory() as folder:
        peaks = [_peak(options, what, folder) for what in ("read", "trained")]
    for what, most, (size, peak) in zip(
        ("read", "trained"), (MOST_WHILE_READ, MOST_WHILE_TRAINED), peaks, strict=True
    ):
        share = peak["pss"] / size
        table.rows.append(
            (
                f"while it is {what}",
                f"{peak['pss']:.0f}",
                f"{peak['anonymous']:.0f}",
                f"{share:.2f}",
                f"≤ {most:g}: {verdict(share, at_most=most)}",
            )
        )
        table.notes = [f"the data as they are trained on: {size:.0f} MB; {n_cores()} workers"]
    return table


def _peak(options: Options, what: str, cache: str) -> tuple[float, dict[str, float]]:
    """Return the size of the data and the peak of a process, both in MB."""
    log(f"W8: memory while {what}")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # A process of its own; the second finds the table in the cache, where the first put it.
    process = context.Process(target=_serve, args=(theirs, options, what, cache))
    process.start()
    theirs.close()
    size, peak = ours.recv()
    process.join()
    return size, peak


def _serve(pipe: Connection, options: Options, what: str, cache: str) -> None:
    from benchmarks.ours import Ours

    os.environ["SEARCH_CACHE_DIR"] = cache
    watch = Watch()
    if what == "read":
        watch.start()
        data = w8(options).task.data
        watch.stop.set()
        watch.join()
    else:
        data = w8(options).task.data
        with Ours() as ours:
            watch.start()
            # As users have it: nothing is compiled for a search of a second.
            ours.search(w8(options).shorter(1), compiled=False)
            watch.stop.set()
            watch.join()
    size = 4 * data.n_features * (data.n_train + data.n_validation) / 2**20
    pipe.send((size, watch.peak))


if __name__ == "__main__":
    main(run, __doc__)
