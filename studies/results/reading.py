"""A study as it stands in the database: what ``rank``, ``show`` and ``export`` present.

Imports neither Optuna nor the trainer: a ranking of thousands of trials should be there at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EpochRecord, StageRecord, StudyRecord
from coarsefine.hints import command, search_command
from coarsefine.studies.errors import StudyError, did_you_mean
from coarsefine.studies.planning.stages import Stage, asked_of, stored_dimensions
from coarsefine.studies.results.judging.statistics import INDIFFERENT, How
from coarsefine.studies.results.notes.baseline import baseline_notes
from coarsefine.studies.results.notes.checks import ranking_notes
from coarsefine.studies.results.notes.fairness import unlike
from coarsefine.studies.results.notes.penalty import penalty_notes
from coarsefine.studies.results.notes.race import on_race
from coarsefine.studies.results.notes.ranges import beyond_notes
from coarsefine.studies.results.predictions import outcomes_of, own_metrics, ranked_by, with_metric
from coarsefine.studies.results.ranking import (
    Place,
    RankedTrial,
    Ranking,
    StageSummary,
    judged,
    rank_trials,
)
from coarsefine.studies.results.scoring.splits import Splits
from coarsefine.studies.results.sound import check_sound
from coarsefine.studies.spaces.dimensions import SCALED, check_one_loss, parameter
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.varying import EXAMPLE, SPACE

if TYPE_CHECKING:
    from coarsefine.studies.results.scoring.seeds import SeedNoise


def named_study(database: Database, name: str | None, search: str | None = None) -> StudyRecord:
    """Return a study by name, or the most recent one.

    Args:
        database: Where it is.
        name: ``None`` for the most recent one.
        search: Only look among studies of this search.

    Raises:
        StudyError: If there is none.
    """
    if name is not None:
        found = repository.find_study(database, name)
        if found is None:
            names = [summary.name for summary in repository.list_studies(database)]
            raise StudyError(
                f"{database.label} has no study {name!r}{did_you_mean(name, names)}; `",
                command("list"),
                "` shows what there is",
            )
        return found
    if search is None:
        latest = repository.latest_study(database)
        if latest is not None:
            return latest
    for summary in repository.list_studies(database) if search is not None else ():
        if summary.search == search:
            latest = repository.find_study(database, summary.name)
            if latest is not None:
                return latest
    what = "studies" if search is None else f"{search} studies"
    first = search_command(
        search or "lambda", "coarse", **({"vary": EXAMPLE} if search == SPACE else {})
    )
    raise StudyError(f"{database.label} has no {what}; run\n    ", first)


def find_trial(ranking: Ranking, place: Place) -> RankedTrial:
    """Return a trial by its place.

    Raises:
        StudyError: If there is none; says which there are.
    """
    stage, number = place
    in_stage = {t.trial: t for t in ranking.trials if t.stage == stage}
    if number in in_stage:
        return in_stage[number]
    name = ranking.study.name
    if not in_stage:
        stages = ", ".join(each.name for each in ranking.stages) or "none"
        raise StudyError(f"study {name} has no stage {stage!r}; its stages are {stages}")
    raise StudyError(
        f"study {name} has no trial {stage}:{number}; those of {stage} are "
        f"{min(in_stage)} to {max(in_stage)}"
    )


def read_ranking(
    database: Database,
    study: StudyRecord,
    by: str | None = None,
    *,
    indifference: float = INDIFFERENT,
) -> Ranking:
    """Return the ranking over all stages that search.

    Args:
        database: Where the study is.
        study: Whose trials.
        by: What they are ranked by; ``None`` for what the recipe says.
        indifference: The largest difference that does not matter, in [0, 1].

    Raises:
        StudyError: If no trial has what it takes.
    """
    stages = [s for s in repository.stages(database, study) if s.optuna_name is not None]
    rows = repository.trial_rows(database, study)
    check_sound(study, stages, rows)
    by = by or ranked_by(study)
    check_one_loss(by, [dimension for stage in stages for dimension in Stage.of(stage).dimensions])
    accuracies: dict[int, dict[int, float]] = {}
    n_reused: dict[int, int] = {}
    for trial, replicate, accuracy, reused in repository.replicate_rows(database, study):
        n_reused[trial] = n_reused.get(trial, 0) + reused
        if accuracy is not None:
            accuracies.setdefault(trial, {})[replicate] = accuracy
    own = own_metrics(database, study)
    drafts = []
    by_place = {}
    for row in rows:
        # Optuna numbers trials in the order of the plan; before it has, so do we.
        number = row.position if row.number is None else row.number
        # By place, not by name: of tens of thousands, each name counts.
        drafts.append(
            RankedTrial(
                row.stage,
                number,
                row.state,
                row.params,
                row.replicates,
                row.validation_accuracy,
                row.validation_loss,
                row.train_accuracy,
                row.seconds,
                row.test_accuracy,
                row.uuid,
                row.id in n_reused and n_reused[row.id] == row.replicates,
                metrics=own.get(row.id),
            )
        )
        if row.id in accuracies:
            by_place[row.stage, number] = accuracies[row.id]
    ids = {row.uuid: row.id for row in rows}
    how = How()
    if Splits.of(study) is not None:
        from coarsefine.studies.results.scoring.scorer import Scorer

        how = How(Scorer.of("accuracy", study))
    if by != "accuracy":
        drafts, by_place, how = with_metric(database, study, by, drafts, ids)
    ranked = rank_trials(drafts, [stage.name for stage in stages], by)
    n_validation = int(study.data.get("n_validation", 0))

    def read(chosen: Sequence[RankedTrial]) -> list[dict[int, bytes]]:
        return outcomes_of(database, [ids[trial.uuid or ""] for trial in chosen])

    def seeds(n_seeds: int) -> "SeedNoise | None":
        from coarsefine.studies.results.known_seeds import seeds_for

        return seeds_for(database, study, by, n_seeds)

    races = [stage.race for stage in map(Stage.of, stages) if stage.race is not None]
    # By another metric, whoever left may be as good as the best.
    raced_by = by == ranked_by(study)
    if races:
        gone = {uuid for race in races for uuid in race.left if raced_by}
        numbers = {row.uuid: row.position if row.number is None else row.number for row in rows}
        how = replace(
            how,
            looks=(min(race.least for race in races), max(race.most for race in races)),
            left=frozenset((row.stage, numbers[row.uuid]) for row in rows if row.uuid in gone),
        )
    how = replace(how, seeds=seeds, indifference=indifference)
    trials, comparison = judged(ranked, by_place, n_validation, read, how)
    summaries = tuple(_summary(stage, trials) for stage in stages)
    ranking = Ranking(study, summaries, trials, comparison, by=by)
    notes = (
        *ranking_notes(ranking),
        *beyond_notes(database, ranking),
        *baseline_notes(database, ranking),
        *unlike(database, ranking),
        *penalty_notes(database, ranking),
        *(on_race(ranking) if raced_by else ()),
    )
    return replace(ranking, notes=notes)


def first_curve(
    database: Database, ranking: Ranking, trial: RankedTrial | None
) -> list[EpochRecord]:
    """Return the curve of a trial's first replicate; nothing where it was not trained."""
    if trial is None:
        return []
    rows = repository.trial_rows(database, ranking.study)
    ids = [row.id for row in rows if row.uuid == trial.uuid]
    runs = repository.run_rows(database, trial_ids=ids)
    return repository.epoch_rows(database, run_ids=[runs[0].id]) if runs else []


def failures_of(database: Database, ranking: Ranking) -> list[str]:
    """Return why trials failed, a line each."""
    failed = {t.uuid: f"{t.stage}:{t.trial}" for t in ranking.trials if t.state == "failed"}
    if not failed:
        return []
    rows = repository.trial_rows(database, ranking.study)
    names = {row.id: failed[row.uuid] for row in rows if row.uuid in failed}
    runs = repository.run_rows(database, trial_ids=list(names))
    return [f"{names[run.trial_id]}: {run.failure}" for run in runs if run.failure]


def _summary(stage: StageRecord, trials: Sequence[RankedTrial]) -> StageSummary:
    tried = [trial.params[stage.parameter] for trial in trials if trial.stage == stage.name]
    dimensions, own = stored_dimensions(stage), Stage.of(stage)
    if not parameter(stage.parameter).numeric:
        return StageSummary(
            name=stage.name,
            low=None,
            high=None,
            values=sorted(tried, key=(stage.values or tried).index),
            parent=stage.parent,
            reason=stage.reason,
            dimensions=dimensions or (),
            asked=asked_of(stage),
            race=own.race,
            cut=own.cut,
        )
    values = sorted({float(value) for value in tried if value is not None})
    # Values given one by one have the range that they span, and may lie beyond a window.
    spanned = LogRange.spanning(values)
    lows = (stage.low, None if spanned is None else spanned.low)
    highs = (stage.high, None if spanned is None else spanned.high)
    low = min((end for end in lows if end is not None), default=None)
    high = max((end for end in highs if end is not None), default=None)
    if dimensions is None or len(dimensions) == 1:
        one = {"name": stage.parameter, "low": low, "high": high, "values": stage.values}
        stored = {} if dimensions is None else dimensions[0]
        dimensions = [one | {name: stored[name] for name in SCALED if name in stored}]
    return StageSummary(
        name=stage.name,
        low=low,
        high=high,
        values=values,
        parent=stage.parent,
        reason=stage.reason,
        dimensions=dimensions,
        asked=asked_of(stage),
        race=own.race,
        cut=own.cut,
    )
