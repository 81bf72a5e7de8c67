"""From points to training runs: what is trained together, what alone, and what was trained before.

A point is turned into a recipe, the recipe into what the trainer is asked for. Points that differ
in numbers only are trained as one cohort; those with other shapes, batches or samples are not.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import (
    FINAL_STATES,
    NewCohort,
    NewRun,
    NewTrial,
    RunRecord,
    RunUpdate,
    StageRecord,
    TrialUpdate,
    new_uuid,
)
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.data import PreparedData
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.plugin import Plugin
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import cohort_widths, plan_to_json, threads_alone
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import (
    SEARCHABLE,
    recipe_key,
    searched_field,
    to_data_spec,
    to_specs,
)
from coarsefine.studies.spaces.dimensions import Dimension, Value, shown, to_params
from coarsefine.studies.states import TrialState

Prepare = Callable[[DataSpec], PreparedData]


@dataclass(frozen=True, slots=True)
class Manner:
    """How points are trained, whatever they are.

    Attributes:
        replicates: Seeds that each is trained with.
        draws: Whether replicates train on other draws of the training samples.
        alone: Whether each is trained by itself, on all cores, to be timed.
        equal_updates: Whether all make as many updates as the recipe itself.
        fresh: Whether what was trained before is trained again.
    """

    replicates: int = 1
    draws: bool = False
    alone: bool = False
    equal_updates: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned.

    Attributes:
        n_runs: Training runs, replicates counted.
        n_reused: How many of them were trained before.
        same: Points that are one and the same training, in words.
    """

    n_runs: int
    n_reused: int
    same: tuple[tuple[str, ...], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know of it, a sentence each."""
        found = [
            f"{' and '.join(points)} are one and the same training: together, they are one piece "
            "of evidence"
            for points in self.same
        ]
        if self.n_reused:
            were = "was" if self.n_reused == 1 else "were"
            found.append(
                f"{self.n_reused:,} of {self.n_runs:,} training runs {were} trained before and "
                "taken over: no new evidence; --fresh trains them again"
            )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Run:
    """One training run to be."""

    network: NetworkSpec
    training: TrainingSpec
    hyperparameters: Hyperparameters
    data: PreparedData
    key: str
    plugin: Plugin | None = None

    @property
    def group(self) -> tuple[NetworkSpec, TrainingSpec, str, Plugin | None]:
        """Return what runs must share to be trained as one."""
        return self.network, self.training, self.data.key, self.plugin


def recipe_at(
    recipe: Recipe, dimensions: Sequence[Dimension], point: Mapping[str, Value]
) -> Recipe:
    """Return the recipe that a point of the dimensions stands for.

    Raises:
        RecipeError: If the recipe has no use for it.
    """
    said: dict[str, Any] = {}
    for dimension in dimensions:
        said |= dimension.statement(point[dimension.name])
    return with_overrides(recipe, said) if said else recipe


def add_runs(
    database: Database,
    stage: StageRecord,
    recipe: Recipe,
    data: PreparedData,
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Value]],
    manner: Manner,
    prepare: Prepare | None = None,
    n_workers: int | None = None,
    uuids: Sequence[str] = (),
) -> Planned:
    """Plan the training of some points: their trials, cohorts and runs, in one transaction.

    Args:
        database: Where the plan is stored.
        stage: Whose.
        recipe: All that the points leave open.
        data: What the recipe asks for.
        dimensions: What the points are of.
        points: A value of each dimension.
        manner: How they are trained.
        prepare: Returns other data, where points ask for any; ``None`` where they do not.
        n_workers: How many cohorts can be trained at the same time; ``None`` is one a core.
        uuids: Of the trials, where they have been promised; new ones otherwise.

    Returns:
        How many runs there are, and which of them are no new ones.
    """
    runs = _runs(recipe, data, dimensions, points, manner, prepare)
    trials = [
        NewTrial(to_params(point), manner.replicates, uuid)
        for point, uuid in zip(points, uuids or [new_uuid() for _ in points], strict=True)
    ]
    keys = [run.key for replicate in runs for run in replicate]
    before = {} if manner.fresh else repository.find_finished_run(database, keys)
    cohorts: list[NewCohort] = []
    reused: list[NewRun] = []
    taken: dict[int, list[RunRecord]] = defaultdict(list)
    for replicate, of_replicate in enumerate(runs):
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, run in enumerate(of_replicate):
            if run.key in before:
                source = before[run.key]
                reused.append(
                    NewRun(trials[i].uuid, recipe.seed, run.key, replicate, reused_from=source.id)
                )
                taken[i].append(source)
            else:
                groups[run.group].append(i)
        n_others = manner.replicates * len(groups)
        for indices in groups.values():
            cohorts += _cohorts(
                *(recipe.seed, replicate, of_replicate, indices, trials, data, manner, n_others),
                n_workers or n_cores(),
            )
    finished = [
        update
        for i, sources in taken.items()
        if (update := trial_update(trials[i].uuid, manner.replicates, sources)) is not None
    ]
    repository.add_plan(database, stage, trials, cohorts, reused=reused, finished=finished)
    return Planned(len(keys), len(reused), _same(points, runs[0] if runs else ()))


def _same(
    points: Sequence[Mapping[str, Value]], runs: Sequence[_Run]
) -> tuple[tuple[str, ...], ...]:
    """Return which points train the very same network on the very same samples."""
    if len({run.key for run in runs}) == len(runs):
        return ()
    by_key: dict[str, list[str]] = defaultdict(list)
    for point, run in zip(points, runs, strict=True):
        by_key[run.key].append(", ".join(map(shown, point.values())))
    return tuple(tuple(words) for words in by_key.values() if len(words) > 1)


def _cohorts(
    seed: int,
    replicate: int,
    runs: Sequence[_Run],
    indices: Sequence[int],
    trials: Sequence[NewTrial],
    data: PreparedData,
    manner: Manner,
    n_others: int,
    n_workers: int,
) -> list[NewCohort]:
    """Return the cohorts of runs that can be trained as one, each of a width that pays."""
    first = runs[indices[0]]
    if manner.alone or first.plugin is not None:
        widths = [1] * len(indices)
    else:
        widths = cohort_widths(
            first.network, first.training.batch_size, len(indices), n_others, n_workers
        )
    cohorts, start = [], 0
    for width in widths:
        these = indices[start : start + width]
        plan = plan_to_json(
            CohortPlan(
                first.network,
                first.training,
                tuple(runs[i].hyperparameters for i in these),
                seed,
                replicate,
            )
        )
        if first.data.key != data.key:
            plan["data"] = data_to_json(first.data)
        if first.plugin is not None:
            plan[plugins.TRAINER] = dataclasses.asdict(first.plugin)
        cohorts.append(
            NewCohort(
                [NewRun(trials[i].uuid, seed, runs[i].key, replicate) for i in these],
                replicate,
                blas_threads=threads_alone(first.network, first.training) if manner.alone else 1,
                plan=plan,
            )
        )
        start += width
    return cohorts


def _runs(
    recipe: Recipe,
    data: PreparedData,
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Value]],
    manner: Manner,
    prepare: Prepare | None,
) -> list[list[_Run]]:
    """Return what is to be trained, by replicate, in the order of the points."""
    # Numbers that may differ within a cohort need no recipe of their own: making one takes a
    # thousand times as long as changing a number.
    source = plugins.source_of(recipe)
    numbers = [d for d in dimensions if d.name in SEARCHABLE and source is None]
    others = [d for d in dimensions if d not in numbers]
    updates = base_updates(recipe, data) if manner.equal_updates else None
    known: dict[Any, tuple[Recipe, dict[str, str]]] = {}
    asked: list[tuple[Recipe, dict[str, Any]]] = []
    for point in points:
        settings = tuple(point[d.name] for d in others)
        if settings not in known:
            there = recipe_at(recipe, others, point)
            known[settings] = there, {d.name: searched_field(there, d.name) for d in numbers}
        there, fields = known[settings]
        asked.append((there, {fields[d.name]: float(point[d.name]) for d in numbers}))  # type: ignore[arg-type]
    prepared: dict[DataSpec, PreparedData] = {data.spec: data}
    specs: dict[Any, tuple[NetworkSpec, TrainingSpec, Hyperparameters]] = {}
    runs: list[list[_Run]] = []
    for replicate in range(manner.replicates):
        of_replicate = []
        for (there, values), point in zip(asked, points, strict=True):
            samples = data
            if prepare is not None:
                spec = _drawn(to_data_spec(there), replicate if manner.draws else 0)
                if spec not in prepared:
                    prepared[spec] = prepare(spec)
                samples = prepared[spec]
            key = (id(there), samples.key)
            if key not in specs:
                specs[key] = _specs(there, samples, updates)
            network, training, base = specs[key]
            hyperparameters = replace(base, **values) if values else base
            plugin = plugins.plugin_of(there, source, point)
            name = (
                recipe_key(
                    *(network, training, hyperparameters),
                    data_key=samples.key,
                    seed=recipe.seed,
                    replicate=replicate,
                )
                if plugin is None
                else plugins.plugin_key(plugin, samples.key, recipe.seed, replicate)
            )
            # A time that was measured among others is none to be compared.
            name += ":alone" if manner.alone else ""
            of_replicate.append(_Run(network, training, hyperparameters, samples, name, plugin))
        runs.append(of_replicate)
    return runs


def base_updates(recipe: Recipe, data: PreparedData) -> int:
    """Return how many updates the recipe makes on its own data."""
    _, training, _ = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    return training.n_updates


def _specs(
    recipe: Recipe, data: PreparedData, n_updates: int | None
) -> tuple[NetworkSpec, TrainingSpec, Hyperparameters]:
    network, training, base = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    if n_updates is not None:
        training = replace(training, n_updates=n_updates)
        if training.schedule == "geometric":
            # η is to rise over the whole training, however long that is.
            base = replace(base, half_cycle=max(1, n_updates - 1))
    return network, training, base


def _drawn(spec: DataSpec, draw: int) -> DataSpec:
    return replace(spec, split=replace(spec.split, draw=draw)) if draw else spec


# --------------------------------------------------------------------------- data of its own


def data_to_json(data: PreparedData) -> dict[str, Any]:
    """Return which data a cohort is trained on, to be stored with its plan."""
    return {"key": data.key, "spec": dataclasses.asdict(data.spec)}


def spec_from_json(stored: Mapping[str, Any]) -> DataSpec:
    """Return the data that ``data_to_json`` named."""
    spec = dict(stored["spec"])
    return DataSpec(**{**spec, "split": SplitSpec(**spec["split"])})


# --------------------------------------------------------------------------- what becomes of trials


def trial_update(
    uuid: str, replicates: int, runs: Sequence[RunRecord | RunUpdate]
) -> TrialUpdate | None:
    """Return a trial's means over its replicates, once the last of them is finished."""
    if len(runs) < replicates or any(run.state not in FINAL_STATES for run in runs):
        return None
    states = {run.state for run in runs}
    state: TrialState = "complete"
    for worse in ("failed", "diverged", "pruned"):
        if worse in states:
            state = worse
            break
    return TrialUpdate(
        uuid=uuid,
        state=state,
        validation_accuracy=_mean([run.validation_accuracy for run in runs]),
        validation_loss=_mean([run.validation_loss for run in runs]),
        train_accuracy=_mean([run.train_accuracy for run in runs]),
        seconds=sum(run.seconds or 0.0 for run in runs),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or ``None`` if a value is missing: a diverged replicate has no accuracy."""
    if any(value is None for value in values):
        return None
    return fmean(value for value in values if value is not None)
