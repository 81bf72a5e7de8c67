"""A search that was stopped between any two segments ends with the same table."""

import sqlite3
from contextlib import closing

import pytest

from coarsefine.db import repository
from coarsefine.db.errors import StorageError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running import loop as running
from coarsefine.studies.running.final import test as final
from coarsefine.studies.running.final.test import final_test
from coarsefine.studies.running.watching import StoppedByRequest
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.faults.tables import rows, tamper
from tests.studies.conftest import Recorder, bench, comparable, empty, private_cache, samples

__all__ = ["bench", "empty", "private_cache", "samples"]


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(running, "SEGMENT_SECONDS", 1e-9)
    monkeypatch.setattr(running, "FIRST_SECONDS", 1e-9)


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_trials_that_ended_before_their_cohort_do_not_keep_it_from_being_carried_on(
    bench, stop_after
):
    # The largest η diverges at once, while the others go on.
    request = StageRequest(n_trials=3, low=0.01, high=1e30)
    flags = {"training__schedule": "constant", "training__eta": None}
    asked = {"kind": SEARCHES["eta"], **flags}
    whole = bench.coarse(request, name="whole", **asked)
    means = bench.means(observer=Recorder(stop_after=stop_after))
    with pytest.raises(StoppedByRequest):
        bench.coarse(request, name="stopped", means=means, **asked)

    again = bench.coarse(request, name="stopped", **asked)

    wanted, found = (comparable(bench.ranking(done.study)) for done in (whole, again))
    assert {trial["state"] for trial in wanted["trials"]} == {"complete", "diverged"}
    assert found["trials"] == wanted["trials"]


class CutShortError(Exception):
    """In place of a kill."""


def test_a_test_that_was_killed_while_it_looked_is_one_opening_and_one_result(bench, monkeypatch):
    outcome = bench.coarse(StageRequest(n_trials=3))

    def killed(*_, **__):
        raise CutShortError

    with monkeypatch.context() as patch:
        patch.setattr(final, "open_test", killed)
        with pytest.raises(CutShortError):
            final_test(bench.means(), outcome.study, n_top=2)
    assert [o.runs for o in repository.openings(bench.database, outcome.study)] == [()]

    tested = final_test(bench.means(), outcome.study, n_top=2)

    assert tested.n_before == 0
    assert len(tested.opening.runs) == 2
    assert len(repository.openings(bench.database, outcome.study)) == 1
    names = [stage.name for stage in repository.stages(bench.database, outcome.study)]
    assert names == ["coarse", "final"]
    # Asked once more, it is opened once more.
    assert final_test(bench.means(), outcome.study, n_top=2).n_before == 1


@pytest.mark.parametrize(
    ("tampering", "line"),
    [
        ("DELETE FROM training_checkpoints", "checkpoint is missing"),
        ("UPDATE training_checkpoints SET epoch = 1", "checkpoint at epoch 1"),
        ("UPDATE training_checkpoints SET payload = x'00'", "is damaged at epoch"),
    ],
)
def test_a_checkpoint_that_is_not_as_it_should_be_is_one_line(bench, tampering, line):
    with pytest.raises(StoppedByRequest):
        bench.coarse(StageRequest(n_trials=3), means=bench.means(observer=Recorder(stop_after=2)))
    kept = rows(bench.path, "SELECT * FROM training_checkpoints")
    tamper(bench.path, tampering)
    before = rows(bench.path, "SELECT * FROM training_epochs")

    with pytest.raises(StorageError, match=line) as error:
        bench.coarse(StageRequest(n_trials=3))

    assert "\n" not in str(error.value)
    assert rows(bench.path, "SELECT * FROM training_epochs") == before
    # Once it is back, the same command carries on.
    tamper(bench.path, "DELETE FROM training_checkpoints")
    with closing(sqlite3.connect(bench.path)) as connection, connection:
        connection.executemany("INSERT INTO training_checkpoints VALUES (?, ?, ?, ?)", kept)
    assert len(bench.ranking(bench.coarse(StageRequest(n_trials=3)).study).trials) == 3
