"""Optuna's own dashboard, open on a file as a browser has it open: asked again and again."""

import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager, suppress

INSTALLED = importlib.util.find_spec("optuna_dashboard") is not None
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0


@contextmanager
def dashboard(path):
    """Serve a database with the ``optuna-dashboard`` that people install; yield its address.

    Raises:
        RuntimeError: If it does not start, or had something to complain of by its end.
    """
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    # With the right to write, as those have it who do not ask for less.
    command = (
        *(sys.executable, "-c", "from optuna_dashboard._cli import main; main()"),
        *(f"sqlite:///{path}", "--port", str(port), "--server", "wsgiref", "--quiet"),
    )
    with tempfile.TemporaryFile() as said:
        served = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(served, address, said)
            yield address
        finally:
            served.terminate()
            try:
                served.wait(60)
            except subprocess.TimeoutExpired:
                served.kill()
                served.wait()
            said.seek(0)
            complaints = said.read().decode(errors="replace")
    if "Error" in complaints:
        raise RuntimeError(f"the dashboard complained: {complaints[-2000:]}")


def _wait_for(served, address, said):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and served.poll() is None:
        with suppress(OSError):
            asked(f"{address}/api/meta")
            return
        time.sleep(0.1)
    said.seek(0)
    last = said.read().decode(errors="replace")[-2000:]
    raise RuntimeError(f"optuna-dashboard does not answer, status {served.poll()}: {last}")


def asked(address):
    """Return what the dashboard answers.

    Raises:
        OSError: If it is not there, or answers that something is wrong.
    """
    with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
        return json.loads(answer.read())


def all_trials(address):
    """Return how many trials a browser is shown that looks at each study."""
    studies = asked(f"{address}/api/studies")["study_summaries"]
    return sum(
        len(asked(f"{address}/api/studies/{study['study_id']}?after=0")["trials"])
        for study in studies
    )
