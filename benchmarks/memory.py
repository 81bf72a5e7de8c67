"""Memory of a search on W1 by number of workers: the data should be held once."""

import multiprocessing
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.common import Options, Table, log, main, n_cores
from benchmarks.work import w1

INTERVAL = 0.05


def run(options: Options) -> list[Table]:
    """Return the table."""
    work = w1(options, n_epochs=1)
    data = work.task.data
    size = 4 * data.n_features * (data.n_train + data.n_validation) / 1e6
    table = Table(
        "Memory of a search on W1 at its peak, MB",
        (
            "workers",
            "driver and workers together (PSS)",
            "of that not file-backed",
            "each worker alone (RSS)",
            "driver (RSS)",
        ),
        notes=[
            f"the data: {size:.0f} MB in mapped files, {work.about_data}",
            "PSS counts a page that n processes share as 1/n of a page in each",
        ],
    )
    context = multiprocessing.get_context("spawn")
    for n_workers in range(1, n_cores() + 1):
        log(f"memory: {n_workers} workers")
        ours, theirs = context.Pipe()
        # A process of its own: what this one imported and measured before plays no part.
        process = context.Process(target=_serve, args=(theirs, options, n_workers))
        process.start()
        theirs.close()
        peak = ours.recv()
        process.join()
        table.rows.append(
            (
                str(n_workers),
                f"{peak['pss']:.0f}",
                f"{peak['anonymous']:.0f}",
                f"{peak['worker_rss']:.0f}",
                f"{peak['driver_rss']:.0f}",
            )
        )
    return [table]


def _serve(pipe: Connection, options: Options, n_workers: int) -> None:
    from benchmarks.ours import Ours

    work = w1(options, n_epochs=1)
    with Ours(n_workers) as ours:
        watch = Watch()
        watch.start()
        ours.search(work)
        watch.stop.set()
        watch.join()
    pipe.send(watch.peak)


class Watch(threading.Thread):
    """Looks at the processes' memory until told to stop, and keeps the highest figures."""

    def __init__(self) -> None:
        """Make it; ``start`` has it look."""
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.peak = {"pss": 0.0, "anonymous": 0.0, "worker_rss": 0.0, "driver_rss": 0.0}

    def run(self) -> None:
        """Look."""
        while not self.stop.wait(INTERVAL):
            workers = [p.pid for p in multiprocessing.active_children() if p.pid]
            seen = {pid: _memory(pid) for pid in (None, *workers)}
            now = {
                "pss": sum(m.get("Pss", 0.0) for m in seen.values()),
                "anonymous": sum(m.get("Anonymous", 0.0) for m in seen.values()),
                "worker_rss": max((seen[pid].get("Rss", 0.0) for pid in workers), default=0.0),
                "driver_rss": seen[None].get("Rss", 0.0),
            }
            self.peak = {name: max(now[name], most) for name, most in self.peak.items()}


def _memory(pid: int | None) -> dict[str, float]:
    """Return a process's memory by kind, in MB; nothing where the system does not tell."""
    try:
        text = Path(f"/proc/{pid or 'self'}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines()[1:])
    return {name.rstrip(":"): int(size) / 1024 for name, size, *_ in lines}


if __name__ == "__main__":
    main(run, __doc__)
