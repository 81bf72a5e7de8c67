"""What always predicting the most frequent class gives, beside the best trial."""

from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.splits import Splits

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.studies.results.evidence.metrics import Majority
    from coarsefine.studies.results.ranking import Ranking


def baseline_notes(database: "Database", ranking: "Ranking") -> tuple[Note, ...]:
    """Return the baseline where one class holds more than its share, and whether the best beats it.

    The loss of a constant prediction is not known: it has no probabilities.
    """
    from coarsefine.studies.results.labels import majority_of

    if not ranking.trials or not ranking.metric.share:
        return ()
    majority = majority_of(ranking.study)
    if majority is None or not majority.notable:
        return ()
    names = ranking.study.data.get("class_names")
    name = majority.label if names is None else names[majority.label]
    found = _beside_it(database, ranking, majority)
    score = majority.accuracy if found is None else found[0]
    line = (
        f"always predicting the most frequent class, {name}, has a {ranking.metric.words} of "
        f"{ranking.metric.shown(score)}"
    )
    if found is None:
        return (Note("majority", line),)
    _, difference, (low, high) = found
    points = [f"{100 * each:+z.2f}" for each in (difference, low, high)]
    evidence = f"{points[0]} points, 95 % interval {points[1]} to {points[2]}"
    if low > 0:
        return (Note("majority", f"{line}; the best trial is better ({evidence})"),)
    line += f"; the best trial is not significantly better ({evidence})"
    return (Note("no-better-than-majority", line, ": ignoring the inputs does as well"),)


def _beside_it(
    database: "Database", ranking: "Ranking", majority: "Majority"
) -> tuple[float, float, tuple[float, float]] | None:
    """Return the baseline's score, how far the best trial is ahead, and the interval of that.

    Both are measured on the same samples. ``None`` where the best trial kept no predictions, or
    there are too few samples for an interval.
    """
    import numpy as np

    from coarsefine.db import repository
    from coarsefine.studies.results.evidence.contrasts import contrast, decided
    from coarsefine.studies.results.labels import labels_of
    from coarsefine.studies.results.predictions import outcomes_of
    from coarsefine.studies.results.scorer import Scorer

    best, labels = ranking.best, labels_of(ranking.study)
    if best is None:
        return None
    if Splits.of(ranking.study) is not None:
        return _beside_it_on_splits(database, ranking, majority)
    ids = [r.id for r in repository.trial_rows(database, ranking.study) if r.uuid == best.uuid]
    scorer = Scorer.by(ranking.by, labels)
    constant = np.full(len(labels.classes), majority.label)
    (outcomes,) = outcomes_of(database, ids)
    runs = [scorer.scored(payload, len(constant)) for payload in outcomes.values()]
    baseline = scorer.of_classes(constant)
    # One sample has no variance.
    if len(constant) < 2 or len(runs) < best.replicates or any(run is None for run in runs):
        return None
    scores = np.array([run.scores for run in runs if run is not None], np.float64)
    beside = np.broadcast_to(np.asarray(baseline.scores, np.float64), scores.shape)
    (found,) = decided([contrast(scores, beside, unit=scorer.unit)], delta=0.005)
    return baseline.mean, found.difference, found.interval


def _beside_it_on_splits(
    database: "Database", ranking: "Ranking", majority: "Majority"
) -> tuple[float, float, tuple[float, float]] | None:
    """Return the same where replicates are splits: both are measured on the samples of each."""
    from statistics import fmean

    import numpy as np

    from coarsefine.db import repository
    from coarsefine.studies.results.evidence.splits import estimate_on_splits
    from coarsefine.studies.results.labels import labels_of
    from coarsefine.studies.results.predictions import outcomes_of
    from coarsefine.studies.results.scorer import Scorer

    best, study = ranking.best, ranking.study
    ids = [r.id for r in repository.trial_rows(database, study) if best and r.uuid == best.uuid]
    (outcomes,) = outcomes_of(database, ids)
    ahead, constant = {}, {}
    for replicate, payload in outcomes.items():
        scorer = Scorer.by(ranking.by, labels_of(study, replicate))
        assert scorer.labels is not None  # noqa: S101  # it was made by them
        n_samples = len(scorer.labels.classes)
        run = scorer.scored(payload, n_samples)
        if run is None:
            return None
        constant[replicate] = scorer.of_classes(np.full(n_samples, majority.label)).mean
        ahead[replicate] = run.mean - constant[replicate]
    splits = Splits.of(study)
    if best is None or splits is None or len(ahead) < best.replicates:
        return None
    values = list(splits.averaged(ahead).values())
    found = estimate_on_splits(values, splits.n_samples(0), splits.correction, share=False)
    return None if found is None else (fmean(constant.values()), fmean(values), found.interval)
