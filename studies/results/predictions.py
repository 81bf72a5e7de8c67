"""What the runs of a study predicted, as the database keeps it, and metrics of it."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import RunRecord, StudyRecord, TrialRow
from coarsefine.hints import option
from coarsefine.studies.errors import StudyError, did_you_mean
from coarsefine.studies.metric import METRICS, Metric, metric_named
from coarsefine.studies.results.judging.statistics import How
from coarsefine.studies.results.ranking import Place, RankedTrial

if TYPE_CHECKING:
    from coarsefine.studies.results.scoring.scorer import Scorer

# Outcomes of so many runs at a time are held in memory.
_AT_ONCE = 500


def ranked_by(study: StudyRecord) -> str:
    """Return what the study's recipe ranks trials by."""
    return str(study.recipe["training"].get("metric") or "accuracy")


def rows_by_score(database: Database, study: StudyRecord) -> list[TrialRow]:
    """Return the trials of a study with what its recipe ranks by in place of the accuracy.

    So searches go by the same. More is better; of a trial whose score is not known it is ``None``.
    """
    rows, by = repository.trial_rows(database, study), ranked_by(study)
    if by == "accuracy":
        return rows
    runs = metrics_of(database, study, by)
    return [row._replace(validation_accuracy=_mean(runs, row.id, row.replicates)) for row in rows]


def _mean(
    runs: Mapping[int, Mapping[int, tuple[float, float | None]]], trial_id: int, n_replicates: int
) -> float | None:
    own = runs.get(trial_id, {})
    return fmean(value for value, _ in own.values()) if len(own) == n_replicates else None


def outcomes_of(database: Database, trial_ids: Sequence[int]) -> list[dict[int, bytes]]:
    """Return what the runs of each trial predicted, by replicate, as far as it was kept."""
    runs = repository.run_rows(database, trial_ids=trial_ids)
    payloads = repository.run_outcomes(database, [run.id for run in runs])
    found: dict[int, dict[int, bytes]] = {trial: {} for trial in trial_ids}
    for run in runs:
        if run.id in payloads:
            found[run.trial_id][run.replicate] = payloads[run.id]
    return [found[trial] for trial in trial_ids]


def metrics_of(
    database: Database, study: StudyRecord, by: str, scorer: "Scorer | None" = None
) -> dict[int, dict[int, tuple[float, float | None]]]:
    """Return a metric of each run, and its variance for having been measured on these samples.

    Args:
        database: Where the study is.
        study: Whose runs.
        by: Which metric. Of the loss, the negated loss: more is better.
        scorer: Makes scores of what runs predicted; made where it is missing.

    Returns:
        By trial id and replicate, as far as it is known.

    Raises:
        StudyError: If the labels of the validation samples are not known.
    """
    from coarsefine.studies.results.scoring.scorer import Scorer

    if metric_named(by).own:
        return _reported(database, study, by)
    scorer = scorer or Scorer.of(by, study)
    n_samples = int(study.data["n_validation"])
    found: dict[int, dict[int, tuple[float, float | None]]] = {}
    for run, payload in _runs_with_outcomes(database, study):
        scored = scorer.scored(
            payload, n_samples, replicate=run.replicate, accuracy=run.validation_accuracy
        )
        if scored is not None:
            known: tuple[float, float | None] = scored.mean, scored.noise
        elif by == "loss" and run.validation_loss is not None:
            known = -run.validation_loss, None
        elif by == "accuracy" and run.validation_accuracy is not None:
            known = run.validation_accuracy, None
        else:
            continue
        found.setdefault(run.trial_id, {})[run.replicate] = known
    return found


def _runs_with_outcomes(
    database: Database, study: StudyRecord
) -> Iterator[tuple[RunRecord, bytes | None]]:
    runs = [run for run in repository.run_rows(database, study) if run.state == "complete"]
    for start in range(0, len(runs), _AT_ONCE):
        some = runs[start : start + _AT_ONCE]
        payloads = repository.run_outcomes(database, [run.id for run in some])
        yield from ((run, payloads.get(run.id)) for run in some)


def _check_reported(study: StudyRecord, metric: Metric, trials: Sequence[RankedTrial]) -> None:
    """Raise a StudyError unless some trial's trainer reported a metric of its own."""
    asked = option("training.metric" if metric.name == ranked_by(study) else "by")
    own = list(dict.fromkeys(name for trial in trials for name in trial.metrics or ()))
    if metric.words not in own:
        known = [*METRICS, *own]
        raise StudyError(
            asked,
            f" must be one of {', '.join(known)}, got {metric.name[:60]!r}"
            f"{did_you_mean(metric.name, known)}",
        )


def _reported(
    database: Database, study: StudyRecord, by: str
) -> dict[int, dict[int, tuple[float, float | None]]]:
    """Return a custom trainer's metric of each run, as ``metrics_of`` does others."""
    metric = metric_named(by)
    return {
        trial: {
            replicate: (metric.sign * values[metric.words], None)
            for replicate, values in runs.items()
            if metric.words in values
        }
        for trial, runs in repository.scored_metrics(database, study).items()
    }


def scores_by_run(database: Database, study: StudyRecord, by: str) -> dict[int, float]:
    """Return a metric of each complete run by its id, as far as it is known.

    Raises:
        StudyError: If the labels of the validation samples are not known.
    """
    runs = [run for run in repository.run_rows(database, study) if run.state == "complete"]
    if by == "accuracy":
        return {r.id: r.validation_accuracy for r in runs if r.validation_accuracy is not None}
    metric = metric_named(by)
    found = metrics_of(database, study, by)
    return {
        run.id: metric.sign * found[run.trial_id][run.replicate][0]
        for run in runs
        if run.replicate in found.get(run.trial_id, {})
    }


def own_metrics(database: Database, study: StudyRecord) -> dict[int, dict[str, float]]:
    """Return what a custom trainer reported under names of its own, by trial: means over runs.

    A metric that some run of a trial lacks is left out.
    """
    if not study.recipe.get("trainer"):
        return {}
    found = {}
    for trial, runs in repository.scored_metrics(database, study).items():
        names = dict.fromkeys(name for values in runs.values() for name in values)
        found[trial] = {
            name: fmean(values[name] for values in runs.values())
            for name in names
            if all(name in values for values in runs.values())
        }
    return found


def with_metric(
    database: Database,
    study: StudyRecord,
    by: str,
    trials: Sequence[RankedTrial],
    ids: Mapping[str, int],
) -> tuple[list[RankedTrial], dict[Place, dict[int, float]], How]:
    """Return trials with another metric than accuracy, its values by seed, and how to judge them.

    Args:
        database: Where the study is.
        study: Whose trials.
        by: The metric.
        trials: In any order.
        ids: Of the trials, by UUID.

    Raises:
        StudyError: If no trial that is complete has it.
    """
    from coarsefine.studies.results.scoring.scorer import Scorer

    metric = metric_named(by)
    if metric.own:
        if ranked_by(study) != by or any(trial.state == "complete" for trial in trials):
            _check_reported(study, metric, trials)
        scorer = Scorer(by)
        runs = _reported(database, study, by)
    else:
        scorer = Scorer.of(by, study)
        runs = metrics_of(database, study, by, scorer)
    values: dict[Place, dict[int, float]] = {}
    noise: dict[Place, float] = {}
    found = []
    for trial in trials:
        own = runs.get(ids[trial.uuid or ""], {})
        place = (trial.stage, trial.trial)
        mean = None
        if trial.state == "complete" and len(own) == trial.replicates:
            values[place] = {replicate: value for replicate, (value, _) in own.items()}
            mean = metric.sign * fmean(values[place].values())
            known = [each for _, each in own.values() if each is not None]
            if len(known) == len(own):
                noise[place] = fmean(known)
        # The loss of a trial is on record, to the last bit.
        changed = {} if by == "loss" or metric.own else {metric.column: mean}
        found.append(trial._replace(**changed))  # type: ignore[arg-type]
    complete = [trial for trial in found if trial.state == "complete"]
    if complete and all(metric.of(trial) is None for trial in complete):
        raise StudyError(
            f"{metric.words} follows from what each run predicted, which no trial of {study.name} "
            "has kept: they were trained by an older version, or by a trainer without predict"
        )
    return found, values, How(scorer, noise)
