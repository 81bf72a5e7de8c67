"""Any course of events against a simple model: search, be killed, go on, rank, test, export.

The model knows how many trials each stage of a study should have, which stages are done, and what
each trial came to when it was first seen: whenever it is seen again, it came to the same bits.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coarsefine.db import repository
from coarsefine.db.checks.whole import check_database
from coarsefine.db.connections.engine import open_database
from coarsefine.models.data import prepared
from coarsefine.search.formats.csv_xlsx_parquet import csv_bytes
from coarsefine.search.tables.ranking import of_ranking
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running import loop as running
from coarsefine.studies.running import mirror
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.watching import StoppedByRequest
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.models.samples import made_up
from tests.studies.conftest import Recorder

LAMBDA = SEARCHES["lambda"]
NAMES = st.sampled_from(["a", "b"])
# After so many segments: asked to stop; or killed before one is stored, after, or after it is told.
ENDS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(["stop", "before", "after", "told", "planned"]), st.integers(1, 6)),
)


class KilledError(BaseException):
    """In place of SIGKILL: nothing on the way may catch it."""


class Killing:
    """Let the process die at the n-th time it comes to a place."""

    PLACES = {  # noqa: RUF012
        "before": (repository, "store_segment"),
        "after": (repository, "store_segment"),
        "told": (mirror.OptunaMirror, "tell"),
        "planned": (repository, "add_plan"),
    }

    def __init__(self, end):
        self.place, self.left = end if end is not None else (None, 0)

    def __enter__(self):
        if self.place not in self.PLACES:
            return
        owner, name = self.PLACES[self.place]
        self.real = getattr(owner, name)

        def dying(*args, **kwargs):
            self.left -= 1
            if self.left == 0 and self.place == "before":
                raise KilledError
            result = self.real(*args, **kwargs)
            if self.left == 0:
                raise KilledError
            return result

        setattr(owner, name, dying)

    def __exit__(self, *_):
        if self.place in self.PLACES:
            setattr(*self.PLACES[self.place], self.real)


class Stage:
    """What the model knows of a stage.

    What was asked for and cut short may have been planned or not: from then on there are between
    ``least`` and ``most`` trials. A stage that is ``done`` has all that are planned.
    """

    def __init__(self):
        self.least = self.most = 0
        self.done = False


class Life(RuleBasedStateMachine):
    """One database file, two studies, and what people and power cuts do to them."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("SEARCH_CACHE_DIR", str(self.folder / "cache"))
        self.patch.setattr(running, "SEGMENT_SECONDS", 1e-9)
        self.patch.setattr(running, "FIRST_SECONDS", 1e-9)
        prepared._open.clear()
        data = made_up(n_train=120, n_validation=60, dtype=np.float32)
        np.savez(
            self.folder / "blobs.npz",
            x_train=data.x_train,
            y_train=data.y_train,
            x_test=data.x_validation,
            y_test=data.y_validation,
        )
        self.flags = {
            "data.name": str(self.folder / "blobs.npz"),
            "network.hidden": (3,),
            "training.epochs": 3,
            "training.schedule": "constant",
            "training.eta": 0.05,
        }
        self.stages = {}  # by study and stage
        self.openings = {}
        self.came_to = {}  # by parameters: what a trial came to
        self.tested = {}
        self.database = None

    @initialize()
    def begin(self):
        self.reopen()

    def teardown(self):
        if self.database is not None:
            self.database.close()
        self.patch.undo()
        prepared._open.clear()
        shutil.rmtree(self.folder)

    @rule()
    def reopen(self):
        if self.database is not None:
            self.database.close()
        self.database = open_database(str(self.folder / "search.db"), create=True)

    def means(self, end):
        stop_after = end[1] if end is not None and end[0] == "stop" else None
        return Resources(self.database, n_jobs=1, observer=Recorder(stop_after=stop_after))

    def carried_out(self, stage, n_trials, end, work):
        """Carry out a search that may come to an end before its own."""
        stage.most = max(stage.most, n_trials)
        try:
            with Killing(end):
                work(self.means(end))
        except StoppedByRequest:
            stage.done = False
        except KilledError:
            stage.done = False
            self.reopen()
        else:
            stage.done = True
            stage.least = max(stage.least, n_trials)

    @rule(name=NAMES, n_trials=st.integers(1, 5), end=ENDS)
    def search(self, name, n_trials, end):
        stage = self.stages.setdefault((name, "coarse"), Stage())
        request = StageRequest(n_trials=n_trials, sampler="random")

        def work(means):
            begun = Search.begin(means, LAMBDA, Asked(flags=self.flags), request, name)
            begun.stage("coarse", request)

        self.carried_out(stage, n_trials, end, work)

    @rule(name=NAMES, n_trials=st.integers(1, 3), end=ENDS)
    def refine(self, name, n_trials, end):
        study = repository.find_study(self.database, name)
        before = self.stages.get((name, "coarse"))
        if study is None:
            return
        request = StageRequest(n_trials=n_trials, sampler="random")
        there = {s.name for s in repository.stages(self.database, study)}
        stage = self.stages.setdefault((name, "fine"), Stage())

        def work(means):
            Search.carry_on(means, LAMBDA, Asked(), study).stage("fine", request)

        if "fine" not in there and not (before and self.finished(study, "coarse")):
            with pytest.raises(StudyError):
                work(self.means(None))
            return
        # One trial leaves no window.
        refusals = (StudyError,) if before is None or before.most < 2 else ()
        with suppress(*refusals):
            self.carried_out(stage, n_trials, end, work)

    @rule(name=NAMES, n_top=st.integers(1, 2), end=ENDS, refit=st.booleans())
    def test(self, name, n_top, end, refit):
        study = repository.find_study(self.database, name)
        if study is None:
            return
        ranking = read_ranking(self.database, study)
        how = "train+validation" if refit else "none"
        before = len(repository.openings(self.database, study))
        if any(t.state in {"planned", "running"} for t in ranking.trials) or not ranking.trials:
            with pytest.raises(StudyError):
                final_test(self.means(None), study, n_top=n_top, refit=how)
            assert len(repository.openings(self.database, study)) == before
            return
        try:
            with Killing(end):
                found = final_test(self.means(end), study, n_top=n_top, refit=how)
        except StoppedByRequest:
            return
        except KilledError:
            self.reopen()
            return
        assert found.n_before == before
        for run in found.opening.runs:
            key = (how, n_top, str(run.params), name)
            reached = (run.test_accuracy, run.test_loss)
            assert self.tested.setdefault((how, str(run.params)), reached) == reached, key

    @rule(name=NAMES)
    def exported(self, name):
        study = repository.find_study(self.database, name)
        if study is not None:
            ranking = read_ranking(self.database, study)
            lines = csv_bytes(of_ranking(ranking)).decode().splitlines()
            assert len(lines) == 1 + len(ranking.trials)

    def finished(self, study, stage_name):
        stages = {s.name: s for s in repository.stages(self.database, study)}
        if stage_name not in stages:
            return False
        plan = repository.load_plan(self.database, stages[stage_name])
        states = {trial.state for trial in plan.trials}
        return states == {"complete"}

    @invariant()
    def everything_is_in_order(self):
        if self.database is None:
            return
        report = check_database(str(self.folder / "search.db"))
        assert report.passed, [check.problems for check in report.checks]

    @invariant()
    def all_trials_are_there_once_and_come_to_the_same(self):
        if self.database is None:
            return
        for (name, stage_name), stage in self.stages.items():
            study = repository.find_study(self.database, name)
            if study is None:
                assert stage.least == 0
                continue
            ranking = read_ranking(self.database, study)
            trials = [t for t in ranking.trials if t.stage == stage_name]
            assert stage.least <= len(trials) <= stage.most
            stage.least = len(trials)  # none is ever lost
            if stage.done:
                assert {t.state for t in trials} == {"complete"}
            assert len({str(t.params) for t in trials}) == len(trials)
            for trial in trials:
                if trial.state == "complete":
                    reached = (trial.validation_accuracy, trial.validation_loss)
                    assert self.came_to.setdefault(str(trial.params), reached) == reached


def _settings(n, steps):
    return settings(
        max_examples=n,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )


class TestLife(Life.TestCase):
    settings = _settings(5, 8)


@pytest.mark.slow
class TestLongLife(Life.TestCase):
    settings = _settings(150, 25)
