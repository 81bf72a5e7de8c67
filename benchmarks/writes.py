"""Segments and trials a second that drivers can write.

python -m benchmarks.writes FILE|URL …
"""

import multiprocessing
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

from benchmarks.common import Table, machine_line, short
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.new_records import NewStage, NewStudy
from coarsefine.db.optuna.studies import OptunaStage
from coarsefine.db.optuna.trials import OptunaTrial, Range
from coarsefine.db.records import (
    EpochRecord,
    NewCohort,
    NewRun,
    NewTrial,
    RunUpdate,
    SegmentResult,
)

RUNS, EPOCHS, SECONDS, DRIVERS = 8, 3, 3.0, (1, 4)
STATE = bytes(2**19)  # of 8 networks of 784-20-10


def rates(url: str, name: str) -> tuple[float, float]:
    """Return segments and trials that one driver stores a second."""
    of_study = NewStudy(
        name=name,
        search="lambda",
        recipe={},
        seed=0,
        data_name="digits",
        data_fingerprint="",
        data={},
        versions={},
        machine={},
    )
    of_stage = NewStage("coarse", name, parameter="lambda", sampler="grid", reason="")
    with open_database(url) as db:
        study = repository.add_study(db, of_study)
        stage = repository.add_stage(db, study, of_stage)
        trials = [NewTrial({"lambda": 0.1}) for _ in range(RUNS)]
        cohort = NewCohort([NewRun(trial.uuid, 0, trial.uuid) for trial in trials])
        ids = [run.id for run in repository.add_plan(db, stage, trials, [cohort]).runs]

        def store(i: int) -> None:
            at = EPOCHS * i
            rows = [EpochRecord(k, at + e, 9, *[0.5] * 11) for k in ids for e in range(EPOCHS)]
            runs = [RunUpdate(k, "running", at + EPOCHS, 9) for k in ids]
            segment = SegmentResult(
                cohort.uuid, at, at + EPOCHS, epochs=rows, runs=runs, checkpoint=STATE
            )
            repository.store_segment(db, segment)

        def tell(i: int) -> None:  # in 10 transactions
            trial = OptunaTrial(f"{name}/{i}", {"lambda": 0.1}, {"lambda": Range(0.01, 1.0)})
            number = optuna.start([trial])[trial.uuid]
            curve = dict.fromkeys(range(5), 0.9)
            facts = dict.fromkeys("abc", 0.1)
            optuna.finish(number, "complete", 0.9, attributes=facts, curve=curve)

        with StudyLock(db, study.uuid), OptunaStage.open(db, name, {"uuid": stage.uuid}) as optuna:
            return _rate(store), _rate(tell)


def _rate(step: Callable[[int], None]) -> float:
    started, n = time.perf_counter(), 0
    while time.perf_counter() < started + SECONDS:
        step(n)
        n += 1
    return n / (time.perf_counter() - started)


if __name__ == "__main__":
    what = f"A segment: {RUNS} runs, {EPOCHS} epochs, a state of {len(STATE) / 1e6:.1f} MB"
    table = Table(what, ("database", "drivers at a time", "segments/s", "trials told/s"))
    for place in sys.argv[1:]:
        open_database(place, create=True).close()
        for n in DRIVERS:
            with multiprocessing.get_context("spawn").Pool(n) as pool:
                found = pool.map(partial(rates, place), [uuid.uuid4().hex for _ in range(n)], 1)
            sums = [short(sum(column)) for column in zip(*found, strict=True)]
            table.rows.append((place.partition("://")[0][:20], str(n), *sums))
    print(f"Measured {machine_line()}.\n\n{table.text()}")
