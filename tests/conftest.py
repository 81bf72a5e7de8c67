"""No test waits for ever, and Ctrl-C is heard by what tests start, wherever they are run."""

import faulthandler
import os
import signal

import pytest

# Far more than any test takes on a busy machine.
MINUTES, SLOW_MINUTES = 10, 60
_stderr = pytest.StashKey[int]()


def pytest_configure(config):
    # While tests run, pytest keeps this stream for itself.
    config.stash[_stderr] = os.dup(2)
    hear_interrupts()


def hear_interrupts():
    """Undo what a shell does to a program in the background: it ignores Ctrl-C, as all it starts.

    A test that interrupts a process of its own would wait for its end in vain.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config):
    os.close(config.stash[_stderr])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Have a test that hangs say where each of its threads is, and end."""
    minutes = MINUTES if item.get_closest_marker("slow") is None else SLOW_MINUTES
    handle = item.config.stash[_stderr]
    faulthandler.dump_traceback_later(60 * minutes, exit=True, file=handle)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
