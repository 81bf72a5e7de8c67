"""A study and a stage to be added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from coarsefine.db.records import new_uuid

LONGEST_NAME: Final = 255
"""Of a study, in characters: the width of its column."""


@dataclass(frozen=True, slots=True)
class NewStudy:
    """A study to be added, not yet with any stage."""

    name: str
    search: str
    recipe: Mapping[str, Any]
    seed: int
    data_name: str
    data_fingerprint: str
    data: Mapping[str, Any]
    versions: Mapping[str, Any]
    machine: Mapping[str, Any]
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class NewStage:
    """A stage to be added, not yet with any trials; it gets the next position of its study."""

    name: str
    optuna_name: str | None
    parameter: str
    sampler: str
    reason: str
    parent: str | None = None
    low: float | None = None
    high: float | None = None
    values: Sequence[Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = field(default_factory=new_uuid)
