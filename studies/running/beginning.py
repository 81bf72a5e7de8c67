"""The first stage of a study that is yet to be stored: planned, and by that checked."""

from typing import NamedTuple

from coarsefine.models.data import PreparedData
from coarsefine.studies.metric import metric_named
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.points import next_points
from coarsefine.studies.planning.pruning import check_metric
from coarsefine.studies.planning.races import Race, check_raced, quick_race
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.runs import Plan, plan_runs
from coarsefine.studies.planning.stages import first_stage
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.spaces.dimensions import check_one_loss
from coarsefine.studies.spaces.search import SearchKind


class FirstPlan(NamedTuple):
    """How the first stage of a study is trained.

    Attributes:
        data: What the recipe asks for.
        race: The one that its values have by default; ``None`` where they have none.
    """

    data: PreparedData
    plan: Plan
    race: Race | None


def first_plan(
    resources: Resources, kind: SearchKind, recipe: Recipe, request: StageRequest
) -> FirstPlan:
    """Return how the first stage of a study is trained; nothing is written.

    Args:
        resources: With what.
        kind: What is searched.
        recipe: All that the search leaves open.
        request: What is asked of the stage.

    Raises:
        StudyError: If it cannot be searched so.
    """
    plugins.check_new(recipe, request.prune)
    check_metric(recipe.training.metric, request.prune or "none")
    check_raced(recipe.training.metric, request.race)
    data = resources.prepare(recipe)
    stage = first_stage(kind, request, data.n_train).on_splits(recipe.data)
    check_one_loss(recipe.training.metric, stage.dimensions)
    points = next_points(stage, request, (), recipe.seed)
    plan = plan_runs(recipe, data, stage, points, resources.prepared)
    race = None
    quick = request.race_if_quick and not stage.run_options.split_varies
    by_share = metric_named(recipe.training.metric or "accuracy").share
    if quick and by_share and stage.prune == "none":
        race = quick_race(len(points), plan.seconds)
    if race is not None:
        plan = plan_runs(recipe, data, stage.raced(race), points, resources.prepared)
    return FirstPlan(data, plan, race)


def n_available(resources: Resources, kind: SearchKind, recipe: Recipe, n_train: int) -> int | None:
    """Return how many samples there are to train on; ``None`` where that plays no part."""
    if recipe.data.train is None:
        return n_train
    if all(p.name != "train" for p in kind.parameters):
        return None
    all_samples = recipe.data.model_copy(update={"train": None})
    return resources.prepare(recipe.model_copy(update={"data": all_samples})).n_train
