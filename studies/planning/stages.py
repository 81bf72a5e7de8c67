"""Stages: what one varies and how its points are trained; asked for, stored and read back.

Nothing else reads the options that are stored with a stage.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.new_records import NewStage
from coarsefine.db.records import StageRecord, StudyRecord
from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError
from coarsefine.studies.planning.races import Race
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.run_options import AS_USUAL, RunOptions
from coarsefine.studies.planning.within import Cut
from coarsefine.studies.recipes.recipe import DataRecipe
from coarsefine.studies.spaces.dimensions import (
    Dimension,
    from_json,
    parameter,
    to_json,
)
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

COARSE, FINE, FINER = "coarse", "fine", "finer"
# Of searches that have one stage only.
GRID = "grid"
# In place of a sampler, of the stages that train the best trials for the test set.
RANKING: Final = "ranking"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage varies, and how.

    Attributes:
        name: ``coarse``, ``fine``, …
        dimensions: What it varies, and where.
        sampler: One of ``request.SAMPLERS``; ``values`` where all that is tried was named.
        n_trials: How many trials it has unless asked for more.
        run_options: How its points are trained.
        reason: How its ranges came about, in words.
        prune: Which trials are stopped early; one of ``pruning.PRUNERS``.
        parent: The stage that was narrowed to it.
        lab: The file or preset of the lab that it is part of, as it was named.
        race: Over seeds, and how it stands; ``None`` where all trials have as many.
        cut: What a budget has left over of it; ``None`` where nothing.
        start: Points that it begins with, where a sampler proposes the others: it learns from the
            trials of earlier stages then.
        located: Whether the stage after it looks only where the best value may lie; studies of
            before that was known go on as they were begun.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    sampler: str
    n_trials: int = 0
    run_options: RunOptions = AS_USUAL
    reason: str = ""
    prune: str = "none"
    parent: str | None = None
    lab: str = ""
    race: Race | None = None
    cut: Cut | None = None
    start: tuple[Mapping[str, Any], ...] = ()
    located: bool = False

    def __post_init__(self) -> None:
        if self.race is not None and self.prune != "none":
            raise SpaceError(
                "a race ends trials by their results over seeds, and pruning in the midst of a "
                "training: leave out ",
                option("prune"),
                ", or state a number of ",
                option("replicates"),
            )

    @classmethod
    def of(cls, record: StageRecord) -> "Stage":
        """Return a stage that searches, as it is stored."""
        options = record.options
        return cls(
            name=record.name,
            dimensions=_dimensions(record),
            sampler=record.sampler,
            n_trials=int(options.get("n_trials", 0)),
            run_options=RunOptions.of(options),
            reason=record.reason,
            prune=str(options.get("prune", "none")),
            parent=record.parent,
            lab=str(options.get("lab", "")),
            race=None if options.get("race") is None else Race.from_json(options["race"]),
            cut=None if options.get("cut") is None else Cut.from_json(options["cut"]),
            start=tuple(options.get("start", ())),
            located=bool(options.get("located", False)),
        )

    def on_splits(self, data: DataRecipe) -> "Stage":
        """Return the stage with replicates on the splits that a recipe's data ask for."""
        most = self.run_options.replicates if self.race is None else self.race.most
        return replace(self, run_options=self.run_options.on_splits(data, most))

    def raced(self, race: Race) -> "Stage":
        """Return the stage with a race that decides how many seeds its trials get."""
        options = replace(self.run_options, replicates=race.least)
        return replace(self, run_options=options, race=race)

    @property
    def searches(self) -> bool:
        """Return whether it looks for better values, or trains the best once more."""
        return self.sampler != RANKING

    @property
    def equal(self) -> str:
        """Return what all trials make equally many of, as users call it."""
        return "updates" if self.run_options.equal_updates else "epochs"

    @property
    def options(self) -> dict[str, Any]:
        """Return what is stored of it beside the columns that stages have."""
        return {
            "dimensions": to_json(self.dimensions),
            "replicates": self.run_options.replicates,
            "draws": self.run_options.draws,
            "alone": self.run_options.alone,
            "equal": self.equal,
            "n_trials": self.n_trials,
            "prune": self.prune,
            **({"folds": self.run_options.folds} if self.run_options.folds else {}),
            **({"redraw": True} if self.run_options.redraw else {}),
            **({"lab": self.lab} if self.lab else {}),
            **({} if self.race is None else {"race": self.race.to_json()}),
            **({} if self.cut is None else {"cut": self.cut.to_json()}),
            **({"start": [dict(point) for point in self.start]} if self.start else {}),
            **({"located": True} if self.located else {}),
        }


def asked_of(record: StageRecord) -> dict[str, Any]:
    """Return what was asked of a stage beside its ranges: by option, and its lab."""
    options = record.options
    usual = {"replicates": 1, "prune": "none", "equal": "epochs", "lab": ""}
    return {"sampler": record.sampler} | {name: options.get(name, usual[name]) for name in usual}


def stored_dimensions(record: StageRecord) -> Sequence[Mapping[str, Any]] | None:
    """Return what a stage varies as it is stored; ``None`` of before there were several."""
    stored: Sequence[Mapping[str, Any]] | None = record.options.get("dimensions")
    return stored


def _dimensions(record: StageRecord) -> tuple[Dimension, ...]:
    stored = stored_dimensions(record)
    if stored is not None:
        return from_json(stored)
    # Stages of before there were several dimensions have one, in columns.
    one = parameter(record.parameter)
    if record.low is not None and record.high is not None:
        return (Dimension(one, LogRange(record.low, record.high)),)
    return (Dimension(one, values=tuple(record.values or ())),)


# --------------------------------------------------------------------------------- in the database


def find_stage(database: Database, study: StudyRecord, name: str) -> StageRecord | None:
    """Return the study's stage of that name, ``None`` if there is none."""
    return next((s for s in repository.stages(database, study) if s.name == name), None)


def searched_stages(database: Database, study: StudyRecord) -> list[StageRecord]:
    """Return the study's stages that search, in their order."""
    return [s for s in repository.stages(database, study) if s.optuna_name is not None]


def add_stage(database: Database, study: StudyRecord, stage: Stage) -> StageRecord:
    """Store a stage that searches, not yet with any trials."""
    first = stage.dimensions[0]
    new = NewStage(
        name=stage.name,
        optuna_name=f"{study.name}/{stage.name}",
        parameter=first.name,
        sampler=stage.sampler,
        reason=stage.reason,
        parent=stage.parent,
        low=None if first.range is None else first.range.low,
        high=None if first.range is None else first.range.high,
        values=to_json([first])[0]["values"],
        options=stage.options,
    )
    return repository.add_stage(database, study, new)


def final_stage(
    database: Database,
    study: StudyRecord,
    trials: Mapping[str, Mapping[str, Any]],
    final: Mapping[str, Any],
    reason: str,
    replicates: int = 1,
) -> StageRecord:
    """Return the stage that trains some trials once more for the test set, added if need be.

    One whose test set was looked at is not carried on with.

    Args:
        database: Where it is.
        study: Whose.
        trials: Parameters by UUID, best first.
        final: The recipe's final section.
        reason: How the trials were chosen, in words.
        replicates: Seeds that each is trained with.
    """
    options = {"trials": list(trials), "final": dict(final), "replicates": replicates}
    stages = repository.stages(database, study)
    finals = [stage for stage in stages if stage.optuna_name is None]
    opened = {o.stage for o in repository.openings(database, study) if o.runs}
    for stage in finals:
        if stage.name not in opened and stage.options == options:
            return stage
    return repository.add_stage(
        database,
        study,
        NewStage(
            name="final" if not finals else f"final-{len(finals) + 1}",
            optuna_name=None,
            parameter=next(iter(next(iter(trials.values())))),
            sampler=RANKING,
            reason=reason,
            options=options,
        ),
    )


# -------------------------------------------------------------------------------- the first stage


def first_name(kind: SearchKind) -> str:
    """Return the name of a search's first stage."""
    return COARSE if kind.refines else GRID


def next_name(stages: Sequence[str]) -> str:
    """Return what the stage after those of a study is called: fine, finer, finer-2 and so on."""
    numbered = (f"{FINER}-{number}" for number in itertools.count(2))
    return next(
        name for name in itertools.chain((COARSE, FINE, FINER), numbered) if name not in stages
    )


def first_stage(kind: SearchKind, request: StageRequest, n_train: int | None = None) -> Stage:
    """Return the first stage that is asked for.

    Args:
        kind: The search.
        request: What the user wants otherwise.
        n_train: Size of the training set: default values that are larger are left out.

    Raises:
        SpaceError: If the parameter cannot be searched so.
    """
    wanted = tuple(_asked(d, kind, request) for d in kind.dimensions)
    dimensions, usual = wanted, SEARCHES.get(kind.name)
    if not request.names_values:
        dimensions = tuple(_fitting(d, n_train) for d in dimensions)
    if not request.names_values and usual and usual.dimensions == kind.dimensions:
        reason = "the default range" if kind.refines else "the default values"
        if dimensions != wanted:
            reason += f" that {n_train:,} training samples allow"
    else:
        ranged = any(d.range is not None for d in dimensions)
        reason = "the range given" if ranged else "the values given"
    return Stage(
        name=first_name(kind),
        dimensions=dimensions,
        sampler=sampler_of(dimensions, request, kind.sampler),
        n_trials=request.n_trials or kind.n_coarse,
        run_options=RunOptions(
            replicates=request.n_first_seeds or kind.replicates,
            draws=kind.draws,
            alone=kind.alone if request.alone is None else request.alone,
            equal_updates=request.equal == "updates",
        ),
        reason=reason,
        prune=request.prune or "none",
        lab=request.lab,
        race=request.race,
        located=kind.refines,
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
    """Return the default values without those that are more than there are samples."""
    if n_train is None or dimension.values is None or dimension.name not in {"batch_size", "train"}:
        return dimension
    kept = tuple(v for v in dimension.values if isinstance(v, int) and v <= n_train)
    return replace(dimension, values=kept or (n_train,))


def sampler_of(dimensions: Sequence[Dimension], request: StageRequest, usual: str = "grid") -> str:
    """Return how points of the dimensions are chosen, ``usual`` where no one says otherwise.

    Raises:
        SpaceError: If the sampler asked for cannot choose them.
    """
    if all(d.range is None for d in dimensions):
        if request.n_trials is not None or request.sampler is not None:
            names = " and ".join(d.name for d in dimensions)
            raise SpaceError(
                f"all values of {names} are tried, there is nothing to sample: leave out ",
                option("trials"),
                " and ",
                option("sampler"),
                ", or give a range",
            )
        return "values"
    return request.sampler or usual
