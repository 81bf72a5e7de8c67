"""What a point asks of the trainer: recipes, data and names of its training runs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coarsefine.models.data import PreparedData
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.plugin import Plugin
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import (
    SEARCHABLE,
    check_images,
    recipe_key,
    searched_field,
    to_data_spec,
    to_specs,
    with_length,
)
from coarsefine.studies.spaces.dimensions import Dimension, Value

Prepare = Callable[[DataSpec], PreparedData]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training run to be.

    Attributes:
        key: Its name: equal if and only if all that can decide it is equal.
    """

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
    stated: dict[str, Any] = {}
    for dimension in dimensions:
        if point[dimension.name] is not None:
            stated |= dimension.statement(point[dimension.name])
    return with_overrides(recipe, stated) if stated else recipe


def runs_of(
    recipe: Recipe,
    data: PreparedData,
    stage: Stage,
    points: Sequence[Mapping[str, Value]],
    prepare: Prepare,
    n_runs: int,
) -> tuple[tuple[PlannedRun, ...], ...]:
    """Return what is to be trained, by replicate up to ``n_runs``, in the order of the points."""
    # Numbers that may differ within a cohort need no recipe of their own: making one takes a
    # thousand times as long as changing a number.
    source = plugins.source_of(recipe)
    options = stage.run_options
    numbers = [d for d in stage.dimensions if d.name in SEARCHABLE and source is None]
    others = [d for d in stage.dimensions if d not in numbers]
    updates = base_updates(recipe, data) if options.equal_updates else None
    known: dict[Any, tuple[Recipe, dict[str, str]]] = {}
    asked: list[tuple[Recipe, dict[str, Any]]] = []
    for point in points:
        used = [d for d in numbers if point[d.name] is not None]
        settings = (*(point[d.name] for d in others), *(d.name for d in used))
        if settings not in known:
            there = recipe_at(recipe, others, point)
            known[settings] = there, {d.name: searched_field(there, d.name) for d in used}
        there, fields = known[settings]
        asked.append((there, {fields[d.name]: float(point[d.name]) for d in used}))  # type: ignore[arg-type]
    prepared: dict[DataSpec, PreparedData] = {data.spec: data}
    specs: dict[Any, tuple[NetworkSpec, TrainingSpec, Hyperparameters]] = {}
    runs: list[tuple[PlannedRun, ...]] = []
    for replicate in range(n_runs):
        of_replicate = []
        for (there, values), point in zip(asked, points, strict=True):
            spec = options.data_of(to_data_spec(there), replicate)
            if spec not in prepared:
                prepared[spec] = prepare(spec)
            samples = prepared[spec]
            if (id(there), samples.key) not in specs:
                specs[id(there), samples.key] = _specs(there, samples, updates)
            network, training, base = specs[id(there), samples.key]
            hyperparameters = replace(base, **values) if values else base
            plugin = plugins.plugin_of(there, source, point)
            if plugin is None:
                key = recipe_key(
                    network,
                    training,
                    hyperparameters,
                    data_key=samples.key,
                    seed=recipe.seed,
                    replicate=replicate,
                )
            else:
                key = plugins.plugin_key(plugin, samples.key, recipe.seed, replicate)
            # A time that was measured among others is none to be compared.
            key += ":alone" if options.alone else ""
            of_replicate.append(
                PlannedRun(network, training, hyperparameters, samples, key, plugin)
            )
        runs.append(tuple(of_replicate))
    return tuple(runs)


def base_updates(recipe: Recipe, data: PreparedData) -> int:
    """Return how many updates the recipe makes on its own data."""
    _, training, _ = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    return training.n_updates


def _specs(
    recipe: Recipe, data: PreparedData, n_updates: int | None
) -> tuple[NetworkSpec, TrainingSpec, Hyperparameters]:
    network, training, base = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    check_images(training, data.sample_shape)
    if n_updates is not None:
        training, base = with_length(training, base, n_updates)
    return network, training, base


# --------------------------------------------------------------------------- data of its own


def data_to_json(data: PreparedData) -> dict[str, Any]:
    """Return which data a cohort is trained on, to be stored with its plan."""
    return {"key": data.key, "spec": dataclasses.asdict(data.spec)}


def spec_from_json(stored: Mapping[str, Any]) -> DataSpec:
    """Return the data that ``data_to_json`` named."""
    spec = dict(stored["spec"])
    if spec.get("classes") is not None:
        spec["classes"] = tuple(map(tuple, spec["classes"]))
    return DataSpec(**{**spec, "split": SplitSpec(**spec["split"])})
