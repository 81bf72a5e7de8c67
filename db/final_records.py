"""What a final test adds to the database, and networks that answer as one on the test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

EnsembleMethod = Literal["vote", "mean"]
"""The class that most networks choose, or that with the highest mean of their probabilities."""


@dataclass(frozen=True, slots=True)
class TestEnsembleRecord:
    """What an ensemble reached on the test set.

    Attributes:
        members: Of each trial in it: rank, stage, params, and how many of its networks.
        n_networks: Networks in all.
        test_loss: Of the mean of probabilities; ``None`` for a vote.
        confusion: Samples of each class (row) taken for each class (column).
        outcomes: What it predicted for each test sample, packed by the trainer.
    """

    __test__: ClassVar[bool] = False  # pytest: not a test

    id: int
    opening_id: int
    method: EnsembleMethod
    members: list[Any]
    n_networks: int
    test_accuracy: float
    test_loss: float | None
    confusion: list[Any]
    outcomes: bytes


@dataclass(frozen=True, slots=True)
class NewTestEnsemble:
    """An ensemble to be added to an opening; attributes as of the record."""

    method: EnsembleMethod
    members: Sequence[Any]
    n_networks: int
    test_accuracy: float
    test_loss: float | None
    confusion: Sequence[Sequence[int]]
    outcomes: bytes


@dataclass(frozen=True, slots=True)
class NewTestRun:
    """A final test run to be recorded.

    Attributes:
        outcomes: What it predicted for each test sample, packed by the trainer.
        replicate: Which seed, from 0.
        selection_bias, test_cost: As of ``TestRunRecord``.
    """

    rank: int
    stage: str
    params: Mapping[str, Any]
    trial_uuid: str | None = None
    validation_accuracy: float | None = None
    final_validation_accuracy: float | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None
    confusion: Sequence[Sequence[int]] | None = None
    seconds: float | None = None
    epochs: int | None = None
    outcomes: bytes | None = None
    replicate: int = 0
    selection_bias: float | None = None
    test_cost: float | None = None


@dataclass(frozen=True, slots=True)
class NewTestOpening:
    """An opening of the test set to be recorded."""

    data_fingerprint: str
    refit: str
    recipe: Mapping[str, Any]
    n_test: int
    versions: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    stage: str | None = None
    note: str = ""
