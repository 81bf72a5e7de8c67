"""Searches: a study's stages, from what the user asks for to trained and told trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.lock import StudyLock
from coarsefine.db.records import StageRecord, StudyRecord, TrialRecord
from coarsefine.hints import option
from coarsefine.models.data import PreparedData
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError, StudyNameError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import estimated_seconds
from coarsefine.studies.planning.runs import Prepare, add_runs, recipe_at
from coarsefine.studies.planning.stages import (
    COARSE,
    FINE,
    StageRequest,
    add_stage,
    check_same_stage,
    coarse_spec,
    dimensions_of,
    find_stage,
    fine_spec,
    finished_stage,
    first_name,
    manner_of,
    new_points,
    next_name,
    window_of,
)
from coarsefine.studies.recipes.layers import make_recipe, with_overrides
from coarsefine.studies.recipes.recipe import Difference, Recipe, differences, from_json, to_json
from coarsefine.studies.recipes.specs import SEARCHABLE, searched_field, to_data_spec, to_specs
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running import enqueued as wishes
from coarsefine.studies.running.loop import train_stage
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.studies.running.resources import Means
from coarsefine.studies.spaces.search import SearchKind

# As wide as the column of names is.
_LONGEST_NAME: Final = 255


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
    recipe: Recipe | None = None,
) -> Outcome:
    """Search the whole range, or all the values, or carry on with it.

    Args:
        means: With what.
        kind: Which search.
        request: Range and number of trials.
        name: The study's; ``None`` names it after data set and search.
        path: A recipe file.
        flags: Recipe values by key; they overrule the file.
        recipe: The whole recipe, in place of a file and flags.

    Raises:
        StudyError: If the study is there and was asked something else.
    """
    asked = recipe or asked_recipe(kind, path, flags)
    name = name or study_name(kind, asked)
    study = repository.find_study(means.database, name)
    if study is None:
        recipe = asked
        _check_name(name)
        data = check_new(kind, request, recipe, means.prepared)
        study = _add_study(means.database, kind, name, recipe, data)
    else:
        recipe = same_recipe(study, kind, path, flags, recipe)
        data = checked_data(means, study, recipe)
        _remember_moved_file(means.database, study, recipe)
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, first_name(kind))
        if stage is None:
            spec = coarse_spec(kind, request, data.n_train)
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
    recipe: Recipe | None = None,
    stage_name: str = FINE,
) -> Outcome:
    """Search the window that the results before narrow the range to, or carry on with it.

    Args:
        means: With what.
        kind: Which search.
        request: Number of trials; a range in place of the window.
        study: Whose coarse stage is finished.
        path: A recipe file, as the study has it.
        flags: Recipe values by key, as the study has them.
        recipe: The whole recipe, in place of a file and flags.
        stage_name: ``fine``, ``finer``, ``finer-2``, …: narrows the stage before it.

    Raises:
        StudyError: If the stage before is missing or not finished, or flags contradict the recipe.
    """
    if not kind.refines:
        raise StudyError(f"a {kind.name} search has one stage; there is no {stage_name} one")
    recipe = same_recipe(study, kind, path, flags, recipe)
    data = checked_data(means, study, recipe)
    _remember_moved_file(means.database, study, recipe)
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, stage_name)
        if stage is None:
            parent = _parent(means.database, study, kind, stage_name)
            narrowing = window_of(means.database, study, parent, request)
            spec = fine_spec(kind, stage_name, parent, narrowing, request)
            stage = add_stage(means.database, study, spec)
            for line in narrowing.warnings:
                means.observer.said(line)
        else:
            check_same_stage(stage, request)
        stage = _carry_out(means, study, stage, recipe, data, request)
    return Outcome(study, stage, recipe, data)


# A range narrowed so often is a thousandth of its decades: what is left is noise in any case.
MOST_STAGES = 6


def auto(
    means: Means,
    kind: SearchKind,
    request: StageRequest,
    *,
    name: str | None = None,
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    most_stages: int = MOST_STAGES,
    until_resolved: bool = True,
) -> Outcome:
    """Search coarsely, finely and on, until the values left differ by less than noise.

    Args:
        means: With what.
        kind: Which search.
        request: Of the coarse stage; those after it take number of trials and replicates from it.
        name: The study's; ``None`` names it after data set and search.
        path: A recipe file.
        flags: Recipe values by key; they overrule the file.
        recipe: The whole recipe, in place of a file and flags.
        most_stages: How many there may be, the coarse one included.
        until_resolved: Whether it ends sooner where the values left differ by less than noise.

    Raises:
        StudyError: As ``coarse`` and ``fine`` do.
    """
    from coarsefine.studies.results.resolution import resolution_reached

    outcome = coarse(means, kind, request, name=name, path=path, flags=flags, recipe=recipe)
    following = StageRequest(replicates=request.replicates, fresh=request.fresh)
    while kind.refines:
        reached = resolution_reached(
            read_ranking(means.database, outcome.study), outcome.stage.name
        )
        if reached is not None and until_resolved:
            means.observer.said(reached)
            break
        there = [
            s for s in repository.stages(means.database, outcome.study) if s.optuna_name is not None
        ]
        done = [s.name for s in there].index(outcome.stage.name) + 1
        if done >= most_stages:
            break
        stage_name = there[done].name if done < len(there) else next_name(there)
        outcome = fine(
            *(means, kind, following),
            study=outcome.study,
            path=path,
            flags=flags,
            recipe=recipe,
            stage_name=stage_name,
        )
    return outcome


def _parent(
    database: Database, study: StudyRecord, kind: SearchKind, stage_name: str
) -> StageRecord:
    """Return the finished stage that a stage of that name narrows."""
    there = [s for s in repository.stages(database, study) if s.optuna_name is not None]
    following = next_name(there)
    if there and following == stage_name:
        return finished_stage(database, study, there[-1].name, kind)
    # A stage in between is missing: name the first of them.
    missing = COARSE if not there else following
    return finished_stage(database, study, missing, kind)


def asked_recipe(kind: SearchKind, path: Path | None, flags: Mapping[str, Any] | None) -> Recipe:
    """Return the recipe of a file and flags, with what the search implies where they are silent.

    Raises:
        RecipeError: Names the file and the key, or the flag.
    """
    return make_recipe(path, flags, kind.implied)


def same_recipe(
    study: StudyRecord,
    kind: SearchKind,
    path: Path | None,
    flags: Mapping[str, Any] | None,
    recipe: Recipe | None = None,
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
    if recipe is not None:
        asked = recipe
    elif path is not None:
        asked = asked_recipe(kind, path, flags)
    else:
        asked = with_overrides(stored, flags or {})
    found = [d for d in differences(stored, asked) if not _names_a_file(d)]
    if not found:
        by_user = recipe is not None or path is not None
        plugins.check_named(study, stored, by_user=by_user)
    if found:
        lines = "".join(f"\n    {d.key}: {d.first} there, {d.second} asked for" for d in found)
        raise StudyError(
            f"study {study.name} was begun with another recipe; leave these out, or choose "
            "another name with ",
            option("study"),
            f":{lines}",
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


# ----------------------------------------------------------------------------------- a new study


def check_new(
    kind: SearchKind, request: StageRequest, recipe: Recipe, prepare: Prepare
) -> PreparedData:
    """Raise what is wrong with a new study before anything is written, a database least of all.

    Returns:
        The recipe's data.

    Raises:
        StudyError: If the recipe cannot be trained on the data, or the range not be searched.
    """
    plugins.check_new(recipe, request.prune)
    data = prepare(to_data_spec(recipe))
    spec = coarse_spec(kind, request, data.n_train)
    for dimension in spec.dimensions:
        if dimension.name in SEARCHABLE and recipe.trainer is None:
            searched_field(recipe, dimension.name)
            to_specs(recipe, data.n_features, data.n_classes, data.n_train)
        if dimension.range is not None:
            if spec.sampler == "grid":
                dimension.range.grid(spec.n_trials)
            continue
        for value in dimension.values or ():
            there = recipe_at(recipe, [dimension], {dimension.name: value})
            wanted = to_data_spec(there)
            n_train = data.n_train if wanted == data.spec else prepare(wanted).n_train
            to_specs(there, data.n_features, data.n_classes, n_train)
    return data


def _check_name(name: str) -> None:
    """Refuse names that a terminal would obey, or a reader could not tell from others."""
    if not (name.isprintable() and name.strip() and len(name) <= _LONGEST_NAME):
        shown = repr(name if len(name) <= 60 else f"{name[:60]}…")
        raise StudyNameError(
            f"the name of a study must be 1 … {_LONGEST_NAME} characters, all printable, "
            f"got {shown}; name it with --study"
        )


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
        versions=environment.versions() | plugins.version(recipe),
        machine=environment.machine(),
    )


def _carry_out(
    means: Means,
    study: StudyRecord,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    request: StageRequest | None,
) -> StageRecord:
    """Plan what the stage lacks and train what is planned, until there is nothing left.

    What was enqueued on Optuna's side comes first; without a request, it is all that is planned.
    """
    fresh = request is not None and request.fresh
    dimensions, manner = dimensions_of(stage), manner_of(stage, fresh=fresh)
    means.observer.begins(study, stage, recipe, data)
    with OptunaMirror(means.database, study, stage) as mirror:
        while True:
            plan = repository.load_plan(means.database, stage)
            unfinished = [c for c in plan.cohorts if c.state != "done"]
            untold = any(not trial.told for trial in plan.trials)
            if not unfinished:
                points, uuids = _granted(means, stage, recipe, data, mirror, plan.trials)
                if not points and request is not None:
                    points = new_points(means.database, study, stage, plan.trials, request)
                if points:
                    planned = add_runs(
                        *(means.database, stage, recipe, data, dimensions, points, manner),
                        means.prepared,
                        means.planned_for,
                        uuids,
                    )
                    for line in planned.notes:
                        means.observer.said(line)
                    continue
                if not untold:
                    return stage
            seconds = sum(estimated_seconds(c.plan, data.n_train) for c in unfinished)
            with means.workers(seconds, len(unfinished), alone=manner.alone) as executor:
                train_stage(
                    *(means.database, stage, data, executor, mirror, means.observer),
                    means.prepared,
                    recipe.trainer,
                )


# ----------------------------------------------------------------------- enqueued on Optuna's side


def _granted(
    means: Means,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    mirror: OptunaMirror,
    trials: Sequence[TrialRecord],
) -> wishes.Granted:
    """Return what was enqueued in a stage and is to be planned now."""
    if all(stage.uuid != wished.uuid for _, wished in repository.wished_stages(means.database)):
        return wishes.Granted([], [])  # without Optuna, which takes a second to be imported
    found, said = wishes.granted(
        *(mirror, stage, recipe, data, dimensions_of(stage), trials, means.prepared)
    )
    for line in said:
        means.observer.said(line)
    return found


def grant(means: Means, study: StudyRecord, stage: StageRecord, recipe: Recipe) -> bool:
    """Train what was enqueued in a stage, as a higher number of trials would have been.

    A stage that lacks other trials is left to whoever carries on with its search.

    Args:
        means: With what.
        study: The stage's.
        stage: One of ``repository.wished_stages``.
        recipe: The study's; a trainer that it names is run.

    Returns:
        Whether nothing but what was enqueued was left of the stage.

    Raises:
        BusyError: If another process drives the study.
        StudyError: If its data or its trainer are not what they were.
    """
    plugins.check_named(study, recipe, by_user=True)
    data = checked_data(means, study, recipe)
    with StudyLock(means.database, study.uuid):
        trials = repository.load_plan(means.database, stage).trials
        with OptunaMirror(means.database, study, stage) as mirror:
            if not wishes.under_way(mirror, trials):
                return False
        _carry_out(means, study, stage, recipe, data, None)
    return True
