"""A recipe as users state it in Python: a file, keywords, or both."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from coarsefine.paths import expanded
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.settings import Settings, described, flags, naming, settings
from coarsefine.studies.errors import RecipeError

if TYPE_CHECKING:
    from coarsefine.studies.recipes.recipe import Recipe as WholeRecipe
    from coarsefine.studies.spaces.search import SearchKind

    Source: TypeAlias = "str | PathLike[str] | Mapping[str, Any] | Recipe"


class Recipe:
    """All that decides a training but what is searched.

    Stated by a TOML file, by keywords, or both: keywords overrule the file. A dictionary stands in
    for a file, as ``to_dict`` returns one, or one of keywords. Each keyword is the
    option of the command line of the same name, with ``lambda_`` for ``--lambda``; what is not
    stated has a default that suits the data set and the search. A recipe never changes.

    Args:
        file: A recipe file, as in ``docs/recipes.md``, which is read whenever the recipe is used;
            a dictionary; or another recipe.
        settings: What overrules it, as in ``hidden=(50, 50)``.

    Raises:
        RecipeError: If it says something impossible; names the key.
        TypeError: If there is no such keyword.

    Examples:
        >>> recipe = Recipe(data="mnist", hidden=(50, 50), epochs=3)
        >>> recipe
        Recipe(data='mnist', hidden=(50, 50), epochs=3)
        >>> recipe.replace(cycles=1).to_dict()["training"]["cycles"]
        1
    """

    __slots__ = ("_base", "_file", "_flags")

    @naming(Settings)
    def __init__(self, file: "Source | None" = None, /, **settings: Unpack[Settings]) -> None:
        from coarsefine.studies.recipes.layers import overruled

        with as_study_errors():
            self._file: Path | None = None
            self._base: WholeRecipe | None = None
            stated: dict[str, Any] = {}
            if isinstance(file, Recipe):
                self._file, self._base, stated = file._file, file._base, file._flags
            elif isinstance(file, Mapping):
                stated = _of_mapping(file)
            elif isinstance(file, str | PathLike):
                self._file = expanded(file).absolute()
            elif file is not None:
                raise RecipeError(
                    f"a recipe must be a TOML file or a dictionary, got {described(file)}"
                )
            own = flags(settings)
            self._flags = overruled(stated, own) if stated else own
            self.whole()

    @classmethod
    def of(cls, whole: "WholeRecipe") -> Self:
        """Return the recipe that a study was begun with."""
        made = cls.__new__(cls)
        made._file, made._flags, made._base = None, {}, whole
        return made

    @naming(Settings)
    def replace(self, **settings: Unpack[Settings]) -> Self:
        """Return the recipe with other settings; they unsay what does not go with them.

        Examples:
            >>> Recipe(eta=0.1, epochs=3).replace(schedule="cyclical", cycles=2)
            Recipe(schedule='cyclical', cycles=2)
        """
        from coarsefine.studies.recipes.layers import overruled

        with as_study_errors():
            made = type(self).__new__(type(self))
            made._file, made._base = self._file, self._base
            made._flags = overruled(self._flags, flags(settings))
            made.whole()
        return made

    def whole(self, kind: "SearchKind | None" = None) -> "WholeRecipe":
        """Return the recipe with nothing left open, as a search has it.

        Args:
            kind: The search: it implies some of what is not stated.
        """
        from coarsefine.studies.recipes.layers import make_recipe, with_overrides

        if self._base is not None:
            return with_overrides(self._base, self._flags)
        return make_recipe(self._file, self._flags, None if kind is None else kind.implied)

    @property
    def trainer(self) -> str | None:
        """Return the trainer of their own that the user names, in a file or as a keyword."""
        return self._flags.get("trainer") if self._base is not None else self.whole().trainer

    def check_named(self) -> None:
        """Raise a RecipeError if only a database names the trainer: importing one runs its code."""
        if self._base is not None and self._base.trainer != self.trainer:
            name = self._base.trainer
            raise RecipeError(
                f"this recipe is trained by {name}, which is imported only if you name it "
                f"yourself: add trainer={name!r}"
            )

    @property
    def file(self) -> Path | None:
        """Return the recipe file."""
        return self._file

    @property
    def flags(self) -> dict[str, Any]:
        """Return what keywords state, by the keys of a recipe file."""
        return dict(self._flags)

    @property
    def base(self) -> "WholeRecipe | None":
        """Return the recipe of the study that this one is from."""
        return self._base

    def to_dict(self) -> dict[str, Any]:
        """Return all of it by section and key, as in a recipe file; ``None`` plays no part."""
        from coarsefine.studies.recipes.recipe import to_json

        return to_json(self.whole())

    def to_toml(self) -> str:
        """Return the text of a recipe file that says all of it."""
        from coarsefine.studies.recipes.recipe import to_toml

        return to_toml(self.whole())

    def __eq__(self, other: object) -> bool:
        """Return whether both say the same, stated or by default."""
        return isinstance(other, Recipe) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.to_toml())

    def __repr__(self) -> str:
        stated = [] if self._file is None else [repr(str(self._file))]
        stated += [f"{name}={value!r}" for name, value in settings(self._stated()).items()]
        return f"{type(self).__name__}({', '.join(stated)})"

    def _repr_html_(self) -> str:
        from coarsefine.search.library.pages import sections

        return sections("Recipe", self.to_dict(), set(self._stated()))

    def _stated(self) -> Mapping[str, Any]:
        """Return what is stated, by key: of a study's recipe, what is no default."""
        if self._base is None:
            return self._flags
        from coarsefine.studies.recipes.layers import default_recipe
        from coarsefine.studies.recipes.recipe import differences

        found = differences(default_recipe(self._base.data.name), self.whole())
        different = {d.key: d.second for d in found if d.second is not None}
        return {"data.name": self._base.data.name, **different}


def _of_mapping(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dictionary states, by the keys of a recipe file.

    It is one by section, as a recipe file is, or one of keywords.
    """
    from coarsefine.studies.recipes.parts import flat, without_none

    sections = [name for name, value in stated.items() if isinstance(value, Mapping)]
    if set(sections) <= {"params"}:
        return flags(stated)
    return flat(without_none(dict(stated)))
