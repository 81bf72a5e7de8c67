"""A stage that is there, and what is asked of it now."""

from coarsefine.hints import Message, Part, joined, option
from coarsefine.studies.errors import TakenError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.messages import in_words
from coarsefine.studies.spaces.conditions import conditions
from coarsefine.studies.spaces.dimensions import Dimension, shown
from coarsefine.studies.spaces.seen import same_value


def check_same_stage(stage: Stage, request: StageRequest) -> None:
    """Check that the stage that is there was asked nothing else.

    More values, trials or seeds are no contradiction: the stage is topped up.

    Raises:
        StudyError: If it was; shows what.
    """
    dimensions = stage.dimensions
    searched = dimensions[0].range
    contradictions: list[Part] = [
        Message(option(what), f": {in_words(there)} there, {in_words(asked)} asked for")
        for what, there, asked in (
            ("low", searched and searched.low, request.low),
            ("high", searched and searched.high, request.high),
            ("sampler", stage.sampler, request.sampler),
            ("prune", stage.prune, request.prune),
            ("alone", stage.run_options.alone, request.alone),
            ("equal", stage.equal, request.equal),
        )
        if asked is not None and asked != there
    ]
    fewest, asked = stage.run_options.replicates, request.replicates
    if asked is not None and asked < fewest:
        few = f": {fewest} there, {asked} asked for (none is taken away)"
        contradictions.append(Message(option("replicates"), few))
    there = {d.name: d for d in dimensions}
    contradictions += [
        f"{d.name}: {_words(there[d.name])} there, {_words(d)} asked for"
        for d in request.dimensions
        if d.name in there and d != there[d.name]
    ]
    contradictions += [
        f"{d.name}: not varied there" for d in request.dimensions if d.name not in there
    ]
    if request.n_trials is not None and stage.sampler == "values":
        given = ": its values were given; name more of them with "
        contradictions.append(Message(option("trials"), given, option("values")))
    grid = stage.sampler == "grid" and sum(d.range is not None for d in dimensions) > 1
    if grid and request.n_trials is not None and request.n_trials > stage.n_trials:
        several = ": a grid over several parameters cannot be topped up"
        contradictions.append(Message(option("trials"), several))
    values, known = request.values or (), dimensions[0].values or ()
    if 0 in values and 0 not in known:
        zero = ": 0 has no place on the log scale it was begun on"
        contradictions.append(Message(option("values"), zero))
    if values and not dimensions[0].parameter.numeric:
        new = [shown(v) for v in values if not any(same_value(v, k) for k in known)]
        if new:
            contradictions.append(
                f"{dimensions[0].name}: {', '.join(map(shown, known))} there, "
                f"{', '.join(new)} asked for, too (Optuna keeps the choices it began with)"
            )
    if contradictions:
        raise TakenError(
            f"the {stage.name} search was begun otherwise; leave these out, or choose another "
            "name with ",
            option("study"),
            ":\n    ",
            joined("\n    ", contradictions),
        )


def _words(dimension: Dimension) -> str:
    when = f" {conditions(dimension)}" if dimension.when else ""
    if dimension.range is None:
        return ", ".join(map(shown, dimension.values or ())) + when
    step = "" if dimension.step is None else f" in steps of {dimension.step:g}"
    scale = "" if dimension.scale == "log" else f" ({dimension.scale})"
    return f"{dimension.range}{scale}{step}{when}"
