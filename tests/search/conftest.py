"""The command line, called as a function in a folder of its own."""

import json
import shutil
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from coarsefine.models.data import prepared
from coarsefine.search.cli import main
from coarsefine.search.figures import rendering

# Two epochs of a small network: enough to rank by, a tenth of a second long.
QUICK = ("--epochs", "2", "--hidden", "8")
COARSE = ("lambda", "--coarse", *QUICK, "--trials", "4")


@dataclass
class Answer:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        def refuse(name):
            raise AssertionError(f"{name} is no JSON")

        assert self.out, f"nothing was printed: status {self.status}, {self.err}"
        return json.loads(self.out, parse_constant=refuse)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Decoded data in a folder that is shared by the tests here and goes with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def coarse_pictures():
    """Draw figures of few pixels: nobody looks at those of tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "DPI", 50)
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Figures that are made and not drawn, which takes longest: their files hold a word."""
    monkeypatch.setattr(rendering, "rendered", lambda *_: b"drawn")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch, own_cache):
    """An empty folder to work in, and no settings from outside."""
    for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE", "SEARCH_CACHE_LIMIT_GB", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # Where trainers of one's own were found is no place to look for those of the next test.
    monkeypatch.setattr(sys, "path", list(sys.path))
    prepared._open.clear()
    return tmp_path


@pytest.fixture
def search(capsys):
    """Carry out a command line."""

    def call(*argv):
        capsys.readouterr()
        status = main([str(word) for word in argv])
        return Answer(status, *capsys.readouterr())

    return call


def carried_out(folder, *commands):
    """Carry out commands in a folder; return its database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE"):
            patch.delenv(name, raising=False)
        assert [main([*command, "--quiet"]) for command in commands] == [0] * len(commands)
    return folder / "search.db"


@pytest.fixture(scope="session")
def begun(tmp_path_factory, own_cache):
    """A database with a coarse search."""
    return carried_out(tmp_path_factory.mktemp("begun"), COARSE)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, begun):
    """The same, searched finely and tested, too."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(begun, folder)
    return carried_out(folder, ("lambda", "--fine", "--trials", "3"), ("test", "--top", "2"))


@pytest.fixture
def study(finished, own_folder):
    """The finished one in the folder of this test, to be changed at will."""
    return shutil.copy(finished, own_folder / "search.db")


@pytest.fixture
def coarse(begun, own_folder):
    """The one with a coarse search in the folder of this test."""
    return shutil.copy(begun, own_folder / "search.db")


@pytest.fixture
def samples(own_folder):
    """A file of samples, and how to write others like it."""

    def write(name="mine.npz", **changes):
        rng = np.random.default_rng(0)
        arrays = {
            "x_train": rng.normal(size=(90, 4)).astype(np.float32),
            "y_train": np.arange(90) % 3,
            "x_test": rng.normal(size=(30, 4)).astype(np.float32),
            "y_test": np.arange(30) % 3,
        }
        np.savez(own_folder / name, **(arrays | changes))
        return own_folder / name

    return write
