"""Studies as they are begun, and held to the recipe and the data that they began with."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.new_records import LONGEST_NAME, NewStudy
from coarsefine.db.records import StudyRecord
from coarsefine.db.repository.common import TRASH
from coarsefine.hints import option, search_command
from coarsefine.models.data import PreparedData
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError, StudyNameError, TakenError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.stages import Stage, searched_stages
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.recipes.messages import in_words
from coarsefine.studies.recipes.recipe import Difference, Recipe, differences, from_json, to_json
from coarsefine.studies.results.scoring.labels import SPLIT_LABELS, packed_labels
from coarsefine.studies.results.scoring.splits import N_SPLIT, Splits
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.spaces.dimensions import OWN
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.spaces.varying import SPACE, varied_text


def study_name(kind: SearchKind, recipe: Recipe) -> str:
    """Return the name of a study that was given none: data set and search, or what it varies."""
    name, what = recipe.data.name, kind.name
    if what == SPACE:
        what = "-".join(p.name.removeprefix(OWN).replace("_", "-") for p in kind.parameters)
    return f"{Path(name).stem if Path(name).suffix else name}/{what}"[:LONGEST_NAME]


@contextmanager
def offering_a_name(database: Database, study: StudyRecord) -> Generator[None]:
    """Add a free name to the error that the study was begun otherwise, and what it varies."""
    try:
        yield
    except TakenError as error:
        error.free = repository.free_name(database, study.name)
        error.recipe = error.recipe or from_json(study.recipe, study.name)
        if study.search == SPACE:
            first = searched_stages(database, study)[0]
            error.varied = tuple(map(varied_text, Stage.of(first).dimensions))
        raise


def check_name(name: str) -> None:
    """Refuse names that a terminal would obey, or a reader could not tell from others."""
    if name.startswith("-"):
        raise StudyNameError(
            f"the name of a study must not begin with a dash, as options do; got {name[:60]!r}"
        )
    if name.startswith(TRASH):
        raise StudyNameError(f"names that begin with {TRASH} are for the trash, got {name[:60]!r}")
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_NAME):
        shown = repr(name if len(name) <= 60 else f"{name[:60]}…")
        raise StudyNameError(
            f"the name of a study must be 1 … {LONGEST_NAME} characters, all printable, "
            f"got {shown}; name it with ",
            option("study"),
        )


def add_study(
    database: Database,
    kind: SearchKind,
    name: str,
    recipe: Recipe,
    data: PreparedData,
    available: int | None,
) -> StudyRecord:
    """Store a study, not yet with any stage.

    Args:
        database: Where.
        kind: What it searches.
        name: Its name.
        recipe: Its recipe.
        data: The recipe's data.
        available: How many samples there are to train on; ``None`` where that plays no part.
    """
    return repository.add_study(
        database,
        NewStudy(
            name=name,
            search=kind.name,
            recipe=to_json(recipe),
            seed=recipe.seed,
            data_name=data.name,
            data_fingerprint=data.fingerprint,
            data={
                "n_train": data.n_train,
                "n_available": available,
                "n_validation": data.n_validation,
                "n_test": data.n_test,
                "n_features": data.n_features,
                "n_classes": data.n_classes,
                "sample_shape": list(data.sample_shape),
                "class_names": list(data.class_names),
                "split_fingerprint": data.split_fingerprint,
                "normalisation": data.normalisation,
                "warnings": list(data.warnings),
                **packed_labels(data.open().y_validation, data.n_classes),
                **_split_again(recipe, data),
            },
            versions=environment.versions() | plugins.version(recipe),
            machine=environment.machine(),
        ),
    )


def _split_again(recipe: Recipe, data: PreparedData) -> dict[str, Any]:
    """Return what a study's data keep where replicates are splits: what all of them are made of."""
    if Splits.read(to_json(recipe)["data"], {}) is None:
        return {}
    labels = data.labels_to_split()
    return {N_SPLIT: len(labels), **packed_labels(labels, data.n_classes, SPLIT_LABELS)}


def same_recipe(study: StudyRecord, kind: SearchKind, asked: Asked) -> Recipe:
    """Return the study's recipe; with another path where its own file of data was moved.

    Raises:
        StudyError: If what is asked for contradicts it, or the study is of another search.
    """
    if study.search != kind.name:
        raise TakenError(
            f"study {study.name} is a {study.search} search, not a {kind.name} search; "
            "choose another name with ",
            option("study"),
        )
    stored = from_json(study.recipe, f"the recipe of study {study.name}")
    recipe = asked.against(stored, kind.implied)
    changed = [d for d in differences(stored, recipe) if not _names_a_file(d)]
    if changed:
        lines = "".join(
            f"\n    {d.key}: {in_words(d.first)} there, {in_words(d.second)} asked for"
            for d in changed
        )
        error = TakenError(
            f"study {study.name} was begun with another recipe; leave these out, or choose "
            "another name with ",
            option("study"),
            f":{lines}",
        )
        error.recipe = recipe
        raise error
    plugins.check_named(study, stored, by_user=asked.states_all)
    return recipe


def _names_a_file(difference: Difference) -> bool:
    """Return whether two recipes name two files; whether one is the other, data will tell."""
    names = (str(difference.first), str(difference.second))
    return difference.key == "data.name" and all(Path(name).suffix for name in names)


def checked_data(resources: Resources, study: StudyRecord, recipe: Recipe) -> PreparedData:
    """Return the study's data.

    Raises:
        StudyError: If the data are no longer what the study began with.
    """
    name = recipe.data.name
    if Path(name).suffix and not Path(name).exists():
        kind = SEARCHES.get(study.search)
        stage = "coarse" if kind is None or kind.refines else ""
        raise StudyError(
            f"the data of study {study.name} must be where they were, found no {name}; if the file "
            "was moved, run\n    ",
            search_command(study.search, stage, study=study.name, data="FILE"),
        )
    data = resources.prepare(recipe)
    if data.fingerprint != study.data_fingerprint:
        raise TakenError(
            f"study {study.name} was begun with other data (fingerprint "
            f"{study.data_fingerprint[:12]}, now {data.fingerprint[:12]}); put the old files back, "
            "or choose another name with ",
            option("study"),
        )
    return data


def remember_moved_file(database: Database, study: StudyRecord, recipe: Recipe) -> None:
    """Store where the study's file of data is now."""
    if to_json(recipe) != study.recipe:
        repository.update_study(database, study, recipe=to_json(recipe))
