"""The importance of parameters: what explains the differences, and nothing else."""

import numpy as np
import pytest

from coarsefine.db.optuna.importance import importances
from coarsefine.studies.results.importance import Importance


def test_what_decides_is_important_and_what_does_not_is_not():
    rng = np.random.default_rng(0)
    places = {
        "eta": rng.uniform(size=40).tolist(),
        "lambda": rng.uniform(size=40).tolist(),
        "optimizer": rng.integers(0, 2, size=40).tolist(),
    }
    eta, optimizer = np.array(places["eta"]), np.array(places["optimizer"])
    scores = 0.9 - (eta - 0.4) ** 2 - 0.1 * optimizer

    found = importances(places, scores.tolist())

    assert found["eta"] > 2 * found["optimizer"] > 4 * found["lambda"]
    assert 0.8 < sum(found.values()) <= 1
    assert found == importances(places, scores.tolist())


def test_its_noise_is_that_over_seeds():
    several, one = Importance("eta", (0.5, 0.6, 0.7)), Importance("eta", (0.5,))

    assert (several.mean, several.deviation) == (pytest.approx(0.6), pytest.approx(0.1))
    assert one.deviation is None
