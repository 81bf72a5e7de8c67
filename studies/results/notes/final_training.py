"""What the figures of a final test should not be read without."""

from typing import TYPE_CHECKING

from coarsefine.hints import option
from coarsefine.models.data.splits import n_samples
from coarsefine.studies.recipes.layers import final_recipe
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.results.notes.note import Note

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord, TestOpeningRecord

# The best λ of a mean loss goes about as one over the samples. Less than this moves it by less than
# half a step of eight values over four decades, which is less than a search can tell.
_ALIKE = 1.5


def final_notes(study: "StudyRecord", opening: "TestOpeningRecord") -> tuple[Note, ...]:
    """Return what should be known of an opening of the test set, a note each."""
    note = _unlike_search(study, opening)
    return () if note is None else (note,)


def _unlike_search(study: "StudyRecord", opening: "TestOpeningRecord") -> Note | None:
    """Return how the final training differs from the search's in samples and updates, if it does.

    Both as the recipe has them: what a trial varied, it varies in both.
    """
    recipe = from_json(opening.recipe, f"the recipe of a test of {study.name}")
    kept = recipe.final.validation
    if recipe.final.refit == "none" or kept is None:
        return None
    n_train, n_validation = int(study.data["n_train"]), int(study.data["n_validation"])
    n_final = n_train + n_validation - n_samples(kept, n_train + n_validation)
    searched = resolve(recipe, n_train).n_updates
    final = resolve(final_recipe(recipe), n_final).n_updates
    if all(max(pair) <= _ALIKE * min(pair) for pair in ((n_train, n_final), (searched, final))):
        return None
    line = (
        f"the final training made {final:,} updates on {n_final:,} samples, the search's "
        f"{searched:,} on {n_train:,}: the best λ and η depend on both"
    )
    advice = "; search on as many samples and for as long, or test with "
    return Note("unlike-search", line, advice, option("refit", "none"))
