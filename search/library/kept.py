"""A study in its database: whether it has begun, and opened to be read or trained."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coarsefine.search.library.place import Place
from coarsefine.search.library.settings import NAMES, described, several
from coarsefine.studies.errors import StudyError, did_you_mean
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.spaces.varying import SPACE, space_kind, varied

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.search.library.recipe import Recipe
    from coarsefine.search.progress import Watch
    from coarsefine.studies.planning.request import StageRequest
    from coarsefine.studies.recipes.layers import Asked
    from coarsefine.studies.recipes.recipe import Recipe as WholeRecipe
    from coarsefine.studies.running.resources import Resources
    from coarsefine.studies.running.search import Search
    from coarsefine.studies.spaces.search import SearchKind


@dataclass(frozen=True, slots=True)
class Kept:
    """Which study, and where it is kept.

    Attributes:
        search: What it searches, as the registry has it; ``run`` of a lab's.
        recipe: What the user states; ``None`` of a study that was opened by name.
        stated: The search as it is stated, likewise.
    """

    name: str
    search: str
    place: Place
    recipe: "Recipe | None" = None
    stated: "SearchKind | None" = None

    @property
    def kind(self) -> "SearchKind":
        """Return its search.

        Raises:
            StudyError: If only a lab can carry on with it.
        """
        from coarsefine.studies.planning.stages import Stage, searched_stages

        if self.stated is None and self.search == SPACE:
            with self.reading() as (database, study):
                first = searched_stages(database, study)[0]
                return space_kind(Stage.of(first).dimensions)
        return self.stated or kind_of(self.search)

    @property
    def has_begun(self) -> bool:
        """Return whether it is in the database."""
        from coarsefine.db import repository

        if self.place.is_new:
            return False
        with self.place.reading() as database:
            return repository.find_study(database, self.name) is not None

    def whole(self) -> "WholeRecipe":
        """Return the recipe that it was begun with, or is to begin with."""
        from coarsefine.studies.recipes.recipe import from_json

        if self.recipe is not None and not self.has_begun:
            return self.recipe.whole(self.kind)
        with self.reading() as (_, study):
            return from_json(study.recipe, f"the recipe of study {study.name}")

    def asked(self, study: "StudyRecord | None") -> "Asked":
        """Return the recipe as searches take it: what is not stated is as it was begun.

        Args:
            study: Itself, if it has begun.
        """
        from coarsefine.studies.recipes.layers import Asked, with_overrides
        from coarsefine.studies.recipes.recipe import from_json

        recipe = self.recipe
        if recipe is None:
            return Asked()
        if recipe.base is not None:
            return Asked.of(recipe.whole())
        if recipe.flags.get("trainer") and study is not None:
            # Named by the user, in code as in a file: it may be imported.
            begun = from_json(study.recipe, f"the recipe of study {study.name}")
            return Asked.of(with_overrides(begun, recipe.flags))
        return Asked(recipe.file, recipe.flags)

    @contextmanager
    def reading(self) -> "Iterator[tuple[Database, StudyRecord]]":
        """Yield the database, and the study in it."""
        if self.place.is_new and self.recipe is not None:
            raise self._missing()
        with self.place.reading() as database:
            yield database, self._record(database)

    @contextmanager
    def training(self, watch: "Watch") -> "Iterator[tuple[Resources, StudyRecord]]":
        """Yield with what it is trained, and the study, which must have begun."""
        if self.place.is_new and self.recipe is not None:
            raise self._missing()
        place = self.place
        with place.trained_by(watch) as who, place.writing(watch) as database:
            yield place.resources(database, watch, who), self._record(database)

    @contextmanager
    def beginning(self, request: "StageRequest", watch: "Watch") -> "Iterator[Search]":
        """Yield the search of the study, begun if need be.

        The database is made only after everything else has proved to be right.
        """
        from coarsefine.db import repository
        from coarsefine.studies.running.resources import NewDatabase
        from coarsefine.studies.running.search import Search

        place, create = self.place, self.recipe is not None
        with (
            place.trained_by(watch) as who,
            NewDatabase(place.url, watch.line, create=create) as database,
        ):
            resources = place.resources(database, watch, who)
            study = None
            if resources.has_database:
                study = repository.find_study(resources.database, self.name)
            if study is None and self.recipe is None:
                raise self._missing()  # it was there when it was opened
            asked = self.asked(study)
            if study is not None:
                yield Search.carry_on(resources, self.kind, asked, study)
            else:
                yield Search.begin(resources, self.kind, asked, request, self.name)

    @contextmanager
    def carrying_on(self, watch: "Watch") -> "Iterator[Search]":
        """Yield the search of the study, which must have begun."""
        from coarsefine.studies.running.search import Search

        with self.training(watch) as (resources, study):
            yield Search.carry_on(resources, self.kind, self.asked(study), study)

    def _record(self, database: "Database") -> "StudyRecord":
        from coarsefine.db import repository

        found = repository.find_study(database, self.name)
        if found is None:
            raise self._missing()
        return found

    def _missing(self) -> StudyError:
        if self.recipe is None:
            return StudyError(f"study {self.name} is no longer in the database")
        first = "coarse()" if self.kind.refines else "grid()"
        return StudyError(f"study {self.name} has not begun: call {first} first")


def check_name(name: Any) -> None:
    """Raise a StudyError unless a study can be called so; ``None`` names none."""
    if name is not None and not isinstance(name, str):
        raise StudyError(f"a study's name must be a text, got {described(name)}")


def kind_of(
    name: str, vary: "Mapping[str, str] | Sequence[str] | str | None" = None
) -> "SearchKind":
    """Return a search by name, of a space with what it varies.

    Raises:
        StudyError: If there is none; guesses what was meant.
    """
    plain = str(name).replace("_", "-")
    if plain == SPACE:
        texts = (
            [f"{k}={v}" for k, v in vary.items()]
            if isinstance(vary, Mapping)
            else several(vary or ())
        )
        return space_kind([varied(text) for text in texts])
    if vary is not None:
        raise StudyError(f"vary is of a space search, got a {plain} search")
    if plain in SEARCHES:
        return SEARCHES[plain]
    if name == "run":
        raise StudyError("this study is part of a lab, which the command `run` carries on with")
    known = [*SEARCHES, SPACE]
    raise StudyError(f"searches are {', '.join(known)}; got {name!r}{did_you_mean(plain, known)}")


def check_free(kind: "SearchKind", recipe: "Recipe") -> None:
    """Raise a StudyError if keywords state what the search varies."""
    for parameter in kind.parameters:
        if parameter.key in recipe.flags:
            ends = ", or low= and high=," if kind.refines else ""
            raise StudyError(
                f"{NAMES[parameter.key]} is what a {kind.name} search varies; say which values to "
                f"try with values={ends} of {'coarse()' if kind.refines else 'grid()'}"
            )
