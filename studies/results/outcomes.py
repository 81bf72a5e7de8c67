"""Which validation samples each run of some trials got right, as far as that was kept."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import RunRecord
from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import read_rights
from coarsefine.studies.results.evidence.pairs import Real
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.scorer import CLOSE
from coarsefine.studies.results.scoring.splits import Splits

Rights = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TrialOutcomes:
    """What was measured of a trial, by replicate.

    Attributes:
        runs: Those that have an accuracy.
        rights: (N,) of each run whose outcomes were kept and agree with its accuracy.
        labels: Checksums of the labels that these are of.
        splits: Where replicates are splits, each with samples of its own.
    """

    runs: Mapping[int, RunRecord]
    rights: Mapping[int, Rights]
    labels: frozenset[int]
    splits: Splits | None = None

    @property
    def accuracies(self) -> dict[int, float]:
        """Return the validation accuracy of each run."""
        return {replicate: run.validation_accuracy or 0.0 for replicate, run in self.runs.items()}

    @property
    def whole(self) -> bool:
        """Return whether all runs have outcomes, of the same labels unless they are splits."""
        known = bool(self.runs) and self.rights.keys() == self.runs.keys()
        return known and (len(self.labels) == 1 or self.splits is not None)

    def by_split(self) -> dict[int, Real]:
        """Return, where all runs have outcomes, means over the seeds of each split, (N,)."""
        assert self.splits is not None  # noqa: S101  # asked where replicates are splits
        found: dict[int, list[Rights]] = defaultdict(list)
        for replicate, right in self.rights.items():
            found[self.splits.number(replicate)].append(right)
        return {split: np.mean(runs, axis=0) for split, runs in found.items()}

    def scores(self, replicates: Sequence[int]) -> NDArray[np.float32]:
        """Return which samples some runs got right, (R, N), as 0 and 1."""
        return np.stack([self.rights[each] for each in replicates]).astype(np.float32)


def read_outcomes(
    database: Database, ranking: Ranking, trials: Sequence[RankedTrial]
) -> list[TrialOutcomes]:
    """Return what was measured of some complete trials of a ranking, in their order."""
    ids = {row.uuid: row.id for row in repository.trial_rows(database, ranking.study)}
    wanted = [ids[trial.uuid or ""] for trial in trials]
    runs = [
        run
        for run in repository.run_rows(database, trial_ids=wanted)
        if run.validation_accuracy is not None
    ]
    payloads = repository.run_outcomes(database, [run.id for run in runs])
    of_trials: dict[int, dict[int, RunRecord]] = {each: {} for each in wanted}
    for run in runs:
        of_trials[run.trial_id][run.replicate] = run
    splits = Splits.of(ranking.study)
    return [_read(of_trials[each], payloads, ranking.n_validation, splits) for each in wanted]


def _read(
    runs: Mapping[int, RunRecord],
    payloads: Mapping[int, bytes],
    n_validation: int,
    splits: Splits | None,
) -> TrialOutcomes:
    rights: dict[int, Rights] = {}
    labels: set[int] = set()
    for replicate, run in runs.items():
        payload = payloads.get(run.id)
        n_samples = n_validation if splits is None else splits.n_samples(replicate)
        if payload is None:
            continue
        # Damaged ones are as good as none: a check of the database tells more.
        with suppress(ModelError):
            kept = read_rights(payload, n_samples)
            agree = abs(float(kept.right.mean()) - (run.validation_accuracy or 0.0)) < CLOSE
            if len(kept.right) == n_samples and agree:
                rights[replicate] = kept.right
                labels.add(kept.labels_crc)
    return TrialOutcomes(runs, rights, frozenset(labels), splits)
