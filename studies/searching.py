"""Searches: a study's stages, from what the user asks for to trained and told trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from db import repository
from db.engine import Database
from db.lock import StudyLock
from db.records import NewCohort, NewRun, NewTrial, StageRecord, StudyRecord
from models.cohort import CohortPlan
from models.data import PreparedData
from models.specs import Hyperparameters
from studies import environment
from studies.errors import StudyError
from studies.executors import n_cores
from studies.means import Means
from studies.mirror import OptunaMirror
from studies.planning import cohort_widths, estimated_seconds, plan_to_json
from studies.recipe import (
    Difference,
    Recipe,
    differences,
    from_json,
    make_recipe,
    to_json,
    with_overrides,
)
from studies.running import train_stage
from studies.search_kind import SearchKind
from studies.specs import recipe_key, searched_field, to_specs
from studies.stages import (
    COARSE,
    FINE,
    StageRequest,
    add_stage,
    check_same_stage,
    coarse_spec,
    find_stage,
    fine_spec,
    finished_stage,
    new_points,
    window_of,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stage that is done."""

    study: StudyRecord
    stage: StageRecord
    recipe: Recipe
    data: PreparedData


def study_name(kind: SearchKind, recipe: Recipe) -> str:
    """Return the name of a study that was given none: data set and search."""
    name = recipe.data.name
    return f"{Path(name).stem if Path(name).suffix else name}/{kind.name}"


def coarse(
    means: Means,
    kind: SearchKind,
    request: StageRequest,
    *,
    name: str | None = None,
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Outcome:
    """Search the whole range, or carry on with it.

    Args:
        means: With what.
        kind: Which search.
        request: Range and number of trials.
        name: The study's; ``None`` names it after data set and search.
        path: A recipe file.
        flags: Recipe values by key; they overrule the file.

    Raises:
        StudyError: If the study is there and was asked something else.
    """
    asked = make_recipe(path, flags)
    name = name or study_name(kind, asked)
    study = repository.find_study(means.database, name)
    if study is None:
        recipe, data = asked, means.prepare(asked)
        check_new(kind, request, recipe, data)
        spec = coarse_spec(kind, request)
        study = _add_study(means.database, kind, name, recipe, data)
    else:
        recipe = same_recipe(study, kind, path, flags)
        data = checked_data(means, study, recipe)
        _remember_moved_file(means.database, study, recipe)
        spec = coarse_spec(kind, request)
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, COARSE)
        if stage is None:
            stage = add_stage(means.database, study, spec)
        else:
            check_same_stage(stage, request)
        stage = _carry_out(means, study, stage, recipe, data, request)
    return Outcome(study, stage, recipe, data)


def fine(
    means: Means,
    kind: SearchKind,
    request: StageRequest,
    *,
    study: StudyRecord,
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Outcome:
    """Search the window that the coarse results narrow the range to, or carry on with it.

    Raises:
        StudyError: If the coarse stage is missing or not finished, or flags contradict its recipe.
    """
    recipe = same_recipe(study, kind, path, flags)
    data = checked_data(means, study, recipe)
    _remember_moved_file(means.database, study, recipe)
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, FINE)
        if stage is None:
            parent = finished_stage(means.database, study, COARSE, kind)
            window = window_of(means.database, parent, request)
            stage = add_stage(means.database, study, fine_spec(kind, parent, window, request))
            for line in window.warnings:
                means.observer.said(line)
        else:
            check_same_stage(stage, request)
        stage = _carry_out(means, study, stage, recipe, data, request)
    return Outcome(study, stage, recipe, data)


def same_recipe(
    study: StudyRecord, kind: SearchKind, path: Path | None, flags: Mapping[str, Any] | None
) -> Recipe:
    """Return the study's recipe; with another path where its own file of data was moved.

    Raises:
        StudyError: If a file or flags contradict it, or the study is of another search.
    """
    if study.search != kind.name:
        raise StudyError(
            f"study {study.name} is a {study.search} search, not a {kind.name} search; "
            "choose another name with --study"
        )
    stored = from_json(study.recipe, f"the recipe of study {study.name}")
    asked = with_overrides(stored, flags or {}) if path is None else make_recipe(path, flags)
    found = [d for d in differences(stored, asked) if not _names_a_file(d)]
    if found:
        lines = "".join(f"\n    {d.key}: {d.first} there, {d.second} asked for" for d in found)
        raise StudyError(
            f"study {study.name} was begun with another recipe; leave these out, or choose "
            f"another name with --study:{lines}"
        )
    return asked


def _names_a_file(difference: Difference) -> bool:
    """Return whether two recipes name two files; whether one is the other, data will tell."""
    names = (str(difference.first), str(difference.second))
    return difference.key == "data.name" and all(Path(name).suffix for name in names)


def checked_data(means: Means, study: StudyRecord, recipe: Recipe) -> PreparedData:
    """Return the study's data.

    Raises:
        StudyError: If the data are no longer what the study began with.
    """
    name = recipe.data.name
    if Path(name).suffix and not Path(name).exists():
        raise StudyError(
            f"the data of study {study.name} must be where they were, found no {name}; if the file "
            f"was moved, run\n    python -m search {study.search} --coarse --study {study.name} "
            "--data FILE"
        )
    data = means.prepare(recipe)
    if data.fingerprint != study.data_fingerprint:
        raise StudyError(
            f"study {study.name} was begun with other data (fingerprint "
            f"{study.data_fingerprint[:12]}, now {data.fingerprint[:12]}); put the old files back, "
            "or choose another name with --study"
        )
    return data


def _remember_moved_file(database: Database, study: StudyRecord, recipe: Recipe) -> None:
    if to_json(recipe) != study.recipe:
        repository.update_study(database, study, recipe=to_json(recipe))


def add_runs(
    database: Database,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    points: Sequence[Mapping[str, float]],
    replicates: int,
) -> None:
    """Plan the training of some points: their trials, cohorts and runs, in one transaction."""
    network, training, base = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    field_of = {name: searched_field(recipe, name) for name in points[0]}
    hyper = [_with(base, {field_of[k]: v for k, v in point.items()}) for point in points]
    trials = [NewTrial(dict(point), replicates) for point in points]
    keys = [
        [
            recipe_key(network, training, h, data_key=data.key, seed=recipe.seed, replicate=r)
            for h in hyper
        ]
        for r in range(replicates)
    ]
    cohorts = []
    widths = cohort_widths(network, training.batch_size, len(points), replicates, n_cores())
    for replicate in range(replicates):
        start = 0
        for width in widths:
            these = range(start, start + width)
            plan = CohortPlan(
                network, training, tuple(hyper[i] for i in these), recipe.seed, replicate
            )
            runs = [
                NewRun(trials[i].uuid, recipe.seed, keys[replicate][i], replicate) for i in these
            ]
            cohorts.append(NewCohort(runs, replicate, plan=plan_to_json(plan)))
            start += width
    repository.add_plan(database, stage, trials, cohorts)


def _with(base: Hyperparameters, values: Mapping[str, Any]) -> Hyperparameters:
    return replace(base, **values)


# ----------------------------------------------------------------------------------- a new study


def check_new(kind: SearchKind, request: StageRequest, recipe: Recipe, data: PreparedData) -> None:
    """Raise what is wrong with a new study before anything is written, a database least of all.

    Raises:
        StudyError: If the recipe cannot be trained on the data, or the range not be searched.
    """
    searched_field(recipe, kind.parameter)
    to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    spec = coarse_spec(kind, request)
    if spec.sampler == "grid" and spec.range is not None:
        spec.range.grid(request.n_trials or kind.n_coarse)


def _add_study(
    database: Database, kind: SearchKind, name: str, recipe: Recipe, data: PreparedData
) -> StudyRecord:
    return repository.add_study(
        database,
        name=name,
        search=kind.name,
        recipe=to_json(recipe),
        seed=recipe.seed,
        data_name=data.name,
        data_fingerprint=data.fingerprint,
        data={
            "n_train": data.n_train,
            "n_validation": data.n_validation,
            "n_test": data.n_test,
            "n_features": data.n_features,
            "n_classes": data.n_classes,
            "sample_shape": list(data.sample_shape),
            "class_names": list(data.class_names),
            "split_fingerprint": data.split_fingerprint,
            "normalisation": data.normalisation,
            "warnings": list(data.warnings),
        },
        versions=environment.versions(),
        machine=environment.machine(),
    )


def _carry_out(
    means: Means,
    study: StudyRecord,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    request: StageRequest,
) -> StageRecord:
    """Plan what the stage lacks and train what is planned, until there is nothing left."""
    replicates = int(stage.options["replicates"])
    means.observer.begins(study, stage, recipe, data)
    with OptunaMirror(means.database, study, stage) as mirror:
        while True:
            plan = repository.load_plan(means.database, stage)
            unfinished = [c for c in plan.cohorts if c.state != "done"]
            untold = any(not trial.told for trial in plan.trials)
            if not unfinished:
                points = new_points(means.database, study, stage, plan.trials, request)
                if points:
                    named = [{stage.parameter: value} for value in points]
                    add_runs(means.database, stage, recipe, data, named, replicates)
                    continue
                if not untold:
                    return stage
            seconds = sum(estimated_seconds(c.plan, data.n_train) for c in unfinished)
            with means.workers(seconds, len(unfinished)) as executor:
                train_stage(means.database, stage, data, executor, mirror, means.observer)
