"""A thousand studies in one process: memory and open files stay where they were."""

import gc
import os

import pytest

from coarsefine.search.cli import main

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/statm"),  # noqa: PTH110
    reason="needs /proc",
)

MEGABYTE = 1 << 20


def memory():
    """Return how many bytes of this process are in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def studies(samples, numbers):
    for number in numbers:
        command = (
            *("lambda", "--coarse", "--study", f"s{number}", "--seed", f"{number % 3}", "--data"),
            *(str(samples), "--hidden", "2", "--epochs", "1", "--trials", "2", "--jobs", "1"),
        )
        assert main([*command, "--quiet", "--fresh"]) == 0


@pytest.mark.parametrize(
    ("first", "then", "room"),
    [
        pytest.param(3, 4, 8 * MEGABYTE, id="seven"),
        pytest.param(100, 900, 30 * MEGABYTE, id="thousand", marks=pytest.mark.slow),
    ],
)
def test_memory_and_open_files_do_not_grow_with_studies(samples, capfd, first, then, room):
    path = samples()
    studies(path, range(first))
    files, before = open_files(), memory()

    studies(path, range(first, first + then))

    assert open_files() == files
    assert memory() - before < room
    capfd.readouterr()
    assert main(["check", "--quiet"]) == 0
    assert main(["list", "--json"]) == 0
    assert capfd.readouterr().out.count('"study"') == first + then
