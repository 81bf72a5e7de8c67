"""What the harness does inside a process that it is going to harm. Nothing here is in the product.

A process counts the SQL statements of all its connections, Optuna's among them, and dies before the
n-th begins, or in the middle of the n-th commit, or finds the disk full from there on. Segments are
an epoch long, so that there is much to interrupt, and each that was trained is noted, so that what
is trained twice can be counted.
"""

import errno
import os
import resource
import signal
import sqlite3
import threading
import time
from dataclasses import asdict, dataclass

BALLAST = "ballast"


@dataclass(frozen=True)
class Plan:
    """What is to happen to a process.

    Attributes:
        statement: Die before this SQL statement, from 1.
        commit: Die in or right after this commit, ``delay`` seconds from its beginning.
        full: From this SQL statement on, the file system has no room: a file beside takes it all.
        no_writing: From this SQL statement on, nothing can be added to any file.
        workers: Have worker processes even for work that is done sooner than they start.
    """

    statement: int | None = None
    commit: int | None = None
    delay: float = 0.0
    full: int | None = None
    no_writing: int | None = None
    workers: bool = False

    def to_json(self):
        return asdict(self)


class Counts:
    statements = 0
    commits = 0


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fill_up():
    """Take all the room that is left on the file system of this folder."""
    handle = os.open(BALLAST, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    size = 1 << 20
    while size >= 1:
        try:
            os.write(handle, bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            size //= 2
    os.close(handle)


def stop_writing():
    """Let every write to a file fail; pipes go on. Python ignores the signal that comes with it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def install(plan, trained):
    """Do as ``plan`` says from now on, and return the counts so far, which go on counting.

    ``trained`` is a handle that gets a line a segment.
    """
    counts = Counts()
    committing = threading.Event()
    before = {plan.statement: die, plan.full: fill_up, plan.no_writing: stop_writing}

    def killer():
        committing.wait()
        time.sleep(plan.delay)
        die()

    if plan.commit is not None:
        threading.Thread(target=killer, daemon=True).start()

    def trace(statement):
        counts.statements += 1
        before.get(counts.statements, bool)()
        if statement.startswith("COMMIT"):
            counts.commits += 1
            if counts.commits == plan.commit:
                # A thread kills while SQLite is at it: it does not hold Python's lock meanwhile.
                committing.set()

    connect = sqlite3.connect

    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(trace)
        return connection

    sqlite3.connect = traced
    _shorten_segments(plan)
    _note_segments(trained)
    return counts


def _shorten_segments(plan):
    from coarsefine.studies.running import loop as running
    from coarsefine.studies.running import resources as means

    running.SEGMENT_SECONDS = running.FIRST_SECONDS = 1e-9
    if plan.workers:
        means.SMALL_SECONDS = 0.0


def _note_segments(handle):
    from coarsefine.studies.running import executors

    def noting(next_result):
        def note(self, seconds=None):
            trained = next_result(self, seconds)
            os.write(handle, f"{trained.key} {trained.state.epoch}\n".encode())
            return trained

        return note

    for executor in (executors.InlineExecutor, executors.ProcessExecutor):
        executor.next_result = noting(executor.next_result)


def repeated(trained):
    """Return how many of the segments noted are a cohort's own again, at the most."""
    seen, again = set(), {}
    for line in trained:
        key = line.split()[0]
        if line in seen:
            again[key] = again.get(key, 0) + 1
        seen.add(line)
    return max(again.values(), default=0)
