"""From nothing to the final test on real MNIST, as a user would type it."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("SEARCH_DATA_DIR" not in os.environ, reason="SEARCH_DATA_DIR is not set"),
]

ROOT = Path(__file__).parents[1]
# A quarter of the samples will do, and take a quarter of the time.
SHORT = ("--hidden", "32", "--cycles", "1", "--train", "12000")


def test_coarse_fine_and_test_on_mnist(tmp_path):
    if not (Path(os.environ["SEARCH_DATA_DIR"]) / "mnist").is_dir():
        pytest.skip("no MNIST in SEARCH_DATA_DIR")
    environment = {
        **os.environ,
        "SEARCH_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }

    def search(*words):
        done = subprocess.run(
            [sys.executable, "-m", "search", *words, "--json"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    search("lambda", "--coarse", "--data", "mnist", *SHORT)
    ranking = search("lambda", "--fine")

    coarse, fine = ranking["stages"]
    assert (fine["parent"], len(fine["values"])) == ("coarse", 8)
    assert fine["high"] / fine["low"] < coarse["high"] / coarse["low"]
    best, *_, worst = ranking["trials"]
    assert best["validation_accuracy"] > 0.9
    assert worst["params"] == {"lambda": 0.1}
    assert all(trial["test_accuracy"] is None for trial in ranking["trials"])

    tested = search("test", "--top", "2")["trials"]
    assert [trial["rank"] for trial in tested] == [1, 2]
    assert tested[0]["params"] == best["params"]
    # They differ by noise, a little luck, and what the final training has more samples.
    assert tested[0]["test_accuracy"] == pytest.approx(best["validation_accuracy"], abs=0.02)

    path = tmp_path / "search.db"
    study = optuna.load_study(study_name="mnist/lambda/fine", storage=f"sqlite:///{path}")
    ours = [trial for trial in ranking["trials"] if trial["stage"] == "fine"]
    assert {trial.number: (trial.params, trial.value) for trial in study.trials} == {
        trial["trial"]: (trial["params"], trial["validation_accuracy"]) for trial in ours
    }
    with sqlite3.connect(path) as connection:
        (n_epochs,) = connection.execute("SELECT count(*) FROM training_epochs").fetchone()
        assert n_epochs == 16 * 5 + 2 * 5
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
