"""Several drivers on one SQLite file, while people and a dashboard read all of it all the time."""

import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from tests.faults import dashboards
from tests.faults.facts import differing_bytes, facts, trials_of
from tests.faults.scenarios import DATABASE


@dataclass(frozen=True)
class Crowd:
    """What came of it.

    Attributes:
        reads: How often everything was read meanwhile.
        polls: How often Optuna's dashboard showed everything meanwhile; 0 if it is not installed.
        wrong: What drivers and readers complained of.
    """

    lost: int
    duplicated: int
    differing: int
    running: int
    reads: int
    polls: int
    wrong: tuple[str, ...]


def command(number, n_trials):
    return (
        f"lambda --coarse --study d{number} --data tiny.npz --hidden 2 --epochs 1 --batch-size 30 "
        f"--sampler random --trials {n_trials} --seed {number} --fresh --jobs 1 --quiet"
    )


def tiny(folder):
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.savez(
        folder / "tiny.npz",
        x_train=rng.normal(size=(60, 4)).astype(np.float32),
        y_train=np.arange(60) % 2,
        x_test=rng.normal(size=(20, 4)).astype(np.float32),
        y_test=np.arange(20) % 2,
    )
    return folder


def crowd(zygote, folder, n_drivers, n_trials, *, dashboard=dashboards.INSTALLED):
    """Let drivers search side by side, and compare with the same searches one after the other."""
    alone, together = tiny(folder / "alone"), tiny(folder / "together")
    ended, wrong = {}, []
    over = threading.Event()
    with zygote.line() as line:
        for number in range(n_drivers):
            done = line.run(alone, command(number, n_trials), timeout=1200)
            assert done.status == 0, done.err

    def drive(number):
        with zygote.line() as line:
            ended[number] = line.run(together, command(number, n_trials), timeout=1200)

    reads, polls = [], []
    watching = [threading.Thread(target=_read_on, args=(zygote, together, over, reads, wrong))]
    if dashboard:
        watching.append(threading.Thread(target=_poll, args=(together, over, polls, wrong)))
    drivers = [threading.Thread(target=drive, args=(number,)) for number in range(n_drivers)]
    for thread in (*watching, *drivers):
        thread.start()
    for thread in drivers:
        thread.join()
    over.set()
    for thread in watching:
        thread.join()
    wrong += [f"driver {n}: {done.err}" for n, done in ended.items() if done.status or done.err]
    with zygote.line() as line:
        checked = line.run(together, "check")
    if checked.status:
        wrong.append(checked.out + checked.err)
    differing, where = differing_bytes(facts(alone / DATABASE), facts(together / DATABASE))
    if where:
        wrong.append(f"differing: {', '.join(where)}")
    wanted, found = trials_of(alone / DATABASE), trials_of(together / DATABASE)
    return Crowd(
        lost=sum(len(set(a) - set(b)) for a, b in zip(wanted, found, strict=True)),
        duplicated=sum(max(0, len(b) - len(a)) for a, b in zip(wanted, found, strict=True)),
        differing=differing,
        running=sum(state == "RUNNING" for *_, state in found[1]),
        reads=len(reads),
        polls=len(polls),
        wrong=tuple(wrong),
    )


def _read_on(zygote, folder, over, reads, wrong):
    """Read as people and dashboards do, until it is over."""
    with zygote.line() as line:
        while not over.is_set():
            if not (folder / DATABASE).exists():
                time.sleep(0.01)
                continue
            for words in ("list --json", "rank --json", "check --json"):
                done = line.run(folder, words)
                # At first there is nothing to be seen.
                if done.status and "no studies" not in done.err and "no study" not in done.err:
                    wrong.append(f"{words}: {done.out[-500:]} {done.err[-500:]}")
            # Until Optuna has made its tables, it would make them itself.
            if not _begun(folder / DATABASE):
                continue
            try:
                reads.append(_dashboard(folder / DATABASE))
            except Exception as error:  # whatever a dashboard would show as its failure
                wrong.append(f"Optuna reading: {error!r} {error.__cause__!r}")


def _poll(folder, over, polls, wrong):
    """Have Optuna's own dashboard show everything again and again, until it is over."""
    while not (_begun(folder / DATABASE) or over.is_set()):
        time.sleep(0.01)
    try:
        with dashboards.dashboard(folder / DATABASE) as address:
            while not over.is_set():
                polls.append(dashboards.all_trials(address))
    except Exception as error:  # what a browser would show as a failure
        wrong.append(f"the dashboard: {error!r}")


def _begun(path: Path) -> bool:
    with suppress(sqlite3.OperationalError):  # no file or no tables yet
        return bool(trials_of(path)[1])
    return False


def _dashboard(path: Path) -> int:
    """Return how many trials Optuna finds, opened for reading as the README says."""
    storage = optuna.storages.RDBStorage(
        f"sqlite:///file:{path}?mode=ro&uri=true",
        skip_compatibility_check=True,
        skip_table_creation=True,
    )
    try:
        return sum(
            len(storage.get_all_trials(storage.get_study_id_from_name(study.study_name)))
            for study in storage.get_all_studies()
        )
    finally:
        storage.remove_session()
        storage.engine.dispose()
