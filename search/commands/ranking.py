"""``rank``: the trials of a study, best first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import spelled
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.options import OutputOptions, StorageOptions, StudyArgument
from coarsefine.studies.states import UNFINISHED

if TYPE_CHECKING:
    from rich.console import Console

    from coarsefine.db.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.results.comparison import Compared
    from coarsefine.studies.results.ranking import Ranking


def rank(study: StudyArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Rank a study's trials by their validation accuracy.

    Then by validation loss, then by stage and trial number. Diverged, pruned and unfinished trials
    come last, with their state. Trains nothing and changes nothing.

    Examples:
        python -m search rank
        python -m search rank mnist/lambda --json
    """
    from coarsefine.db.engine import open_database
    from coarsefine.studies.results.comparison import took
    from coarsefine.studies.results.reading import read_ranking

    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=output.quiet))
        rows = None if output.json else took(database, ranking)
    if output.json:
        say_json(ranking.to_json(by_hint))
        return
    print_study(stdout(), ranking, rows, following(ranking, storage))


def chosen(database: "Database", study: StudyArgument, *, quiet: bool) -> "StudyRecord":
    """Return the study that is named, or the most recent one, and say which."""
    from coarsefine.studies.results.reading import named_study

    found = named_study(database, study.name)
    if study.name is None:
        note(f"the most recent study: {found.name}", quiet=quiet)
    return found


def print_study(
    console: "Console",
    ranking: "Ranking",
    rows: "Sequence[Compared] | None",
    following: str | None,
) -> None:
    """Print what a study found: a grid with what its values took, or a ranking."""
    if rows is None:
        print_ranking(console, ranking, following)
    else:
        print_comparison(console, ranking, rows, following)


def print_ranking(console: "Console", ranking: "Ranking", following: str | None) -> None:
    """Print a ranking, where its ranges come from, and what to run next."""
    from coarsefine.search.tables.ranking import MOST_ROWS, ranking_table

    shown = replace(ranking, trials=ranking.trials[:MOST_ROWS])
    print_table(console, ranking_table(console, shown))
    _say_more(ranking, len(shown.trials))
    _print_below(ranking, [], following)


def print_comparison(
    console: "Console", ranking: "Ranking", rows: "Sequence[Compared]", following: str | None
) -> None:
    """Print a grid of values in their order, with what each took, and what to run next."""
    from coarsefine.search.tables.comparison import comparison_lines, comparison_table
    from coarsefine.search.tables.ranking import MOST_ROWS

    print_table(console, comparison_table(console, ranking, rows[:MOST_ROWS]))
    _say_more(ranking, min(len(rows), MOST_ROWS))
    _print_below(ranking, comparison_lines(ranking, rows), following)


def _say_more(ranking: "Ranking", n_shown: int) -> None:
    n_more = len(ranking.trials) - n_shown
    if n_more:
        say(f"and {n_more:,} more: `{typed('export', ranking.study.name, 'FILE')}` writes them all")


def _print_below(ranking: "Ranking", lines: list[str], following: str | None) -> None:
    from coarsefine.search.tables.stages import stage_lines
    from coarsefine.studies.results.notes.marks import legend

    for paragraph in (
        [spelled(line) for line in legend(ranking)],
        lines,
        stage_lines(ranking),
        [f"note: {spelled(line)}" for line in ranking.notes],
    ):
        if paragraph:
            say("")
        for line in paragraph:
            tell(line)
    if following is not None:
        say(f"\nnext: {following}")


def following(
    ranking: "Ranking",
    storage: StorageOptions,
    free: str | None = None,
    data_dir: Path | None = None,
) -> str:
    """Return the command that comes after looking at this ranking.

    Args:
        ranking: Of a study.
        storage: Where it is.
        free: The name of no study, where one is known.
        data_dir: What ``--data-dir`` was given.
    """
    study, place = ranking.study, storage.storage
    # A trainer of the user's is imported only where their recipe file names it.
    own = ("--recipe", "FILE") if study.recipe.get("trainer") else ()
    unfinished = any(trial.state in UNFINISHED for trial in ranking.trials)
    if study.search == "run" and (unfinished or ranking.best is None):
        # Searches of a lab are no commands of their own.
        return typed("run", *_lab_of(study.name), storage=place)
    if unfinished:
        # All stages after the second go on with --finer; grids have one stage and no flag.
        flag = (f"--{ranking.stages[-1].name.partition('-')[0]}",) if ranking.refines else ()
        return typed(study.search, *flag, "--study", study.name, *own, storage=place)
    if ranking.best is None:
        return _after_none(ranking, storage, free or f"{study.name}-2", data_dir, own)
    if any(trial.test_accuracy is not None for trial in ranking.trials):
        return typed("report", study.name, storage=place)
    if len(ranking.stages) == 1 and ranking.refines:
        return typed(study.search, "--fine", "--study", study.name, *own, storage=place)
    return typed("test", study.name, *own, storage=place)


def _after_none(
    ranking: "Ranking",
    storage: StorageOptions,
    free: str,
    data_dir: Path | None,
    own: tuple[str, ...],
) -> str:
    """Return what comes after a search without a complete trial."""
    flag = ("--coarse",) if ranking.refines else ()
    words, place = (ranking.study.search, *flag, "--study", free), storage.storage
    smaller = _smaller_eta(ranking)
    if smaller is not None:
        return typed(*words, *smaller, storage=place, data_dir=data_dir)
    again = typed(*words, *own, storage=place)
    return f"{again} with a smaller --eta or --eta-max: no trial is complete"


def _smaller_eta(ranking: "Ranking") -> list[str] | None:
    """Return the recipe's options with a tenth of its η, where all trials diverged.

    ``None`` where they ended for another reason, or the recipe is one that options cannot state.
    """
    from coarsefine.search.hints import option_words
    from coarsefine.studies.recipes.keys import KEYS
    from coarsefine.studies.recipes.layers import make_recipe
    from coarsefine.studies.recipes.recipe import differences, from_json
    from coarsefine.studies.spaces.searches.registry import SEARCHES

    kind = SEARCHES.get(ranking.study.search)
    if kind is None or any(trial.state != "diverged" for trial in ranking.trials):
        return None
    recipe = from_json(ranking.study.recipe, ranking.study.name)
    usual = make_recipe(None, {"data.name": recipe.data.name}, kind.implied)
    stated = {d.key: d.second for d in differences(usual, recipe)}
    if recipe.trainer is not None or not stated.keys() <= KEYS.keys():
        return None
    bias = stated.get("network.bias", True)
    if bias not in {True, "none"}:
        return None  # a bias of some layers has no option
    if bias == "none":
        stated["network.bias"] = False
    words: list[str] = []
    if any(parameter.name == "eta" for parameter in kind.parameters):
        if len(kind.parameters) > 1:
            return None
        lowest = min(float(trial.params["eta"]) for trial in ranking.trials)
        words = ["--low", f"{lowest / 1000:g}", "--high", f"{lowest / 10:g}"]
    else:
        for name in ("eta", "eta_min", "eta_max"):
            eta = getattr(recipe.training, name)
            if eta is not None:
                stated[f"training.{name}"] = float(f"{eta / 10:g}")
    if recipe.data.name != "digits":
        stated["data.name"] = recipe.data.name
    for key, value in stated.items():
        if value is not None:
            words += option_words(key, value)
    return words


def _lab_of(study: str) -> tuple[str, ...]:
    """Return what is run for a lab's study: ``LAB[-quick]/PART``."""
    from coarsefine.studies.labs.files import presets

    lab, _, part = study.partition("/")
    quick = lab.endswith("-quick")
    lab = lab.removesuffix("-quick")
    named = lab if lab in presets() else f"{lab}.toml"
    return (named, *(("--part", part) if part else ()), *(("--quick",) if quick else ()))
