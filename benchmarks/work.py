"""The searches that are timed: their recipes, their data and how many multiply-adds they need."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.common import Options, log
from coarsefine.models.data import PreparedData, prepare
from coarsefine.models.errors import DataError
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.specs import to_data_spec

# The grid of the KTH DD2424 lab's coarse search: eight values, evenly spaced on a log scale.
L2_STRENGTHS = tuple(float(value) for value in np.logspace(-5, -1, 8).round(9))


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is asked to train: all of it but λ.

    Attributes:
        hidden: Widths of the hidden layers.
        half_cycle: n_s of the cyclical η, in updates.
        activation: ``relu`` or ``improved-sigmoid``.
        optimizer: ``sgd``, ``momentum`` (0.9) or ``adam`` with its usual numbers.
    """

    data: PreparedData
    hidden: tuple[int, ...]
    batch_size: int
    n_epochs: int
    eta_min: float
    eta_max: float
    half_cycle: int
    activation: str = "relu"
    optimizer: str = "sgd"
    seed: int = 0

    @property
    def widths(self) -> tuple[int, ...]:
        """Return input, hidden and output widths."""
        return (self.data.n_features, *self.hidden, self.data.n_classes)

    @property
    def updates_per_epoch(self) -> int:
        """Return how many batches an epoch has; all of one size."""
        return self.data.n_train // self.batch_size

    @property
    def updates(self) -> int:
        """Return the updates of one trial."""
        return self.n_epochs * self.updates_per_epoch

    @property
    def multiply_adds(self) -> int:
        """Return the useful ones of one update of one trial.

        Forward and the weights' gradient in every layer; the input's in all but the first.
        """
        layers = [a * b for a, b in pairwise(self.widths)]
        return self.batch_size * (2 * sum(layers) + sum(layers[1:]))


@dataclass(frozen=True, slots=True)
class Work:
    """A timed search."""

    name: str
    title: str
    flags: Mapping[str, Any]
    task: Task
    about_data: str
    l2_strengths: tuple[float, ...] = L2_STRENGTHS

    def shorter(self, n_epochs: int) -> "Work":
        """Return the same search with other epochs."""
        flags = {**self.flags, "training.epochs": n_epochs}
        return replace(self, flags=flags, task=replace(self.task, n_epochs=n_epochs))


_ONE_HIDDEN_LAYER: Final = {
    "data.split": "random",
    "data.normalisation": "standardise",
    "network.hidden": (50,),
    "network.initialisation": "xavier",
    "training.eta_min": 1e-5,
    "training.eta_max": 1e-1,
}
_MNIST: Final = {
    "data.name": "mnist",
    "data.split": "random",
    "data.train": 50_000,
    "data.validation": 10_000,
    "data.normalisation": "scale",
    "network.hidden": (),
    "network.initialisation": "xavier",
    "training.batch_size": 100,
    "training.eta_min": 1e-5,
    "training.eta_max": 1e-1,
    "training.ns": 1000,
}


def w1(options: Options, n_epochs: int = 8) -> Work:
    """Return λ on CIFAR-10, 3072-50-10: the KTH lab's network, cycle and length of a search."""
    flags = {
        **_ONE_HIDDEN_LAYER,
        "data.name": "cifar10",
        "data.train": 45_000,
        "data.validation": 5_000,
        "training.batch_size": 100,
        "training.ns": 900,
        "training.epochs": n_epochs,
    }
    return _work("W1", "8 λ, CIFAR-10 shape, 3072-50-10, batch 100", flags, 3072, options)


def w2(options: Options, n_epochs: int = 12, normalisation: str = "scale") -> Work:
    """Return λ on MNIST with softmax regression."""
    flags = {**_MNIST, "data.normalisation": normalisation, "training.epochs": n_epochs}
    pixels = "standardised" if normalisation == "standardise" else "scaled"
    title = f"8 λ, softmax regression on MNIST, {pixels}, batch 100"
    return _work("W2", title, flags, 784, options)


def w3(options: Options, n_epochs: int = 4) -> Work:
    """Return W2's model, a sample at a time, on 10,000 of the samples."""
    flags = {
        **_MNIST,
        "data.train": 10_000,
        "training.batch_size": 1,
        "training.eta_max": 1e-2,
        "training.ns": 20_000,
        "training.epochs": n_epochs,
    }
    return _work("W3", "8 λ, softmax regression on MNIST, batch 1", flags, 784, options)


def w5(options: Options, n_epochs: int = 8) -> Work:
    """Return λ on MNIST for a network as NTNU's assignments have it: momentum, batch size 32."""
    flags = {
        **_MNIST,
        **_steady(0.02),
        # Whole batches, as the peers have them.
        "data.train": 1562 * 32,
        "network.hidden": (64,),
        "network.activation": "improved-sigmoid",
        "training.optimizer": "momentum",
        "training.batch_size": 32,
        "training.epochs": n_epochs,
    }
    title = "8 λ, MNIST, 784-64-10, improved sigmoid, momentum, batch 32"
    return _work("W5", title, flags, 784, options)


def w6(options: Options, batch_size: int, n_epochs: int = 4) -> Work:
    """Return λ on Fashion-MNIST for two hidden layers and Adam."""
    flags = {
        **_MNIST,
        **_steady(1e-3),
        "data.name": "fashion-mnist",
        "data.train": 2_000 if batch_size == 1 else 50_000,
        "network.hidden": (128, 128),
        "training.optimizer": "adam",
        "training.batch_size": batch_size,
        "training.epochs": n_epochs,
    }
    title = f"8 λ, Fashion-MNIST, 784-128-128-10, Adam, batch {batch_size:,}"
    return _work("W6", title, flags, 784, options)


def w7(options: Options, n_epochs: int = 60) -> Work:
    """Return λ on the digits, 64-50-10."""
    flags = {
        **_ONE_HIDDEN_LAYER,
        "data.name": "digits",
        "data.train": 1_120,
        "data.validation": 300,
        "training.batch_size": 20,
        "training.ns": 224,
        "training.epochs": n_epochs,
    }
    return _work("W7", "8 λ, digits, 64-50-10, batch 20", flags, 64, options)


# Of W8's table: columns of numbers, columns of words and the words of each.
TABLE_ROWS = 1_000_000
_NUMBERS, _WORDS, _EACH = 50, 10, 5


def w8_flags(n_epochs: int = 8) -> dict[str, Any]:
    """Return a search over a table: a million rows, 50 columns of numbers and ten of words."""
    return {
        "data.name": str(_table()),
        "data.categorical": "one-hot",
        "data.test": "none",
        "data.split": "random",
        # Whole batches, as the peers have them.
        "data.train": 3515 * 256,
        "data.validation": 100_000,
        "data.normalisation": "standardise",
        "network.hidden": (32,),
        "network.initialisation": "xavier",
        "training.batch_size": 256,
        "training.eta_min": 1e-5,
        "training.eta_max": 1e-1,
        "training.ns": 3000,
        "training.epochs": n_epochs,
    }


def w8(options: Options) -> Work:
    """Return λ on the table, 100-32-5: half of the features are one-hot."""
    n_features = _NUMBERS + _WORDS * _EACH
    return _work("W8", "8 λ, 1,000,000 × 100 table, 100-32-5", w8_flags(), n_features, options)


def _table() -> Path:
    """Return a Parquet file of rows in five overlapping classes; written once a machine."""
    path = Path(tempfile.gettempdir()) / "coarsefine-benchmark-table-1.parquet"
    if not path.exists():
        import pyarrow as pa
        import pyarrow.parquet as pq

        rng = np.random.default_rng(0)
        centres = 0.3 * rng.standard_normal((5, _NUMBERS + _WORDS))
        part = path.with_suffix(".part")
        writer = None
        for _ in range(10):
            labels = rng.integers(0, 5, TABLE_ROWS // 10)
            values = centres[labels] + rng.standard_normal((len(labels), _NUMBERS + _WORDS))
            words = np.clip(np.floor(1.5 * values[:, _NUMBERS:] + 2.5), 0, _EACH - 1).astype(int)
            columns: dict[str, Any] = {
                f"x{i}": values[:, i].astype(np.float32) for i in range(_NUMBERS)
            }
            columns |= {f"w{i}": np.array(list("abcde"))[words[:, i]] for i in range(_WORDS)}
            rows = pa.table({**columns, "label": labels})
            if writer is None:
                writer = pq.ParquetWriter(part, rows.schema)
            writer.write_table(rows)
        assert writer is not None
        writer.close()
        part.replace(path)
    return path


def _steady(eta: float) -> dict[str, Any]:
    """Return the settings of an η that stays what it is."""
    return {"training.eta_min": eta, "training.eta_max": eta, "training.ns": 1000}


def _work(name: str, title: str, flags: dict[str, Any], n_features: int, options: Options) -> Work:
    data, about = _prepared(flags, options)
    if data is None:
        n_samples = flags["data.train"] + flags["data.validation"]
        path = _made_up(n_samples, n_features)
        flags = {**flags, "data.name": str(path)}
        data = prepare(to_data_spec(make_recipe(None, flags)), data_dir=options.data_dir)
        about = f"made-up samples of the shape of {about}, whose files are not here"
    return Work(
        name=name,
        title=title,
        flags=flags,
        task=Task(
            data=data,
            hidden=flags["network.hidden"],
            batch_size=flags["training.batch_size"],
            n_epochs=flags["training.epochs"],
            eta_min=flags["training.eta_min"],
            eta_max=flags["training.eta_max"],
            half_cycle=flags["training.ns"],
            activation=flags.get("network.activation", "relu"),
            optimizer=flags.get("training.optimizer", "sgd"),
        ),
        about_data=about,
    )


def _prepared(flags: dict[str, Any], options: Options) -> tuple[PreparedData | None, str]:
    name = flags["data.name"]
    try:
        spec = to_data_spec(make_recipe(None, flags))
        return prepare(spec, data_dir=options.data_dir, download=False), f"real {name}"
    except DataError as error:
        log(f"{name}: {error}")
        return None, name


def _made_up(n_samples: int, n_features: int) -> Path:
    """Return a file of bytes in ten overlapping classes; written once a machine."""
    what = f"coarsefine-benchmark-{n_samples}-{n_features}"
    path = (
        Path(tempfile.gettempdir()) / f"{what}-{hashlib.sha256(what.encode()).hexdigest()[:8]}.npz"
    )
    if not path.exists():
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 10, n_samples)
        centres = rng.uniform(96, 160, (10, n_features))
        samples = np.empty((n_samples, n_features), np.uint8)
        for start in range(0, n_samples, 5000):
            these = labels[start : start + 5000]
            noise = rng.normal(0, 60, (len(these), n_features))
            samples[start : start + 5000] = np.clip(centres[these] + noise, 0, 255)
        part = path.with_suffix(".part.npz")
        np.savez(part, x_train=samples, y_train=labels, x_test=samples[:100], y_test=labels[:100])
        part.replace(path)
    return path
