"""A process that has everything imported and forks a child for each command line.

A command line starts in milliseconds this way: hundreds can be killed in minutes. Each child is a
process group of its own that ends however the command, or the harness, ends it.

Nothing here waits for ever: a command that takes too long says where it is and is ended, one that
leaves somebody behind is not waited for, and a process that does not answer is an error that says
which. The process itself ends with the one that started it.
"""

import faulthandler
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coarsefine.search.__main__ import interrupt_again
from tests.faults.hooks import Plan, install

ROOT = Path(__file__).parents[2]
MINUTE = 60.0
# What a command may take where nothing else is said; the slowest here take seconds.
PATIENCE = 4 * MINUTE
# What it may take to import everything, or to answer once a command has been ended.
GRACE = 2 * MINUTE
# How long to listen for more once a command is gone: whoever it left behind may hold its pipes.
LAST_WORDS = 10.0
# How faulthandler begins to say where a thread is.
TRACEBACK = b"most recent call first"
IMPORTED = (
    "alembic.autogenerate",
    "alembic.command",
    "optuna",
    "pandas",
    "sklearn.datasets",
    "coarsefine.db.checks.whole",
    "coarsefine.db.optuna.studies",
    "coarsefine.search.cli",
    "coarsefine.search.commands.checking",
    "coarsefine.search.commands.exporting",
    "coarsefine.search.commands.ranking",
    "coarsefine.search.interrupts",
    "coarsefine.search.progress",
    "coarsefine.search.tables.exported",
    "coarsefine.search.tables.ranking",
    "coarsefine.studies.results.comparing.grids",
    "coarsefine.studies.running.final.test",
    "coarsefine.studies.checks.range_test",
    "coarsefine.studies.running.search",
)


@dataclass(frozen=True)
class Blow:
    """A signal from outside.

    Attributes:
        after: Seconds from the start.
        whom: ``driver``, ``worker`` (one of them) or ``both`` (driver and all workers).
    """

    after: float
    whom: str = "driver"
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """What became of a command line.

    Attributes:
        status: The exit status; negative: the signal that ended it.
        statements, commits: How many SQL there were, where a plan had them counted.
        struck: Whether a blow met it alive.
        timed_out: Whether it was given up.
        trained: A line a segment that came back.
    """

    status: int
    out: str
    err: str
    seconds: float
    statements: int
    commits: int
    struck: bool
    timed_out: bool
    trained: tuple[str, ...]

    @property
    def killed(self):
        return self.status == -signal.SIGKILL and not self.timed_out

    @property
    def json(self):
        return json.loads(self.out)


class NoAnswerError(RuntimeError):
    """A process of the harness, not one of the program, did not do its part."""


class Zygote:
    """Has everything imported, once; ``line`` gives somebody to run command lines with.

    Raises:
        NoAnswerError: If the process does not come to listen.
    """

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._place = str(Path(self._folder.name) / "socket")
        # It ends when its standard input does: with this process, however this one ends.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote", self._place],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        ready, _, _ = select.select([self._process.stdout], [], [], GRACE)
        if not ready or not self._process.stdout.readline():
            how = "died" if ready else f"did not listen within {GRACE:.0f} s"
            self.close()
            raise NoAnswerError(
                f"the process that forks command lines {how}; does everything import? try "
                "python -c 'import tests.faults.zygote as z; z.import_all()'"
            )

    def line(self):
        """Return a line of its own: lines run side by side."""
        return Line(self._place)

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(GRACE)
        self._process.stdout.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Line:
    """Runs command lines one after the other."""

    def __init__(self, place):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(place)
        self._file = self._socket.makefile("rw", encoding="utf-8")

    def run(self, folder, *argv, plan=None, blows=(), timeout=PATIENCE, **environment):
        """Carry out a command line in ``folder``; texts are split into words."""
        words = [word for each in argv for word in each.split()]
        return self.run_words(folder, words, plan=plan, blows=blows, timeout=timeout, **environment)

    def run_words(self, folder, words, *, plan=None, blows=(), timeout=PATIENCE, **environment):
        """Carry out a command line, given word by word.

        One that takes more than ``timeout`` seconds is ended; ``err`` says then where it was.

        Raises:
            NoAnswerError: If nobody says what became of it.
        """
        asked = {
            "folder": str(folder),
            "argv": list(words),
            "plan": None if plan is None else plan.to_json(),
            "blows": [vars(blow) for blow in blows],
            "timeout": timeout,
            "environment": environment,
        }
        self._socket.settimeout(timeout + GRACE)
        try:
            self._file.write(json.dumps(asked) + "\n")
            self._file.flush()
            answer = self._file.readline()
        except TimeoutError:
            raise NoAnswerError(
                f"nothing was heard of {' '.join(words)!r} in {folder} within"
                f" {timeout + GRACE:.0f} s; somebody between here and there hangs"
            ) from None
        if not answer:
            raise NoAnswerError(
                f"whoever carried out {' '.join(words)!r} in {folder} died; why is said above"
            )
        return Ended(**json.loads(answer))

    def close(self):
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def import_all():
    for name in IMPORTED:
        importlib.import_module(name)
    from sqlalchemy.orm import configure_mappers

    from tests import migration_scripts

    configure_mappers()
    migration_scripts.keep()
    migration_scripts.execute()


def serve(place):
    """Answer command lines that come through a socket: the main function of the process."""
    import_all()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    print("ready", flush=True)  # noqa: T201
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            status = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listening.close()
                with connection, connection.makefile("rw", encoding="utf-8") as file:
                    for line in file:
                        file.write(json.dumps(_answer(json.loads(line))) + "\n")
                        file.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        connection.close()


def _answer(asked):
    # Pipes, because the size of files may be limited.
    pipes = {name: os.pipe() for name in ("out", "err", "counts", "trained")}
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        for ours, _ in pipes.values():
            os.close(ours)
        _child(asked, {name: theirs for name, (_, theirs) in pipes.items()})
    for _, theirs in pipes.values():
        os.close(theirs)
    said = _Said({ours: name for name, (ours, _) in pipes.items()})
    ended = _wait(pid, started, asked, said)
    counts = json.loads(said.texts["counts"] or b"{}")
    return {
        **ended,
        "out": said.texts["out"].decode(errors="replace"),
        "err": said.texts["err"].decode(errors="replace"),
        "seconds": time.monotonic() - started,
        "statements": counts.get("statements", 0),
        "commits": counts.get("commits", 0),
        "trained": said.texts["trained"].decode().splitlines(),
    }


class _Said:
    """What comes out of pipes."""

    def __init__(self, pipes):
        self._open = pipes
        self.texts = dict.fromkeys(pipes.values(), b"")

    def read(self, seconds):
        """Wait so long for something to be said; return whether there is anybody left to say it."""
        ready, _, _ = select.select(list(self._open), [], [], seconds)
        for pipe in ready:
            text = os.read(pipe, 65536)
            self.texts[self._open[pipe]] += text
            if not text:
                os.close(pipe)
                del self._open[pipe]
        return bool(self._open)


def _wait(pid, started, asked, said):
    blows = sorted(asked["blows"], key=lambda blow: blow["after"])
    struck = timed_out = False
    while True:
        if said._open:
            said.read(0.001)
        else:
            time.sleep(0.001)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        passed = time.monotonic() - started
        while blows and passed >= blows[0]["after"]:
            struck = _strike(pid, **blows.pop(0)) or struck
        if passed > asked["timeout"] and not timed_out:
            timed_out = True
            _where_is_it(pid, said)
            _end(pid)
    # Workers notice that their driver is gone when they have something to tell it.
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + LAST_WORDS
    while said._open and time.monotonic() < deadline:
        said.read(1.0)
    status = os.waitstatus_to_exitcode(status)
    return {"status": status, "struck": struck, "timed_out": timed_out}


def _end(pid):
    """Kill the process and its group, which it may not have made yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _where_is_it(pid, said):
    """Have a process write where each of its threads is, for whoever reads what it said."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + MINUTE
    written = -1
    while said._open and time.monotonic() < deadline:
        before, written = written, len(said.texts["err"])
        if before == written and TRACEBACK in said.texts["err"]:
            return
        said.read(0.1)


def _strike(pid, after, whom, signal):
    """Send a signal; return whether there was anybody to send it to."""
    with suppress(ProcessLookupError):
        if whom == "both":
            os.killpg(pid, signal)
        elif whom == "driver":
            os.kill(pid, signal)
        else:
            found = workers(pid)
            if not found:
                return False
            os.kill(found[int(after * 1e6) % len(found)], signal)
        return True
    return False


def workers(pid):
    """Return the worker processes of a driver."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"multiprocessing.spawn" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def _child(asked, pipes):
    """Carry out the command line, and end."""
    status = 99
    try:
        os.setsid()
        os.chdir(asked["folder"])
        for name in ("SEARCH_STORAGE", "SEARCH_DATA_DIR", "NO_COLOR"):
            os.environ.pop(name, None)
        os.environ.update(asked["environment"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(pipes["out"], 1)
        os.dup2(pipes["err"], 2)
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
        # A shell that starts tests in the background has them ignore Ctrl-C, and all they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = interrupt_again  # as search/__main__.py does, too
        counts = None
        if asked["plan"] is not None:
            counts = install(Plan(**asked["plan"]), pipes["trained"])
        from coarsefine.search.cli import main

        status = main(asked["argv"])
        sys.stdout.flush()
        if counts is not None:
            said = {"statements": counts.statements, "commits": counts.commits}
            os.write(pipes["counts"], json.dumps(said).encode())
    except KeyboardInterrupt:
        status = 130  # as search/__main__.py does
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
