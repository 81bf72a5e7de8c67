"""Small studies on a small file of samples, in a folder of their own."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from optuna.storages import RDBStorage

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.models.data import prepared
from coarsefine.models.errors import ModelError
from coarsefine.search.hints import spelled
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import FINE, first_name
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.models.samples import made_up

LAMBDA = SEARCHES["lambda"]


@contextmanager
def refused(message):
    """Expect an error of the user's that says this on the command line."""
    with pytest.raises((StudyError, ModelError)) as caught:
        yield
    assert re.search(message, spelled(caught.value)), spelled(caught.value)


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("SEARCH_DATA_DIR", raising=False)
    prepared._open.clear()


def written_samples(folder):
    """Return a file of 400 samples in 4 classes."""
    data = made_up(n_train=320, n_validation=80, dtype=np.float32)
    path = folder / "blobs.npz"
    np.savez(
        path,
        x_train=data.x_train,
        y_train=data.y_train,
        x_test=data.x_validation,
        y_test=data.y_validation,
    )
    return path


@pytest.fixture
def samples(tmp_path):
    return written_samples(tmp_path)


@dataclass
class Recorder:
    """An observer that keeps what it hears, and asks to stop after so many segments."""

    stop_after: int | None = None
    heard: list = field(default_factory=list)
    lines: list = field(default_factory=list)

    @property
    def stop_requested(self):
        return self.stop_after is not None and len(self.heard) >= self.stop_after

    def begins(self, study, stage, recipe, data):
        pass

    def progressed(self, progress):
        self.heard.append(progress)

    def said(self, line):
        self.lines.append(line)


class Bench:
    """A database and a file of samples to search on."""

    def __init__(self, folder, samples, empty):
        self.folder, self.samples = folder, samples
        self.path = shutil.copy(empty, folder / "search.db")
        self.database = open_database(str(self.path))
        self.flags = {
            "data.name": str(samples),
            "network.hidden": (6,),
            "training.epochs": 4,
            "training.eta": 0.05,
        }

    def means(self, **changes):
        return Resources(self.database, **{"n_jobs": 1, **changes})

    def coarse(self, request=None, *, means=None, name=None, kind=LAMBDA, fresh=True, **flags):
        asked = {**self.flags, **{k.replace("__", "."): v for k, v in flags.items()}}
        # Studies that are compared with each other must not take over each other's runs.
        request = replace(request or StageRequest(), fresh=fresh)
        search = Search.begin(means or self.means(), kind, Asked(flags=asked), request, name)
        search.stage(first_name(kind), request)
        return search

    def fine(self, study, request=None, *, means=None, flags=None, kind=LAMBDA, stage_name=FINE):
        request = replace(request or StageRequest(), fresh=True)
        search = Search.carry_on(means or self.means(), kind, Asked(flags=flags or {}), study)
        search.stage(stage_name, request)
        return search

    def last_stage(self, search):
        """Return the last stage of a search, as it is stored."""
        return repository.stages(self.database, search.study)[-1]

    def ranking(self, study):
        return read_ranking(self.database, study)


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """A database with our tables and Optuna's: to make them takes as long as a small search."""
    path = tmp_path_factory.mktemp("empty") / "search.db"
    open_database(str(path), create=True).close()
    storage = RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    storage.engine.dispose()
    return path


@pytest.fixture
def bench(tmp_path, samples, empty):
    made = Bench(tmp_path, samples, empty)
    yield made
    made.database.close()


def comparable(ranking):
    """Return all of a ranking but times and UUIDs, which no two runs share."""
    shown = ranking.to_json()
    for trial in shown["trials"]:
        del trial["seconds"]
    return shown
