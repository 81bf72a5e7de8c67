"""What is known of a study at one moment, kept until something of it changes."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StageRecord, StudySummary, TestOpeningRecord
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import read_ranking

_PATIENCE: Final = 5.0
"""A study that changes all the time is read again after so many times what reading takes."""


@dataclass(frozen=True)
class Sheet:
    """A study at one moment.

    Attributes:
        stages: Those that search, and so are studies of Optuna's.
        stamp: Changes with anything that is stored of it.
    """

    database: Database
    ranking: Ranking
    stages: tuple[StageRecord, ...]
    openings: tuple[TestOpeningRecord, ...]
    stamp: str

    @cached_property
    def trials(self) -> Mapping[str, RankedTrial]:
        """Return the trials by UUID."""
        return {trial.uuid: trial for trial in self.ranking.trials if trial.uuid is not None}

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Return the keys of the trials in the database, by UUID."""
        return {
            row.uuid: row.id for row in repository.trial_rows(self.database, self.ranking.study)
        }

    @cached_property
    def failures(self) -> Mapping[str, str]:
        """Return why trials failed, by UUID."""
        failed = {
            self.ids[uuid]: uuid for uuid, trial in self.trials.items() if trial.state == "failed"
        }
        runs = repository.run_rows(self.database, trial_ids=list(failed)) if failed else []
        return {failed[run.trial_id]: run.failure for run in runs if run.failure}

    @cached_property
    def n_ranked(self) -> int:
        """Return how many trials are complete."""
        return sum(trial.rank is not None for trial in self.ranking.trials)

    def stage(self, uuid: str) -> StageRecord | None:
        """Return a stage."""
        return next((stage for stage in self.stages if stage.uuid == uuid), None)


class Sheets:
    """The sheets of a database's studies; safe to be used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._known: dict[str, Sheet] = {}
        self._not_before: dict[str, float] = {}

    def of(self, study: str) -> Sheet | None:
        """Return the sheet of a study, ``None`` if there is no such study."""
        summary = next(
            (s for s in repository.list_studies(self._database) if s.name == study), None
        )
        if summary is None:
            return None
        stamp = _stamp(summary)
        # One at a time: others that ask for the same need not read it, too.
        with self._lock:
            known = self._known.get(summary.uuid)
            if known is not None and (
                known.stamp == stamp or time.monotonic() < self._not_before[summary.uuid]
            ):
                return known
            begun = time.monotonic()
            sheet = _read(self._database, study, stamp)
            if sheet is not None:
                self._known[summary.uuid] = sheet
                taken = time.monotonic() - begun
                self._not_before[summary.uuid] = time.monotonic() + _PATIENCE * taken
            return sheet


def _stamp(summary: StudySummary) -> str:
    return hashlib.sha256(repr(summary).encode()).hexdigest()[:12]


def _read(database: Database, name: str, stamp: str) -> Sheet | None:
    study = repository.find_study(database, name)
    if study is None:
        return None
    stages = repository.stages(database, study)
    return Sheet(
        database=database,
        ranking=read_ranking(database, study, "accuracy"),
        stages=tuple(stage for stage in stages if stage.optuna_name is not None),
        openings=tuple(repository.openings(database, study)),
        stamp=stamp,
    )
