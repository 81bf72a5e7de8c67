"""Whole processes, start-up included, as a user waits for them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As users have it: what was compiled once is kept.
_KEPT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class CommandFailedError(RuntimeError):
    """A command that should have worked did not."""


def python(*arguments: str) -> list[str]:
    """Return a command of this interpreter."""
    return [sys.executable, *arguments]


def memory(command: Sequence[str]) -> float:
    """Return how much memory a command takes at the most, in MB.

    Raises:
        CommandFailedError: If it fails.
    """
    measured = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(done.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, *command],
        cwd=ROOT,
        env=_KEPT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandFailedError(f"{' '.join(command[1:4])} … ended with {done.returncode}")
    # Linux counts kilobytes, macOS bytes.
    return float(done.stdout) / (1e6 if sys.platform == "darwin" else 1e3)


def seconds(command: Sequence[str]) -> float:
    """Return how long a command takes.

    Raises:
        CommandFailedError: If it fails, with the last line it wrote.
    """
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=_KEPT,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    taken = time.perf_counter() - started
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise CommandFailedError(f"{' '.join(command[1:4])} … ended with {done.returncode}: {last}")
    return taken
