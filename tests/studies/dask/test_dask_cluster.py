"""Clusters that are missing, other than they should be, encrypted, or left half-way."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from coarsefine.models.cohort import state_to_bytes
from coarsefine.models.plugin import Plugin
from coarsefine.search.cli import main
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.races import Race
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running.dask import connection
from coarsefine.studies.running.dask import executor as dask_executor
from coarsefine.studies.running.dask.address import Scheduler, scheduler_at
from coarsefine.studies.running.dask.executor import DaskExecutor
from coarsefine.studies.running.dask.worker import facts
from coarsefine.studies.running.executors import InlineExecutor
from coarsefine.studies.running.watching import StoppedByRequest
from tests.studies.conftest import Recorder, comparable
from tests.studies.dask.cluster import Cluster
from tests.studies.test_executors import segment

DAYS = ("-days", "1")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path):
    """Return files of a new authority, and of a key that it signed."""
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj")
    signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", *DAYS)
    try:
        openssl(
            *(tmp_path, *new, "/CN=authority", "-x509", *DAYS),
            *("-keyout", "ca-key.pem", "-out", "ca.pem"),
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    openssl(tmp_path, *new, "/CN=cluster", "-keyout", "key.pem", "-out", "asked.pem")
    openssl(tmp_path, "x509", "-req", "-in", "asked.pem", *signed, "-out", "cert.pem")
    return {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}


def eventually(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def train_on(executor):
    while True:
        executor.next_result()
        executor.submit(segment())


# ------------------------------------------------------------------------------ where it is


def test_a_scheduler_is_found_by_the_file_that_it_wrote(tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tls://10.0.0.1:8786", "workers": {}}))

    assert scheduler_at(str(file)) == Scheduler("tls://10.0.0.1:8786")
    assert scheduler_at("127.0.0.1:8786") == Scheduler("tcp://127.0.0.1:8786")


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tls://10.0.0.1:8786", False),
        ("tcp://10.0.0.1:8786", True),
        ("tcp://scheduler:8786", True),
    ],
)
def test_a_cluster_that_others_can_reach_unencrypted_is_said_to_be_open(address, is_open):
    assert scheduler_at(address).is_open is is_open


def test_a_scheduler_that_is_not_there_is_said_in_a_line_before_anything_is_written(
    monkeypatch, capsys, tmp_path
):
    pytest.importorskip("distributed")
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with socket.socket() as taken:
        # Bound and not listening: nobody answers there.
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"

        assert main(["lambda", "--coarse", "--scheduler", address]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert f"a Dask scheduler must answer at {address} within 0.5 s" in line
    assert set(tmp_path.iterdir()) == before


# ------------------------------------------------------------------------- what its workers are


@pytest.mark.slow
def test_workers_with_other_versions_are_refused(executor):
    executor._facts = replace(executor._facts, numpy="1.26.4")

    with pytest.raises(StudyError, match=r"differs in numpy \(1\.26\.4 here, "):
        executor._check_workers()


def test_workers_without_the_package_are_refused(executor, monkeypatch):
    monkeypatch.setattr(dask_executor, "FACTS", "__import__('not_installed_there')")

    with pytest.raises(StudyError, match=r"must be installed on every Dask worker.*not_installed"):
        executor._check_workers()


def test_a_worker_without_the_package_that_comes_later_is_refused_too(executor, monkeypatch):
    monkeypatch.setattr(dask_executor, "TRAIN", "__import__('not_installed_there')")
    executor.submit(segment())

    with pytest.raises(StudyError, match=r"must be installed on every Dask worker.*not_installed"):
        executor.next_result()


def test_a_worker_with_other_versions_that_comes_later_is_refused_too(executor):
    executor._facts = replace(executor._facts, code="0" * 64)
    executor.submit(segment())

    with pytest.raises(StudyError, match="differs in coarsefine"):
        executor.next_result()


def test_a_trainer_that_workers_cannot_import_is_named(executor):
    plugin = Plugin("nowhere_at_all:train", "0" * 64, "{}")
    executor.submit(segment(plugin=plugin))

    with pytest.raises(StudyError, match=r"importable on every Dask worker.*nowhere_at_all"):
        executor.next_result()


def test_threads_that_stay_idle_and_processors_that_differ_are_mentioned(executor, monkeypatch):
    others = replace(facts(), kernels=("openblas of another processor",))
    monkeypatch.setattr(executor, "_facts", others)
    monkeypatch.setattr(executor._client, "nthreads", lambda: {"a": 4, "b": 1})
    executor._check_workers()

    several, processors = sorted(executor.lines)
    assert "1 of 2 workers have several threads" in several
    assert "BLAS rounds differently" in processors


# ------------------------------------------------------------------------------- left half-way


def test_a_race_over_folds_that_was_stopped_on_a_cluster_carries_on_in_one_process(
    bench, executor, monkeypatch
):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 0.0)
    asked = StageRequest(values=(1e-4, 1e-2, 5.0), race=Race(2, 3, 0.02))
    whole = bench.coarse(asked, name="whole", data__folds=2)
    stopping = bench.means(executor=executor, observer=Recorder(stop_after=2))

    with pytest.raises(StoppedByRequest):
        bench.coarse(asked, name="stopped", means=stopping, data__folds=2)
    resumed = bench.coarse(asked, name="stopped", data__folds=2)

    found = comparable(bench.ranking(resumed.study))
    assert {**found, "study": "whole"} == comparable(bench.ranking(whole.study))


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_nothing_to_do_on_the_cluster(cluster, executor, tmp_path):
    def n_tasks():
        return executor._client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    # A sample at a time, so that hardly anything but updates makes a segment as long as it is.
    long = ("--batch-size", "1", "--epochs", "1000")
    words = ("--values", "1e-4,1e-3,1e-2", *long, "--scheduler", cluster.address)
    driver = subprocess.Popen(
        [sys.executable, "-m", "search", "lambda", "--coarse", "--quiet", *words],
        cwd=tmp_path,
        env=cluster.environment,
        stderr=subprocess.PIPE,
    )
    try:
        eventually(n_tasks)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.communicate()

    eventually(lambda: not n_tasks())
    busy = partial(executor._client.run, lambda dask_worker: dask_worker.state.executing_count)
    eventually(lambda: not any(busy().values()))


def test_a_search_waits_for_workers_and_trains_encrypted_until_the_scheduler_is_gone(
    tmp_path, certificates, monkeypatch
):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_executor, "PATIENCE_SECONDS", 0.2)
    words = []
    for option, name in (("--tls-ca-file", "ca"), ("--tls-cert", "cert"), ("--tls-key", "key")):
        words += [option, str(certificates[name])]
    cluster = Cluster(tmp_path, 0, scheme="tls://", scheduler=words)
    said = []
    starting = threading.Thread(
        target=cluster.add_workers, args=(1, "--host", "tls://127.0.0.1", *words)
    )
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 60.0)
    try:
        assert cluster.address.startswith("tls://")
        with pytest.raises(StudyError, match="needs scheduler_ca"):
            DaskExecutor(scheduler_at(cluster.address))

        def hear(line):
            said.append(line)
            starting.start()

        secure = scheduler_at(cluster.address, **certificates)
        with DaskExecutor(secure, said=hear) as executor, InlineExecutor() as inline:
            assert ["waiting for workers" in line for line in said] == [True]
            for each in (executor, inline):
                each.submit(segment())
            there, here = executor.next_result(), inline.next_result()
            assert state_to_bytes(there.state) == state_to_bytes(here.state)

            starting.join()
            executor.submit(segment(n_epochs=3))
            # Nobody is left to take leave of.
            monkeypatch.setattr(connection, "CONNECT_SECONDS", 2.0)
            os.killpg(cluster.processes[0].pid, signal.SIGKILL)
            os.killpg(cluster.processes[1].pid, signal.SIGKILL)
            with pytest.raises(StudyError, match=r"scheduler at tls://.* is gone"):
                train_on(executor)
            executor._looked = -1.0
            with pytest.raises(StudyError, match=r"scheduler at tls://.* is gone"):
                _ = executor.n_workers
    finally:
        if starting.ident is not None:
            starting.join()
        cluster.close()


def test_a_whole_search_from_the_command_line_ends_with_the_table_of_one_process(
    cluster, monkeypatch, capsys, tmp_path
):
    from coarsefine.studies.planning import runs

    monkeypatch.setattr(runs, "n_cores", lambda: 2)
    monkeypatch.chdir(tmp_path)
    words = ["lambda", "--coarse", "--values", "1e-4,1e-3,1e-2", "--epochs", "3", "--json"]

    def table(*more):
        assert main([*words, *more]) == 0
        answer = json.loads(capsys.readouterr().out)
        return [{**trial, "seconds": 0, "uuid": ""} for trial in answer["trials"]]

    here = table("--storage", "here.db", "--executor", "inline")
    there = table("--storage", "there.db", "--scheduler", cluster.address)

    assert here == there
    assert Path("there.db").exists()


def test_a_client_that_failed_is_not_collected_while_another_starts(monkeypatch):
    pytest.importorskip("distributed")
    from distributed.utils import LoopRunner

    start, failed = LoopRunner._start_unlocked, []

    def collected_first(runner):
        # Whatever Python allocates may make it look for garbage.
        if gc.isenabled():
            gc.collect()
        start(runner)

    def connect():
        for _ in range(2):
            # Without certificates, Dask gives up half-way.
            with pytest.raises(StudyError, match="needs scheduler_ca"):
                DaskExecutor(Scheduler("tls://127.0.0.1:9"))
            failed.append(True)

    monkeypatch.setattr(LoopRunner, "_start_unlocked", collected_first)
    thread, thresholds = threading.Thread(target=connect, daemon=True), gc.get_threshold()
    try:
        gc.set_threshold(0)
        thread.start()
        thread.join(60)
    finally:
        gc.set_threshold(*thresholds)

    assert failed == [True, True]
