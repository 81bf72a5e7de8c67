"""Whoever carries out command lines for these tests waits for nothing without end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import hear_interrupts
from tests.faults import zygote as harness
from tests.faults.zygote import ROOT, NoAnswerError, Zygote

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

LONG = "lambda --coarse --hidden 50 --epochs 100000 --trials 2 --jobs 1 --quiet"


def test_a_command_that_takes_too_long_is_ended_and_says_where_it_was(line, tmp_path):
    ended = line.run(tmp_path, LONG, timeout=1.5)

    assert ended.timed_out
    assert not ended.killed
    assert "most recent call first" in ended.err
    # The line goes on.
    assert line.run(tmp_path, "check --quiet").status in {0, 1}


def test_who_answers_no_more_is_an_error_that_says_so(zygote, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "GRACE", 0.0)

    with zygote.line() as line, pytest.raises(NoAnswerError, match="nothing was heard of 'lambda"):
        line.run(tmp_path, LONG, timeout=0.01)


def test_a_process_that_cannot_start_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(NoAnswerError, match="died"):
        Zygote()


def test_tests_hear_ctrl_c_where_they_are_run_in_the_background():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        hear_interrupts()

        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


SCRIPT = f"""
import os, signal, tempfile
# As for whatever a shell starts in the background.
signal.signal(signal.SIGINT, signal.SIG_IGN)
from tests.faults.zygote import Blow, Zygote
made = Zygote()
with made.line() as line, tempfile.TemporaryDirectory() as folder:
    ended = line.run(folder, {LONG!r}, blows=[Blow(1.0, signal=signal.SIGINT)], timeout=60)
print(ended.status, made._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_ctrl_c_is_heard_in_the_background_and_it_ends_with_who_started_it():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False
    )

    status, pid = done.stdout.split()
    assert status == "130"
    deadline = time.monotonic() + 60
    while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
        assert time.monotonic() < deadline
        time.sleep(0.05)
