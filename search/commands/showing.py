"""``show``: all that is known of one study."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.records import EpochRecord, StudyRecord, TestOpeningRecord
from coarsefine.search.choosing import chosen, named_trial
from coarsefine.search.commands.listing import moment, note_lost
from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.following import following
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.options import (
    OUTPUT,
    OutputOptions,
    RankedBy,
    StorageOptions,
    StudyArgument,
    text_option,
)
from coarsefine.search.tables.classes import MOST_CLASSES, classes_table, confusion_lines
from coarsefine.search.tables.curves import curve_table
from coarsefine.search.tables.listing import facts_table
from coarsefine.search.tables.stages import stage_lines, states_line
from coarsefine.search.words import counted, percent
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.cost import cost_of, strengths
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.reports.source import made_with
from coarsefine.studies.results.classes import Confusion, confusion_of
from coarsefine.studies.results.optimum import located
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import failures_of, first_curve, read_ranking
from coarsefine.studies.results.scoring.labels import without_labels
from coarsefine.studies.spaces.dimensions import described
from coarsefine.studies.tidying.mending import lost_studies

CURVE_POINTS = 6


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
    database: Database, ranking: Ranking, trial: RankedTrial | None, *, named: bool
) -> Confusion | None:
    """Return what a trial made of each class; of one that was not named, if it is known."""
    if trial is None:
        return None
    try:
        return confusion_of(database, ranking, trial)
    except StudyError:
        if named and trial.state == "complete":
            raise
        return None


def _classes_json(found: Confusion | None) -> dict[str, Any]:
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


def _print_classes(found: Confusion | None) -> None:
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


def _study_json(
    study: StudyRecord,
    ranking: Ranking,
    openings: list[TestOpeningRecord],
    curve: list[EpochRecord],
) -> dict[str, Any]:
    return {
        **ranking.to_json(by_hint),
        "tags": study.tags or [],
        "note": study.note or "",
        "search": study.search,
        "recipe": study.recipe,
        "data_fingerprint": study.data_fingerprint,
        "data_details": without_labels(study.data),
        "created_at": moment(study.created_at),
        "updated_at": moment(study.updated_at),
        "versions": study.versions,
        "machine": study.machine,
        "best_curve": [
            {name: field for name, field in row._asdict().items() if name != "run_id"}
            for row in curve
        ],
        "openings": [
            {
                "opened_at": moment(opening.opened_at),
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
    study: StudyRecord,
    ranking: Ranking,
    tested: list[str],
    trial: RankedTrial | None,
    curve: list[EpochRecord],
    failures: list[str],
) -> None:
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


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _data_lines(study: StudyRecord) -> list[str]:
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


def _cost_fact(recipe: Recipe, searched: list[float]) -> list[tuple[str, list[str]]]:
    """Return what is minimised; nothing of a trainer of the user's own."""
    if recipe.trainer is not None:
        return []
    return [("  cost", [cost_of(recipe, searched).removeprefix("cost = ")])]


def _word(stated: Any) -> str:
    if isinstance(stated, bool):
        return str(stated).lower()
    if isinstance(stated, list):
        return "-".join(map(str, stated)) or "none"
    return f"{stated:g}" if isinstance(stated, float) else str(stated)


def _step_lines(study: StudyRecord, recipe: Recipe) -> list[str]:
    steps = resolve(recipe, int(study.data["n_train"]))
    return [*steps.lines, *(f"note: {line}" for line in steps.warnings)]


def _opening_lines(
    openings: list[TestOpeningRecord], elsewhere: list[tuple[str, int]]
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


def _thinned(curve: list[EpochRecord]) -> list[EpochRecord]:
    """Return a few epochs, evenly spread, the first and the last among them."""
    last = len(curve) - 1
    if last < CURVE_POINTS:
        return curve
    return [curve[round(i * last / (CURVE_POINTS - 1))] for i in range(CURVE_POINTS)]
