"""Lab files: whole reports as one TOML file, of a recipe and what is asked of it, part by part.

A file states a recipe as any recipe file does, and either one ``[search]`` or several ``[[part]]``.
Each part overrules the recipe with what it needs.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coarsefine.paths import expanded
from coarsefine.studies.errors import RecipeError, SpaceError, did_you_mean
from coarsefine.studies.labs.quick import quick_layer
from coarsefine.studies.labs.vary import STRICT, Vary, dimension_of
from coarsefine.studies.planning.races import replicates_of
from coarsefine.studies.planning.request import StageRequest, n_points
from coarsefine.studies.recipes.layers import recipe_of
from coarsefine.studies.recipes.messages import ContradictionError, explained, literal
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.toml_text import parsed, read_text
from coarsefine.studies.spaces.conditions import check_conditions
from coarsefine.studies.spaces.dimensions import Dimension
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.grids import cumulative, one_at_a_time, variants_of
from coarsefine.studies.spaces.searches.registry import SEARCHES

# Of searches that are none of the registry: what they vary is theirs.
RUN = "run"

Stated = dict[str, Any]
Count = Annotated[int, Field(ge=1, le=100_000)]


class _Table(BaseModel):
    model_config = STRICT


class SearchTable(_Table):
    """A search as a file states it.

    Attributes:
        kind: A search of the command line to start from; what it varies may be overruled.
        vary: Ranges and values, by key of the recipe or its last part.
        variants: Named settings, each a table of keys of the recipe.
        adding: How variants follow from each other: each on its own, each added to those before
            it (after a base without any), or each added to the base alone.
        stages: How many, or ``auto``: until values differ by less than noise.
        test: Whether the best trials meet the test set in the end.
    """

    kind: str | None = None
    vary: dict[str, Vary] = {}
    variants: dict[str, dict[str, Any]] = {}
    adding: Literal["nothing", "cumulative", "one-at-a-time"] = "nothing"
    trials: Count | None = None
    fine_trials: Count | None = None
    sampler: str | None = None
    replicates: Count | str | None = None
    indifference: float | None = None
    prune: str | None = None
    stages: Annotated[int, Field(ge=1, le=10)] | Literal["auto"] | None = None
    equal: str | None = None
    alone: bool | None = None
    test: bool = False


class Overrules(_Table):
    """What a part, or a quick look, says in place of the file's recipe and search."""

    recipe: Stated = {}
    search: Stated = {}


class Part(_Table):
    """One question of a lab.

    Attributes:
        does: What it is answered by.
        recipe: Keys of the recipe that this part overrules, as in ``"training.eta" = 0.5``.
        networks: Hidden layers whose parameters are counted.
        against: The framework of a cross-check.
        lab: The lab's own figures: rows with ``at`` (a value or the name of a variant) and shares
            in [0, 1] or seconds by name.
        explains: Why the figures differ from the lab's.
        figures: Kinds of figures that show it.
        curves: Whether curves are printed, too.
    """

    name: str
    title: str = ""
    does: Literal["search", "params", "gradcheck", "crosscheck", "optimum"] = "search"
    recipe: Stated = {}
    search: SearchTable | None = None
    networks: list[list[int]] = []
    against: Literal["torch", "sklearn"] = "torch"
    lab: list[dict[str, Any]] = []
    explains: str = ""
    figures: list[str] = []
    curves: bool = False
    quick: Overrules = Overrules()


class LabTable(_Table):
    """A whole file."""

    title: str = ""
    source: str = ""
    asks: str = ""
    notes: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    trainer: str | None = None
    params: Stated = {}
    data: Stated = {}
    network: Stated = {}
    training: Stated = {}
    final: Stated = {}
    search: SearchTable | None = None
    part: list[Part] = []
    quick: Overrules = Overrules()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.search is None) == (not self.part):
            raise ContradictionError("a file has either one {} or several {}", "search", "part")
        names = [part.name for part in self.part]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ContradictionError(f"{{}} names must differ, got {literal(twice)} twice", "part")
        for part in self.part:
            if part.does == "search" and part.search is None:
                raise ContradictionError(f"part {literal(part.name)} needs {{}}", "part.search")
        return self


class Lab(BaseModel):
    """A lab file that has been read and checked.

    Attributes:
        name: The file's, without ending: what its studies' names begin with.
        source_file: Where it was read, for messages.
        named: The file or preset, as it was named; nothing where its text was handed over.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    source_file: str
    table: LabTable
    is_quick: bool = False
    named: str = ""

    @property
    def parts(self) -> list[Part]:
        """Return its parts; a file with one search has one without a name."""
        if self.table.search is not None:
            return [Part(name="", search=self.table.search)]
        return list(self.table.part)

    def recipe(self, part: Part) -> Recipe:
        """Return the recipe of a part.

        Raises:
            RecipeError: Names file, part and key.
        """
        table = self.table
        stated: Stated = {"seed": table.seed}
        if table.trainer is not None:
            stated["trainer"] = table.trainer
        for section in ("data", "network", "training", "final", "params"):
            if getattr(table, section):
                stated[section] = getattr(table, section)
        layers = [part.recipe]
        if self.is_quick:
            layers += [quick_layer(table.quick.recipe, part.recipe), part.quick.recipe]
        implied = {} if part.search is None else kind_of(part.search, self._where(part)).implied
        return recipe_of(stated, layers, implied, self._where(part))

    def search(self, part: Part) -> SearchTable:
        """Return a part's search, as far as a quick look does not overrule it."""
        assert part.search is not None  # noqa: S101  # checked where it was read
        if not self.is_quick:
            return part.search
        said = part.search.model_dump(exclude_unset=True)
        said |= self.table.quick.search | part.quick.search
        try:
            return SearchTable.model_validate(said)
        except ValidationError as error:
            raise RecipeError(
                f"{self._where(part)}quick: ", explained(error, SearchTable, ())
            ) from None

    def n_points(self, part: Part) -> int:
        """Return about how many trials a part has planned at a time; 0 if it searches nothing."""
        if part.search is None:
            return 0
        search = self.search(part)
        return n_points(kind_of(search), request_of(search))

    def study_name(self, part: Part) -> str:
        """Return the name of a part's study; a quick look has one of its own."""
        name = f"{self.name}-quick" if self.is_quick else self.name
        return f"{name}/{part.name}" if part.name else name

    def checked(self) -> Self:
        """Return itself.

        Raises:
            RecipeError: If a part has no recipe or no search; names file, part and key.
        """
        for part in self.parts:
            self.recipe(part)
            if part.search is not None:
                search = self.search(part)
                kind_of(search, self._where(part))
                request_of(search, self._where(part))
        return self

    def _where(self, part: Part) -> str:
        return f"{self.source_file}: " + (f"part {part.name}: " if part.name else "")


def read_lab(source: str, *, quick: bool = False, name: str | None = None) -> Lab:
    """Return the lab of a file, or the preset of that name.

    Args:
        source: A file or the name of a preset.
        quick: Whether it is to be a first look.
        name: What its studies' names begin with; ``None`` takes the file's.

    Raises:
        RecipeError: If it is neither, or not a lab; names file, key and reason.
    """
    stem, where, text = lab_text(source)
    lab = lab_of(stem if name is None else name, where, text, quick=quick)
    return lab.model_copy(update={"named": source})


def lab_text(name: str) -> tuple[str, str, str]:
    """Return a lab as it is written: its name, what messages call it, and its text.

    Raises:
        RecipeError: If there is neither a file nor a preset of that name.
    """
    path = expanded(name)
    if path.suffix == ".toml" or path.exists():
        return path.stem, str(path), read_text(path, "a lab")
    known = presets()
    if name not in known:
        raise RecipeError(
            f"{name!r} is neither a file nor a preset{did_you_mean(name, known)}; presets are "
            f"{', '.join(known)}"
        )
    text = _folder().joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return name, f"preset {name}", text


def presets() -> list[str]:
    """Return the names of the labs that come with the program."""
    files = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def _folder() -> Any:
    return resources.files("coarsefine.studies.labs").joinpath("presets")


def lab_of(name: str, where: str, text: str, *, quick: bool = False) -> Lab:
    """Return the lab that a text states.

    Args:
        name: What its studies' names begin with.
        where: What messages call it.
        text: TOML.
        quick: Whether it is to be a first look.

    Raises:
        RecipeError: If it states none; names ``where``, key and reason.
    """
    try:
        table = LabTable.model_validate(parsed(text, where, "a lab"))
    except ValidationError as error:
        raise RecipeError(f"{where}: ", explained(error, LabTable, ())) from None
    return Lab(name=name, source_file=where, table=table, is_quick=quick).checked()


def kind_of(search: SearchTable, where: str = "") -> SearchKind:
    """Return the search that a table states.

    Raises:
        RecipeError: If it varies nothing, or what cannot be varied.
    """
    base = SEARCHES.get(search.kind or "")
    if search.kind is not None and base is None:
        raise RecipeError(
            f"{where}search.kind must be one of {', '.join(SEARCHES)}, got {search.kind!r}"
            f"{did_you_mean(search.kind, SEARCHES)}"
        )
    try:
        dimensions = [dimension_of(name, vary) for name, vary in search.vary.items()]
        if search.variants:
            dimensions.append(_variants(search))
        check_conditions(dimensions)
    except SpaceError as error:
        raise RecipeError(f"{where}search: {error}") from None
    if not dimensions and base is None:
        raise RecipeError(f"{where}search must have a kind, vary or variants; got none of them")
    chosen = tuple(dimensions) or (base.dimensions if base is not None else ())
    refines = any(d.range is not None for d in chosen)
    if search.stages not in (None, 1) and not refines:
        raise RecipeError(f"{where}search.stages needs a range to narrow, got values only")
    return SearchKind(
        name=base.name if base is not None else RUN,
        dimensions=chosen,
        n_coarse=search.trials or (base.n_coarse if base is not None else 8),
        n_fine=search.fine_trials or (base.n_fine if base is not None else 8),
        refines=refines,
        implied=base.implied if base is not None else {},
        replicates=base.replicates if base is not None else 1,
        draws=base.draws if base is not None else False,
        alone=base.alone if base is not None else False,
    )


def request_of(search: SearchTable, where: str = "") -> StageRequest:
    """Return what a table asks of the first stage.

    Raises:
        RecipeError: If a choice is none.
    """
    try:
        replicates, race = replicates_of(search.replicates, search.indifference)
        return StageRequest(
            sampler=search.sampler,
            replicates=replicates,
            race=race,
            prune=search.prune,
            alone=search.alone,
            equal=search.equal,
        )
    except SpaceError as error:
        raise RecipeError(f"{where}search: {error}") from None


def _variants(search: SearchTable) -> Dimension:
    stated = {name: flat(settings) for name, settings in search.variants.items()}
    if search.adding == "cumulative":
        return variants_of(cumulative(stated))
    if search.adding == "one-at-a-time":
        return variants_of(one_at_a_time(stated))
    return variants_of(stated)


def lab_figures(part: Part) -> Mapping[str, Mapping[str, float]]:
    """Return the lab's own figures, by the value or variant they are of."""
    from coarsefine.studies.spaces.dimensions import shown

    return {
        shown(row["at"]): {key: float(value) for key, value in row.items() if key != "at"}
        for row in part.lab
        if "at" in row
    }
