"""``list`` and ``show``: which studies there are, and all that is known of one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from coarsefine.search.commands.ranking import chosen, named_trial
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.following import following
from coarsefine.search.hints import command
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.options import (
    OUTPUT,
    OutputOptions,
    RankedBy,
    StorageOptions,
    StudyArgument,
    text_option,
)
from coarsefine.search.options.tidying import FilterOptions
from coarsefine.search.tables.stages import stage_lines, states_line
from coarsefine.search.words import counted, percent
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.scoring.labels import without_labels
from coarsefine.studies.spaces.dimensions import described

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import EpochRecord, StudyRecord, StudySummary, TestOpeningRecord
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.results.classes import Confusion
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

CURVE_POINTS = 6


def list_studies(which: FilterOptions, storage: StorageOptions, output: OutputOptions) -> None:
    """List the studies, the most recent first.

    Examples:
        python -m search list
        python -m search list 'mnist/*' --search lambda --since 7d
        python -m search list --tag final --storage course.db --json
        python -m search list --trash
    """
    from coarsefine.db.connections.engine import open_database
    from coarsefine.studies.tidying.mending import lost_studies
    from coarsefine.studies.tidying.selection import selected

    with open_database(storage.url, read_only=True) as database:
        summaries = selected(database, which.filters(), trashed=which.trash)
        lost = lost_studies(database)
    note_lost(lost, storage.storage, quiet=output.quiet)
    if output.json:
        say_json({"studies": [_summary_json(summary) for summary in summaries]})
        return
    from coarsefine.search.tables.listing import studies_table

    console = stdout()
    print_table(console, studies_table(console, database.label, summaries))


def note_lost(names: "Sequence[str]", storage: str | None, *, quiet: bool) -> None:
    """Say which studies somebody deleted or renamed in Optuna, and what to do.

    Args:
        names: Theirs.
        storage: What ``--storage`` was given.
        quiet: Whether to say nothing.
    """
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        note(
            f"note: Optuna has lost {', '.join(names[:3])}{more}: deleted or renamed there, or "
            f"interrupted; `{command('check', '--repair', storage=storage)}` writes it again, `"
            f"{command('rm', names[0], storage=storage)}` deletes it here, too",
            quiet=quiet,
        )


def _summary_json(summary: "StudySummary") -> dict[str, Any]:
    return {
        "study": summary.name,
        "search": summary.search,
        "data": summary.data_name,
        "stages": list(summary.stages),
        "trials": summary.trials,
        "best_validation_accuracy": summary.best_accuracy,
        "test_openings": summary.test_openings,
        "tags": list(summary.tags),
        "note": summary.note,
        "created_at": _moment(summary.created_at),
        "updated_at": _moment(summary.updated_at),
        "trashed_at": None if summary.trashed_at is None else _moment(summary.trashed_at),
    }


def _moment(moment: "datetime") -> str:
    return moment.isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class ShowOptions:
    """Which trial is shown."""

    trial: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--trial",
            "STAGE:NUMBER",
            "The trial whose curve and classes are shown, as in fine:6 (default: the best).",
        ),
    ] = None


def show(
    study: StudyArgument,
    what: ShowOptions,
    by: RankedBy,
    storage: StorageOptions,
    output: OutputOptions,
) -> None:
    """Show all that is known of a study.

    Its data and split, recipe, stages, each time the test set was opened, what it was made with,
    and of one trial the curve, and recall and precision of each class on the validation samples.

    Examples:
        python -m search show
        python -m search show --trial fine:6
        python -m search show mnist/lambda --json
    """
    from coarsefine.db import repository
    from coarsefine.db.connections.engine import open_database
    from coarsefine.studies.results.optimum import located
    from coarsefine.studies.results.reading import first_curve, read_ranking
    from coarsefine.studies.tidying.mending import lost_studies

    with open_database(storage.url, read_only=True) as database:
        found = chosen(database, study, quiet=output.quiet)
        ranking = read_ranking(database, found, by.metric)
        trial = ranking.best if what.trial is None else named_trial(ranking, what.trial)
        openings = repository.openings(database, found)
        elsewhere = repository.openings_elsewhere(database, found)
        lost = [name for name in lost_studies(database) if name == found.name]
        curve = first_curve(database, ranking, trial)
        classes = _classes(database, ranking, trial, named=what.trial is not None)
        failures = failures_of(database, ranking)
        free = repository.free_name(database, found.name)
    note_lost(lost, storage.storage, quiet=output.quiet)
    optimum = located(ranking)
    if output.json:
        shown = _study_json(found, ranking, openings, curve) | {"failures": failures}
        shown["optimum"] = None if optimum is None else optimum.to_json()
        shown["openings_elsewhere"] = [{"study": name, "openings": n} for name, n in elsewhere]
        say_json(shown | _classes_json(classes))
        return
    tested = _opening_lines(openings, elsewhere)
    _print(found, ranking, tested, trial, curve, failures)
    if optimum is not None:
        tell(f"\n{optimum.words}")
    _print_classes(classes)
    proposed = following(ranking, storage, free)
    if proposed is not None:
        say(f"\nnext: {proposed}")


def _classes(
    database: "Database", ranking: "Ranking", trial: "RankedTrial | None", *, named: bool
) -> "Confusion | None":
    """Return what a trial made of each class; of one that was not named, if it is known."""
    from coarsefine.studies.results.classes import confusion_of

    if trial is None:
        return None
    try:
        return confusion_of(database, ranking, trial)
    except StudyError:
        if named and trial.state == "complete":
            raise
        return None


def _classes_json(found: "Confusion | None") -> dict[str, Any]:
    if found is None:
        return {"classes": None, "confusion": None}
    names = ("samples", "predicted", "recall", "precision", "f1")
    rows = [{name: getattr(row, name) for name in names} for row in found.rows]
    return {
        "classes": [
            {"class": row.name, **figures} for row, figures in zip(found.rows, rows, strict=True)
        ],
        "confusion": found.counts.tolist(),
    }


def _print_classes(found: "Confusion | None") -> None:
    from coarsefine.search.tables.classes import MOST_CLASSES, classes_table, confusion_lines

    if found is None:
        return
    console = stdout()
    print_table(console, classes_table(console, found))
    n_more = len(found.names) - MOST_CLASSES
    if n_more > 0:
        say(f"and {n_more:,} more classes: --json and `export --what classes` have them all")
    lines = confusion_lines(found)
    if lines:
        say("")
    for line in lines:
        tell(line)


def failures_of(database: "Database", ranking: "Ranking") -> list[str]:
    """Return why trials failed, a line each."""
    from coarsefine.db import repository

    failed = {t.uuid: f"{t.stage}:{t.trial}" for t in ranking.trials if t.state == "failed"}
    if not failed:
        return []
    rows = repository.trial_rows(database, ranking.study)
    names = {row.id: failed[row.uuid] for row in rows if row.uuid in failed}
    runs = repository.run_rows(database, trial_ids=list(names))
    return [f"{names[run.trial_id]}: {run.failure}" for run in runs if run.failure]


def _study_json(
    study: "StudyRecord",
    ranking: "Ranking",
    openings: "list[TestOpeningRecord]",
    curve: "list[EpochRecord]",
) -> dict[str, Any]:
    return {
        **ranking.to_json(by_hint),
        "tags": study.tags or [],
        "note": study.note or "",
        "search": study.search,
        "recipe": study.recipe,
        "data_fingerprint": study.data_fingerprint,
        "data_details": without_labels(study.data),
        "created_at": _moment(study.created_at),
        "updated_at": _moment(study.updated_at),
        "versions": study.versions,
        "machine": study.machine,
        "best_curve": [
            {name: field for name, field in row._asdict().items() if name != "run_id"}
            for row in curve
        ],
        "openings": [
            {
                "opened_at": _moment(opening.opened_at),
                "refit": opening.refit,
                "test_samples": opening.n_test,
                "note": opening.note,
                "trials": [
                    {
                        "rank": run.rank,
                        "stage": run.stage,
                        "params": run.params,
                        "validation_accuracy": run.validation_accuracy,
                        "test_accuracy": run.test_accuracy,
                        "test_loss": run.test_loss,
                    }
                    for run in opening.runs
                ],
            }
            for opening in openings
        ],
    }


def _print(
    study: "StudyRecord",
    ranking: "Ranking",
    tested: list[str],
    trial: "RankedTrial | None",
    curve: "list[EpochRecord]",
    failures: list[str],
) -> None:
    from coarsefine.search.tables.curves import curve_table
    from coarsefine.search.tables.listing import facts_table
    from coarsefine.studies.recipes.cost import strengths
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.reports.source import made_with

    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    console = stdout()
    dimensions = ranking.stages[0].dimensions if ranking.stages else ()
    searched = strengths(recipe.training.l2_strength, dimensions)
    facts: list[tuple[str, list[str]]] = [
        ("study", [f"{study.name}, a search over {ranking.over}"]),
        ("made", [f"{_minute(study.created_at)}, last changed {_minute(study.updated_at)} (UTC)"]),
        *([("tags", [", ".join(map(str, study.tags))])] if study.tags else []),
        *([("note", study.note.splitlines())] if study.note else []),
        ("data", _data_lines(study)),
        *_recipe_facts(study.recipe),
        *_cost_fact(recipe, searched),
        ("training", _step_lines(study, recipe)),
        ("stages", stage_lines(ranking)),
        ("trials", [states_line(ranking), *failures]),
        ("test set", tested),
        *((what, [words]) for what, words in made_with(study)),
    ]
    print_table(console, facts_table(facts))
    if trial is not None and curve:
        what = "The best trial" if trial is ranking.best else "Trial"
        title = f"\n{what}, {trial.name}: {described(trial.params)}"
        print_table(console, curve_table(console, ranking.study, title, _thinned(curve)))


def _minute(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _data_lines(study: "StudyRecord") -> list[str]:
    data = study.data
    shape = "×".join(map(str, data["sample_shape"]))
    sizes = (
        f"{data['n_train']:,} training, {data['n_validation']:,} validation, "
        f"{data['n_test']:,} test samples of {shape}, {data['n_classes']} classes"
    )
    prints = (
        f"normalisation {data['normalisation']}; fingerprint {study.data_fingerprint[:12]}, "
        f"split {data['split_fingerprint'][:12]}"
    )
    notes = [f"note: {line}" for line in data.get("warnings", ())]
    return [f"{study.data_name}: {sizes}", prints, *notes]


def _recipe_facts(recipe: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return a fact a section: its keys and values as a recipe file has them."""
    trainer = f", trainer {recipe['trainer']}" if recipe.get("trainer") else ""
    facts = [("recipe", [f"seed {recipe['seed']}{trainer}"])]
    for name, section in recipe.items():
        if isinstance(section, dict):
            stated = [f"{key} {_word(v)}" for key, v in section.items() if v is not None]
            facts.append((f"  {name}", [", ".join(stated)]))
    return facts


def _cost_fact(recipe: "Recipe", searched: "list[float]") -> list[tuple[str, list[str]]]:
    """Return what is minimised; nothing of a trainer of the user's own."""
    from coarsefine.studies.recipes.cost import cost_of

    if recipe.trainer is not None:
        return []
    return [("  cost", [cost_of(recipe, searched).removeprefix("cost = ")])]


def _word(stated: Any) -> str:
    if isinstance(stated, bool):
        return str(stated).lower()
    if isinstance(stated, list):
        return "-".join(map(str, stated)) or "none"
    return f"{stated:g}" if isinstance(stated, float) else str(stated)


def _step_lines(study: "StudyRecord", recipe: "Recipe") -> list[str]:
    from coarsefine.studies.recipes.lengths import resolve

    steps = resolve(recipe, int(study.data["n_train"]))
    return [*steps.lines, *(f"note: {line}" for line in steps.warnings)]


def _opening_lines(
    openings: "list[TestOpeningRecord]", elsewhere: list[tuple[str, int]]
) -> list[str]:
    others = [f"opened {counted(n, 'time')} for {name}" for name, n in elsewhere]
    if not openings:
        return ["never opened for this study", *others] if others else ["never opened"]
    lines = [*others, f"opened {counted(len(openings), 'time')}"]
    for opening in openings:
        accuracies = ", ".join(f"{percent(run.test_accuracy)} %" for run in opening.runs)
        found = f": {accuracies}" if accuracies else ", without a result"
        picked = f" ({opening.note})" if opening.note else ""
        lines.append(f"{_minute(opening.opened_at)}, refit {opening.refit}{found}{picked}")
    return lines


def _thinned(curve: "list[EpochRecord]") -> "list[EpochRecord]":
    """Return a few epochs, evenly spread, the first and the last among them."""
    last = len(curve) - 1
    if last < CURVE_POINTS:
        return curve
    return [curve[round(i * last / (CURVE_POINTS - 1))] for i in range(CURVE_POINTS)]
