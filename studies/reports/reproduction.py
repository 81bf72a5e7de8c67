"""How a study is made again: a recipe file and the commands that lead to the same table."""

import json
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord, TestOpeningRecord, TrialRow
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.recipes.recipe import from_json, to_toml
from coarsefine.studies.results.notes.test_set import is_hand_picked
from coarsefine.studies.spaces.dimensions import SCALED, Dimension, shown, to_json
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.grids import TRICKS_ONE_AT_A_TIME
from coarsefine.studies.spaces.searches.registry import SEARCHES

if TYPE_CHECKING:
    from coarsefine.studies.labs.files import Lab

RECIPE_FILE, LAB_FILE, STORAGE = "recipe.toml", "lab.toml", "again.db"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What makes a study again.

    Attributes:
        file_name: What the file must be called; ``None`` where a preset has all.
        file_text: What it holds: the whole recipe as it was stored, and of a lab its search.
        commands: To be run one after another in an empty folder.
    """

    file_name: str | None
    file_text: str
    commands: tuple[str, ...]


def reproduction(
    database: Database, study: StudyRecord, openings: Sequence[TestOpeningRecord]
) -> Reproduction:
    """Return how a study is made again, from its record alone."""
    recipe = to_toml(from_json(study.recipe, f"the recipe of study {study.name}"))
    stages = [Stage.of(record) for record in searched_stages(database, study)]
    preset = _preset(study)
    if preset is not None:
        return Reproduction(None, recipe, (*preset, *_looks(database, study, ())))
    kind = SEARCHES.get(study.search)
    tried = defaultdict[str, list[TrialRow]](list)
    for row in repository.trial_rows(database, study):
        tried[row.stage].append(row)
    searches = None if kind is None or not stages else _searches(kind, study, stages, tried)
    if searches is not None:
        return Reproduction(RECIPE_FILE, recipe, (*searches, *_looks(database, study, openings)))
    text = f"{recipe}\n{_search_table(study, stages, tested=bool(openings))}"
    again = command_line("run", LAB_FILE)
    return Reproduction(
        LAB_FILE, text, (again, command_line("rank", LAB_FILE.removesuffix(".toml")))
    )


def command_line(*words: str) -> str:
    """Return a command line that keeps its studies in a file of its own."""
    return f"python -m search {shlex.join([*words, '--storage', STORAGE])}"


def lab_command(lab: "Lab", text: str) -> str:
    """Return what makes a whole lab again: its preset, or where it has a text, ``LAB_FILE``."""
    name = LAB_FILE if text else lab.named
    own = name.removesuffix(".toml")
    words = [*(["--quick"] if lab.is_quick else []), *(["--study", lab.name] * (lab.name != own))]
    return command_line("run", name, *words)


def _looks(
    database: Database, study: StudyRecord, openings: Sequence[TestOpeningRecord]
) -> tuple[str, ...]:
    """Return the final tests, and the ranking that is to be compared."""
    places = {row.id: f"{row.stage}:{row.number}" for row in repository.trial_rows(database, study)}
    # Trainers of the user's own are imported only where a file names them.
    named = ["--recipe", RECIPE_FILE] if study.recipe.get("trainer") else []
    # The same test again opens the set again, but shows nothing new.
    tests: dict[str, None] = {}
    for opening in openings:
        which = ["--top", str(opening.recipe["final"]["top"])]
        if is_hand_picked(opening):
            which = [
                "--trial",
                ",".join(places[run.trial_id] for run in opening.runs if run.trial_id),
            ]
        final = opening.recipe["final"]
        seeds = ["--replicates", str(final["replicates"])] if final.get("replicates") else []
        whole = {True: ["--ensemble"], False: ["--no-ensemble"]}.get(final.get("ensemble"), [])
        how = ["--refit", opening.refit, *seeds, *whole, *named]
        tests[command_line("test", study.name, *which, *how)] = None
    return (*tests, command_line("rank", study.name))


def _preset(study: StudyRecord) -> tuple[str, ...] | None:
    """Return the command of the preset that a study is a part of."""
    from coarsefine.studies.labs.files import presets, read_lab

    begun = study.name.partition("/")[0]
    for name in presets():
        if begun not in {name, f"{name}-quick"}:
            continue
        quick = begun != name
        lab = read_lab(name, quick=quick)
        stored = from_json(study.recipe, study.name)
        for part in lab.parts:
            same = part.search is not None and lab.study_name(part) == study.name
            if same and lab.recipe(part) == stored:
                words = ["run", name, *(["--part", part.name] if part.name else [])]
                return (command_line(*words, *(["--quick"] if quick else [])),)
    return None


# ------------------------------------------------------------------------------ by its own command


def _searches(
    kind: SearchKind,
    study: StudyRecord,
    stages: Sequence[Stage],
    tried: Mapping[str, Sequence[TrialRow]],
) -> tuple[str, ...] | None:
    """Return a command a stage, ``None`` if no command of the search says it."""
    lines: list[str] = []
    for position, stage in enumerate(stages):
        dimensions = stage.dimensions
        if [d.name for d in dimensions] != [d.name for d in kind.dimensions]:
            return None
        if not kind.refines:
            flag = []
        elif position < len(_FLAGS):
            flag = [_FLAGS[position]]
        else:
            return None
        given = stage.parent is None or stage.reason == _GIVEN
        points = [row.params for row in tried[stage.name]]
        what = _what(kind, stage, dimensions, points, given=given)
        if what is None:
            return None
        before = stages[position - 1] if position else None
        options = _options(kind, stage) if before is None else []
        if before is not None and _seeds(stage) != _seeds(before):
            options += _words(_seeds(stage))
        if kind.refines and stage.prune != ("none" if before is None else before.prune):
            options += ["--prune", stage.prune]
        named = ["--study", study.name, "--recipe", RECIPE_FILE]
        lines += [command_line(kind.name, *flag, *each, *options, *named) for each in what]
        more = _more_seeds(stage, tried[stage.name])
        lines += [command_line(kind.name, *flag, *each, *named) for each in more]
    return tuple(lines)


def _seeds(stage: Stage) -> dict[str, Any]:
    """Return what says how many seeds a stage's trials get."""
    race = stage.race
    if race is None:
        return {"replicates": stage.run_options.replicates}
    delta = round(100 * race.indifference, 9)
    return {"replicates": f"{race.least}..{race.most}", "indifference": delta}


def _words(stated: Mapping[str, Any]) -> list[str]:
    return [word for key, value in stated.items() for word in (f"--{key}", str(value))]


def _more_seeds(stage: Stage, trials: Sequence[TrialRow]) -> list[list[str]]:
    """Return how trials got more seeds than the stage began with, by number of seeds."""
    found: list[list[str]] = []
    if stage.race is not None:
        return found  # the race itself gives them
    options, n_splits = stage.run_options, stage.run_options.n_runs(1)
    # Those with fewer lack what a budget has left over.
    seeds = {t.replicates // n_splits for t in trials}
    counts = sorted(n for n in seeds if n > options.replicates)
    name = stage.dimensions[0].name
    for count in counts:
        have = [trial for trial in trials if trial.replicates >= count * n_splits]
        which = []
        if len(have) == sum(trial.state == "complete" for trial in trials):
            which = ["--only", "all"]
        elif len(stage.dimensions) == 1:
            which = ["--values", ",".join(_exact(trial.params[name]) for trial in have)]
        found.append(["--replicates", str(count), *which])
    return found


_FLAGS = ("--coarse", "--fine", "--finer")
_GIVEN = "the range given"


def _options(kind: SearchKind, stage: Stage) -> list[str]:
    words, options = [], stage.run_options
    # Without these, what takes seconds is raced.
    if kind.refines or options.replicates != kind.replicates:
        words += _words(_seeds(stage))
    if not kind.refines:
        if options.alone != kind.alone:
            words.append("--alone" if options.alone else "--together")
        if options.equal_updates:
            words += ["--equal", stage.equal]
    return words


def _what(
    kind: SearchKind,
    stage: Stage,
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Any]],
    *,
    given: bool,
) -> list[list[str]] | None:
    """Return what to try, once for each time that it was topped up, or ``None``."""
    if not kind.refines:
        return _grid_values(kind, dimensions[0], points)
    if stage.sampler == "values":
        # All that was tried, one by one: of several parameters all with all.
        lists = [[_exact(value) for value in d.values or ()] for d in dimensions]
        first = ["--values", ";".join(",".join(values) for values in lists)]
        if len(dimensions) > 1:
            return [first]
        later = [_exact(p[dimensions[0].name]) for p in points]
        return [first] if later == lists[0] else [first, ["--values", ",".join(later)]]
    if any(d.range is None for d in dimensions):
        return None
    words = ["--sampler", stage.sampler] if stage.sampler != "grid" else []
    if given:
        ends = [(d.range.low, d.range.high) for d in dimensions if d.range is not None]
        words += ["--low", ",".join(_exact(low) for low, _ in ends)]
        words += ["--high", ",".join(_exact(high) for _, high in ends)]
    first_n, n = stage.n_trials, len(points)
    counts = [first_n] if len(dimensions) > 1 or n <= first_n else [first_n, n]
    return [[*words, "--trials", str(count)] for count in counts]


def _grid_values(
    kind: SearchKind, dimension: Dimension, points: Sequence[Mapping[str, Any]]
) -> list[list[str]] | None:
    if dimension.variants is not None:
        if dimension.variants == TRICKS_ONE_AT_A_TIME.variants:
            words = ["--one-at-a-time"]
        elif dimension.variants == kind.dimensions[0].variants:
            words = []
        else:
            return None
        all_of_them = list(dimension.values or ()) == list(dimension.variants)
        return [words] if all_of_them else None
    first = [_exact(value) for value in dimension.values or ()]
    all_tried = [_exact(point[dimension.name]) for point in points]
    topped_up = [] if all_tried == first else [["--values", ",".join(all_tried)]]
    return [["--values", ",".join(first)], *topped_up]


def _exact(value: Any) -> str:
    """Return a value so that reading it gives the same one.

    >>> _exact(0.000517947467923), _exact(1e-05), _exact([64, 32]), _exact(100)
    ('0.000517947467923', '1e-05', '64-32', '100')
    """
    return repr(value) if isinstance(value, float) else shown(value)


# ------------------------------------------------------------------------------------- by a file


def _search_table(study: StudyRecord, stages: Sequence[Stage], *, tested: bool) -> str:
    """Return the part of a lab file that states the search."""
    if not stages:
        raise StudyError(f"study {study.name} has no stage")
    first = stages[0]
    dimensions = first.dimensions
    stated: dict[str, Any] = {}
    if study.search in SEARCHES:
        stated["kind"] = study.search
    if any(d.range is not None for d in dimensions):
        stated |= {"trials": first.n_trials, "stages": len(stages)}
        if first.sampler != "values":
            stated["sampler"] = first.sampler
    if len(stages) > 1:
        stated["fine_trials"] = stages[1].n_trials
    stated |= _seeds(first)
    for key, value, usual in (
        ("prune", first.prune, "none"),
        ("equal", first.equal, "epochs"),
        ("alone", first.run_options.alone, False),
    ):
        if value != usual:
            stated[key] = value
    stated["test"] = tested
    lines = ["[search]", *(f"{key} = {_toml(value)}" for key, value in stated.items())]
    for d in dimensions:
        if d.variants is not None:
            for name, settings in d.variants.items():
                keys = [f"{_toml(key)} = {_toml(value)}" for key, value in settings.items()]
                lines += ["", f"[search.variants.{_toml(name)}]", *keys]
            continue
        lines += ["", f"[search.vary.{d.name}]"]
        if d.range is not None:
            lines += [f"low = {_toml(d.range.low)}", f"high = {_toml(d.range.high)}"]
        else:
            lines.append(f"values = {_toml(list(d.values or ()))}")
        stored = to_json([d])[0]
        lines += [f"{key} = {_toml(stored[key])}" for key in SCALED if key in stored]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    # JSON writes strings, numbers, booleans and lists as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
