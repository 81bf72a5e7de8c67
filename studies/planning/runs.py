"""From points to training runs: what is trained together, what alone, and what was trained before.

A point is turned into a recipe, the recipe into what the trainer is asked for. Points that differ
in numbers only are trained as one cohort; those with other shapes, batches or samples are not.
A plan is made without a database; then it is looked up what was trained before, and stored.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import NewCohort, NewRun, NewTrial, PlanRecord, RunRecord, StageRecord
from coarsefine.hints import Message, option
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.data import PreparedData
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.plugin import Plugin
from coarsefine.models.specs import Hyperparameters, KernelName, NetworkSpec, TrainingSpec
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import cohort_widths, plan_to_json, threads_alone
from coarsefine.studies.planning.kernels import missing_note, planned_kernel, saved_seconds
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.planning.trials import trial_update
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained of a stage.

    Attributes:
        stage: How its points are trained.
        seed: Of all runs.
        data_key: The recipe's data; runs on other data name theirs.
        trials: One a point.
        runs: By replicate, in the order of the trials.
        reused: Runs that were trained before, by key.
    """

    stage: Stage
    seed: int
    data_key: str
    trials: tuple[NewTrial, ...]
    runs: tuple[tuple[PlannedRun, ...], ...]
    reused: Mapping[str, RunRecord] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Return the keys of all runs."""
        return [run.key for of_replicate in self.runs for run in of_replicate]

    @property
    def notes(self) -> tuple[str | Message, ...]:
        """Return what the user should know of it, a sentence each."""
        lines: list[str | Message] = [
            f"{' and '.join(points)} are one and the same training: together, they are one piece "
            "of evidence"
            for points in self._same()
        ]
        n_runs, n_reused = len(self.keys), sum(key in self.reused for key in self.keys)
        if n_reused:
            were = "was" if n_reused == 1 else "were"
            lines.append(
                Message(
                    f"{n_reused:,} of {n_runs:,} training runs {were} trained before and taken "
                    "over: no new evidence; ",
                    option("fresh", value=True),
                    " trains them again",
                )
            )
        return tuple(lines)

    def _same(self) -> list[list[str]]:
        """Return, in words, which points train the very same network on the very same samples."""
        by_key: dict[str, list[str]] = defaultdict(list)
        for trial, run in zip(self.trials, self.runs[0], strict=True):
            by_key[run.key].append(", ".join(map(shown, trial.params.values())))
        return [words for words in by_key.values() if len(words) > 1]


def recipe_at(
    recipe: Recipe, dimensions: Sequence[Dimension], point: Mapping[str, Value]
) -> Recipe:
    """Return the recipe that a point of the dimensions stands for.

    Raises:
        RecipeError: If the recipe has no use for it.
    """
    stated: dict[str, Any] = {}
    for dimension in dimensions:
        stated |= dimension.statement(point[dimension.name])
    return with_overrides(recipe, stated) if stated else recipe


# ------------------------------------------------------------------------------ planned, and stored


def plan_runs(
    recipe: Recipe,
    data: PreparedData,
    stage: Stage,
    points: Sequence[Mapping[str, Value]],
    prepare: Prepare,
    uuids: Sequence[str] = (),
) -> Plan:
    """Return how some points of a stage are trained: no database is needed.

    Args:
        recipe: All that the points leave open.
        data: What the recipe asks for.
        stage: What the points are of, and how they are trained.
        points: A value of each dimension; at least one.
        prepare: Returns other data, where points ask for any.
        uuids: Of the trials, where they are reserved; new ones otherwise.

    Raises:
        StudyError: If a point cannot be trained on the data.
    """
    replicates = stage.run_options.replicates
    names = [{"uuid": uuid} for uuid in uuids] or [{} for _ in points]
    return Plan(
        stage=stage,
        seed=recipe.seed,
        data_key=data.key,
        trials=tuple(
            NewTrial(to_params(point), replicates, **name)
            for point, name in zip(points, names, strict=True)
        ),
        runs=_runs(recipe, data, stage, points, prepare),
    )


def reuse(plan: Plan, database: Database) -> Plan:
    """Return the plan with what was trained before taken over."""
    return replace(plan, reused=repository.find_finished_run(database, plan.keys))


def store(
    plan: Plan, database: Database, record: StageRecord, n_workers: int | None = None
) -> PlanRecord:
    """Store trials, cohorts and runs of a stage in one transaction.

    Args:
        plan: What is to be trained.
        database: Where.
        record: The stage.
        n_workers: How many cohorts can be trained at the same time; ``None`` is one a core.
    """
    taken: dict[str, list[RunRecord]] = defaultdict(list)
    reused: list[NewRun] = []
    for replicate, of_replicate in enumerate(plan.runs):
        for trial, run in zip(plan.trials, of_replicate, strict=True):
            source = plan.reused.get(run.key)
            if source is not None:
                taken[trial.uuid].append(source)
                reused.append(
                    NewRun(trial.uuid, plan.seed, run.key, replicate, reused_from=source.id)
                )
    finished = [
        update
        for uuid, sources in taken.items()
        if (update := trial_update(uuid, plan.stage.run_options.replicates, sources)) is not None
    ]
    cohorts = _cohorts(plan, n_workers or n_cores())
    return repository.add_plan(
        database, record, plan.trials, cohorts, reused=reused, finished=finished
    )


def kernel_notes(plan: Plan, n_workers: int | None = None) -> list[str]:
    """Return what the user should know of the kernels that ``store`` gives the plan's runs."""
    seconds = [group.saved_seconds for group in _groups(plan, n_workers or n_cores())]
    note = missing_note(max(seconds)) if seconds else None
    return [] if note is None else [note]


class _Group(NamedTuple):
    """Runs of a replicate that can be trained together.

    Attributes:
        widths: Of how many each cohort is.
        saved_seconds: How much sooner a compiled kernel ends with them.
    """

    replicate: int
    indices: list[int]
    widths: list[int]
    saved_seconds: float


def _groups(plan: Plan, n_workers: int) -> Iterator[_Group]:
    """Yield the runs that are left to be trained."""
    options = plan.stage.run_options
    for replicate, of_replicate in enumerate(plan.runs):
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, run in enumerate(of_replicate):
            if run.key not in plan.reused:
                groups[run.group].append(i)
        n_alike = options.replicates * len(groups)
        for indices in groups.values():
            first = of_replicate[indices[0]]
            widths = _widths(plan, first, len(indices), n_alike, n_workers)
            seconds = -math.inf
            if first.plugin is None:
                together, at_once = widths * options.replicates, 1 if options.alone else n_workers
                network, training = first.network, first.training
                seconds = saved_seconds(network, training, first.data, together, at_once)
            yield _Group(replicate, indices, widths, seconds)


def _cohorts(plan: Plan, n_workers: int) -> list[NewCohort]:
    """Return the runs that are left to be trained, as cohorts."""
    cohorts: list[NewCohort] = []
    for group in _groups(plan, n_workers):
        kernel, start = planned_kernel(group.saved_seconds), 0
        for width in group.widths:
            indices = group.indices[start : start + width]
            cohorts.append(_cohort(plan, group.replicate, indices, kernel))
            start += width
    return cohorts


def _widths(
    plan: Plan, first: PlannedRun, n_trials: int, n_alike: int, n_workers: int
) -> list[int]:
    """Return of how many trials each cohort is, so that it pays."""
    if plan.stage.run_options.alone or first.plugin is not None:
        return [1] * n_trials
    batch_size = first.training.batch_size
    return cohort_widths(first.network, batch_size, n_trials, n_alike, n_workers)


def _cohort(plan: Plan, replicate: int, indices: Sequence[int], kernel: KernelName) -> NewCohort:
    """Return the cohort of some trials."""
    runs = [plan.runs[replicate][i] for i in indices]
    first = runs[0]
    stored = plan_to_json(
        CohortPlan(
            first.network,
            first.training,
            tuple(run.hyperparameters for run in runs),
            plan.seed,
            replicate,
            kernel,
        )
    )
    if first.data.key != plan.data_key:
        stored["data"] = data_to_json(first.data)
    if first.plugin is not None:
        stored[plugins.TRAINER] = dataclasses.asdict(first.plugin)
    # A compiled kernel calls no BLAS, whose threads could share the work.
    shares = plan.stage.run_options.alone and kernel == "numpy"
    most = n_cores() if shares else 1
    return NewCohort(
        [
            NewRun(plan.trials[i].uuid, plan.seed, run.key, replicate)
            for i, run in zip(indices, runs, strict=True)
        ],
        replicate,
        blas_threads=threads_alone(first.network, first.training.batch_size, most),
        plan=stored,
    )


# ------------------------------------------------------------------------- what a point asks for


def _runs(
    recipe: Recipe,
    data: PreparedData,
    stage: Stage,
    points: Sequence[Mapping[str, Value]],
    prepare: Prepare,
) -> tuple[tuple[PlannedRun, ...], ...]:
    """Return what is to be trained, by replicate, in the order of the points."""
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
        settings = tuple(point[d.name] for d in others)
        if settings not in known:
            there = recipe_at(recipe, others, point)
            known[settings] = there, {d.name: searched_field(there, d.name) for d in numbers}
        there, fields = known[settings]
        asked.append((there, {fields[d.name]: float(point[d.name]) for d in numbers}))  # type: ignore[arg-type]
    prepared: dict[DataSpec, PreparedData] = {data.spec: data}
    specs: dict[Any, tuple[NetworkSpec, TrainingSpec, Hyperparameters]] = {}
    runs: list[tuple[PlannedRun, ...]] = []
    for replicate in range(options.replicates):
        of_replicate = []
        for (there, values), point in zip(asked, points, strict=True):
            spec = drawn(to_data_spec(there), replicate if options.draws else 0)
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
    if n_updates is not None:
        training = replace(training, n_updates=n_updates)
        if training.schedule == "geometric":
            # η is to rise over the whole training, however long that is.
            base = replace(base, half_cycle=max(1, n_updates - 1))
    return network, training, base


def drawn(spec: DataSpec, draw: int) -> DataSpec:
    """Return the data with another draw of the training samples; 0 is the first."""
    return replace(spec, split=replace(spec.split, draw=draw)) if draw else spec


# --------------------------------------------------------------------------- data of its own


def data_to_json(data: PreparedData) -> dict[str, Any]:
    """Return which data a cohort is trained on, to be stored with its plan."""
    return {"key": data.key, "spec": dataclasses.asdict(data.spec)}


def spec_from_json(stored: Mapping[str, Any]) -> DataSpec:
    """Return the data that ``data_to_json`` named."""
    spec = dict(stored["spec"])
    return DataSpec(**{**spec, "split": SplitSpec(**spec["split"])})
