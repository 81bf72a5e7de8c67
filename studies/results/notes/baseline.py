"""What always predicting the most frequent class gives, beside the best trial."""

from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.note import Note

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.studies.results.evidence.metrics import Majority
    from coarsefine.studies.results.ranking import Ranking


def baseline_notes(database: "Database", ranking: "Ranking") -> tuple[Note, ...]:
    """Return the baseline where one class holds more than its share, and whether the best beats it.

    The loss of a constant prediction is not known: it has no probabilities.
    """
    from coarsefine.studies.results.scoring.labels import majority_of

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
    worse, does = ("worse", "better") if high < 0 else ("not significantly better", "as well")
    line += f"; the best trial is {worse} ({evidence})"
    return (Note("no-better-than-majority", line, f": ignoring the inputs does {does}"),)


def _beside_it(
    database: "Database", ranking: "Ranking", majority: "Majority"
) -> tuple[float, float, tuple[float, float]] | None:
    """Return the baseline's score, how far the best trial is ahead, and the interval of that.

    Both are measured on the same samples; where replicates are splits, on those of each. ``None``
    where the best trial kept no predictions, or there are too few samples for an interval.
    """
    from statistics import fmean

    import numpy as np

    from coarsefine.db import repository
    from coarsefine.studies.results.evidence.contrasts import contrast, decided
    from coarsefine.studies.results.evidence.splits import estimate_on_splits
    from coarsefine.studies.results.predictions import outcomes_of
    from coarsefine.studies.results.scoring.scorer import Scorer

    best, study = ranking.best, ranking.study
    if best is None:
        return None
    ids = [r.id for r in repository.trial_rows(database, study) if r.uuid == best.uuid]
    scorer = Scorer.of(ranking.by, study, labelled=True)
    (outcomes,) = outcomes_of(database, ids)
    runs, constant = {}, {}
    for replicate, payload in outcomes.items():
        run = scorer.scored(payload, ranking.n_validation, replicate=replicate)
        # One sample has no variance.
        if run is None or len(run.scores) < 2:
            return None
        runs[replicate] = run
        always = np.full(len(run.scores), majority.label)
        constant[replicate] = scorer.at(replicate).of_classes(always)
    if len(runs) < best.replicates:
        return None
    score = fmean(each.mean for each in constant.values())
    if scorer.splits is not None:
        splits = scorer.splits
        ahead = splits.averaged({r: run.mean - constant[r].mean for r, run in runs.items()})
        values = list(ahead.values())
        on_splits = estimate_on_splits(values, splits.n_samples(0), splits.correction, share=False)
        return None if on_splits is None else (score, fmean(values), on_splits.interval)
    scores, beside = (
        np.array([each.scores for each in of.values()], np.float64) for of in (runs, constant)
    )
    (found,) = decided([contrast(scores, beside, unit=scorer.unit)], delta=0.005)
    return score, found.difference, found.interval
