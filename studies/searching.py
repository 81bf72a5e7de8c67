"""Searches: a study's stages, from what the user asks for to trained and told trials."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from db import repository
from db.engine import Database
from db.lock import StudyLock
from db.records import NewCohort, NewRun, NewTrial, StageRecord, StudyRecord, TrialRecord
from models.cohort import CohortPlan
from models.data import PreparedData, Progress, prepare
from models.specs import Hyperparameters
from studies import environment
from studies.errors import SpaceError, StudyError
from studies.executors import Executor, make_executor, n_cores
from studies.mirror import OptunaMirror
from studies.planning import cohort_widths, estimated_seconds, plan_to_json
from studies.pruning import PRUNERS
from studies.recipe import Recipe, differences, from_json, make_recipe, to_json, with_overrides
from studies.refinement import ScoredPoint, Window, fine_grid, refine
from studies.running import Observer, Quiet, train_stage
from studies.search_kind import SearchKind
from studies.spaces import LogRange, is_same
from studies.specs import recipe_key, searched_field, to_data_spec, to_specs
from studies.suggestions import did_you_mean

COARSE, FINE = "coarse", "fine"
SAMPLERS = ("grid", "random", "qmc", "tpe")
# How many trials TPE proposes before it waits for what comes of them: a cohort's worth.
ADAPTIVE_BATCH = 8
# Work that is done sooner than a worker process has started is done in this process.
SMALL_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class StageRequest:
    """What the user asks of a stage; ``None`` leaves it to the stage or the search.

    Attributes:
        n_trials: How many trials the stage should have in the end.
        values: The values to try, in place of a sampler's.
        low: Lower end of the range.
        high: Upper end of the range.
        sampler: One of ``SAMPLERS``.
        replicates: Seeds that each trial is trained with.
        prune: ``halving`` stops trials that are far behind; one of ``PRUNERS``.
    """

    n_trials: int | None = None
    values: tuple[float, ...] | None = None
    low: float | None = None
    high: float | None = None
    sampler: str | None = None
    replicates: int | None = None
    prune: str | None = None

    def __post_init__(self) -> None:
        for name in ("n_trials", "replicates"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SpaceError(f"{name.removeprefix('n_')} must be >= 1, got {value}")
        if self.prune is not None and self.prune not in PRUNERS:
            raise SpaceError(
                f"prune must be one of {', '.join(PRUNERS)}, got {self.prune!r}"
                f"{did_you_mean(self.prune, PRUNERS)}"
            )
        if self.sampler is not None and self.sampler not in SAMPLERS:
            raise SpaceError(
                f"sampler must be one of {', '.join(SAMPLERS)}, got {self.sampler!r}"
                f"{did_you_mean(self.sampler, SAMPLERS)}"
            )
        others = (self.n_trials, self.sampler, self.low, self.high)
        if self.values is not None and any(other is not None for other in others):
            raise SpaceError(
                "a stage has either values, or a number of trials, a sampler and a range; got both"
            )


@dataclass(frozen=True, slots=True)
class Means:
    """With what a search is carried out; none of it changes a result.

    Attributes:
        n_jobs: Worker processes at the most.
        executor: Workers to use, kept open for the next search; ``None`` starts them as needed.
    """

    database: Database
    n_jobs: int = field(default_factory=n_cores)
    executor: Executor | None = None
    data_dir: Path | None = None
    observer: Observer = field(default_factory=Quiet)
    progress: Progress | None = None

    def prepare(self, recipe: Recipe) -> PreparedData:
        """Return the recipe's data."""
        return prepare(to_data_spec(recipe), data_dir=self.data_dir, progress=self.progress)

    def workers(self, seconds: float, n_cohorts: int) -> AbstractContextManager[Executor]:
        """Return workers for some work that takes about ``seconds`` on one core."""
        if self.executor is not None:
            return nullcontext(self.executor)
        small = seconds < SMALL_SECONDS
        return make_executor(1 if small else max(1, min(self.n_jobs, n_cohorts)))


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
        spec = _coarse_spec(kind, request)
        study = _add_study(means.database, kind, name, recipe, data)
    else:
        recipe = same_recipe(study, kind, path, flags)
        data = checked_data(means, study, recipe)
        spec = _coarse_spec(kind, request)
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, COARSE)
        if stage is None:
            stage = _add_stage(means.database, study, spec)
        else:
            _check_same_stage(stage, request)
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
    with StudyLock(means.database, study.uuid):
        stage = find_stage(means.database, study, FINE)
        if stage is None:
            parent = finished_stage(means.database, study, COARSE, kind)
            window = _window(means.database, parent, request)
            stage = _add_stage(means.database, study, _fine_spec(kind, parent, window, request))
            for line in window.warnings:
                means.observer.said(line)
        else:
            _check_same_stage(stage, request)
        stage = _carry_out(means, study, stage, recipe, data, request)
    return Outcome(study, stage, recipe, data)


def find_stage(database: Database, study: StudyRecord, name: str) -> StageRecord | None:
    """Return the study's stage of that name, ``None`` if there is none."""
    return next((s for s in repository.stages(database, study) if s.name == name), None)


def finished_stage(
    database: Database, study: StudyRecord, name: str, kind: SearchKind
) -> StageRecord:
    """Return a stage all of whose trials are finished.

    Raises:
        StudyError: If there is none; names the command to run.
    """
    command = f"python -m search {kind.name} --{name} --study {study.name}"
    stage = find_stage(database, study, name)
    trials = [] if stage is None else repository.load_plan(database, stage).trials
    if stage is None or not trials:
        raise StudyError(f"study {study.name} has no {name} trials; run\n    {command}")
    n_left = sum(trial.state in {"planned", "running"} for trial in trials)
    if n_left:
        raise StudyError(
            f"the {name} search of {study.name} must be finished, {n_left} of its {len(trials)} "
            f"trials are not; run\n    {command}"
        )
    return stage


def same_recipe(
    study: StudyRecord, kind: SearchKind, path: Path | None, flags: Mapping[str, Any] | None
) -> Recipe:
    """Return the study's recipe.

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
    found = differences(stored, asked)
    if found:
        lines = "".join(f"\n    {d.key}: {d.first} there, {d.second} asked for" for d in found)
        raise StudyError(
            f"study {study.name} was begun with another recipe; leave these out, or choose "
            f"another name with --study:{lines}"
        )
    return stored


def checked_data(means: Means, study: StudyRecord, recipe: Recipe) -> PreparedData:
    """Return the study's data.

    Raises:
        StudyError: If the data are no longer what the study began with.
    """
    data = means.prepare(recipe)
    if data.fingerprint != study.data_fingerprint:
        raise StudyError(
            f"study {study.name} was begun with other data (fingerprint "
            f"{study.data_fingerprint[:12]}, now {data.fingerprint[:12]}); put the old files back, "
            "or choose another name with --study"
        )
    return data


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
    spec = _coarse_spec(kind, request)
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


# ----------------------------------------------------------------------------------- a new stage


@dataclass(frozen=True, slots=True)
class _StageSpec:
    """A stage to be added."""

    name: str
    parameter: str
    range: LogRange | None
    values: tuple[float, ...] | None
    sampler: str
    n_trials: int
    replicates: int
    reason: str
    prune: str
    parent: str | None = None


def _coarse_spec(kind: SearchKind, request: StageRequest) -> _StageSpec:
    if request.values is not None:
        searched = LogRange.spanning(request.values)
        reason = "the values given"
    else:
        searched = LogRange(
            kind.coarse.low if request.low is None else request.low,
            kind.coarse.high if request.high is None else request.high,
        )
        given = request.low is not None or request.high is not None
        reason = "the range given" if given else f"the usual range of a coarse {kind.name} search"
    return _StageSpec(
        name=COARSE,
        parameter=kind.parameter,
        range=searched,
        values=request.values,
        sampler=_sampler(request),
        n_trials=request.n_trials or kind.n_coarse,
        replicates=request.replicates or 1,
        reason=reason,
        prune=request.prune or "none",
    )


def _window(database: Database, parent: StageRecord, request: StageRequest) -> Window:
    trials = repository.load_plan(database, parent).trials
    window = refine(scored_points(trials, parent.parameter), stage_range(parent))
    if request.low is None and request.high is None:
        return window
    given = LogRange(
        window.range.low if request.low is None else request.low,
        window.range.high if request.high is None else request.high,
    )
    best = window.best[0]
    if not given.contains(best):
        raise StudyError(
            f"a fine range must hold the best coarse value {best:.4g}, got {given.low:g} … "
            f"{given.high:g}; leave out --low and --high to have it chosen"
        )
    searched = stage_range(parent)
    if searched is not None and given.decades >= searched.decades:
        raise StudyError(
            f"a fine range must be narrower than the coarse one, {searched.low:g} … "
            f"{searched.high:g}, got {given.low:g} … {given.high:g}"
        )
    return replace(window, range=given, edges=(), reason="the range given", warnings=())


def _fine_spec(
    kind: SearchKind, parent: StageRecord, window: Window, request: StageRequest
) -> _StageSpec:
    return _StageSpec(
        name=FINE,
        parameter=kind.parameter,
        range=window.range,
        values=request.values,
        sampler=_sampler(request),
        n_trials=request.n_trials or kind.n_fine,
        replicates=request.replicates or int(parent.options["replicates"]),
        reason=window.reason,
        prune=request.prune or str(parent.options["prune"]),
        parent=parent.name,
    )


def _sampler(request: StageRequest) -> str:
    return "values" if request.values is not None else request.sampler or "grid"


def _add_stage(database: Database, study: StudyRecord, spec: _StageSpec) -> StageRecord:
    return repository.add_stage(
        database,
        study,
        name=spec.name,
        optuna_name=f"{study.name}/{spec.name}",
        parameter=spec.parameter,
        sampler=spec.sampler,
        reason=spec.reason,
        parent=spec.parent,
        low=None if spec.range is None else spec.range.low,
        high=None if spec.range is None else spec.range.high,
        values=spec.values,
        options={
            "replicates": spec.replicates,
            "n_trials": spec.n_trials,
            "prune": spec.prune,
        },
    )


def _check_same_stage(stage: StageRecord, request: StageRequest) -> None:
    """Raise if the stage that is there was asked something else.

    More values and more trials are no contradiction: the stage is topped up.
    """
    searched = stage_range(stage)
    contradictions = [
        f"{what}: {there} there, {asked} asked for"
        for what, there, asked in (
            ("--low", searched and searched.low, request.low),
            ("--high", searched and searched.high, request.high),
            ("--sampler", stage.sampler, request.sampler),
            ("--replicates", stage.options["replicates"], request.replicates),
            ("--prune", stage.options["prune"], request.prune),
        )
        if asked is not None and asked != there
    ]
    if request.n_trials is not None and stage.sampler == "values":
        contradictions.append("--trials: its values were given; name more of them with --values")
    if 0 in (request.values or ()) and 0 not in (stage.values or ()):
        contradictions.append("--values: 0 has no place on the log scale it was begun on")
    if contradictions:
        lines = "".join(f"\n    {line}" for line in contradictions)
        raise StudyError(
            f"the {stage.name} search was begun otherwise; leave these out, or choose another "
            f"name with --study:{lines}"
        )


def stage_range(stage: StageRecord) -> LogRange | None:
    """Return the range of a stage; ``None`` where single values were given."""
    if stage.low is None or stage.high is None:
        return None
    return LogRange(stage.low, stage.high)


def scored_points(trials: Sequence[TrialRecord], parameter: str) -> list[ScoredPoint]:
    """Return the trials as refinement sees them."""
    return [
        ScoredPoint(
            float(trial.params[parameter]),
            trial.validation_accuracy,
            trial.validation_loss,
            trial.state,
        )
        for trial in trials
    ]


# ------------------------------------------------------------------------------------ its trials


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
                points = _new_points(means.database, study, stage, plan.trials, request)
                if points:
                    named = [{stage.parameter: value} for value in points]
                    add_runs(means.database, stage, recipe, data, named, replicates)
                    continue
                if not untold:
                    return stage
            seconds = sum(estimated_seconds(c.plan, data.n_train) for c in unfinished)
            with means.workers(seconds, len(unfinished)) as executor:
                train_stage(means.database, stage, data, executor, mirror, means.observer)


def _new_points(
    database: Database,
    study: StudyRecord,
    stage: StageRecord,
    trials: Sequence[TrialRecord],
    request: StageRequest,
) -> list[float]:
    """Return the values that are still to be tried, as many as are tried at a time."""
    tried = [float(trial.params[stage.parameter]) for trial in trials]
    if request.values is not None or stage.sampler == "values":
        wanted = request.values if request.values is not None else tuple(stage.values or ())
        return [v for v in wanted if not any(is_same(v, other) for other in tried)]
    searched = stage_range(stage)
    missing = (request.n_trials or int(stage.options["n_trials"])) - len(tried)
    if missing <= 0 or searched is None:
        return []
    if stage.sampler == "grid":
        return list(fine_grid(searched, missing, [*tried, *_measured_before(database, study)]))
    from db.optuna_studies import Range, propose

    size = min(missing, ADAPTIVE_BATCH) if stage.sampler == "tpe" else missing
    proposals = propose(
        stage.sampler,  # type: ignore[arg-type]
        {stage.parameter: Range(searched.low, searched.high, log=True)},
        [(trial.params, trial.validation_accuracy, trial.state) for trial in trials],
        size,
        seed=study.seed,
        # How many trials there are names the batch: a resumed search counts the same.
        batch=len(tried),
    )
    return [float(point[stage.parameter]) for point in proposals]


def _measured_before(database: Database, study: StudyRecord) -> list[float]:
    """Return all values that the study's stages have tried."""
    return [
        float(value)
        for row in repository.trial_rows(database, study)
        for value in row.params.values()
    ]
