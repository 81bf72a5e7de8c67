"""Searches on servers: the same commands, and the same results to the last bit."""

import hashlib
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.connections.urls import storage_url
from coarsefine.db.curve_tables import Epoch
from coarsefine.db.optuna.dashboard import optuna_dashboard
from coarsefine.db.tables import Base, Checkpoint
from coarsefine.search.cli import main
from tests.db.conftest import Planned

# A small network; replicates, so that there are means; rungs, where trials are stopped by them.
MORE = ("--jobs", "1", "--prune", "halving")
COARSE = ("lambda", "--coarse", "--epochs", "3", "--hidden", "8", "--trials", "5")
COMMANDS = (
    (*COARSE, "--replicates", "2", *MORE),
    ("lambda", "--fine", "--trials", "3", *MORE),
    ("test", "digits/lambda", "--top", "2", "--jobs", "1"),
)
# By chance, by the clock, or by who ran it.
LEFT_OUT = {
    *("uuid", "created_at", "updated_at", "opened_at", "finished_at", "measured_at"),
    *("driver_host", "driver_pid", "driver_since", "machine", "versions"),
    *("seconds", "evaluation_seconds", "value"),
}

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return all that is stored, but what is so by chance."""
    with open_database(url, read_only=True) as database, database.session() as session:
        return {
            table.name: [
                untimed(row._asdict())
                for row in session.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }


def optunas(url: str) -> dict[str, list[Any]]:
    """Return what Optuna itself reads."""
    storage = optuna.storages.RDBStorage(storage_url(url))
    try:
        return told(storage)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def told(storage: optuna.storages.BaseStorage) -> dict[str, list[Any]]:
    return {
        study.study_name: [
            (
                trial.number,
                trial.state,
                trial.values,
                trial.params,
                trial.distributions,
                trial.intermediate_values,
                {k: v for k, v in trial.user_attrs.items() if k not in LEFT_OUT},
            )
            for trial in storage.get_all_trials(storage.get_study_id_from_name(study.study_name))
        ]
        for study in storage.get_all_studies()
    }


def searched(url: str, commands: Sequence[Sequence[str]] = COMMANDS) -> str:
    for command in commands:
        assert main([*command, "--quiet", "--storage", url]) == 0
    return url


@pytest.fixture(scope="session")
def on_file(tmp_path_factory, own_cache) -> str:
    """The searches in a file."""
    return searched(str(tmp_path_factory.mktemp("file") / "search.db"))


def test_the_same_search_leaves_the_same_to_the_last_bit(url: str, on_file: str, search) -> None:
    searched(url)

    assert rows(url) == rows(on_file)
    assert optunas(url) == optunas(on_file)
    with open_database(url, read_only=True) as database:
        _, storage = optuna_dashboard(database)
        assert told(storage) == optunas(on_file)
        storage.close()
        assert repository.stages_with_enqueued(database) == []
    for command in (("rank", "--json"), ("export", "--what", "test", "--format", "json")):
        here, there = (search(*command, "--storage", place) for place in (url, on_file))
        assert here.status == 0
        assert untimed(here.json) == untimed(there.json)
    checked = search("check", "--storage", url, "--json")
    assert checked.status == 0, checked.out
    notes = [note for check in checked.json["checks"] for note in check["notes"]]
    assert [note for note in notes if "server" in note] == [
        "not looked at: a server looks after its files itself",
        "not looked at: a server keeps rows from pointing to rows that are not there",
    ]
    for command in ("list", "show"):
        assert search(command, "--storage", url).status == 0


def untimed(value: Any) -> Any:
    """Return what is stored or said without what is so by chance."""
    if isinstance(value, dict):
        return {key: untimed(each) for key, each in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [untimed(each) for each in value]
    return UUID.sub("", value) if isinstance(value, str) else value


STOPS_ITSELF = """
import os, signal, sys
from coarsefine.db import repository
from coarsefine.studies.running import loop as running
running.SEGMENT_SECONDS = 1e-6
store = repository.store_segment

def stored(*arguments):
    done = store(*arguments)
    os.kill(os.getpid(), signal.SIGSTOP)
    return done

repository.store_segment = stored
from coarsefine.search.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_search_that_was_killed_is_carried_on_with_the_same_result(
    url: str, own_folder, search
) -> None:
    command = ("lambda", "--coarse", "--epochs", "30", "--hidden", "8", "--trials", "4")
    # Seeds are stated: whether a search races by itself depends on how busy the machine is.
    command = (*command, "--replicates", "2", "--jobs", "1", "--quiet")
    driver = subprocess.Popen([sys.executable, "-c", STOPS_ITSELF, *command, "--storage", url])
    os.waitpid(driver.pid, os.WUNTRACED)
    with open_database(url) as database:
        refused = search(*command, "--storage", url)

        assert refused.status == 1
        assert f"is being driven by process {driver.pid} on " in refused.err
        driver.kill()
        driver.wait()
        assert begun(database)
        assert [study.trials for study in repository.list_studies(database)] == [{"running": 4}]

    deadline = time.monotonic() + 60
    while search(*command, "--storage", url).status and time.monotonic() < deadline:
        time.sleep(0.1)  # the server notices in a moment
    assert search(*command).status == 0

    assert rows(url) == rows("search.db")
    assert optunas(url) == optunas("search.db")


def begun(database: Database) -> bool:
    """Return whether a segment was stored."""
    with database.session() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Epoch)) > 0


def test_numbers_come_back_to_the_last_bit(planned: Planned) -> None:
    run, cohort = planned.plan.runs[0].id, planned.plan.cohorts[0]

    @settings(max_examples=30)
    @given(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
        st.binary(max_size=50),
    )
    def check(numbers: list[float], payload: bytes) -> None:
        with planned.db.write() as session:
            session.execute(sa.delete(Checkpoint))
            session.execute(
                sa.insert(Checkpoint.__table__).values(
                    cohort_id=cohort.id,
                    epoch=0,
                    sha256=hashlib.sha256(payload).hexdigest(),
                    payload=payload,
                )
            )
            session.execute(sa.delete(Epoch))
            session.execute(
                sa.insert(Epoch.__table__),
                [
                    {"run_id": run, "epoch": i, "step": i, "train_loss": number, "eta": math.nan}
                    for i, number in enumerate(numbers)
                ],
            )
        found = repository.epoch_rows(planned.db, run_ids=[run])
        assert [row.train_loss for row in found] == numbers
        assert {row.eta for row in found} == {None}
        assert repository.load_checkpoint(planned.db, cohort.uuid) == (0, payload)

    check()
