"""A cohort of a stored plan trained once more, from its first update: to the same bits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coarsefine.models.cohort import CohortState, pruned
from coarsefine.models.data import PreparedData
from coarsefine.models.plugin import Plugin
from coarsefine.models.segment import Segment, run_segment
from coarsefine.models.training import EpochRow
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import epoch_seconds, plan_from_json, training_seconds
from coarsefine.studies.planning.point_runs import Prepare, recipe_at
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.running.watching import Observer, StoppedByRequest
from coarsefine.studies.spaces.dimensions import Value, from_params

# Whoever asks to stop is heard about so often.
_SEGMENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Again:
    """A cohort that is to be trained once more.

    Attributes:
        key: Names it.
        plan: As stored.
        stopped: Slots of trials that were stopped early, by the epoch at which they were.
    """

    key: str
    plan: dict[str, Any]
    blas_threads: int
    stopped: Mapping[int, Sequence[int]]

    @classmethod
    def of(
        cls, key: str, plan: Mapping[str, Any], blas_threads: int, stopped: Mapping[int, int]
    ) -> "Again":
        """Return it; ``stopped`` has the epoch of each slot."""
        by_epoch: dict[int, list[int]] = defaultdict(list)
        for slot, epoch in stopped.items():
            by_epoch[epoch].append(slot)
        return cls(key, dict(plan), blas_threads, by_epoch)


@dataclass(slots=True)
class Retrained:
    """What came of a cohort that was trained once more.

    Attributes:
        rows: A row per trial and epoch.
        outcomes: By slot, what each trial that was completed makes of the validation samples.
        seconds: Wall time.
        failure: Why a custom trainer failed, in a line.
    """

    state: CohortState | None = None
    rows: list[EpochRow] = field(default_factory=list)
    outcomes: dict[int, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str | None = None


def data_of(
    recipe: Recipe, stage: Stage, params: Mapping[str, Value], replicate: int, prepare: Prepare
) -> PreparedData:
    """Return what one run of a stage is trained on.

    Args:
        recipe: The stage's.
        stage: What it varies.
        params: The trial's, as stored.
        replicate: Which of its runs.
        prepare: Returns the data that a point asks for.
    """
    there = recipe_at(recipe, stage.dimensions, from_params(params))
    return prepare(stage.run_options.data_of(to_data_spec(there), replicate))


def seconds_again(cohort: Again, data: PreparedData, plugin: Plugin | None = None) -> float:
    """Return about how long a core takes to train a cohort; infinite for a custom trainer."""
    return training_seconds(plan_from_json(cohort.plan), data.n_train, plugin)


def retrained(
    cohort: Again,
    data: PreparedData,
    observer: Observer,
    trainer: str | None = None,
) -> Retrained:
    """Return what a cohort's plan gives when it is trained in this process.

    Trials that were stopped early are stopped at the same epochs, so that the arrays have the same
    shapes.

    Args:
        cohort: Which.
        data: What it is trained on.
        observer: May ask to stop.
        trainer: The custom trainer that the user's recipe names; no other is called.

    Raises:
        StudyError: If the plan names another trainer.
        StoppedByRequest: If the observer asked to stop.
    """
    plan = plan_from_json(cohort.plan)
    plugin = plugins.of_plan(cohort.plan, trainer)
    last = plan.training.n_epochs(data.n_train)
    at_once = max(1, int(_SEGMENT_SECONDS / epoch_seconds(plan, data.n_train)))
    found = Retrained()
    for epoch in sorted({*cohort.stopped, last}):
        while found.state is None or (not found.state.done and found.state.epoch < epoch):
            if observer.stop_requested:
                raise StoppedByRequest
            reached = 0 if found.state is None else found.state.epoch
            n_epochs = epoch - reached if plugin is not None else min(at_once, epoch - reached)
            segment = Segment(
                key=cohort.key,
                plan=plan,
                data=data,
                state=found.state,
                n_epochs=n_epochs,
                blas_threads=cohort.blas_threads,
                plugin=plugin,
            )
            trained = run_segment(segment)
            found.state = trained.state
            found.rows += trained.rows
            found.outcomes |= trained.outcomes
            found.seconds += trained.seconds
            found.failure = trained.failure
        found.state = pruned(found.state, cohort.stopped.get(epoch, ()))
    return found
