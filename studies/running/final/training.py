"""The best trials with the weights that the test set is to measure: trained once more, or kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from coarsefine.db import repository
from coarsefine.db.records import (
    CohortRecord,
    PlanRecord,
    RunRecord,
    StageRecord,
    StudyRecord,
    TrialRecord,
)
from coarsefine.hints import option
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import Finished, state_from_bytes
from coarsefine.models.data import PreparedData
from coarsefine.models.data.prepared import prepare_final
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.network import Parameters
from coarsefine.models.plugin import Plugin, Predict, classes_of, trained
from coarsefine.models.specs import NetworkSpec
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.point_runs import Prepare, recipe_at
from coarsefine.studies.planning.run_options import RunOptions
from coarsefine.studies.planning.runs import plan_runs, reuse, store
from coarsefine.studies.planning.stages import (
    RANKING,
    Stage,
    final_stage,
    searched_stages,
)
from coarsefine.studies.recipes.layers import final_recipe
from coarsefine.studies.recipes.recipe import Recipe, to_json
from coarsefine.studies.recipes.specs import to_data_spec, to_specs
from coarsefine.studies.results.ranking import RankedTrial
from coarsefine.studies.running import loop
from coarsefine.studies.running.final.choice import Choice
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.retraining import (
    Again,
    Retrained,
    data_of,
    retrained,
    seconds_again,
)
from coarsefine.studies.running.work import Work
from coarsefine.studies.spaces.dimensions import described, from_params

REFIT, TRAINED = "train+validation", "none"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial ready to be tested; without weights if it diverged in the final training.

    What a trainer of the user's has trained, it predicts itself.

    Attributes:
        data: What it was trained on.
        snapshots: The networks that its cycles ended with, where they were kept.
        l2_strength: λ, with which a cost is a loss + λ Σ W².
    """

    trial: RankedTrial
    network: NetworkSpec
    parameters: Parameters | None
    validation_accuracy: float | None
    epochs: int
    seconds: float
    predict: Predict | None = None
    replicate: int = 0
    data: PreparedData | None = None
    snapshots: tuple[Parameters, ...] = ()
    l2_strength: float = 0.0

    @property
    def networks(self) -> tuple[Parameters, ...]:
        """Return what an ensemble takes of it."""
        if self.snapshots:
            return self.snapshots
        return () if self.parameters is None else (self.parameters,)

    @property
    def diverged(self) -> bool:
        """Return whether there is nothing to be tested."""
        return self.parameters is None and self.predict is None


def trained_as_asked(
    resources: Resources, study: StudyRecord, recipe: Recipe, searched: PreparedData, choice: Choice
) -> tuple[StageRecord | None, PreparedData, list[Candidate]]:
    """Return the trials of a choice with weights, a candidate each seed.

    Args:
        resources: With what.
        study: Whose trials they are.
        recipe: The study's; its final section says how they are trained.
        searched: The search's data.
        choice: Which trials.

    Returns:
        The stage that they are trained in, if they are; its data; and the trials.
    """
    chosen = choice.trained
    prepare = refitted(resources, recipe) if recipe.final.refit == REFIT else None
    if recipe.trainer is not None:
        data, candidates = _trained_by_user(resources, study, recipe, chosen, prepare)
        return None, data, candidates
    if prepare is not None:
        return _trained_for_it(resources, study, recipe, chosen, prepare, choice.reason)
    return None, searched, _trained_in_search(resources, study, recipe, chosen)


def refitted(resources: Resources, recipe: Recipe) -> Prepare:
    """Return what makes final data of a search's: both splits joined, less a small part."""
    kept = recipe.final.validation
    assert kept is not None  # noqa: S101  # the recipe sees to it where it refits

    def prepare(spec: DataSpec) -> PreparedData:
        return prepare_final(
            spec,
            refit="train+validation",
            validation=kept,
            data_dir=resources.data_dir,
            progress=resources.progress,
        )

    return prepare


def _trained_for_it(
    resources: Resources,
    study: StudyRecord,
    recipe: Recipe,
    chosen: Sequence[RankedTrial],
    prepare: Prepare,
    reason: str,
) -> tuple[StageRecord, PreparedData, list[Candidate]]:
    """Return the chosen trials trained as the recipe's final section says, a candidate each seed.

    Args:
        resources: With what.
        study: Whose trials they are.
        recipe: The study's.
        chosen: Which trials, best first.
        prepare: Returns final data of a search's.
        reason: How they were chosen, in words.

    Returns:
        The stage that they are trained in, its data, and the trials.
    """
    database, longer = resources.database, final_recipe(recipe)
    data = prepare(to_data_spec(recipe))
    params = {trial.uuid or "": trial.params for trial in chosen}
    options = RunOptions(replicates=recipe.final.n_seeds)
    final = to_json(recipe)["final"]
    record = final_stage(database, study, params, final, reason, options.replicates)
    searched = Stage.of(searched_stages(database, study)[0])
    stage = Stage(record.name, searched.dimensions, RANKING, run_options=options)
    stored = repository.load_plan(database, record)
    if not stored.trials:
        points = [from_params(trial.params) for trial in chosen]
        plan = reuse(plan_runs(longer, data, stage, points, prepare), database)
        stored = store(plan, database, record, resources.planned_for)
    if any(cohort.state != "done" for cohort in stored.cohorts):
        resources.observer.begins(study, stage, longer, data)
    loop.train(resources, Work(record, stage, data, prepare), stored)
    stored = repository.load_plan(database, record)
    # The stage's trials are the chosen ones, in their order.
    pairs = zip(chosen, stored.trials, strict=True)
    source = _Source(resources, longer, stage, cache(prepare))
    candidates = [
        _candidate(source, stored, ranked, trial, replicate)
        for ranked, trial in pairs
        for replicate in range(options.replicates)
    ]
    return record, data, candidates


def _trained_in_search(
    resources: Resources, study: StudyRecord, recipe: Recipe, chosen: Sequence[RankedTrial]
) -> list[Candidate]:
    """Return the chosen trials with the weights of their first replicates, a candidate each seed.

    Raises:
        StudyError: If the search has not trained them with so many seeds.
    """
    n_seeds = recipe.final.n_seeds
    fewest = min(chosen, key=lambda trial: trial.replicates)
    if fewest.replicates < n_seeds:
        raise StudyError(
            f"the search trained {named(fewest)} with {fewest.replicates} of the {n_seeds} seeds "
            "that are to be tested; train the others with ",
            option("final.refit", REFIT),
        )
    candidates = []
    stages = {stage.name: stage for stage in repository.stages(resources.database, study)}
    prepare = cache(resources.prepared)
    again: dict[str, Retrained] = {}
    plans: dict[str, PlanRecord] = {}
    for ranked in chosen:
        plan = plans.get(ranked.stage) or repository.load_plan(
            resources.database, stages[ranked.stage]
        )
        plans[ranked.stage] = plan
        trial = next(t for t in plan.trials if t.uuid == ranked.uuid)
        stage = Stage.of(stages[ranked.stage])
        source = _Source(resources, recipe, stage, prepare, again)
        candidates += [
            _candidate(source, plan, ranked, trial, replicate) for replicate in range(n_seeds)
        ]
    return candidates


def _trained_by_user(
    resources: Resources,
    study: StudyRecord,
    recipe: Recipe,
    chosen: Sequence[RankedTrial],
    prepare: Prepare | None,
) -> tuple[PreparedData, list[Candidate]]:
    """Return the recipe's final data, and the chosen trials as its trainer has trained them on it.

    In this process: what it returns to predict with cannot be stored, nor sent between processes.
    """
    if prepare is None:
        raise StudyError(
            f"no weights are kept of what {recipe.trainer} has trained; the final test needs ",
            option("final.refit", REFIT),
        )
    source = plugins.source_of(recipe)
    searched = Stage.of(searched_stages(resources.database, study)[0])
    candidates = []
    for ranked in chosen:
        point = from_params(ranked.params)
        there = recipe_at(final_recipe(recipe), searched.dimensions, point)
        data = prepare(to_data_spec(there))
        plugin = plugins.plugin_of(there, source, point)
        assert plugin is not None  # noqa: S101  # the recipe has a trainer
        network, _, _ = to_specs(there, data.n_features, data.n_classes, data.n_train)
        for replicate in range(recipe.final.n_seeds):
            again = f"trains {named(ranked)} once more"
            if recipe.final.n_seeds > 1:
                again += f", seed {replicate + 1} of {recipe.final.n_seeds}"
            resources.observer.said(f"{recipe.trainer} {again}")
            candidates.append(_by_user(recipe, ranked, plugin, data, network, replicate))
    return prepare(to_data_spec(recipe)), candidates


def _by_user(
    recipe: Recipe,
    ranked: RankedTrial,
    plugin: Plugin,
    data: PreparedData,
    network: NetworkSpec,
    replicate: int,
) -> Candidate:
    """Return a trial that the recipe's trainer has trained with one seed."""
    arrays = data.open()
    with limited_blas(1):
        done = trained(plugin, arrays, data.n_classes, recipe.seed, replicate)
    if done.failure is not None:
        raise StudyError(
            f"{named(ranked)} failed in the final training, so the test set was not "
            f"opened: {done.failure}"
        )
    if done.predict is None:
        raise StudyError(
            f"the final test needs a trainer that returns a dict with predict, a function of "
            f"samples that returns their classes; {recipe.trainer} returned none, so the test "
            "set was not opened"
        )
    # Before the test set is opened: whoever cannot predict these cannot predict others.
    classes_of(done.predict, arrays.x_validation, data.n_classes)
    last = done.rows[-1]
    return Candidate(
        trial=ranked,
        network=network,
        parameters=None,
        validation_accuracy=last.validation_accuracy,
        epochs=last.epoch,
        seconds=sum(row.seconds for row in done.rows),
        predict=done.predict,
        replicate=replicate,
        data=data,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the runs of a stage come from: its recipe, and what it is trained on.

    Attributes:
        again: Cohorts whose weights were not stored, trained once more, by UUID.
    """

    resources: Resources
    recipe: Recipe
    stage: Stage
    prepare: Prepare
    again: dict[str, Retrained] = field(default_factory=dict)


def _candidate(
    source: _Source,
    plan: PlanRecord,
    ranked: RankedTrial,
    trial: TrialRecord,
    replicate: int,
) -> Candidate:
    """Return a trial with the weights of one seed."""
    run = next(run for run in plan.runs if (run.trial_id, run.replicate) == (trial.id, replicate))
    cohort = next((cohort for cohort in plan.cohorts if cohort.id == run.cohort_id), None)
    if cohort is None:
        # Reused: its weights are where they were trained.
        run, cohort = repository.trained_run(source.resources.database, run)
    data = data_of(source.recipe, source.stage, trial.params, replicate, source.prepare)
    finished = None
    if run.state == "complete":
        finished = _finished(source, cohort, run, data, named(ranked))
    trained_by = plan_from_json(cohort.plan)
    return Candidate(
        trial=ranked,
        network=trained_by.network,
        parameters=None if finished is None else finished.parameters,
        validation_accuracy=run.validation_accuracy,
        epochs=run.epochs,
        seconds=run.seconds or 0.0,
        replicate=replicate,
        data=data,
        snapshots=() if finished is None else finished.snapshots,
        l2_strength=trained_by.trials[run.slot or 0].l2_strength,
    )


def _finished(
    source: _Source, cohort: CohortRecord, run: RunRecord, data: PreparedData, trial: str
) -> Finished:
    """Return a run with its weights: as they are stored, or trained once more.

    Raises:
        StudyError: If another training gives another accuracy.
    """
    stored = repository.load_checkpoint(source.resources.database, cohort.uuid)
    assert run.slot is not None  # noqa: S101  # a cohort trained it
    if stored is not None:
        return state_from_bytes(stored[1]).finished[run.slot]
    if cohort.uuid not in source.again:
        source.again[cohort.uuid] = _again(source.resources, cohort, data, trial)
    again = source.again[cohort.uuid]
    assert again.state is not None  # noqa: S101  # it was trained
    finished = again.state.finished[run.slot]
    row = finished.restored or next(
        r for r in again.rows if (r.slot, r.epoch) == (run.slot, finished.scored_epoch)
    )
    if row.validation_accuracy != run.validation_accuracy:
        raise StudyError(
            f"trained once more, {trial} has another validation accuracy than is stored: "
            f"{row.validation_accuracy:.2%}, not {run.validation_accuracy or 0:.2%}; other "
            "versions or another processor give other weights: train it with ",
            option("final.refit", REFIT),
        )
    return finished


def _again(resources: Resources, cohort: CohortRecord, data: PreparedData, trial: str) -> Retrained:
    """Return what training a cohort once more gives, which is said of one of its trials."""
    runs = repository.cohort_runs(resources.database, cohort)
    stopped = {r.slot: r.epochs for r in runs if r.state == "pruned" and r.slot is not None}
    plan = Again.of(cohort.uuid, cohort.plan, cohort.blas_threads, stopped)
    about = max(1, round(seconds_again(plan, data)))
    together = f", with the {len(runs) - 1} it was trained with" if len(runs) > 1 else ""
    resources.observer.said(
        f"the weights of {trial} are not stored: it is trained once more{together}, which takes "
        f"about {about} s"
    )
    return retrained(plan, data, resources.observer)


def named(trial: RankedTrial) -> str:
    """Return a trial in words."""
    return f"rank {trial.rank} ({described(trial.params)})"
