"""Small made-up samples that can be learnt, but not wholly."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    sample_shape: tuple = ()


def made_up(n_train=150, n_validation=60, n_features=12, n_classes=4, dtype=np.float64, seed=7):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n_classes, n_features))

    def draw(n):
        y = rng.integers(0, n_classes, n)
        x = centres[y] + 1.5 * rng.standard_normal((n, n_features))
        return x.astype(dtype), y

    x_train, y_train = draw(n_train)
    x_validation, y_validation = draw(n_validation)
    # As if they were small grey images.
    shape = (3, n_features // 3)
    return Samples(x_train, y_train, x_validation, y_validation, shape)
