"""What is wrong with rows of the database that another program may have changed, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from coarsefine.db.records import StageRecord, StudyRecord, TrialRow
from coarsefine.hints import command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.recipe import from_json as recipe_of
from coarsefine.studies.spaces.dimensions import PARAMETERS
from coarsefine.studies.spaces.dimensions import from_json as dimensions_of


def check_sound(
    study: StudyRecord, stages: Iterable[StageRecord], rows: Iterable[TrialRow]
) -> None:
    """Check that recipe, stages and trials are such that a ranking or a search can use them.

    Args:
        study: With its recipe.
        stages: Those of its stages that search.
        rows: Their trials.

    Raises:
        StudyError: If another program changed them; names the first that it did.
    """
    fault = next(_faults(study, stages, rows), None)
    if fault is not None:
        raise StudyError(
            f"study {study.name}: {fault}; another program changed the database: `",
            command("check"),
            "` tells more",
        )


def _faults(
    study: StudyRecord, stages: Iterable[StageRecord], rows: Iterable[TrialRow]
) -> Iterator[str]:
    for section in ("data", "network", "training", "final"):
        if not isinstance(study.recipe.get(section), Mapping):
            yield f"its recipe has no {section}"
    varied: dict[str, Sequence[Mapping[str, Any]]] = {}
    for stage in stages:
        fault = fault_of_options(stage.options)
        if fault is not None:
            yield f"stage {stage.name}: {fault}"
        varied[stage.name] = varied_dimensions(stage.options, stage.parameter)
    for row in rows:
        fault = fault_of_params(row.params, varied[row.stage])
        if fault is not None:
            yield f"trial {row.stage}:{row.position if row.number is None else row.number}: {fault}"


def varied_dimensions(options: Mapping[str, Any], parameter: str) -> Sequence[Mapping[str, Any]]:
    """Return what a stage varies; of before there were several, its one parameter."""
    stored = options.get("dimensions")
    return [{"name": parameter}] if stored is None else stored


def fault_of_params(params: Any, dimensions: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what is wrong with a trial's parameters; ``None`` if they are in order.

    Args:
        params: As they are stored.
        dimensions: What its stage varies, as stored.
    """
    names = [each["name"] for each in dimensions]
    # Names beside them tell nothing, and are shown as they are.
    if not isinstance(params, Mapping) or not {*names} <= {*params}:
        held = sorted(map(str, params)) if isinstance(params, Mapping) else params
        return f"params must name {', '.join(names)}, got {str(held)[:60]}"
    without = {d["name"] for d in dimensions if d.get("when") or d.get("values") == [None]}
    for name, value in params.items():
        if value is None and name in without:
            continue  # the trial has no use for it
        if name in PARAMETERS and PARAMETERS[name].numeric and type(value) not in {int, float}:
            return f"{name} must be a number, got {str(value)[:60]!r}"
    return None


def fault_of_recipe(stored: Any) -> str | None:
    """Return what is wrong with a study's recipe; ``None`` if it is in order."""
    if not isinstance(stored, Mapping):
        return "it is not a table of keys"
    try:
        recipe_of(stored, "its recipe")
    except StudyError as error:
        return " ".join(str(error).split())
    return None


# Of stages that search; those of older versions have fewer.
_OPTIONS: Final[Mapping[str, type]] = {
    "replicates": int,
    "n_trials": int,
    "draws": bool,
    "alone": bool,
    "equal": str,
    "prune": str,
    "lab": str,
}


def fault_of_options(stored: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the options of a stage that searches; ``None`` if nothing is."""
    for name, kind in _OPTIONS.items():
        if type(stored.get(name, kind())) is not kind:
            return f"{name} is {str(stored[name])[:60]!r}"
    try:
        dimensions_of(stored.get("dimensions") or ())
    except (StudyError, AttributeError, KeyError, TypeError, ValueError) as error:
        return " ".join(f"{type(error).__name__}: {error}"[:80].split())
    return None
