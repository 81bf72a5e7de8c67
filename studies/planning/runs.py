"""From points to training runs: what is trained together, what alone, and what was trained before.

Points that differ in numbers only are trained as one cohort; those with other shapes, batches or
samples are not. Trials that are there get more seeds as new ones get their first.
A plan is made without a database; then it is looked up what was trained before, and stored.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import (
    NewCohort,
    NewRun,
    NewTrial,
    PlanRecord,
    RunRecord,
    StageRecord,
    TrialRecord,
)
from coarsefine.hints import Message, option
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.data import PreparedData
from coarsefine.models.specs import KernelName
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import (
    cohort_widths,
    plan_to_json,
    threads_alone,
    training_seconds,
)
from coarsefine.studies.planning.kernels import (
    NOTHING_SAVED,
    Saving,
    missing_note,
    planned_kernel,
    saving,
)
from coarsefine.studies.planning.point_runs import PlannedRun, Prepare, data_to_json, runs_of
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.planning.trials import trial_update
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.spaces.dimensions import Value, from_params, shown, to_params


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained of a stage.

    Attributes:
        stage: How its points are trained.
        seed: Of all runs.
        data_key: The recipe's data; runs on other data name theirs.
        trials: One a point.
        runs: By replicate, in the order of the trials.
        had: Runs that trials have, by UUID; of new ones, none.
        reused: Runs that were trained before, by key.
    """

    stage: Stage
    seed: int
    data_key: str
    trials: tuple[NewTrial, ...]
    runs: tuple[tuple[PlannedRun, ...], ...]
    had: Mapping[str, Sequence[RunRecord]] = field(default_factory=dict)
    reused: Mapping[str, RunRecord] = field(default_factory=dict)

    @property
    def new(self) -> list[tuple[int, int, PlannedRun]]:
        """Return the runs that trials do not have, with replicate and place of the trial."""
        return [
            (replicate, i, run)
            for replicate, of_replicate in enumerate(self.runs)
            for i, run in enumerate(of_replicate)
            if replicate >= len(self.had.get(self.trials[i].uuid, ()))
        ]

    @property
    def keys(self) -> list[str]:
        """Return the keys of these runs."""
        return [run.key for _, _, run in self.new]

    @property
    def n_seeds(self) -> int:
        """Return how many seeds some trial lacks."""
        return len(self.runs) - min(len(self.had.get(trial.uuid, ())) for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Return about how long a core takes to train each of its trials with one seed."""
        return sum(
            training_seconds(
                CohortPlan(run.network, run.training, (run.hyperparameters,), self.seed, 0),
                run.data.n_train,
                run.plugin,
            )
            for run in self.runs[0]
        )

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
            if trial.uuid in self.had:
                continue  # it was said when it was planned
            by_key[run.key].append(", ".join(map(shown, trial.params.values())))
        return [words for words in by_key.values() if len(words) > 1]


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
    replicates = stage.run_options.n_runs()
    names = [{"uuid": uuid} for uuid in uuids] or [{} for _ in points]
    return Plan(
        stage=stage,
        seed=recipe.seed,
        data_key=data.key,
        trials=tuple(
            NewTrial(to_params(point), replicates, **name)
            for point, name in zip(points, names, strict=True)
        ),
        runs=runs_of(recipe, data, stage, points, prepare, replicates),
    )


def plan_more_seeds(
    recipe: Recipe,
    data: PreparedData,
    stage: Stage,
    stored: PlanRecord,
    trials: Sequence[TrialRecord],
    n_seeds: int,
    prepare: Prepare,
) -> Plan:
    """Return how some of a stage's trials get the seeds that they lack.

    Args:
        recipe: All that their points leave open.
        data: What the recipe asks for.
        stage: Whose trials.
        stored: All that is stored of it.
        trials: Finished ones that have fewer seeds; at least one.
        n_seeds: That each is to have in the end; of folds, on each of them.
        prepare: Returns other data, where points ask for any.
    """
    points = [from_params(trial.params) for trial in trials]
    n_runs = stage.run_options.n_runs(n_seeds)
    had: dict[str, list[RunRecord]] = {trial.uuid: [] for trial in trials}
    uuids = {trial.id: trial.uuid for trial in trials}
    for run in stored.runs:
        if run.trial_id in uuids:
            had[uuids[run.trial_id]].append(run)
    return Plan(
        stage=stage,
        seed=recipe.seed,
        data_key=data.key,
        trials=tuple(NewTrial(trial.params, n_runs, trial.uuid) for trial in trials),
        runs=runs_of(recipe, data, stage, points, prepare, n_runs),
        had=had,
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
    for replicate, i, run in plan.new:
        source, uuid = plan.reused.get(run.key), plan.trials[i].uuid
        if source is not None:
            taken[uuid].append(source)
            reused.append(NewRun(uuid, plan.seed, run.key, replicate, reused_from=source.id))
    finished = [
        update
        for uuid, sources in taken.items()
        if (update := trial_update(uuid, len(plan.runs), [*plan.had.get(uuid, ()), *sources]))
        is not None
    ]
    cohorts = cohorts_of(plan, n_workers or n_cores())
    trials = [trial for trial in plan.trials if trial.uuid not in plan.had]
    return repository.add_plan(database, record, trials, cohorts, reused=reused, finished=finished)


def kernel_notes(plan: Plan, n_workers: int | None = None) -> list[str]:
    """Return what the user should know of the kernels that ``store`` gives the plan's runs."""
    seconds = [group.saving.seconds for group in _groups(plan, n_workers or n_cores())]
    note = missing_note(max(seconds)) if seconds else None
    return [] if note is None else [note]


class _Group(NamedTuple):
    """Runs of a replicate that can be trained together.

    Attributes:
        widths: Of how many each cohort is.
        saving: How much sooner which compiled kernel ends with them.
    """

    replicate: int
    indices: list[int]
    widths: list[int]
    saving: Saving


def _groups(plan: Plan, n_workers: int) -> Iterator[_Group]:
    """Yield the runs that are left to be trained."""
    options = plan.stage.run_options
    left: dict[int, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))
    for replicate, i, run in plan.new:
        if run.key not in plan.reused:
            left[replicate][run.group].append(i)
    for replicate, groups in left.items():
        n_alike = plan.n_seeds * len(groups)
        for indices in groups.values():
            first = plan.runs[replicate][indices[0]]
            widths = _widths(plan, first, len(indices), n_alike, n_workers)
            saved = NOTHING_SAVED
            if first.plugin is None:
                together, at_once = widths * plan.n_seeds, 1 if options.alone else n_workers
                network, training = first.network, first.training
                trials = [plan.runs[replicate][i].hyperparameters for i in indices]
                saved = saving(network, training, first.data, together, at_once, trials)
            yield _Group(replicate, indices, widths, saved)


def cohorts_of(plan: Plan, n_workers: int) -> list[NewCohort]:
    """Return the runs that are left to be trained, as cohorts."""
    cohorts: list[NewCohort] = []
    for group in _groups(plan, n_workers):
        kernel, start = planned_kernel(group.saving), 0
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
