"""Stages: what the user asks of one, what is stored of it, and which points it still has to try."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.records import StageRecord, StudyRecord, TrialRecord
from coarsefine.studies.errors import SpaceError, StudyError, did_you_mean
from coarsefine.studies.planning.pruning import PRUNERS
from coarsefine.studies.planning.runs import Manner
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    Value,
    from_json,
    from_params,
    parameter,
    same_point,
    same_value,
    shown,
    to_json,
)
from coarsefine.studies.spaces.narrowing import Narrowing, ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange, is_same
from coarsefine.studies.spaces.refinement import fine_grid
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

COARSE, FINE, FINER = "coarse", "fine", "finer"
# Of searches that have one stage only.
GRID = "grid"
SAMPLERS = ("grid", "random", "qmc", "tpe")
EQUAL = ("epochs", "updates")
# A plan is made and stored whole: more trials than anyone can look at would take hours to plan.
MOST = 100_000
# How many trials TPE proposes before it waits for what comes of them.
ADAPTIVE_BATCH = 4


@dataclass(frozen=True, slots=True)
class StageRequest:
    """What the user asks of a stage; ``None`` leaves it to the stage or the search.

    Attributes:
        n_trials: How many trials the stage should have in the end.
        values: The values to try, in place of a sampler's; of a search over one parameter.
        low: Lower end of the range; of a search over one parameter.
        high: Upper end of the range; of a search over one parameter.
        dimensions: Ranges and values by parameter, in place of ``values``, ``low`` and ``high``.
        sampler: One of ``SAMPLERS``.
        replicates: Seeds that each trial is trained with.
        prune: ``halving`` stops trials that are far behind; one of ``PRUNERS``.
        alone: Whether trials are trained one after another, on all cores.
        equal: Whether all trials make equal ``epochs`` or ``updates``.
        fresh: Train what was trained before, too.
    """

    n_trials: int | None = None
    values: tuple[Value, ...] | None = None
    low: float | None = None
    high: float | None = None
    dimensions: tuple[Dimension, ...] = ()
    sampler: str | None = None
    replicates: int | None = None
    prune: str | None = None
    alone: bool | None = None
    equal: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        for name in ("n_trials", "replicates"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST:
                raise SpaceError(f"{name.removeprefix('n_')} must be 1 … {MOST:,}, got {value:,}")
        for name, choices in (("prune", PRUNERS), ("sampler", SAMPLERS), ("equal", EQUAL)):
            choice = getattr(self, name)
            if choice is not None and choice not in choices:
                raise SpaceError(
                    f"{name} must be one of {', '.join(choices)}, got {choice!r}"
                    f"{did_you_mean(choice, choices)}"
                )
        others = (self.n_trials, self.sampler, self.low, self.high)
        if self.values is not None and any(other is not None for other in others):
            raise SpaceError(
                "a stage has either values, or a number of trials, a sampler and a range; got both"
            )

    @property
    def names_values(self) -> bool:
        """Return whether it says what to try, value by value or as ranges."""
        given = (self.values, self.low, self.high)
        return bool(self.dimensions) or any(each is not None for each in given)


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
    dimensions: tuple[Dimension, ...]
    sampler: str
    n_trials: int
    manner: Manner
    reason: str
    prune: str
    parent: str | None = None


def dimensions_of(stage: StageRecord) -> tuple[Dimension, ...]:
    """Return what a stage varies, and where."""
    stored = stage.options.get("dimensions")
    if stored is not None:
        return from_json(stored)
    # Stages of before there were several dimensions have one, in columns.
    one = parameter(stage.parameter)
    if stage.low is not None and stage.high is not None:
        return (Dimension(one, LogRange(stage.low, stage.high)),)
    return (Dimension(one, values=tuple(stage.values or ())),)


def manner_of(stage: StageRecord, *, fresh: bool = False) -> Manner:
    """Return how a stage's points are trained."""
    options = stage.options
    return Manner(
        replicates=int(options["replicates"]),
        draws=bool(options.get("draws", False)),
        alone=bool(options.get("alone", False)),
        equal_updates=options.get("equal") == "updates",
        fresh=fresh,
    )


def first_name(kind: SearchKind) -> str:
    """Return the name of a search's first stage."""
    return COARSE if kind.refines else GRID


def coarse_spec(kind: SearchKind, request: StageRequest, n_train: int | None = None) -> StageSpec:
    """Return the first stage that is asked for.

    Args:
        kind: The search.
        request: What the user wants otherwise.
        n_train: Size of the training set: usual values that are larger are left out.

    Raises:
        SpaceError: If the parameter cannot be searched so.
    """
    dimensions = tuple(_asked(d, kind, request) for d in kind.dimensions)
    usual = SEARCHES.get(kind.name)
    if not request.names_values:
        dimensions = tuple(_fitting(d, n_train) for d in dimensions)
    if not request.names_values and usual and usual.dimensions == kind.dimensions:
        reason = f"the usual range of a coarse {kind.name} search"
        if not kind.refines:
            reason = f"the usual values of a {kind.name} search"
    else:
        reason = (
            "the range given"
            if any(d.range is not None for d in dimensions)
            else ("the values given")
        )
    sampler = _sampler(dimensions, request)
    return StageSpec(
        name=first_name(kind),
        dimensions=dimensions,
        sampler=sampler,
        n_trials=request.n_trials or kind.n_coarse,
        manner=Manner(
            replicates=request.replicates or kind.replicates,
            draws=kind.draws,
            alone=kind.alone if request.alone is None else request.alone,
            equal_updates=request.equal == "updates",
        ),
        reason=reason,
        prune=request.prune or "none",
    )


def _asked(dimension: Dimension, kind: SearchKind, request: StageRequest) -> Dimension:
    """Return a dimension as the user wants it."""
    for other in request.dimensions:
        if other.name == dimension.name:
            return other
    if len(kind.dimensions) > 1:
        return dimension
    if request.values is not None:
        values = tuple(dimension.parameter.checked(value) for value in request.values)
        if dimension.variants is not None:
            for value in values:
                if value not in dimension.variants:
                    raise SpaceError(
                        f"{kind.name} tries {', '.join(dimension.variants)}; got {value!r}"
                    )
        return replace(dimension, range=None, values=values)
    if request.low is None and request.high is None:
        return dimension
    usual = dimension.range
    low = request.low if request.low is not None or usual is None else usual.low
    high = request.high if request.high is not None or usual is None else usual.high
    if low is None or high is None:
        raise SpaceError(f"a range of {dimension.name} needs both ends")
    return dimension.with_range(LogRange(low, high))


def _fitting(dimension: Dimension, n_train: int | None) -> Dimension:
    """Return the usual values without those that are more than there are samples."""
    if n_train is None or dimension.values is None or dimension.name not in {"batch_size", "train"}:
        return dimension
    kept = tuple(v for v in dimension.values if isinstance(v, int) and v <= n_train)
    return replace(dimension, values=kept or (n_train,))


def _sampler(dimensions: Sequence[Dimension], request: StageRequest) -> str:
    if all(d.range is None for d in dimensions):
        if request.n_trials is not None or request.sampler is not None:
            names = " and ".join(d.name for d in dimensions)
            raise SpaceError(
                f"all values of {names} are tried, there is nothing to sample: leave out --trials "
                "and --sampler, or give a range"
            )
        return "values"
    sampler = request.sampler or "grid"
    several = [d.name for d in dimensions if d.values is not None and len(d.values) > 1]
    if sampler != "grid" and several:
        raise SpaceError(f"sampler {sampler} needs ranges, {' and '.join(several)} has values")
    return sampler


def next_name(stages: Sequence[StageRecord]) -> str:
    """Return what the stage after those is called: fine, finer, finer-2 and so on."""
    names = {stage.name for stage in stages if stage.optuna_name is not None}
    numbered = (f"{FINER}-{number}" for number in itertools.count(2))
    return next(
        name for name in itertools.chain((COARSE, FINE, FINER), numbered) if name not in names
    )


def window_of(
    database: Database, study: StudyRecord, parent: StageRecord, request: StageRequest
) -> Narrowing:
    """Return where to look after ``parent``: what the results leave, or the ranges asked for.

    Raises:
        StudyError: If a range or values asked for do not hold the best value, or are no narrower.
    """
    dimensions = dimensions_of(parent)
    trials = [
        trial
        for stage in repository.stages(database, study)
        if stage.optuna_name is not None and stage.position <= parent.position
        for trial in repository.load_plan(database, stage).trials
    ]
    narrowing = narrowed(dimensions, scored_trials(trials))
    if not request.names_values:
        return narrowing
    asked = []
    for dimension in narrowing.dimensions:
        given = next((d for d in request.dimensions if d.name == dimension.name), None)
        if given is not None:
            asked.append(given)
            continue
        if request.values is not None:
            values = tuple(dimension.parameter.checked(value) for value in request.values)
            asked.append(replace(dimension, values=values, range=None))
            continue
        window = dimension.range
        if window is None or len(dimensions) > 1:
            asked.append(dimension)
            continue
        searched = LogRange(
            window.low if request.low is None else request.low,
            window.high if request.high is None else request.high,
        )
        asked.append(dimension.with_range(searched))
    of_parent = [from_params(t.params) for t in repository.load_plan(database, parent).trials]
    for dimension, before in zip(asked, dimensions, strict=True):
        tried = [point[dimension.name] for point in of_parent]
        _check_narrower(dimension, before, tried, narrowing.best[dimension.name])
    if request.values is not None:
        return narrowing
    return Narrowing(tuple(asked), narrowing.best, "the range given")


def _check_narrower(
    dimension: Dimension, before: Dimension, tried: Sequence[Value], best: Value
) -> None:
    """Check that a range, or the values given in its place, hold the best value and are narrower.

    Args:
        dimension: What is asked for.
        before: The same parameter, as the stage before had it.
        tried: What it tried; values may have been named later.
        best: Of all that was tried so far.
    """
    if not dimension.parameter.numeric:
        return
    given = _numbers(dimension)
    low, high, at = min(given), max(given), float(best)  # type: ignore[arg-type]
    ranged = dimension.range is not None
    what = "a fine range must" if ranged else "fine values must"
    if not (low <= at <= high or is_same(low, at) or is_same(high, at)):
        otherwise = "leave out --low and --high to have it chosen"
        if not ranged:
            otherwise = "name it, too: what was trained is not trained again"
        raise StudyError(
            f"{what} hold the best coarse value {shown(best)}, got {low:g} … {high:g}; {otherwise}"
        )
    coarse = LogRange.spanning([*_numbers(before), *map(float, tried)])  # type: ignore[arg-type]
    fine = LogRange.spanning(given)
    if coarse is not None and fine is not None and fine.decades >= coarse.decades:
        raise StudyError(
            f"{what} be narrower than the coarse one, {coarse.low:g} … {coarse.high:g}, got "
            f"{low:g} … {high:g}"
        )


def _numbers(dimension: Dimension) -> list[float]:
    """Return the ends of a dimension's range, or its values."""
    if dimension.range is not None:
        return [dimension.range.low, dimension.range.high]
    return [float(value) for value in dimension.values or ()]  # type: ignore[arg-type]


def fine_spec(
    kind: SearchKind, name: str, parent: StageRecord, narrowing: Narrowing, request: StageRequest
) -> StageSpec:
    """Return the stage that looks where the one before was narrowed to."""
    dimensions = narrowing.dimensions
    if request.values is not None and len(dimensions) == 1:
        (dimension,) = dimensions
        values = tuple(dimension.parameter.checked(value) for value in request.values)
        dimensions = (replace(dimension, values=values, range=None),)
    manner = manner_of(parent)
    return StageSpec(
        name=name,
        dimensions=dimensions,
        sampler=_sampler(dimensions, request),
        n_trials=request.n_trials or kind.n_fine,
        manner=replace(
            manner,
            replicates=request.replicates or manner.replicates,
            alone=manner.alone if request.alone is None else request.alone,
        ),
        reason=narrowing.reason,
        prune=request.prune or str(parent.options["prune"]),
        parent=parent.name,
    )


def add_stage(database: Database, study: StudyRecord, spec: StageSpec) -> StageRecord:
    """Store a stage, not yet with any trials."""
    first = spec.dimensions[0]
    return repository.add_stage(
        database,
        study,
        name=spec.name,
        optuna_name=f"{study.name}/{spec.name}",
        parameter=first.name,
        sampler=spec.sampler,
        reason=spec.reason,
        parent=spec.parent,
        low=None if first.range is None else first.range.low,
        high=None if first.range is None else first.range.high,
        values=to_json([first])[0]["values"],
        options={
            "dimensions": to_json(spec.dimensions),
            "replicates": spec.manner.replicates,
            "draws": spec.manner.draws,
            "alone": spec.manner.alone,
            "equal": "updates" if spec.manner.equal_updates else "epochs",
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
    dimensions = dimensions_of(stage)
    searched = dimensions[0].range
    options = stage.options
    contradictions = [
        f"{what}: {there} there, {asked} asked for"
        for what, there, asked in (
            ("--low", searched and searched.low, request.low),
            ("--high", searched and searched.high, request.high),
            ("--sampler", stage.sampler, request.sampler),
            ("--replicates", options["replicates"], request.replicates),
            ("--prune", options["prune"], request.prune),
            ("--alone", options.get("alone", False), request.alone),
            ("--equal", options.get("equal", "epochs"), request.equal),
        )
        if asked is not None and asked != there
    ]
    there = {d.name: d for d in dimensions}
    contradictions += [
        f"{d.name}: {_words(there[d.name])} there, {_words(d)} asked for"
        for d in request.dimensions
        if d.name in there and d != there[d.name]
    ]
    if request.n_trials is not None and stage.sampler == "values":
        contradictions.append("--trials: its values were given; name more of them with --values")
    grid = stage.sampler == "grid" and sum(d.range is not None for d in dimensions) > 1
    if grid and request.n_trials is not None and request.n_trials > int(options["n_trials"]):
        contradictions.append("--trials: a grid over several parameters cannot be topped up")
    values = request.values or ()
    if 0 in values and 0 not in (stage.values or ()):
        contradictions.append("--values: 0 has no place on the log scale it was begun on")
    if values and not dimensions[0].parameter.numeric:
        known = dimensions[0].values or ()
        new = [shown(v) for v in values if not any(same_value(v, k) for k in known)]
        if new:
            contradictions.append(
                f"--values: Optuna keeps the choices it began with, {', '.join(new)} is new"
            )
    if contradictions:
        lines = "".join(f"\n    {line}" for line in contradictions)
        raise StudyError(
            f"the {stage.name} search was begun otherwise; leave these out, or choose another "
            f"name with --study:{lines}"
        )


def _words(dimension: Dimension) -> str:
    if dimension.range is not None:
        return str(dimension.range)
    return ", ".join(map(shown, dimension.values or ()))


def scored_trials(trials: Sequence[TrialRecord]) -> list[ScoredTrial]:
    """Return the trials as narrowing sees them."""
    return [
        ScoredTrial(
            from_params(trial.params), trial.validation_accuracy, trial.validation_loss, trial.state
        )
        for trial in trials
    ]


def new_points(
    database: Database,
    study: StudyRecord,
    stage: StageRecord,
    trials: Sequence[TrialRecord],
    request: StageRequest,
) -> list[dict[str, Value]]:
    """Return the points that are still to be tried, as many as are tried at a time."""
    dimensions = dimensions_of(stage)
    tried = [from_params(trial.params) for trial in trials]
    if request.values is not None and len(dimensions) == 1:
        (one,) = dimensions
        values = (one.parameter.checked(value) for value in request.values)
        return _untried([{one.name: value} for value in values], tried)
    if stage.sampler == "values":
        return _untried(_product(dimensions, [d.values or () for d in dimensions]), tried)
    missing = (request.n_trials or int(stage.options["n_trials"])) - len(tried)
    if missing <= 0:
        return []
    ranges = [d for d in dimensions if d.range is not None]
    if stage.sampler == "grid":
        before = _measured_before(database, study)
        if len(ranges) == 1 and all(len(d.values or (0,)) == 1 for d in dimensions):
            return _fine_points(dimensions, ranges[0], missing, [*tried, *before])
        per_range = _per_range(dimensions, int(stage.options["n_trials"]))
        grids = [d.grid(per_range) for d in dimensions]
        return _untried(_product(dimensions, grids), before)
    from coarsefine.db.optuna_sampling import propose

    size = min(missing, ADAPTIVE_BATCH) if stage.sampler == "tpe" else missing
    proposals = propose(
        stage.sampler,  # type: ignore[arg-type]
        {d.name: optuna_range(d) for d in ranges},
        [(trial.params, trial.validation_accuracy, trial.state) for trial in trials],
        size,
        seed=study.seed,
        # How many trials there are names the batch: a resumed search counts the same.
        batch=len(tried),
    )
    fixed = {d.name: d.values[0] for d in dimensions if d.values is not None}
    return [{**fixed, **point} for point in proposals]


def optuna_range(dimension: Dimension) -> Any:
    """Return a dimension's range as Optuna samples it."""
    from coarsefine.db.optuna_values import Range

    assert dimension.range is not None  # noqa: S101  # for those that have one
    low, high = dimension.range.low, dimension.range.high
    if dimension.parameter.continuous:
        return Range(low, high, log=True)
    return Range(max(1, round(low)), max(1, round(high)), log=True)


def _per_range(dimensions: Sequence[Dimension], n_trials: int) -> int:
    """Return how many values of each range make a grid of at most ``n_trials`` points."""
    n_ranges = sum(d.range is not None for d in dimensions)
    n_choices = math.prod(len(d.values) for d in dimensions if d.values is not None)
    per_range = int((n_trials / n_choices) ** (1 / n_ranges) + 1e-9)
    if per_range < 1:
        raise StudyError(
            f"a grid over {' and '.join(d.name for d in dimensions)} needs at least {n_choices} "
            f"trials, got {n_trials}"
        )
    return per_range


def _product(
    dimensions: Sequence[Dimension], grids: Sequence[Sequence[Value]]
) -> list[dict[str, Value]]:
    names = [d.name for d in dimensions]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*grids)]


def _untried(
    points: Sequence[dict[str, Value]], tried: Sequence[Mapping[str, Value]]
) -> list[dict[str, Value]]:
    return [point for point in points if not any(same_point(point, other) for other in tried)]


def _fine_points(
    dimensions: Sequence[Dimension],
    ranged: Dimension,
    n: int,
    before: Sequence[Mapping[str, Value]],
) -> list[dict[str, Value]]:
    """Return points that cover the one range evenly, together with those measured before."""
    assert ranged.range is not None  # noqa: S101  # it is the one that has one
    fixed = {d.name: d.values[0] for d in dimensions if d.values is not None}
    measured = [
        float(point[ranged.name])  # type: ignore[arg-type]
        for point in before
        if all(same_value(point.get(name), value) for name, value in fixed.items())
    ]
    values = fine_grid(ranged.range, n, measured)
    if not ranged.parameter.continuous:
        rounded = dict.fromkeys(ranged.rounded(value) for value in values)
        return [
            {**fixed, ranged.name: value}
            for value in rounded
            if not any(is_same(float(value), other) for other in measured)  # type: ignore[arg-type]
        ]
    return [{**fixed, ranged.name: value} for value in values]


def _measured_before(database: Database, study: StudyRecord) -> list[dict[str, Value]]:
    """Return all points that the study's stages have tried."""
    return [from_params(row.params) for row in repository.trial_rows(database, study)]
