"""Tests depend neither on speed nor on caches, none waits for ever, and Ctrl-C is heard."""

import faulthandler
import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from coarsefine.models.kernels import compiling
from coarsefine.studies.planning import races
from tests import commands_built, compiled_statements, kernels_compiled, migration_scripts


def own_folders():
    """Have this run's processes share folders, and read and write no cache of the user's.

    Nor is the user's configuration read. Libraries look where their folders are when they are
    imported, which conftest.py files beside tests that are named do before pytest is configured.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:  # the folders are those of the process that began it
        return None
    folder = Path(tempfile.mkdtemp(prefix="coarsefine-tests-"))
    os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    os.environ["SEARCH_CACHE_DIR"] = str(folder / "search")
    return folder


_CACHES = own_folders()

# Far more than any test takes on a busy machine.
MINUTES, SLOW_MINUTES = 10, 60
_stderr = pytest.StashKey[int]()

# Neither profile has a deadline. `make test` draws the same examples each time. `make test-slow`
# draws others each time (--hypothesis-profile=random) and keeps those that fail.
_UNHURRIED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, database=None
)
_EXAMPLES = Path(__file__).parents[1] / ".hypothesis" / "examples"
# Examples that are the same each time find nothing after the first time: 40 keep what holds.
settings.register_profile("repeatable", _UNHURRIED, derandomize=True, max_examples=40)
settings.register_profile(
    "random",
    _UNHURRIED,
    derandomize=False,
    database=DirectoryBasedExampleDatabase(_EXAMPLES),
)
settings.load_profile("repeatable")


def pytest_configure(config):
    keep_compiled_kernels(config)
    # While tests run, pytest keeps this stream for itself.
    config.stash[_stderr] = os.dup(2)
    hear_interrupts()


def keep_compiled_kernels(config):
    """Keep them for all processes of this run, and for later runs of the same source."""
    cache = getattr(config, "cache", None)  # unless run with -p no:cacheprovider
    kept = cache.mkdir("kernels") if cache else Path(os.environ["SEARCH_CACHE_DIR"])
    kept.mkdir(parents=True, exist_ok=True)
    compiling.cache_dir = lambda: kept
    kernels_compiled.keep(kept)
    for older in set(kept.glob("compiled/*")) - {compiling._folder()}:
        shutil.rmtree(older, ignore_errors=True)


def pytest_collection_finish():
    """Spare the garbage collector what stays until the end: modules and tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def executed_and_compiled_once():
    """Open databases in half the time, read and write them in less, and build a command once."""
    commands_built.keep()
    migration_scripts.keep()
    compiled_statements.keep()


@pytest.fixture(autouse=True, scope="session")
def one_seed_by_default():
    """Train small searches with one seed, as large ones are: races are tested where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(races, "QUICK_SECONDS", 0.0)
        yield


def hear_interrupts():
    """Undo what a shell does to a program in the background: it ignores Ctrl-C, as all it starts.

    A test that interrupts a process of its own would wait for its end in vain.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config):
    os.close(config.stash[_stderr])
    if _CACHES is not None:
        shutil.rmtree(_CACHES, ignore_errors=True)


@pytest.fixture(scope="session")
def font_cache():
    """Build Matplotlib's font cache, because a process that builds it may say so on stderr."""
    from matplotlib import font_manager

    assert list(Path(os.environ["MPLCONFIGDIR"]).glob("fontlist*.json"))
    return font_manager


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
