"""What would have been concluded under sloppier protocols: what is stored, ranked once more.

A pure function of stored rows; ``replaying`` reads them. Nothing is trained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

import numpy as np

from coarsefine.studies.results.outcomes import Rights
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.splits import Splits

SEED: Final = 0
"""Of the halves of the validation samples."""

N_HALVES: Final = 200

Name = Literal[
    "one-seed",
    "another-seed",
    "best-epoch",
    "half-samples",
    "linear-grid",
    "by-test",
    "stopped-early",
]

WORDS: Final[dict[Name, str]] = {
    "one-seed": "the first seed alone",
    "another-seed": "another seed alone",
    "best-epoch": "the best epoch of each run",
    "half-samples": "half of the validation samples",
    "linear-grid": "a linear grid of values",
    "by-test": "a choice by test accuracy",
    "stopped-early": "training stopped earlier",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that was tried, as far as it is replayed.

    Attributes:
        accuracies: Validation accuracy by replicate, as it was scored.
        curves: Validation accuracies by epoch, from the first on, by replicate.
        rights: Which validation samples were right, by replicate; empty where that was not kept.
    """

    trial: RankedTrial
    accuracies: Mapping[int, float]
    curves: Mapping[int, Mapping[int, float]]
    rights: Mapping[int, Rights]


@dataclass(frozen=True, slots=True)
class Case:
    """One time that a protocol is carried out.

    Attributes:
        name: Which seed, epoch or half it is.
        winner: The trial that it would have named.
        headline: The accuracy that it would have reported.
        honest: What the honest protocol says of the value that it names itself: its validation
            accuracy, or its test accuracy where the headline is one.
        another: Whether another value is named.
    """

    name: str
    winner: RankedTrial
    headline: float
    honest: float
    another: bool

    @property
    def flattery(self) -> float:
        """Return by how much the headline is above what the honest protocol says."""
        return self.headline - self.honest

    @property
    def worse(self) -> bool:
        """Return whether the ranking says that the value named is worse than the best."""
        return self.another and self.winner.tied is False


@dataclass(frozen=True, slots=True)
class Protocol:
    """A sloppier protocol with all cases of it that could be replayed, one or more.

    Attributes:
        words: What it does.
    """

    name: Name
    words: str
    cases: tuple[Case, ...]

    @property
    def n_another(self) -> int:
        """Return in how many cases another value would have been named."""
        return sum(case.another for case in self.cases)

    @property
    def n_worse(self) -> int:
        """Return in how many cases that value is worse than the best, beyond chance."""
        return sum(case.worse for case in self.cases)

    @property
    def flattery(self) -> float:
        """Return by how much headlines flatter, on average."""
        return fmean(case.flattery for case in self.cases)

    @property
    def ends(self) -> tuple[float, float]:
        """Return the least and the most that a headline flatters."""
        found = [case.flattery for case in self.cases]
        return min(found), max(found)


@dataclass(frozen=True, slots=True)
class Replay:
    """A study under sloppier protocols.

    Attributes:
        ranking: What the honest protocol says.
        n_values: How many values are ranked.
        protocols: Those that could be replayed.
        left_out: Why the others could not.
    """

    ranking: Ranking
    n_values: int
    protocols: tuple[Protocol, ...]
    left_out: Mapping[Name, str]

    @property
    def best(self) -> RankedTrial:
        """Return the trial that the honest protocol names."""
        best = self.ranking.best
        assert best is not None  # noqa: S101  # replayed is a study with complete trials
        return best

    def words(self, name: Name) -> str:
        """Return what a protocol does, left out or not."""
        return _words(self.ranking, name)


def _words(ranking: Ranking, name: Name) -> str:
    return WORDS[name].replace("seed", _run(ranking))


def _run(ranking: Ranking) -> str:
    """Return what one training run of a value is: a seed, a split, or a seed on a fold."""
    splits = Splits.of(ranking.study)
    if splits is None:
        return "seed"
    most = max(trial.replicates for trial in ranking.trials)
    return "run" if splits.folds and most > splits.folds else splits.word


_Found = tuple[Case, ...] | str


def replayed(ranking: Ranking, candidates: Sequence[Candidate]) -> Replay:
    """Return what sloppier protocols would have concluded.

    Of values with the same accuracy, a protocol names the one that the ranking has first.

    Args:
        ranking: With a complete trial.
        candidates: A trial of each value, the best first.
    """
    ways: dict[Name, Callable[[Ranking, Sequence[Candidate]], _Found]] = {
        "one-seed": _one_seed,
        "another-seed": _another_seed,
        "best-epoch": _best_epoch,
        "half-samples": _half_samples,
        "linear-grid": _linear_grid,
        "by-test": _by_test,
        "stopped-early": _stopped_early,
    }
    protocols, left_out = [], {}
    for name, way in ways.items():
        found = way(ranking, candidates) if len(candidates) > 1 else "only one value was tried"
        if isinstance(found, str):
            left_out[name] = found
        else:
            protocols.append(Protocol(name, _words(ranking, name), found))
    return Replay(ranking, len(candidates), tuple(protocols), left_out)


def _case(
    name: str, candidates: Sequence[Candidate], scores: Sequence[float], honest: float
) -> Case:
    """Return the case in which these are the accuracies; the first of the candidates is best."""
    place = max(range(len(scores)), key=lambda i: (scores[i], -i))
    winner = candidates[place].trial
    return Case(name, winner, float(scores[place]), honest, another=place > 0)


def _honest(candidates: Sequence[Candidate]) -> float:
    return candidates[0].trial.validation_accuracy or 0.0


# ---------------------------------------------------------------------------------- by seed


def _one_seed(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    found = _by_seed(ranking, candidates)
    return found if isinstance(found, str) else found[:1]


def _another_seed(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    found = _by_seed(ranking, candidates)
    return found if isinstance(found, str) else found[1:]


def _by_seed(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    replicates = sorted(candidates[0].accuracies)
    if len(replicates) < 2:
        return "the best value was trained with one seed"
    found, run = [], _run(ranking)
    for replicate in replicates:
        having = [each for each in candidates if replicate in each.accuracies]
        scores = [each.accuracies[replicate] for each in having]
        found.append(_case(f"{run} {replicate + 1}", having, scores, _honest(candidates)))
    return tuple(found)


# --------------------------------------------------------------------------------- by epoch


def _best_epoch(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    if ranking.score == "best":
        return "the recipe itself scores the best epoch"
    if not _have_curves(candidates):
        return "not all runs have a curve, or none has two epochs"
    scores = [fmean(max(curve.values()) for curve in each.curves.values()) for each in candidates]
    return (_case("best epoch", candidates, scores, _honest(candidates)),)


def _stopped_early(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    if not _have_curves(candidates):
        return "not all runs have a curve, or none has two epochs"
    curves = [list(each.curves.values()) for each in candidates]
    if ranking.score == "lowest":
        return "runs count with an evaluation within an epoch, which curves do not show"
    first = max(min(curve) for of_trial in curves for curve in of_trial)
    epochs = sorted({epoch for of_trial in curves for curve in of_trial for epoch in curve})
    until = [
        np.mean([_by_epoch(curve, epochs, ranking.score) for curve in of_trial], axis=0)
        for of_trial in curves
    ]
    scores = np.stack(until)
    found = [
        _case(f"epoch {k}", candidates, scores[:, place].tolist(), _honest(candidates))
        for place, k in enumerate(epochs[:-1])
        if k >= first
    ]
    return tuple(found) or "no epoch before the last was measured for all runs"


def _by_epoch(curve: Mapping[int, float], epochs: Sequence[int], score: str) -> list[float]:
    """Return what a run would have been scored if it had been stopped, by epoch; 0 before any."""
    found, last = [], 0.0
    for epoch in epochs:
        now = curve.get(epoch, last)
        last = max(last, now) if score == "best" else now
        found.append(last)
    return found


def _have_curves(candidates: Sequence[Candidate]) -> bool:
    """Return whether each run has a curve, and any of them two epochs or more."""
    curves = [curve for each in candidates for curve in each.curves.values()]
    whole = all(each.curves.keys() == each.accuracies.keys() for each in candidates)
    return whole and all(curves) and any(len(curve) > 1 for curve in curves)


# ------------------------------------------------------------------------ by samples, by values


def _half_samples(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    if Splits.of(ranking.study) is not None:
        return "replicates have validation samples of their own"
    # Values far down would not win on any half: outcomes are read for the best alone.
    having = [each for each in candidates if each.rights]
    if len(having) < 2 or having[0] is not candidates[0]:
        return "no predictions of single samples are stored"
    right = np.stack([np.mean(np.stack(list(each.rights.values())), axis=0) for each in having])
    n = right.shape[1]
    if n < 4:
        return "there are fewer than four validation samples"
    rng = np.random.default_rng(SEED)
    found = []
    for draw in range(N_HALVES):
        half = rng.permutation(n)[: n // 2]
        scores = right[:, half].mean(axis=1)
        # Of equal shares, sums may differ by rounding.
        rounded = np.round(scores, 12).tolist()
        found.append(_case(f"half {draw + 1}", having, rounded, _honest(candidates)))
    return tuple(found)


def _linear_grid(ranking: Ranking, candidates: Sequence[Candidate]) -> _Found:
    name = ranking.numeric_parameter
    if name is None:
        return "what was searched is not one number"
    values = [float(each.trial.params[name]) for each in candidates]
    if len(values) < 3:
        return "fewer than three values were tried"
    grid = np.linspace(min(values), max(values), len(values))
    nearest = {int(np.abs(np.array(values) - point).argmin()) for point in grid}
    kept = sorted(nearest)
    having = [candidates[i] for i in kept]
    scores = [each.trial.validation_accuracy or 0.0 for each in having]
    case = _case(f"{len(kept)} of {len(values)} values", having, scores, _honest(candidates))
    return (Case(case.name, case.winner, case.headline, case.honest, another=0 not in nearest),)


def _by_test(_: Ranking, candidates: Sequence[Candidate]) -> _Found:
    tested = [each for each in candidates if each.trial.test_accuracy is not None]
    if not tested:
        return "the test set was not opened"
    if tested[0] is not candidates[0]:
        return "the best value was not tested"
    if len(tested) < 2:
        return "only one value was tested"
    scores = [each.trial.test_accuracy or 0.0 for each in tested]
    return (_case(f"{len(tested)} tested values", tested, scores, scores[0]),)
