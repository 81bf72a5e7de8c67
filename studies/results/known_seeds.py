"""What other studies of a file say of the spread over seeds, for a study of one seed or few."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.models import special
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.recipe import Recipe, differences, from_json
from coarsefine.studies.results.evidence.pairs import compared
from coarsefine.studies.results.evidence.spread import Spread
from coarsefine.studies.results.evidence.ties import judge
from coarsefine.studies.results.predictions import outcomes_of
from coarsefine.studies.results.scoring.scorer import Scorer
from coarsefine.studies.results.scoring.seeds import SeedNoise
from coarsefine.studies.results.scoring.splits import Splits
from coarsefine.studies.spaces.dimensions import PARAMETERS

# Recipes are alike that differ in nothing but what trials of a cohort may differ in, the seed, and
# what is done after the search.
_ALIKE: Final = frozenset(
    {key.key for key in KEYS.values() if key.per_trial or key.section == "final"}
    | {"seed", "data.validation", "training.metric"}
)
# So many of the best trials and of the studies are looked at: neither takes long.
_MOST_TRIALS, _MOST_STUDIES = 12, 3
# And so many of their seeds, where these count beside a study's own: more would not count for more.
_MOST_SEEDS: Final = 5
# From fewer degrees of freedom a spread is not known better than by assumption.
_FEWEST_DF: Final = 3.0

FEW_SEEDS: Final = 2
"""Studies with more seeds are judged by their own alone: these say as much as another study may."""

# The spread of a difference, and of one run, are taken at these upper limits of what they may be,
# in place of quantiles of Student's t. Intervals have no other reserve, as margins have.
_UPPER, _UPPER_OF_RUN = 0.7, 0.8


def seeds_for(database: Database, study: StudyRecord, by: str, n_seeds: int) -> SeedNoise | None:
    """Return what a study is judged by beside its own seeds; ``None`` where that is nothing.

    Args:
        database: Where it is.
        study: Which study.
        by: Which metric.
        n_seeds: The most that any of its trials has.
    """
    if n_seeds > 1:
        return seeds_elsewhere(database, study, by) if n_seeds <= FEW_SEEDS else None
    return known_seeds(database, study, by)


def known_seeds(database: Database, study: StudyRecord, by: str) -> SeedNoise | None:
    """Return the spread over seeds of a study or a similar one; ``None`` where none is known.

    A study whose own trials have several seeds comes before others. Similar is a study on the same
    data whose recipe differs in nothing but numbers that trials of a cohort may differ in, the seed
    and the number of validation samples. Of several, the latest that says enough is taken.
    """
    replicated = repository.replicated_studies(database, study.data_name)
    replicated.sort(key=lambda other: other.id != study.id)
    return _first_known(database, study, replicated, lambda other: _measured(database, other, by))


def seeds_elsewhere(database: Database, study: StudyRecord, by: str) -> SeedNoise | None:
    """Return what a similar study says of seeds, beside the study's own; ``None`` if none does.

    Similar is what ``known_seeds`` takes for it, with as many validation samples, on which the
    ratio of seeds to samples depends. Trials that have a run in common with the study are left
    out: their seeds would count twice.
    """
    others = [
        other
        for other in repository.replicated_studies(database, study.data_name)
        if other.id != study.id
        and other.data_fingerprint == study.data_fingerprint
        and other.data.get("n_validation") == study.data.get("n_validation")
    ]

    def measured(other: StudyRecord) -> SeedNoise | None:
        common = repository.trials_in_common(database, other, study)
        return _measured(database, other, by, common, _MOST_SEEDS)

    return _first_known(database, study, others, measured)


def _first_known(
    database: Database,
    study: StudyRecord,
    candidates: Sequence[StudyRecord],
    measured: Callable[[StudyRecord], SeedNoise | None],
) -> SeedNoise | None:
    """Return what the first of some studies says that is similar to a study and says enough."""
    recipe = from_json(study.recipe, f"the recipe of {study.name}")
    keys = searched_keys(database, study)
    similar = (other for other in candidates if alike(database, recipe, keys, other))
    for other, _ in zip(similar, range(_MOST_STUDIES), strict=False):
        found = measured(other)
        if found is not None:
            return found
    return None


def alike(database: Database, recipe: Recipe, keys: frozenset[str], other: StudyRecord) -> bool:
    """Return whether a study is similar to one with a recipe, whose trials differ in some keys."""
    theirs = from_json(other.recipe, f"the recipe of {other.name}")
    if any(difference.key not in _ALIKE for difference in differences(recipe, theirs)):
        return False
    searched = searched_keys(database, other)
    return keys == searched or keys | searched <= _ALIKE


def searched_keys(database: Database, study: StudyRecord) -> frozenset[str]:
    """Return the keys that the trials of a study differ in."""
    stages = [s for s in repository.stages(database, study) if s.optuna_name is not None]
    names = {stage.parameter for stage in stages}
    names |= {each["name"] for s in stages for each in s.options.get("dimensions") or ()}
    return frozenset(PARAMETERS[name].key if name in PARAMETERS else name for name in names)


def _measured(
    database: Database,
    study: StudyRecord,
    by: str,
    without: frozenset[int] = frozenset(),
    most_seeds: int | None = None,
) -> SeedNoise | None:
    """Return what the best trials of a study say of seeds; ``None`` if that is too little.

    Args:
        database: Where it is.
        study: Whose trials.
        by: Which metric.
        without: Ids of trials that are left out.
        most_seeds: How many seeds of a trial are looked at, the first ones; ``None`` for all.
    """
    n_samples = int(study.data.get("n_validation", 0))
    if Splits.of(study) is not None:
        return None  # its runs differ in their samples, too
    rows = [
        row
        for row in repository.trial_rows(database, study)
        if row.state == "complete" and row.replicates > 1 and row.validation_accuracy is not None
        if row.id not in without
    ]
    rows.sort(key=lambda row: -(row.validation_accuracy or 0.0))
    try:
        scorer = Scorer.of(by, study)
    except StudyError:
        return None
    outcomes = outcomes_of(database, [row.id for row in rows[:_MOST_TRIALS]])
    first = [dict(sorted(each.items())[:most_seeds]) for each in outcomes]
    scores = _scores(scorer, first, n_samples)
    return None if scores is None else of_scores(scores, scorer.unit, study.name)


def _scores(
    scorer: Scorer, outcomes: Sequence[dict[int, bytes]], n_samples: int
) -> NDArray[np.float64] | None:
    """Return the scores of trials with the seeds that they all have, (T, R, N)."""
    runs = [
        {r: scored for r, payload in each.items() if (scored := scorer.scored(payload, n_samples))}
        for each in outcomes
    ]
    runs = [each for each in runs if len(each) > 1]
    seeds = sorted(set[int].intersection(*map(set, runs))) if runs else []
    if len(runs) < 2 or len(seeds) < 2:
        return None
    return np.array([[each[seed].scores for seed in seeds] for each in runs], np.float64)


def of_scores(scores: NDArray[np.float64], unit: float, source: str) -> SeedNoise | None:
    """Return how far seeds move a run, and the difference of two, beyond what samples show.

    Args:
        scores: (T, R, N), of trials that were all trained with the same seeds, T and R >= 2.
        unit: By how much a score changes where a sample flips, squared.
        source: Where they are from.
    """
    n_trials, n_seeds, n_samples = scores.shape
    present = np.ones((n_trials, n_seeds), np.bool_)
    spread = judge(scores, present, unit=unit).spread
    df = max(spread.df, n_seeds - 1.0) if np.isfinite(spread.df) else n_seeds - 1.0
    if df < _FEWEST_DF:
        return None
    upper, of_run = (df / float(special.chdtri(df, u)) for u in (_UPPER, _UPPER_OF_RUN))
    pairs = compared(scores, present)
    rest = float(np.median(pairs.rest[~np.eye(n_trials, dtype=bool)])) / n_samples
    pair = max(0.0, spread.ratio * upper - 1) * rest
    by_seed = scores.mean(axis=2)
    by_sample = scores.mean(axis=1)
    left = scores - by_seed[:, :, None] - by_sample[:, None] + by_seed.mean(axis=1)[:, None, None]
    flips = np.square(left).sum(axis=(1, 2)) / ((n_seeds - 1) * (n_samples - 1) * n_samples)
    run = float(np.median(by_seed.var(axis=1, ddof=1))) * of_run - float(np.median(flips))
    ratio = spread if np.isfinite(spread.df) else None
    return SeedNoise(Spread(extra=max(0.0, run)), Spread(extra=pair), source, ratio)
