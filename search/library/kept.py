"""A study in its database: whether it has begun, and opened to be read or trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coarsefine.search.library.place import Place
from coarsefine.search.library.settings import NAMES
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData
    from coarsefine.models.data.spec import DataSpec
    from coarsefine.search.library.recipe import Recipe
    from coarsefine.search.progress import Watch
    from coarsefine.studies.planning.stages import StageRequest
    from coarsefine.studies.recipes.recipe import Recipe as WholeRecipe
    from coarsefine.studies.running.resources import Means
    from coarsefine.studies.spaces.search import SearchKind


@dataclass(frozen=True, slots=True)
class Kept:
    """Which study, and where it is kept.

    Attributes:
        search: What it searches, as the registry has it; ``run`` of a lab's.
        recipe: What the user states; ``None`` of a study that was opened by name.
    """

    name: str
    search: str
    place: Place
    recipe: "Recipe | None" = None

    @property
    def kind(self) -> "SearchKind":
        """Return its search.

        Raises:
            StudyError: If only a lab can carry on with it.
        """
        return kind_of(self.search)

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

    def stated(self, study: "StudyRecord | None") -> dict[str, Any]:
        """Return the recipe as searches take it: what is not stated is as it was begun.

        Args:
            study: Itself, if it has begun.
        """
        from coarsefine.studies.recipes.layers import with_overrides
        from coarsefine.studies.recipes.recipe import from_json

        recipe = self.recipe
        if recipe is None:
            return {}
        if recipe.base is not None:
            return {"recipe": recipe.whole()}
        if recipe.flags.get("trainer") and study is not None:
            # Named by the user, in code as in a file: it may be imported.
            begun = from_json(study.recipe, f"the recipe of study {study.name}")
            return {"recipe": with_overrides(begun, recipe.flags)}
        return {"path": recipe.file, "flags": recipe.flags}

    @contextmanager
    def reading(self) -> "Iterator[tuple[Database, StudyRecord]]":
        """Yield the database, and the study in it."""
        if self.place.is_new and self.recipe is not None:
            raise self._missing()
        with self.place.reading() as database:
            yield database, self._record(database)

    @contextmanager
    def training(self, watch: "Watch") -> "Iterator[tuple[Means, StudyRecord]]":
        """Yield with what it is trained, and the study, which must have begun."""
        if self.place.is_new and self.recipe is not None:
            raise self._missing()
        place = self.place
        with place.trained_by(watch) as who, place.writing(watch) as database:
            yield place.means(database, watch, who), self._record(database)

    @contextmanager
    def beginning(
        self, request: "StageRequest", watch: "Watch"
    ) -> "Iterator[tuple[Means, StudyRecord | None]]":
        """Yield the same of a study that may begin.

        The database is made only after everything else has proved to be right.
        """
        from coarsefine.db import repository
        from coarsefine.studies.running.search import check_new

        place = self.place

        def prepare(spec: "DataSpec") -> "PreparedData":
            return place.prepared(spec, watch)

        with place.trained_by(watch) as who:
            if self.recipe is not None and place.is_new:
                check_new(self.kind, request, self.recipe.whole(self.kind), prepare)
            with place.writing(watch, create=self.recipe is not None) as database:
                study = repository.find_study(database, self.name)
                if study is None and self.recipe is None:
                    raise self._missing()  # it was there when it was opened
                yield place.means(database, watch, who), study

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


def kind_of(name: str) -> "SearchKind":
    """Return a search by name.

    Raises:
        StudyError: If there is none; guesses what was meant.
    """
    from coarsefine.studies.errors import did_you_mean
    from coarsefine.studies.spaces.searches.registry import SEARCHES

    plain = name.replace("_", "-")
    if plain in SEARCHES:
        return SEARCHES[plain]
    if name == "run":
        raise StudyError("this study is part of a lab, which the command `run` carries on with")
    known = ", ".join(SEARCHES)
    raise StudyError(f"searches are {known}; got {name!r}{did_you_mean(plain, SEARCHES)}")


def check_free(kind: "SearchKind", recipe: "Recipe") -> None:
    """Raise a StudyError if keywords state what the search varies."""
    for parameter in kind.parameters:
        if parameter.key in recipe.flags:
            ends = ", or low= and high=," if kind.refines else ""
            raise StudyError(
                f"{NAMES[parameter.key]} is what a {kind.name} search varies; say which values to "
                f"try with values={ends} of {'coarse()' if kind.refines else 'grid()'}"
            )
