"""Stages: what the user asks of one, what is stored of it, and which values it still has to try."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from db import repository
from db.engine import Database
from db.records import StageRecord, StudyRecord, TrialRecord
from studies.errors import SpaceError, StudyError
from studies.pruning import PRUNERS
from studies.reading import stage_range
from studies.refinement import ScoredPoint, Window, fine_grid, refine
from studies.search_kind import SearchKind
from studies.spaces import LogRange, is_same
from studies.suggestions import did_you_mean

COARSE, FINE = "coarse", "fine"
SAMPLERS = ("grid", "random", "qmc", "tpe")
# A plan is made and stored whole: more trials than anyone can look at would take hours to plan.
MOST = 100_000
# How many trials TPE proposes before it waits for what comes of them.
ADAPTIVE_BATCH = 4


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
            if value is not None and not 1 <= value <= MOST:
                raise SpaceError(f"{name.removeprefix('n_')} must be 1 … {MOST:,}, got {value:,}")
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


@dataclass(frozen=True, slots=True)
class StageSpec:
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


def coarse_spec(kind: SearchKind, request: StageRequest) -> StageSpec:
    """Return the coarse stage that is asked for."""
    if request.values is not None:
        searched = None
        reason = "the values given"
    else:
        searched = LogRange(
            kind.coarse.low if request.low is None else request.low,
            kind.coarse.high if request.high is None else request.high,
        )
        given = request.low is not None or request.high is not None
        reason = "the range given" if given else f"the usual range of a coarse {kind.name} search"
    return StageSpec(
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


def window_of(database: Database, parent: StageRecord, request: StageRequest) -> Window:
    """Return where to look after ``parent``: what its results leave, or the range asked for.

    Raises:
        StudyError: If the range asked for does not hold the best value, or is no narrower.
    """
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


def fine_spec(
    kind: SearchKind, parent: StageRecord, window: Window, request: StageRequest
) -> StageSpec:
    """Return the fine stage for a window."""
    return StageSpec(
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


def add_stage(database: Database, study: StudyRecord, spec: StageSpec) -> StageRecord:
    """Store a stage, not yet with any trials."""
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


def check_same_stage(stage: StageRecord, request: StageRequest) -> None:
    """Check that the stage that is there was asked nothing else.

    More values and more trials are no contradiction: the stage is topped up.

    Raises:
        StudyError: If it was; shows what.
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


def new_points(
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
