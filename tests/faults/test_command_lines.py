"""Any command line ends with 0, 1 or 2, without a traceback; 1 and 2 leave everything as it was."""

import os
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.faults.grammar import lines

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# What takes longer has been understood, and is at work.
SECONDS = 10.0
# These go on until somebody ends them.
SERVING = {"serve": 2.0, "dashboard": 2.0}
RECIPE = """
[training]
epochs = 1
[network]
hidden = [2]
"""


@pytest.fixture(scope="module")
def before(finished, tmp_path_factory):
    """A folder with a study that is done, and a few files to name."""
    folder = tmp_path_factory.mktemp("before")
    shutil.copy(finished, folder / "search.db")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "tiny.npz",
        x_train=rng.normal(size=(40, 3)),
        y_train=np.arange(40) % 2,
        x_test=rng.normal(size=(10, 3)),
        y_test=np.arange(10) % 2,
    )
    (folder / "tiny.csv").write_text(
        "a,b,label\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(40))
    )
    (folder / "broken.npz").write_bytes((folder / "tiny.npz").read_bytes()[:200])
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "broken.toml").write_text("[training\nepochs = 'many'\n")
    return folder


def contents(folder):
    """Return the files of a folder; of databases their rows, wherever they lie."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or ".locks" in str(path):
            continue
        if path.name.endswith(("-wal", "-shm")):
            continue
        if path.read_bytes()[:15] == b"SQLite format 3":
            with closing(sqlite3.connect(path)) as connection:
                found[path.name] = [
                    row
                    for row in connection.iterdump()
                    # Who drives it, and that something was tried, is no result.
                    if "training_measurements" not in row
                ]
        else:
            found[path.name] = path.read_bytes()
    return found


@pytest.mark.parametrize(
    "n", [pytest.param(6, id="some"), pytest.param(600, id="many", marks=pytest.mark.slow)]
)
def test_any_command_line_ends_well(line, before, tmp_path, n):
    wanted = contents(before)
    numbers = iter(range(10 * n + 1000))

    @settings(
        max_examples=n,
        suppress_health_check=list(HealthCheck),
    )
    @given(lines())
    def check(words):
        folder = tmp_path / str(next(numbers))
        shutil.copytree(before, folder)
        # Nothing is to be had from the network.
        ended = line.run_words(
            folder,
            words,
            timeout=SERVING.get(words[0], SECONDS),
            https_proxy="http://127.0.0.1:9",
            BROWSER="true",
            COLUMNS="200",
        )
        if not ended.timed_out:
            assert ended.status in {0, 1, 2}, ended.err
            assert "Traceback" not in ended.err, ended.err
        if ended.status in {1, 2}:
            assert ended.err or ended.out
            assert contents(folder) == wanted
        assert line.run(folder, "check").status == 0
        shutil.rmtree(folder)

    check()
