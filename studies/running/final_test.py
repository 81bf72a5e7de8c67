"""The final test run: the best trials, trained once more, meet the test set.

Nothing else in the program opens it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coarsefine.db import repository
from coarsefine.db.lock import StudyLock
from coarsefine.db.records import (
    CohortRecord,
    NewTestOpening,
    NewTestRun,
    PlanRecord,
    RunRecord,
    StageRecord,
    StudyRecord,
    TestOpeningRecord,
    TrialRecord,
)
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import state_from_bytes
from coarsefine.models.data import PreparedData
from coarsefine.models.data.sealed import open_test, prepare_final
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.evaluation import Evaluator, predictions
from coarsefine.models.network import Parameters
from coarsefine.models.plugin import Predict, classes_of, trained
from coarsefine.models.specs import NetworkSpec
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import estimated_seconds, plan_from_json
from coarsefine.studies.planning.runs import Manner, Prepare, add_runs, recipe_at
from coarsefine.studies.planning.stages import dimensions_of
from coarsefine.studies.recipes.layers import final_recipe, with_overrides
from coarsefine.studies.recipes.recipe import Recipe, from_json, to_json
from coarsefine.studies.recipes.specs import to_data_spec, to_specs
from coarsefine.studies.results.notes.marks import HAND_PICKED, described, on_test
from coarsefine.studies.results.ranking import RankedTrial, top
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.loop import train_stage
from coarsefine.studies.running.resources import Means
from coarsefine.studies.running.search import checked_data
from coarsefine.studies.spaces.dimensions import from_params

_REFIT, _TRAINED = "train+validation", "none"


@dataclass(frozen=True, slots=True)
class FinalTest:
    """An opening of the test set, and how often it had been open before.

    Attributes:
        n_before: Earlier openings for this study.
        others: Studies of the database for which the same test set was opened, and how often.
    """

    study: StudyRecord
    opening: TestOpeningRecord
    n_before: int
    others: tuple[tuple[str, int], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what makes the figures worth less than they look."""
        return on_test(self.study, self.opening, self.n_before, self.others)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A trial ready to be tested; without weights if it diverged in the final training.

    What a trainer of the user's has trained, it predicts itself.
    """

    trial: RankedTrial
    network: NetworkSpec
    parameters: Parameters | None
    validation_accuracy: float | None
    epochs: int
    seconds: float
    predict: Predict | None = None

    @property
    def diverged(self) -> bool:
        """Return whether there is nothing to be tested."""
        return self.parameters is None and self.predict is None


def final_test(
    means: Means,
    study: StudyRecord,
    *,
    n_top: int | None = None,
    refit: str | None = None,
    picks: Sequence[tuple[str, int]] = (),
    trainer: str | None = None,
) -> FinalTest:
    """Train the top of the ranking as the recipe's final section says, and open the test set once.

    Interrupted in training, the same call carries on. A call after that opens the test set again,
    which is allowed and on record.

    Args:
        means: With what.
        study: Whose trials; all its stages together.
        n_top: How many; ``None`` as the recipe says.
        refit: As in the recipe's final section; ``None`` as the recipe says.
        picks: Stages and numbers of trials to test in place of the top; that they were picked by
            hand is on record.
        trainer: A trainer that the user names: the study's own is called only then.

    Raises:
        StudyError: If a stage is not finished, no trial is complete, or one that was picked is not.
    """
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    recipe = with_overrides(recipe, {"final.top": n_top, "final.refit": refit})
    plugins.check_named(study, recipe, by_user=trainer == recipe.trainer)
    searched = checked_data(means, study, recipe)
    with StudyLock(means.database, study.uuid):
        chosen = _chosen(means, study, recipe.final.top, picks)
        note = _picked_by_hand(chosen) if picks else ""
        if recipe.trainer is not None:
            stage = None
            data, candidates = _trained_by_user(means, study, recipe, chosen)
        elif recipe.final.refit == _REFIT:
            prepare = _refitted(means, recipe)
            stage, data = _final_stage(means, study, recipe, chosen, prepare, note)
            means.observer.begins(study, stage, final_recipe(recipe), data)
            candidates = _trained_for_it(means, stage, data, chosen, prepare)
        else:
            stage, data = None, searched
            candidates = _trained_in_search(means, study, chosen)
        diverged = [c.trial for c in candidates if c.diverged]
        if len(diverged) == len(candidates):
            raise StudyError(
                f"all {len(candidates)} trials of {study.name} diverged in the final training, so "
                "the test set stays shut; search again with a smaller --eta or --eta-max, or run\n"
                f"    python -m search test {study.name} --refit none"
            )
        for trial in diverged:
            means.observer.said(f"{_named(trial)} diverged in the final training: it has no result")
        opening = _open(means, study, recipe, stage, data, candidates, note)
        n_before = len(repository.openings(means.database, study)) - 1
    return FinalTest(study, opening, n_before, _others(means, study, opening))


def _others(
    means: Means, study: StudyRecord, opening: TestOpeningRecord
) -> tuple[tuple[str, int], ...]:
    """Return for which other studies the same test set was opened, and how often."""
    times: dict[int, int] = {}
    same = repository.openings(means.database, data_fingerprint=opening.data_fingerprint)
    for other in same:
        if other.study_id != opening.study_id:
            times[other.study_id] = times.get(other.study_id, 0) + 1
    if not times:
        return ()
    found = []
    for summary in repository.list_studies(means.database):
        other_study = repository.find_study(means.database, summary.name)
        if other_study is not None and other_study.id in times:
            found.append((other_study.name, times[other_study.id]))
    return tuple(found)


def _picked_by_hand(chosen: Sequence[RankedTrial]) -> str:
    """Return what the record says of trials that the ranking did not choose."""
    return f"{HAND_PICKED}: " + ", ".join(f"{t.stage}:{t.trial} (rank {t.rank})" for t in chosen)


def _chosen(
    means: Means, study: StudyRecord, n_top: int, picks: Sequence[tuple[str, int]]
) -> tuple[RankedTrial, ...]:
    ranking = read_ranking(means.database, study)
    n_left = sum(trial.state in {"planned", "running"} for trial in ranking.trials)
    if n_left:
        raise StudyError(
            f"the test set is opened when the search is over, {n_left} trials of {study.name} are "
            "not finished; run the search's command again"
        )
    if picks:
        return _picked(study, ranking.trials, picks)
    chosen = top(ranking.trials, n_top)
    if not chosen:
        raise StudyError(f"study {study.name} has no complete trial to test")
    return chosen


def _picked(
    study: StudyRecord, trials: Sequence[RankedTrial], picks: Sequence[tuple[str, int]]
) -> tuple[RankedTrial, ...]:
    """Return the trials of those stages and numbers, best first, each once."""
    by_place = {(trial.stage, trial.trial): trial for trial in trials}
    for stage, number in picks:
        trial = by_place.get((stage, number))
        if trial is None:
            stages = ", ".join(dict.fromkeys(t.stage for t in trials))
            raise StudyError(
                f"study {study.name} has no trial {stage}:{number} (stages: {stages}); "
                f"`python -m search rank {study.name}` shows all"
            )
        if trial.rank is None:
            raise StudyError(
                f"only complete trials are tested, {stage}:{number} is {trial.state}; "
                f"`python -m search rank {study.name}` shows which are"
            )
    chosen = set(picks)
    return tuple(t for t in trials if t.rank is not None and (t.stage, t.trial) in chosen)


# -------------------------------------------------------------------------- trained once more


def _refitted(means: Means, recipe: Recipe) -> Prepare:
    """Return what makes final data of a search's: both splits joined, less a small part."""
    kept = recipe.final.validation
    assert kept is not None  # noqa: S101  # the recipe sees to it where it refits

    def prepare(spec: DataSpec) -> PreparedData:
        return prepare_final(
            spec,
            refit="train+validation",
            validation=kept,
            data_dir=means.data_dir,
            progress=means.progress,
        )

    return prepare


def _final_stage(
    means: Means,
    study: StudyRecord,
    recipe: Recipe,
    chosen: Sequence[RankedTrial],
    prepare: Prepare,
    note: str,
) -> tuple[StageRecord, PreparedData]:
    """Return the stage that trains the chosen trials, planned, and its data."""
    longer = final_recipe(recipe)
    data = prepare(to_data_spec(recipe))
    options = {
        "trials": [trial.uuid for trial in chosen],
        "final": to_json(recipe)["final"],
        "replicates": 1,
    }
    stages = repository.stages(means.database, study)
    finals = [stage for stage in stages if stage.optuna_name is None]
    opened = {o.stage for o in repository.openings(means.database, study) if o.runs}
    for stage in finals:
        if stage.name not in opened and stage.options == options:
            break
    else:
        stage = repository.add_stage(
            means.database,
            study,
            name="final" if not finals else f"final-{len(finals) + 1}",
            optuna_name=None,
            parameter=next(iter(chosen[0].params)),
            sampler="ranking",
            reason=note or f"the best {len(chosen)} of the ranking",
            options=options,
        )
    if not repository.load_plan(means.database, stage).trials:
        searched = next(s for s in repository.stages(means.database, study) if s.optuna_name)
        points = [from_params(trial.params) for trial in chosen]
        add_runs(
            *(means.database, stage, longer, data, dimensions_of(searched), points, Manner()),
            prepare,
            means.planned_for,
        )
    return stage, data


def _trained_for_it(
    means: Means,
    stage: StageRecord,
    data: PreparedData,
    chosen: Sequence[RankedTrial],
    prepare: Prepare,
) -> list[_Candidate]:
    plan = repository.load_plan(means.database, stage)
    unfinished = [cohort for cohort in plan.cohorts if cohort.state != "done"]
    seconds = sum(estimated_seconds(cohort.plan, data.n_train) for cohort in unfinished)
    with means.workers(seconds, len(unfinished)) as executor:
        train_stage(means.database, stage, data, executor, None, means.observer, prepare)
    plan = repository.load_plan(means.database, stage)
    # The stage's trials are the chosen ones, in their order.
    pairs = zip(chosen, plan.trials, strict=True)
    return [_candidate(means, plan, ranked, trained) for ranked, trained in pairs]


def _trained_in_search(
    means: Means, study: StudyRecord, chosen: Sequence[RankedTrial]
) -> list[_Candidate]:
    """Return the chosen trials with the weights of their first replicate."""
    candidates = []
    stages = {stage.name: stage for stage in repository.stages(means.database, study)}
    plans: dict[str, PlanRecord] = {}
    for ranked in chosen:
        plan = plans.get(ranked.stage) or repository.load_plan(means.database, stages[ranked.stage])
        plans[ranked.stage] = plan
        trial = next(t for t in plan.trials if t.uuid == ranked.uuid)
        candidates.append(_candidate(means, plan, ranked, trial))
    return candidates


def _trained_by_user(
    means: Means, study: StudyRecord, recipe: Recipe, chosen: Sequence[RankedTrial]
) -> tuple[PreparedData, list[_Candidate]]:
    """Return the recipe's final data, and the chosen trials as its trainer has trained them on it.

    In this process: what it returns to predict with cannot be stored, nor sent between processes.
    """
    if recipe.final.refit != _REFIT:
        raise StudyError(
            f"no weights are kept of what {recipe.trainer} has trained; the final test needs "
            f"--refit {_REFIT}"
        )
    prepare, source = _refitted(means, recipe), plugins.source_of(recipe)
    searched = next(s for s in repository.stages(means.database, study) if s.optuna_name)
    candidates = []
    for ranked in chosen:
        point = from_params(ranked.params)
        there = recipe_at(final_recipe(recipe), dimensions_of(searched), point)
        data = prepare(to_data_spec(there))
        plugin = plugins.plugin_of(there, source, point)
        assert plugin is not None  # noqa: S101  # the recipe has a trainer
        means.observer.said(f"{recipe.trainer} trains {_named(ranked)} once more")
        arrays = data.open()
        with limited_blas(1):
            done = trained(plugin, arrays, data.n_classes, recipe.seed, 0)
        if done.failure is not None:
            raise StudyError(
                f"{_named(ranked)} failed in the final training, the test set stays shut: "
                f"{done.failure}"
            )
        if done.predict is None:
            raise StudyError(
                f"the final test needs a trainer that returns a dict with predict, a function of "
                f"samples that returns their classes; {recipe.trainer} returned none, so the test "
                "set stays shut"
            )
        # Before the test set is opened: whoever cannot predict these cannot predict others.
        classes_of(done.predict, arrays.x_validation, data.n_classes)
        network, _, _ = to_specs(there, data.n_features, data.n_classes, data.n_train)
        last = done.rows[-1]
        candidates.append(
            _Candidate(
                trial=ranked,
                network=network,
                parameters=None,
                validation_accuracy=last.validation_accuracy,
                epochs=last.epoch,
                seconds=sum(row.seconds for row in done.rows),
                predict=done.predict,
            )
        )
    return prepare(to_data_spec(recipe)), candidates


def _candidate(
    means: Means, plan: PlanRecord, ranked: RankedTrial, trial: TrialRecord
) -> _Candidate:
    """Return a trial with the weights of its first replicate."""
    run = next(run for run in plan.runs if run.trial_id == trial.id and run.replicate == 0)
    cohort = next((cohort for cohort in plan.cohorts if cohort.id == run.cohort_id), None)
    if cohort is None:
        # Reused: its weights are where they were trained.
        run, cohort = repository.trained_run(means.database, run)
    return _Candidate(
        trial=ranked,
        network=plan_from_json(cohort.plan).network,
        parameters=_weights(means, cohort, run) if run.state == "complete" else None,
        validation_accuracy=run.validation_accuracy,
        epochs=run.epochs,
        seconds=run.seconds or 0.0,
    )


def _weights(means: Means, cohort: CohortRecord, run: RunRecord) -> Parameters:
    stored = repository.load_checkpoint(means.database, cohort.uuid)
    if stored is None or run.slot is None:
        raise StudyError(
            "the trained weights of this trial are not in the database; test it with "
            "--refit train+validation"
        )
    return state_from_bytes(stored[1]).finished[run.slot].parameters


# --------------------------------------------------------------------------- the test set opened


def _open(
    means: Means,
    study: StudyRecord,
    recipe: Recipe,
    stage: StageRecord | None,
    data: PreparedData,
    candidates: Sequence[_Candidate],
    note: str,
) -> TestOpeningRecord:
    """Record the opening, then measure: whoever looks and is killed has looked all the same."""
    new = NewTestOpening(
        data_fingerprint=data.fingerprint,
        refit=recipe.final.refit,
        recipe=to_json(recipe),
        n_test=data.n_test,
        versions=environment.versions(),
        machine=environment.machine(),
        stage=None if stage is None else stage.name,
        note=note,
    )
    # Killed before anything measured was stored, and shown: the same look goes on.
    cut_short = [
        o
        for o in repository.openings(means.database, study)
        if not o.runs
        and (o.stage, o.refit, o.recipe, o.note) == (new.stage, new.refit, new.recipe, new.note)
    ]
    opening = cut_short[0] if cut_short else repository.record_opening(means.database, study, new)
    test = open_test(data, progress=means.progress)
    runs = [
        _test_run(candidate, None, None, None) for candidate in candidates if candidate.diverged
    ]
    with limited_blas(1), np.errstate(all="ignore"):
        for candidate in candidates:
            parameters = candidate.parameters
            if candidate.predict is not None:
                classes = classes_of(candidate.predict, test.x, data.n_classes)
                confusion = _confusion(test.y, classes, data.n_classes)
                runs.append(
                    _test_run(candidate, float(np.mean(classes == test.y)), None, confusion)
                )
            if parameters is None:
                continue
            evaluator = Evaluator(candidate.network, 1, parameters.weights[0].dtype.type)
            measured = evaluator.evaluate(parameters, test.x, test.y)
            predicted = predictions(candidate.network, parameters, test.x)[0]
            confusion = _confusion(test.y, predicted, data.n_classes)
            accuracy, loss = float(measured.accuracy[0]), float(measured.loss[0])
            runs.append(_test_run(candidate, accuracy, loss, confusion))
    runs.sort(key=lambda run: run.rank)
    return repository.add_test_runs(means.database, opening, runs)


def _test_run(
    candidate: _Candidate,
    accuracy: float | None,
    loss: float | None,
    confusion: list[list[int]] | None,
) -> NewTestRun:
    return NewTestRun(
        rank=candidate.trial.rank or 0,
        stage=candidate.trial.stage,
        params=candidate.trial.params,
        trial_uuid=candidate.trial.uuid,
        validation_accuracy=candidate.trial.validation_accuracy,
        final_validation_accuracy=candidate.validation_accuracy,
        test_accuracy=accuracy,
        test_loss=loss,
        confusion=confusion,
        seconds=candidate.seconds,
        epochs=candidate.epochs,
    )


def _named(trial: RankedTrial) -> str:
    return f"rank {trial.rank} ({described(trial.params)})"


def _confusion(labels: Any, predicted: Any, n_classes: int) -> list[list[int]]:
    """Return how many samples of each class (row) were taken for each class (column)."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return [[int(value) for value in row] for row in counts]
