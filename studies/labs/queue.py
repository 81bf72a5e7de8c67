"""The queue of a service: labs that wait to be carried out, each checked when it is submitted.

What is submitted is stored whole, so that it may come from any machine. Paths in it are the
server's; whether they are there only the server can say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coarsefine.db.queue_records import QueueRecord
from coarsefine.hints import option
from coarsefine.studies.errors import RecipeError, did_you_mean
from coarsefine.studies.labs.data_files import names_file
from coarsefine.studies.labs.files import Lab, Part, kind_of, lab_of, lab_text, request_of
from coarsefine.studies.planning.point_runs import recipe_at
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import first_stage
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import SEARCHABLE, searched_field
from coarsefine.studies.spaces.dimensions import VARIANT
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

# A lab of a page or two; MySQL keeps no more than 64 kB in a text.
MOST_BYTES = 60_000
# Parts have names, too, and all of a study's must fit in 255 characters.
LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be put in the queue.

    Attributes:
        name: What its studies' names begin with.
        content: The whole text of a lab file.
        parts: Which of its parts; all if none is named.
        fresh: Train again what was trained before.
        within: How many seconds it may take each time that it is carried out; ``None`` for any.
    """

    name: str
    content: str
    quick: bool = False
    parts: tuple[str, ...] = ()
    fresh: bool = False
    within: float | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Return how it is stored beside the text."""
        return {
            "quick": self.quick,
            "parts": list(self.parts),
            "fresh": self.fresh,
            "within": self.within,
        }

    def lab(self, where: str) -> Lab:
        """Return the lab; ``where`` is what messages call it."""
        return lab_of(self.name, where, self.content, quick=self.quick)


def stored(entry: QueueRecord) -> Submission:
    """Return what was submitted; options that are none are left out, whoever wrote them."""
    given: Any = entry.options
    options = given if isinstance(given, dict) else {}
    parts = options.get("parts")
    within: Any = options.get("within")
    timed = type(within) in {int, float} and within > 0
    return Submission(
        entry.name,
        entry.content,
        quick=options.get("quick") is True,
        parts=tuple(map(str, parts)) if isinstance(parts, list) else (),
        fresh=options.get("fresh") is True,
        within=float(within) if timed else None,
    )


def submission(
    source: str,
    *,
    name: str | None = None,
    search: str | None = None,
    quick: bool = False,
    parts: Sequence[str] = (),
    fresh: bool = False,
    within: float | None = None,
) -> Submission:
    """Return what a file or a preset asks for, checked as far as it can be without the data.

    Args:
        source: A lab file, a recipe file or the name of a preset.
        name: What its studies' names begin with; ``None`` takes the file's.
        search: The search of a recipe file that states none.
        quick: A first look.
        parts: Which parts; all if none is named.
        fresh: Train again what was trained before.
        within: How many seconds it may take.

    Raises:
        RecipeError: Names file, part, key and reason.
        StudyError: If a search cannot be made of it.
        DataError: If there is no such data set.
    """
    stem, where, text = lab_text(source)
    if search is not None:
        text = _with_search(where, text, search)
    size = len(text.encode())
    if size > MOST_BYTES:
        raise RecipeError(f"{where}: a lab must have at most {MOST_BYTES:,} bytes, got {size:,}")
    options = {"quick": quick, "fresh": fresh}
    asked = Submission(name or stem, text, parts=tuple(parts), within=within, **options)
    if not asked.name.isprintable() or not 0 < len(asked.name.strip()) <= LONGEST_NAME:
        raise RecipeError(
            f"what studies are named by must be 1 … {LONGEST_NAME} printable characters, got "
            f"{asked.name[:60]!r}; name them with ",
            option("study"),
        )
    lab = asked.lab(where)
    for part in chosen(lab, parts):
        recipe = lab.recipe(part)
        for each in named_data(lab, part, recipe):
            names_file(each)
        if part.does == "search":
            check_search(*asked_of(lab, part), recipe)
    return asked


def _with_search(where: str, text: str, search: str) -> str:
    """Return a recipe's text with a search of that kind as its only part."""
    if search not in SEARCHES:
        raise RecipeError(
            option("search"),
            f" must be one of {', '.join(SEARCHES)}, got {search!r}",
            did_you_mean(search, SEARCHES),
        )
    added = f'{text.rstrip()}\n\n[[part]]\nname = "{search}"\nsearch = {{ kind = "{search}" }}\n'
    try:
        lab_of("", where, text)
    except RecipeError:
        return added
    raise RecipeError(f"{where} states what is searched; leave out ", option("search"))


def chosen(lab: Lab, names: Sequence[str]) -> list[Part]:
    """Return the parts of those names, in the lab's order; all if there are no names.

    Raises:
        RecipeError: If there is no such part; guesses.
    """
    known = {part.name: part for part in lab.parts}
    for name in names:
        if name not in known:
            raise RecipeError(
                option("part"),
                f" must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}",
            )
    return [part for name, part in known.items() if not names or name in names]


def asked_of(lab: Lab, part: Part) -> tuple[SearchKind, StageRequest]:
    """Return the search of a part, and what it asks of the first stage."""
    search = lab.search(part)
    return kind_of(search), request_of(search)


def check_search(kind: SearchKind, request: StageRequest, recipe: Recipe) -> None:
    """Raise what is wrong with a search, as far as it can be told without the data."""
    stage = first_stage(kind, request)
    if recipe.trainer is not None:
        return  # what its network is, only the server can tell
    for dimension in stage.dimensions:
        if dimension.name in SEARCHABLE:
            searched_field(recipe, dimension.name)
        for value in dimension.values or ():
            recipe_at(recipe, [dimension], {dimension.name: value})


def named_data(lab: Lab, part: Part, recipe: Recipe) -> list[str]:
    """Return all data that a part can come to name: its recipe's, and those of variants."""
    return [recipe.data.name, *map(str, _stated_by_variants(lab, part, "data.name"))]


def trainers(lab: Lab, part: Part, recipe: Recipe) -> list[str]:
    """Return all trainers of the user's that a part can come to name."""
    own = [] if recipe.trainer is None else [recipe.trainer]
    return own + [str(name) for name in _stated_by_variants(lab, part, "trainer")]


def _stated_by_variants(lab: Lab, part: Part, key: str) -> list[Any]:
    if part.search is None:
        return []
    kind, _ = asked_of(lab, part)
    found = []
    for dimension in kind.dimensions:
        for settings in (dimension.variants or {}).values() if dimension.name == VARIANT else ():
            said = {**settings, **flat(settings)}
            found += [said[key]] if said.get(key) is not None else []
    return found


def of_the_server(asked: Submission) -> list[str]:
    """Return what a submission names that only the server has: files of data, and trainers."""
    lab = asked.lab(asked.name)
    found: dict[str, None] = {}
    for part in chosen(lab, asked.parts):
        recipe = lab.recipe(part)
        files = [name for name in named_data(lab, part, recipe) if names_file(name)]
        found |= dict.fromkeys([*files, *trainers(lab, part, recipe)])
    return list(found)
