"""What a search would train if it was carried out now, and what that takes: nothing is trained."""

from typing import Final

from coarsefine.db import repository
from coarsefine.db.records import PlanRecord
from coarsefine.hints import Message
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.data import PreparedData
from coarsefine.studies.planning.asked_again import check_same_stage
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.costs import Costs, Job
from coarsefine.studies.planning.forecast import Forecast, forecast, jobs_of
from coarsefine.studies.planning.point_runs import spec_from_json
from coarsefine.studies.planning.points import next_points
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.runs import Plan, plan_runs, reuse
from coarsefine.studies.planning.stages import Stage, find_stage, first_name
from coarsefine.studies.planning.trainers import TRAINER
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.judging.statistics import INDIFFERENT
from coarsefine.studies.results.predictions import rows_by_score
from coarsefine.studies.running.beginning import first_plan
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.studies import study_name
from coarsefine.studies.spaces.search import SearchKind

# Seconds that the timing takes.
MEASURING: Final = 1.5


def foreseen(
    resources: Resources,
    kind: SearchKind,
    asked: Asked,
    request: StageRequest,
    name: str | None = None,
    stage: str | None = None,
    measuring: float = MEASURING,
) -> Forecast:
    """Return what a stage of a search would train, and what that takes.

    A few updates are timed and thrown away; nothing is written.

    Args:
        resources: With what it would be carried out.
        kind: What is searched.
        asked: The recipe.
        request: What is asked of the stage.
        name: The study's; ``None`` names it after data set and search.
        stage: Which one; ``None`` is the first.
        measuring: About how many seconds may go into the timing.

    Raises:
        StudyError: If the search would be refused.
    """
    stage = stage or first_name(kind)
    recipe = asked.recipe(kind.implied)
    name = name or study_name(kind, recipe)
    study = repository.find_study(resources.database, name) if resources.has_database else None
    if study is None:
        plan = first_plan(resources, kind, recipe, request).plan
        return _of_plan(resources, plan, request, measuring)
    search = Search.carry_on(resources, kind, asked, study)
    return of_search(search, request, stage, measuring)


def noise_before(
    resources: Resources, kind: SearchKind, asked: Asked, name: str | None = None
) -> Message | None:
    """Return what similar studies say of seeds and samples; ``None`` of a study that is there.

    Args:
        resources: As in ``foreseen``.
        kind: As in ``foreseen``.
        asked: As in ``foreseen``.
        name: As in ``foreseen``.
    """
    from coarsefine.studies.results.similar import Question, in_words, known_from

    recipe = asked.recipe(kind.implied)
    if recipe.data.folds or recipe.data.redraw:
        return None
    if not resources.has_database:
        return in_words(None, INDIFFERENT)
    database = resources.database
    if repository.find_study(database, name or study_name(kind, recipe)) is not None:
        return None
    data = resources.prepare(recipe)
    keys = frozenset(parameter.key for parameter in kind.parameters)
    question = Question(data.name, data.fingerprint, recipe, keys)
    return in_words(known_from(database, question, INDIFFERENT), INDIFFERENT)


def of_search(
    search: Search, request: StageRequest, name: str, measuring: float = MEASURING
) -> Forecast:
    """Return what a stage of a study that is there would train, and what that takes.

    Args:
        search: The study at hand.
        request: What is asked of the stage.
        name: The stage's.
        measuring: As in ``foreseen``.
    """
    resources, study = search.resources, search.study
    record = find_stage(resources.database, study, name)
    if record is None:
        stage = search.following(name, request).stage
        rows = rows_by_score(resources.database, study)
        points = next_points(stage, request, rows, study.seed)
        plan = plan_runs(search.recipe, search.data, stage, points, resources.prepared)
        return _of_plan(resources, plan, request, measuring)
    stage, stored = Stage.of(record), repository.load_plan(resources.database, record)
    check_same_stage(stage, request)
    n_runs = stage.run_options.n_runs(1)
    jobs = _jobs_of_stored(resources, search.data, stored, n_runs)
    if not jobs:
        following = search.next_plan(stage, request, stored)
        if following is not None:
            return _of_plan(resources, following, request, measuring)
    return _measured(resources, stage, jobs, 0, measuring)


def _of_plan(resources: Resources, plan: Plan, request: StageRequest, measuring: float) -> Forecast:
    if resources.has_database and not request.fresh:
        plan = reuse(plan, resources.database)
    jobs = jobs_of(plan, resources.planned_for or n_cores())
    race = None if plan.had else plan.stage.race
    more = 0 if race is None else race.most - race.least
    return _measured(resources, plan.stage, jobs, more, measuring)


def _measured(
    resources: Resources, stage: Stage, jobs: list[Job], more_seeds: int, measuring: float
) -> Forecast:
    costs = Costs() if resources.budget is None else resources.budget.costs
    costs.measure(jobs, measuring)
    n_workers = 1 if stage.run_options.alone else resources.n_workers
    return forecast(stage, jobs, costs, n_workers, more_seeds)


def _jobs_of_stored(
    resources: Resources, own: PreparedData, stored: PlanRecord, n_runs: int
) -> list[Job]:
    """Return what a stored plan has left."""
    jobs = []
    for cohort in stored.cohorts:
        if cohort.state == "done":
            continue
        named, plan = cohort.plan.get("data"), plan_from_json(cohort.plan)
        data = own if named is None else resources.prepared(spec_from_json(named))
        left = plan.training.n_epochs(data.n_train) - cohort.epochs_done
        seed, custom = cohort.replicate // n_runs, TRAINER in cohort.plan
        jobs.append(Job(plan, data, left, seed, cohort.blas_threads, custom))
    return jobs
