"""What the figures of a final test are worth: intervals, ties, pairs, ensembles.

All of it follows from what networks predicted for each test sample, as far as that was kept.
``docs/statistics.md`` says what is claimed.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.final_records import TestEnsembleRecord
from coarsefine.db.records import TestOpeningRecord, TestRunRecord
from coarsefine.models.errors import ModelError
from coarsefine.models.outcomes import read_rights
from coarsefine.studies.results.evidence.contrasts import contrast, decided, holm, mcnemar
from coarsefine.studies.results.evidence.intervals import (
    NETWORK,
    interval,
    interval_of_accuracies,
    on_these_samples,
    standard_error,
)
from coarsefine.studies.results.evidence.spread import NETWORKS
from coarsefine.studies.results.evidence.ties import Judged, judge, judge_accuracies
from coarsefine.studies.results.judging.statistics import (
    Interval,
    binomial_error,
    deviation_of,
    wilson,
)
from coarsefine.studies.results.notes.test_set import is_hand_picked
from coarsefine.studies.results.scoring.scorer import CLOSE

Rights = NDArray[np.float32]
# Of a difference that does not matter: verdicts of equivalence are not asked for here.
_ANY: Final = 1.0


@dataclass(frozen=True, slots=True)
class TestedEvidence:
    """What can be said of a trial's test accuracy.

    Attributes:
        n_seeds: Seeds it has a result of.
        standard_deviation: Over seeds; ``None`` for one.
        error: Standard error; over new seeds and new samples where it has several seeds, else of
            the network on new samples.
        interval: 95 %, likewise.
        seeds: 95 % interval for new seeds on these test samples; ``None`` for one seed.
        samples: 95 % interval for these networks on new samples.
        difference: To the trial with the highest test accuracy.
        tied: Whether it may be the best of those tested; ``None`` where one was tested.
        corrected: Test accuracy less what choosing it by that adds, of the best by test accuracy
            unless the ranking had put it first before.
    """

    __test__ = False  # pytest: not a test

    n_seeds: int = 0
    standard_deviation: float | None = None
    error: float | None = None
    interval: Interval | None = None
    seeds: Interval | None = None
    samples: Interval | None = None
    difference: float | None = None
    tied: bool | None = None
    corrected: float | None = None


NOTHING: Final = TestedEvidence()


@dataclass(frozen=True, slots=True)
class TestedPair:
    """Two trials compared on the test samples.

    Attributes:
        first: Rank of the trial with the higher rank.
        second: Rank of the other.
        method: ``mcnemar`` of two networks; ``crossed`` over seeds and samples.
        difference: Of their test accuracies, first less second.
        interval: 95 % for this difference alone.
        p: After Holm (1979), for all pairs.
    """

    __test__ = False  # pytest: not a test

    first: int
    second: int
    method: Literal["mcnemar", "crossed"]
    difference: float
    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class EnsembleEvidence:
    """An ensemble beside the best trial alone.

    Attributes:
        record: What it reached.
        interval: 95 % of its accuracy: for these networks on new samples.
        difference: Of its accuracy less that of the best trial, which is a mean over its seeds;
            ``None`` where outcomes are missing.
        difference_interval: 95 %, paired by sample: for these networks on new samples.
        p: That of the difference, after Holm for both ensembles.
    """

    record: TestEnsembleRecord
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class OpeningEvidence:
    """What can be said of an opening of the test set.

    Attributes:
        trials: By rank.
        pairs: All pairs of trials with a result, as far as outcomes were kept.
        ensembles: In the order they were recorded.
        n_seeds: The most that a trial has.
        n_tied: Trials that may be the best; 0 if one stands alone.
        best: Rank of the trial with the highest test accuracy.
        alone: Rank of the trial that ensembles are compared with, and its accuracy.
        margin: How large a difference to the best may be by chance: the median over tied trials, or
            over all where none is tied; ``None`` where one trial has a result.
        optimism: By how much the best of them by test accuracy is overestimated for that.
        method: What trials were compared by.
    """

    trials: Mapping[int, TestedEvidence] = field(default_factory=dict)
    pairs: tuple[TestedPair, ...] = ()
    ensembles: tuple[EnsembleEvidence, ...] = ()
    n_seeds: int = 1
    n_tied: int = 0
    best: int | None = None
    alone: tuple[int, float] | None = None
    margin: float | None = None
    optimism: float = 0.0
    method: Literal["samples", "accuracies"] = "samples"

    def of(self, run: TestRunRecord) -> TestedEvidence:
        """Return what can be said of a trial."""
        return self.of_rank(run.rank)

    def of_rank(self, rank: int) -> TestedEvidence:
        """Return what can be said of the trial of a rank."""
        return self.trials.get(rank, NOTHING)


def evidence_of(database: Database, opening: TestOpeningRecord) -> OpeningEvidence:
    """Return what can be said of an opening of the test set."""
    runs = [run for run in opening.runs if run.test_accuracy is not None]
    if not runs:
        return OpeningEvidence()
    seeds = [[seed for seed in run.seeds if seed.test_accuracy is not None] for run in runs]
    payloads = repository.test_outcomes(database, [seed.id for each in seeds for seed in each])
    rights = [_rights(each, payloads, opening.n_test) for each in seeds]
    n_seeds = max(map(len, seeds))
    judged = _judged(seeds, rights, opening.n_test, n_seeds)
    trials = {
        run.rank: _single(each, right, opening.n_test)
        for run, each, right in zip(runs, seeds, rights, strict=True)
    }
    found = OpeningEvidence(
        trials=trials,
        pairs=_pairs(runs, rights),
        ensembles=_ensembles(opening, runs, rights),
        n_seeds=n_seeds,
        alone=(runs[0].rank, runs[0].test_accuracy or 0.0),
        method="accuracies" if any(right is None for right in rights) else "samples",
    )
    return found if judged is None else _ranked(found, opening, runs, judged)


def _rights(
    seeds: Sequence[TestRunRecord], payloads: Mapping[int, bytes], n_samples: int
) -> dict[int, Rights] | None:
    """Return which samples each seed was right about; ``None`` where some seed's are not kept."""
    found = {}
    for seed in seeds:
        right = None if seed.id not in payloads else _right(payloads[seed.id], n_samples)
        accuracy = seed.test_accuracy or 0.0
        if right is None or abs(float(right.mean(dtype=np.float64)) - accuracy) > CLOSE:
            return None
        found[seed.replicate] = right
    return found


def _right(payload: bytes, n_samples: int) -> Rights | None:
    # Damaged outcomes are as good as none: a check of the database tells more.
    with contextlib.suppress(ModelError):
        right = read_rights(payload, n_samples).right
        if len(right) == n_samples:
            return right.astype(np.float32)
    return None


def _single(
    seeds: Sequence[TestRunRecord], rights: Mapping[int, Rights] | None, n_samples: int
) -> TestedEvidence:
    accuracies = [seed.test_accuracy or 0.0 for seed in seeds]
    if len(seeds) == 1:
        ends = wilson(accuracies[0], n_samples)
        error = binomial_error(accuracies[0], n_samples)
        return TestedEvidence(n_seeds=1, error=error, interval=ends, samples=ends)
    deviation = deviation_of(accuracies)
    if rights is None:
        both = interval_of_accuracies(accuracies, n_samples)
        return TestedEvidence(len(seeds), deviation, interval=both)
    scores = np.stack(list(rights.values()))
    return TestedEvidence(
        n_seeds=len(seeds),
        standard_deviation=deviation,
        error=standard_error(scores),
        interval=interval(scores),
        seeds=on_these_samples(scores),
        samples=interval(scores.mean(axis=0, dtype=np.float64)[None], NETWORK),
    )


# ------------------------------------------------------------------------------------ compared


def _judged(
    seeds: Sequence[Sequence[TestRunRecord]],
    rights: Sequence[Mapping[int, Rights] | None],
    n_samples: int,
    n_seeds: int,
) -> Judged | None:
    """Return which trials may be the best on new samples; with several seeds, on new seeds, too."""
    if len(seeds) < 2:
        return None
    replicates = sorted({seed.replicate for each in seeds for seed in each})
    shape = len(seeds), len(replicates)
    present, accuracies = np.zeros(shape, np.bool_), np.zeros(shape)
    known = all(right is not None for right in rights)
    scores = np.zeros((*shape, n_samples if known else 0), np.float32)
    for row, (each, right) in enumerate(zip(seeds, rights, strict=True)):
        for seed in each:
            column = replicates.index(seed.replicate)
            present[row, column] = True
            accuracies[row, column] = seed.test_accuracy or 0.0
            if known and right is not None:
                scores[row, column] = right[seed.replicate]
    spread = NETWORKS if n_seeds == 1 else None
    if known:
        return judge(scores, present, spread=spread)
    return judge_accuracies(accuracies, present, n_samples, spread=spread)


def _ranked(
    found: OpeningEvidence,
    opening: TestOpeningRecord,
    runs: Sequence[TestRunRecord],
    judged: Judged,
) -> OpeningEvidence:
    """Return the evidence with ties, and what choosing by test accuracy would add."""
    n_tied = int(judged.tied.sum())
    alone = n_tied < 2
    others = np.arange(len(runs)) != judged.best
    like_it = others if alone else others & judged.tied
    first = judged.best == 0 and not is_hand_picked(opening)
    trials = {}
    for row, run in enumerate(runs):
        own = found.trials[run.rank]
        accuracy = run.test_accuracy or 0.0
        difference = float(judged.difference[row])
        trials[run.rank] = replace(
            own,
            difference=difference if np.isfinite(difference) else None,
            tied=bool(judged.tied[row]) and not alone,
            corrected=accuracy - judged.optimism if row == judged.best and not first else None,
        )
    return replace(
        found,
        trials=trials,
        n_tied=0 if alone else n_tied,
        best=runs[judged.best].rank,
        alone=found.alone,
        margin=float(np.median(judged.margins[judged.best][like_it])),
        optimism=judged.optimism,
    )


def _pairs(
    runs: Sequence[TestRunRecord], rights: Sequence[Mapping[int, Rights] | None]
) -> tuple[TestedPair, ...]:
    """Return every pair of trials, by the seeds that both have."""
    places = []
    contrasts = []
    exact: list[float | None] = []
    for i, j in combinations(range(len(runs)), 2):
        one, other = rights[i], rights[j]
        shared = sorted(set(one or {}) & set(other or {}))
        if one is None or other is None or not shared:
            continue
        a, b = (np.stack([each[r] for r in shared]) for each in (one, other))
        places.append((runs[i].rank, runs[j].rank))
        contrasts.append(contrast(a, b, spread=NETWORKS if len(shared) == 1 else None))
        exact.append(mcnemar(a[0], b[0]) if len(shared) == 1 else None)
    compared = decided(contrasts, _ANY)
    p = holm(
        np.array([each.p if q is None else q for each, q in zip(compared, exact, strict=True)])
    )
    return tuple(
        TestedPair(
            *place,
            "crossed" if q is None else "mcnemar",
            each.difference,
            each.interval,
            float(adjusted),
        )
        for place, each, q, adjusted in zip(places, compared, exact, p, strict=True)
    )


def _ensembles(
    opening: TestOpeningRecord,
    runs: Sequence[TestRunRecord],
    rights: Sequence[Mapping[int, Rights] | None],
) -> tuple[EnsembleEvidence, ...]:
    """Return the ensembles beside the best-ranked trial alone."""
    n_samples = opening.n_test
    singles = [
        EnsembleEvidence(each, wilson(each.test_accuracy, n_samples)) for each in opening.ensembles
    ]
    answers = [_right(each.outcomes, n_samples) for each in opening.ensembles]
    best = rights[0]
    if best is None or any(each is None for each in answers):
        return tuple(singles)
    alone = np.stack(list(best.values()))
    mean = alone.mean(axis=0, dtype=np.float64)[None]
    known = [each for each in answers if each is not None]
    compared = decided([contrast(each[None], mean, spread=NETWORKS) for each in known], _ANY)
    p = [each.p for each in compared]
    if len(alone) == 1:
        p = [mcnemar(each, alone[0]) for each in known]
    return tuple(
        EnsembleEvidence(each.record, each.interval, found.difference, found.interval, float(q))
        for each, found, q in zip(singles, compared, holm(np.array(p)), strict=True)
    )
