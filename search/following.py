"""What to type after looking at a study: a command that runs as it stands."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coarsefine.hints import SET, Hint
from coarsefine.search.hints import begun_anew, given, naming, option_words
from coarsefine.search.hints import command as typed
from coarsefine.search.options import StorageOptions
from coarsefine.studies.errors import TakenError
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.spaces.dimensions import shown
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.spaces.varying import SPACE, space_kind, varied
from coarsefine.studies.states import UNFINISHED

if TYPE_CHECKING:
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.results.notes.note import Note
    from coarsefine.studies.results.ranking import Ranking
    from coarsefine.studies.spaces.search import SearchKind

# What a range test follows of a training; the rest of it plays no part there.
_TESTED: Final = (
    "loss",
    "optimizer",
    "momentum",
    "batch_size",
    "shuffle",
    "drop_last",
    "precision",
)
_ETAS: Final = ("eta", "eta_min", "eta_max")


def following(
    ranking: "Ranking", storage: StorageOptions, free: str, data_dir: Path | None = None
) -> str | None:
    """Return the command that comes after looking at this ranking.

    Args:
        ranking: Of a study.
        storage: Where it is.
        free: The name of no study.
        data_dir: What ``--data-dir`` was given.

    Returns:
        ``None`` if nothing but another recipe would help; the notes of the ranking say why.
    """
    study, place = ranking.study, storage.storage
    # A trainer of the user's is imported only where their recipe file names it.
    own = ("--recipe", "FILE") if study.recipe.get("trainer") else ()
    unfinished = not ranking.trials or any(trial.state in UNFINISHED for trial in ranking.trials)
    if study.search == "run" and unfinished:
        # Searches of a lab are no commands of their own.
        return typed("run", *_lab_of(study.name, _named(ranking)), storage=place, data_dir=data_dir)
    if unfinished:
        # All stages after the second go on with --finer; grids have one stage and no flag.
        stage = ranking.stages[-1].name if ranking.stages else "coarse"
        flag = (f"--{stage.partition('-')[0]}",) if ranking.refines else ()
        words = [study.search, *flag, "--study", study.name, *own]
    elif ranking.best is None:
        return _with_smaller_eta(ranking, storage, free, data_dir)
    elif any(trial.test_accuracy is not None for trial in ranking.trials):
        words = ["report", *naming(study.name)]
    else:
        words = _after_training(ranking, own)
    return typed(*words, storage=place)


def _after_training(ranking: "Ranking", own: Sequence[str]) -> list[str]:
    """Return what comes after a study with complete trials."""
    study = ranking.study
    tested = None if has_learnt(ranking) else _range_test(ranking)
    if tested is not None:
        return ["eta", "--range-test", *tested]
    first = len(ranking.stages) == 1 and ranking.refines and study.search != "run"
    if first and resolution_reached(ranking, ranking.stages[0].name) is None:
        return [study.search, "--fine", "--study", study.name, *own]
    after = after_search(ranking)
    return [after, *(own if after == "test" else ()), *naming(study.name)]


def after_search(ranking: "Ranking") -> str:
    """Return the command after a finished search: the report where nothing can be tested."""
    recipe, compared = ranking.study.recipe, ranking.comparison
    untested = recipe["data"].get("test") == "none"
    if recipe.get("trainer") and compared is not None and compared.judged is not None:
        # A trainer of the user's that returns no way to predict has left no predictions.
        untested |= compared.n_without == len(compared.judged[0])
    return "report" if untested else "test"


def _with_smaller_eta(
    ranking: "Ranking", storage: StorageOptions, free: str, data_dir: Path | None
) -> str | None:
    """Return the search again with a tenth of its η, where all trials diverged.

    ``None`` where they ended for another reason, or options cannot state the search.
    """
    kind = SEARCHES.get(ranking.study.search)
    if kind is None or any(t.state != "diverged" for t in ranking.trials):
        return None
    if any(parameter.name == "eta" for parameter in kind.parameters):
        lower = _lower_etas(ranking, kind)
        return None if lower is None else _again(ranking, storage, free, data_dir, where=lower)
    training = ranking.study.recipe["training"]
    smaller = {
        f"training.{name}": float(f"{training[name] / 10:g}")
        for name in _ETAS
        if training.get(name) is not None
    }
    return _again(ranking, storage, free, data_dir, changed=smaller)


def _again(
    ranking: "Ranking",
    storage: StorageOptions,
    free: str,
    data_dir: Path | None,
    *,
    changed: "Mapping[str, Any] | None" = None,
    where: "Sequence[str] | None" = None,
) -> str | None:
    """Return the command that makes a study's first stage again, as another study.

    Args:
        ranking: Of the study.
        storage: Where it is.
        free: The name of no study.
        data_dir: What ``--data-dir`` was given.
        changed: Keys of the recipe, with other values.
        where: The options that say what is tried, if not the same.

    Returns:
        ``None`` where options cannot state it.
    """
    kind = SEARCHES.get(ranking.study.search)
    stated = _stated(_recipe(ranking), kind)
    where = _where(ranking, kind) if where is None and kind is not None else where
    if kind is None or stated is None or where is None:
        return None
    flag = ("--coarse",) if kind.refines else ()
    trials, how = _n_trials(ranking, kind), _how(ranking, kind)
    words = _words(stated | dict(changed or {}))
    words = [kind.name, *flag, "--study", free, *trials, *how, *where, *words]
    return typed(*words, storage=storage.storage, data_dir=data_dir)


def remedy(
    note: "Note",
    ranking: "Ranking",
    storage: StorageOptions,
    free: "Callable[[str], str]",
) -> str | None:
    """Return the command that does what a note on a training advises.

    Args:
        note: Of ``studies.results.notes.curves``.
        ranking: Of its study.
        storage: Where that is.
        free: Returns the name of no study that is like a name.

    Returns:
        ``None`` where options cannot state it.
    """
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.running.studies import study_name

    name, place = ranking.study.name, storage.storage
    if note.code == "none-complete":
        return _with_smaller_eta(ranking, storage, free(name), None)
    if note.code in {"not-learnt", "no-better-than-majority"}:
        tested = _range_test(ranking)
        return None if tested is None else typed("eta", "--range-test", *tested, storage=place)
    hint = next((part for part in note.parts if isinstance(part, Hint)), None)
    if hint is None:
        return None
    if hint.action == SET:
        return _again(ranking, storage, free(name), None, changed=dict(hint.settings))
    kind = SEARCHES[hint.search]
    stated = _stated(_recipe(ranking), kind)
    if stated is None:
        return None
    varied = {parameter.key for parameter in kind.parameters}
    stated = {key: value for key, value in stated.items() if key not in varied}
    flag = ("--coarse",) if kind.refines else ()
    begun = free(study_name(kind, from_json(ranking.study.recipe, name)))
    return typed(kind.name, *flag, "--study", begun, *_words(stated), storage=place)


def _n_trials(ranking: "Ranking", kind: "SearchKind") -> list[str]:
    """Return the option that says how many points the range had, where that is not the usual."""
    named = any(there["values"] is not None for there in ranking.stages[0].dimensions)
    n = len(ranking.trials)
    return [] if named or not kind.refines or n == kind.n_coarse else ["--trials", str(n)]


def _how(ranking: "Ranking", kind: "SearchKind") -> list[str]:
    """Return the options that say how points were chosen and trained, where that is not usual."""
    usual = {"sampler": "grid", "replicates": kind.replicates, "prune": "none", "equal": "epochs"}
    asked = ranking.stages[0].asked
    other = {name: asked[name] for name in usual if asked.get(name, usual[name]) != usual[name]}
    if other.get("sampler") == "values":
        del other["sampler"]  # what was named is chosen by nobody
    return _words(other)


def _lower_etas(ranking: "Ranking", kind: "SearchKind") -> list[str] | None:
    """Return ranges whose η end at a tenth of the least that diverged."""
    lows, highs = [], []
    for parameter in kind.parameters:
        tried = [float(trial.params[parameter.name]) for trial in ranking.trials]
        low, high = min((value for value in tried if value > 0), default=0.0), max(tried)
        if parameter.name == "eta":
            low, high = low / 1000, low / 10
        if not 0 < low < high:
            return None
        lows.append(f"{low:g}")
        highs.append(f"{high:g}")
    return ["--low", ",".join(lows), "--high", ",".join(highs)]


def _where(ranking: "Ranking", kind: "SearchKind") -> list[str] | None:
    """Return the options that say what the first stage tried, where that is not the usual."""
    usual, there = kind.dimensions[0], ranking.stages[0].dimensions[0]
    if usual.variants is not None:
        one = list(there["values"] or ()) != list(usual.values or ())
        return ["--one-at-a-time"] if one else []
    if there["values"] is not None:
        words = [
            str(value) if isinstance(value, float) else shown(value) for value in there["values"]
        ]
        return ["--values", ",".join(words)]
    if usual.range is None or (there["low"], there["high"]) == (usual.range.low, usual.range.high):
        return []
    return ["--low", f"{there['low']:g}", "--high", f"{there['high']:g}"]


def _range_test(ranking: "Ranking") -> list[str] | None:
    """Return the options of a range test of the study's network and data."""
    stated = _stated(_recipe(ranking), SEARCHES["eta"])
    if stated is None:
        return None
    kept = {f"training.{name}" for name in _TESTED}
    return _words(
        {
            key: value
            for key, value in stated.items()
            if key in kept or key.partition(".")[0] in {"seed", "data", "network"}
        }
    )


def _recipe(ranking: "Ranking") -> "Recipe":
    from coarsefine.studies.recipes.recipe import from_json

    return from_json(ranking.study.recipe, ranking.study.name)


def _stated(recipe: "Recipe", kind: "SearchKind | None") -> dict[str, Any] | None:
    """Return what options have to state for a search to have a recipe, by key.

    ``None`` where the recipe is one that options cannot state.
    """
    from coarsefine.studies.recipes.layers import make_recipe
    from coarsefine.studies.recipes.recipe import differences

    implied = {} if kind is None else kind.implied
    usual = make_recipe(None, {"data.name": recipe.data.name}, implied)
    stated = {d.key: d.second for d in differences(usual, recipe)}
    if stated.get("training.schedule") == "constant" and "training.eta" in stated:
        shorter = {key: stated[key] for key in stated if key != "training.schedule"}
        said = {"data.name": recipe.data.name} | {
            key: value for key, value in shorter.items() if key in KEYS
        }
        # An eta implies a constant schedule, unless the search says otherwise.
        if make_recipe(None, said, implied).training.schedule == "constant":
            stated = shorter
    if recipe.trainer is not None or not stated.keys() <= KEYS.keys():
        return None
    if recipe.data.name != "digits":
        stated["data.name"] = recipe.data.name
    return {key: value for key, value in stated.items() if value is not None}


def _words(stated: dict[str, Any]) -> list[str]:
    return [word for key, value in stated.items() for word in option_words(key, value)]


def _named(ranking: "Ranking") -> str:
    """Return the file or preset of a study's lab; nothing where none is on record."""
    return str(ranking.stages[0].asked.get("lab", "")) if ranking.stages else ""


def _lab_of(study: str, named: str) -> tuple[str, ...]:
    """Return what is run for a lab's study: ``LAB[-quick]/PART``.

    Args:
        study: Its name.
        named: The lab's file or preset; nothing where none is on record.
    """
    from coarsefine.studies.labs.files import presets

    lab, _, part = study.partition("/")
    quick = lab.endswith("-quick")
    lab = lab.removesuffix("-quick")
    named = named or (lab if lab in presets() else f"{lab}.toml")
    return (
        named,
        *(("--part", part) if part else ()),
        *(("--quick",) if quick else ()),
        *(("--study", lab) if Path(named).stem != lab else ()),
    )


def way_out(error: Exception, argv: "Sequence[str]") -> str:
    """Return the command that begins a search or a lab under a free name, where one is taken."""
    begins = {*SEARCHES, SPACE, "run", "submit"}
    if not (isinstance(error, TakenError) and error.free and argv[0] in begins):
        return ""
    later = {"--fine", "--finer"} & set(argv)
    words = (_anew(error, argv) if later else None) or list(argv)
    if argv[0] == SPACE and not given(words, _VARY):
        words += [word for text in error.varied for word in (_VARY, text)]
    return f"\nas another study, run\n    {begun_anew(words, error.free)}"


def _anew(error: TakenError, argv: "Sequence[str]") -> list[str] | None:
    """Return the first stage in place of a later one, which went on with what its study states.

    Returns:
        ``None`` where options cannot state it.
    """
    if error.recipe is None or (argv[0] == SPACE and not error.varied):
        return None
    kind = SEARCHES.get(argv[0]) or space_kind([varied(text) for text in error.varied])
    stated = _stated(error.recipe, kind)
    if stated is None:
        return None
    searched = {parameter.key for parameter in kind.parameters}
    words = _words({key: value for key, value in stated.items() if key not in searched})
    return [argv[0], "--coarse", *words, *given(argv, "--storage"), *given(argv, "--data-dir")]


_VARY: Final = "--vary"
