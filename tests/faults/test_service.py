"""A service that is killed at any moment and started again comes to the very same end."""

import os

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.studies.labs.line import submit
from coarsefine.studies.labs.queue import submission
from tests.faults.scenarios import (
    BOTH,
    COMMIT,
    DATABASE,
    DRIVER,
    STATEMENT,
    TWICE,
    WORKER,
    Scenario,
    attempt,
    moments,
    reference,
)
from tests.faults.serving import serve

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

LAB = """
[network]
hidden = [6]
[training]
schedule = "constant"
eta = 0.1
epochs = 3
batch_size = 100
[[part]]
name = "eta"
search = { vary.eta = { low = 0.01, high = 1 }, trials = 3, fine_trials = 2, test = true }
"""


def queued(folder):
    """Begin with two entries that wait."""
    path = folder / "lab.toml"
    path.write_text(LAB)
    with open_database(str(folder / DATABASE), create=True) as database:
        for name in ("lab", "second"):
            submit(database, submission(str(path), name=name), "me@here")


SERVICE = Scenario("a service", "lab/eta", ("serve --once",), begin=queued)


@pytest.fixture(scope="module")
def known(line, tmp_path_factory):
    return reference(line, SERVICE, tmp_path_factory.mktemp("ref"))


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        pytest.param(STATEMENT, 0, marks=pytest.mark.slow),
        (COMMIT, 1),
        pytest.param(TWICE, 2, marks=pytest.mark.slow),
    ],
)
def test_a_service_that_was_killed_comes_to_the_same_end(line, known, tmp_path, kind, seed):
    (moment,) = moments(known, kind, 1, seed)

    outcome = attempt(line, known, moment, tmp_path)

    assert outcome.passed, outcome
    with open_database(str(tmp_path / "work" / DATABASE), read_only=True) as database:
        assert [e.state for e in repository.queue(database)] == ["finished"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [STATEMENT, COMMIT, TWICE, DRIVER, BOTH, WORKER])
def test_killed_in_every_way_it_does(line, tmp_path, kind):
    known = reference(line, SERVICE, tmp_path / "ref", timed_with_workers=True)
    for i, moment in enumerate(moments(known, kind, 5, 1)):
        outcome = attempt(line, known, moment, tmp_path / str(i))

        assert outcome.passed, outcome


@pytest.mark.slow
def test_a_service_in_use_loses_nothing_however_it_is_ended(zygote, tmp_path):
    served = serve(zygote, tmp_path, seed=0, n_actions=40)

    assert served.passed, served
    assert served.kills > 0
    assert served.finished + served.cancelled == served.submitted
