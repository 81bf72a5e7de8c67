"""Recipes: everything that decides a training run but what is searched.

A recipe is stated in layers: what suits the data set, then a TOML file, then flags. A layer
overrules those before it, whole: stating ``epochs`` unsays ``cycles``, stating ``eta`` unsays a
cyclical schedule. What no layer states has a default, and a finished recipe states all of it, so
that two recipes can be compared key by key. What plays no part in a recipe is ``None`` there.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from coarsefine.db.open_files import is_open
from coarsefine.models.data.catalogue import CATALOGUE
from coarsefine.models.data.spec import (
    SPLIT_METHODS,
    CategoricalName,
    DecimalName,
    MissingName,
    NormalisationName,
    SplitMethod,
)
from coarsefine.models.specs import (
    INITIALISATIONS,
    OPTIMIZERS,
    SCHEDULES,
    SPREAD_INITIALISATIONS,
    ActivationName,
    BiasName,
    InitialisationName,
    LossName,
    OptimizerName,
    PrecisionName,
    ScheduleName,
    ScoreName,
    StopRuleName,
    named_bias,
)
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.messages import (
    ContradictionError,
    checked_params,
    checked_size,
    checked_trainer,
    exact,
    explained,
    literal,
    whole,
)

Stated = dict[str, Any]

Count = Annotated[int, BeforeValidator(whole), Field(ge=1, le=10**9)]
Size = Annotated[int | float, PlainValidator(checked_size)]
Rate = Annotated[float, Field(gt=0)]
Bias = Annotated[BiasName, BeforeValidator(named_bias)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataRecipe(_Section):
    """Which samples are trained on and validated with.

    Attributes:
        name: A data set's name or the path of a file.
        train: Number or fraction of training samples; ``None`` takes all that are left.
        validation: Number or fraction of validation samples; ``None`` where the split is canonical.
        stratified: Keep each class's share; ``None`` where the split is not random.
        label: The column of labels of a table.
        header: Whether a table of text has a line of names; ``None`` is yes. These four keys and
            ``label`` play a part with tables alone.
        decimal: What stands before decimals; ``None`` is a point.
        categorical: What becomes of columns of words; ``None`` refuses them.
        missing: What becomes of missing values; ``None`` refuses them.
    """

    name: Annotated[str, Field(min_length=1)] = "digits"
    split: SplitMethod = "random"
    train: Size | None = None
    validation: Size | None = None
    stratified: bool | None = None
    normalisation: NormalisationName = "standardise"
    label: str | None = None
    header: bool | None = None
    decimal: DecimalName | None = None
    categorical: CategoricalName | None = None
    missing: MissingName | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return _filled(stated, "data")


class NetworkRecipe(_Section):
    """Layers and their first weights.

    Attributes:
        hidden: Widths of the hidden layers; none is softmax or linear regression.
        sigma: Standard deviation of ``normal`` first weights, bound of ``uniform`` ones; ``None``
            where they are others.
        bias: Which layers add one; ``true`` is all, ``false`` none.
    """

    hidden: Annotated[
        tuple[Annotated[int, BeforeValidator(whole), Field(ge=1, le=10**6, strict=True)], ...],
        Field(strict=False),
    ] = (50,)
    activation: ActivationName = "relu"
    initialisation: InitialisationName = "he"
    sigma: Rate | None = None
    bias: Bias = "all"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return _filled(stated, "network")


class TrainingRecipe(_Section):
    """How the network is trained, and for how long: either ``epochs`` or ``cycles``.

    Attributes:
        l2_strength: ``lambda``, unless the study searches it.
        eta: Learning rate of the constant and step schedules.
        ns: Half a cycle in updates; ``None`` is ``2 · ⌊N / batch_size⌋``, as in the KTH lab.
        step_every: Epochs between two steps of the step schedule.
        evaluations: Times an epoch that the validation split is measured for early stopping.
        patience: Evaluations that early stopping waits; ``None`` never stops.
        stop_rule: What it waits for; ``None`` where it never stops.
        diverged_at: Times its first cost at which a trial counts as diverged; ``None`` where it has
            to be infinite.
        score: Whether a trial counts with its last epoch or its best.
        running: Whether each batch is measured before its update, as Keras does.
    """

    loss: LossName = "cross-entropy"
    optimizer: OptimizerName = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    schedule: ScheduleName = "cyclical"
    eta: Rate | None = None
    eta_min: Rate | None = None
    eta_max: Rate | None = None
    ns: Count | None = None
    step_factor: Annotated[float, Field(gt=0, le=1)] | None = None
    step_every: Count | None = None
    batch_size: Count = 100
    epochs: Count | None = None
    cycles: Count | None = None
    l2_strength: Annotated[float, Field(ge=0, alias="lambda")] = 0.0
    shuffle: bool = True
    drop_last: bool = False
    evaluations: Count = 1
    patience: Count | None = None
    stop_rule: StopRuleName | None = None
    diverged_at: Annotated[float, Field(gt=1)] | None = None
    score: ScoreName = "final"
    running: bool = False
    precision: PrecisionName = "float32"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return _filled(stated, "training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.eta_min is not None and self.eta_max is not None and self.eta_min > self.eta_max:
            raise ContradictionError(
                "{} must be <= {}, got " + f"{self.eta_min:g} and {self.eta_max:g}",
                "training.eta_min",
                "training.eta_max",
            )
        if self.stop_rule is not None and self.patience is None:
            raise ContradictionError("{} needs {}", "training.stop_rule", "training.patience")
        if self.stop_rule == "window" and self.patience == 1:
            raise ContradictionError(
                "{} must be >= 2 with {} window, got 1", "training.patience", "training.stop_rule"
            )
        return self


class FinalRecipe(_Section):
    """How the best trials are trained again before the test set is opened.

    Attributes:
        refit: ``train+validation`` trains on both splits; ``none`` takes the trained weights.
        validation: What is kept of them to watch the training with; 0.02 of CIFAR-10's 50,000
            are the KTH lab's 1,000.
        epochs: Another length than in the search; so does ``cycles``.
        top: How many of the ranking's best trials are tested.
    """

    refit: Literal["train+validation", "none"] = "train+validation"
    validation: Size | None = None
    epochs: Count | None = None
    cycles: Count | None = None
    top: Count = 3

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, stated: Any) -> Any:
        return _filled(stated, "final")


class Recipe(_Section):
    """All that decides a training run but what is searched.

    Attributes:
        seed: The split, the first weights and the order of the batches follow from it.
        trainer: A function of the user's that trains in place of ours, ``package.module:function``.
        params: What it is given beside the recipe's own values.
    """

    seed: Annotated[int, BeforeValidator(whole), Field(ge=0, lt=2**63)] = 0
    trainer: Annotated[str, AfterValidator(checked_trainer)] | None = None
    data: DataRecipe = Field(default_factory=lambda: DataRecipe.model_validate({}))
    network: NetworkRecipe = Field(default_factory=lambda: NetworkRecipe.model_validate({}))
    training: TrainingRecipe = Field(default_factory=lambda: TrainingRecipe.model_validate({}))
    final: FinalRecipe = Field(default_factory=lambda: FinalRecipe.model_validate({}))
    params: Annotated[dict[str, Any], AfterValidator(checked_params)] = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.params and self.trainer is None:
            raise ContradictionError("{} need a {} to be given to", "params", "trainer")
        for name in self.params:
            for section, keys in (("network", NetworkRecipe), ("training", TrainingRecipe)):
                if name in {field.alias or key for key, field in keys.model_fields.items()}:
                    raise ContradictionError(
                        "{} would hide {}: state that", f"params.{name}", f"{section}.{name}"
                    )
        if self.final.cycles is not None and self.training.schedule != "cyclical":
            raise ContradictionError(
                "{} needs {} cyclical, got " + self.training.schedule,
                "final.cycles",
                "training.schedule",
            )
        return self


class Difference(NamedTuple):
    """A key that two recipes disagree on; ``None`` where one has no use for it."""

    key: str
    first: Any
    second: Any


# The rest is as in the KTH lab's assignment 2 (two cycles from 1e-5 to 1e-1, batch size 100),
# which trains on 45,000 images. Small data sets need smaller batches and more cycles to make
# enough updates: on the 1,078 training digits, eight cycles are 1,696 of them, the validation
# accuracy is 0.96 to 0.98, and small λ begin to lose to middling ones.
_SMALL: Stated = {"data": {"validation": 0.25}, "training": {"batch_size": 20, "cycles": 8}}


class _Part(NamedTuple):
    """A key that only plays a part with some choices of another key of its section.

    Attributes:
        inferred_from: Choices that stating the key replaces with the first of ``choices``.
    """

    choice: str
    choices: tuple[str, ...]
    inferred_from: tuple[str, ...] = ()


_PARTS: dict[str, dict[str, _Part]] = {
    "data": {
        "validation": _Part("split", ("random", "ordered")),
        "stratified": _Part("split", ("random",)),
    },
    "network": {
        "sigma": _Part(
            "initialisation", SPREAD_INITIALISATIONS, ("he", "xavier", "glorot-uniform", "zero")
        )
    },
    "training": {
        "momentum": _Part("optimizer", ("momentum", "nesterov"), ("sgd",)),
        "eta": _Part("schedule", ("constant", "step"), ("cyclical", "geometric")),
        "eta_min": _Part("schedule", ("cyclical", "geometric"), ("constant", "step")),
        "eta_max": _Part("schedule", ("cyclical", "geometric"), ("constant", "step")),
        "ns": _Part("schedule", ("cyclical",), ("constant", "step", "geometric")),
        "cycles": _Part("schedule", ("cyclical",), ("constant", "step", "geometric")),
        "step_factor": _Part("schedule", ("step",), ("constant", "cyclical", "geometric")),
        "step_every": _Part("schedule", ("step",), ("constant", "cyclical", "geometric")),
    },
    "final": {
        key: _Part("refit", ("train+validation",)) for key in ("validation", "epochs", "cycles")
    },
}
_EXISTING: dict[str, tuple[str, ...]] = {
    "split": SPLIT_METHODS,
    "initialisation": INITIALISATIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "refit": ("train+validation", "none"),
}
_OF_TABLES = ("header", "decimal", "categorical", "missing")
_CHOICES: Stated = {
    "split": "random",
    "initialisation": "he",
    "optimizer": "sgd",
    "schedule": "cyclical",
    "refit": "train+validation",
}


def default_recipe(data: str = "digits") -> Recipe:
    """Return the recipe for a data set that no one has said anything else about."""
    return make_recipe(flags={"data.name": data})


def default_batch_size(data: str) -> int:
    """Return the batch size of recipes for a data set that state none."""
    return default_recipe(data).training.batch_size


def load_recipe(path: Path) -> Recipe:
    """Return the recipe of a TOML file.

    Raises:
        RecipeError: If it is missing, no TOML or no recipe; names file, key and reason.
    """
    return make_recipe(path)


def make_recipe(
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    implied: Mapping[str, Any] | None = None,
) -> Recipe:
    """Return the recipe that a file and flags state together; flags overrule the file.

    Args:
        path: A TOML file; ``None`` for none.
        flags: Values by key, as in ``{"training.eta": 0.1}``; ``None`` as a value states nothing.
        implied: Values by key that file and flags overrule: what a search starts from.

    Raises:
        RecipeError: Names the file and the key, or the flag.
    """
    # By itself first: what the file implies, as its eta a constant schedule, counts as stated.
    stated = {} if path is None else _merged({}, _read(path))
    if path is not None:
        recipe = _validated(_merged(_suited(stated, implied), stated), f"{path}: ")
        if not flags:
            return recipe
    said = nested(flags or {})
    both = _merged(stated, said)
    return _validated(_merged(_suited(both, implied), both), "", said)


def recipe_of(
    stated: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    implied: Mapping[str, Any],
    where: str,
) -> Recipe:
    """Return the recipe that sections and layers over them state together.

    Args:
        stated: Sections of keys.
        layers: Values by key, each overruling what is before it.
        implied: Values by key that all of them overrule.
        where: What messages begin with.

    Raises:
        RecipeError: Names the key.
    """
    both = _merged({}, dict(stated))
    for layer in layers:
        both = _merged(both, nested(layer))
    return _validated(_merged(_suited(both, implied), both), where)


def with_overrides(recipe: Recipe, flags: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other values for some keys.

    Args:
        recipe: Overruled where flags say otherwise; all it says counts as stated.
        flags: As for ``make_recipe``.

    Raises:
        RecipeError: Names the flag.
    """
    said = nested(flags)
    return _validated(_merged(_without_none(to_json(recipe)), said), "", said)


def overruled(flags: Mapping[str, Any], by: Mapping[str, Any]) -> Stated:
    """Return two layers of values by key as one: the second unsays what does not go with it.

    >>> overruled({"training.cycles": 2, "seed": 1}, {"training.epochs": 3})
    {'training.epochs': 3, 'seed': 1}
    """
    return flat(_merged(_merged({}, nested(flags)), nested(by)))


def differences(first: Recipe, second: Recipe) -> list[Difference]:
    """Return the keys on which two recipes disagree, in the order of a recipe."""
    one, other = flat(to_json(first)), flat(to_json(second))
    return [
        Difference(key, one.get(key), other.get(key))
        for key in one | other
        if one.get(key) != other.get(key)
    ]


def final_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe with the length of training that its final section asks for."""
    length = {"training.epochs": recipe.final.epochs, "training.cycles": recipe.final.cycles}
    return with_overrides(recipe, length)


def to_json(recipe: Recipe) -> Stated:
    """Return the recipe as JSON has it: sections and keys as users write them."""
    stated = recipe.model_dump(mode="json", by_alias=True)
    # Recipes of before had none of these, and those that do not use them are still the same.
    unused = [key for key in ("trainer", "params") if not stated[key]]
    of_tables = [key for key in _OF_TABLES if stated["data"][key] is None]
    stated["data"] = {key: value for key, value in stated["data"].items() if key not in of_tables}
    return {key: value for key, value in stated.items() if key not in unused}


def from_json(stated: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """Return the recipe that ``to_json`` made this of.

    Raises:
        RecipeError: If it is none; names ``source``.
    """
    return _validated(_without_none(dict(stated)), f"{source}: ")


def to_toml(recipe: Recipe) -> str:
    """Return the text of a file that ``load_recipe`` makes the same recipe of."""
    stated = _without_none(to_json(recipe))
    lines = []
    for key, value in stated.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def parse_hidden(text: str) -> tuple[int, ...]:
    """Return the widths of ``50,50``; of ``none`` or nothing, no hidden layer.

    Raises:
        RecipeError: If they are no whole numbers.
    """
    if text.strip().lower() in {"", "none"}:
        return ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        rule = "--hidden must be whole numbers separated by commas, as in 50,50, or none"
        raise RecipeError(f"{rule}; got {text!r}") from None


def parse_size(text: str) -> int | float:
    """Return ``5000`` as a number of samples and ``0.1`` as a fraction of them.

    Raises:
        RecipeError: If it is neither.
    """
    try:
        return checked_size(float(text) if "." in text or "e" in text.lower() else int(text))
    except ValueError:
        raise RecipeError(
            f"sizes are a number of samples >= 1 or a fraction between 0 and 1, got {text!r}"
        ) from None


def flat(stated: Mapping[str, Any]) -> Stated:
    """Return ``{"seed": …, "data.name": …}`` of ``{"seed": …, "data": {"name": …}}``."""
    values: Stated = {}
    for key, value in stated.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            values[key] = value
    return values


def nested(flags: Mapping[str, Any]) -> Stated:
    """Return sections of keys with dots in them; leaves out what is ``None``."""
    stated: Stated = {}
    for key, value in flags.items():
        if value is None:
            continue
        section, dot, name = key.partition(".")
        if dot:
            stated.setdefault(section, {})[name] = value
        else:
            stated[key] = value
    return stated


def _read(path: Path) -> Stated:
    if path.is_dir():
        raise RecipeError(f"a recipe must be a TOML file, got the folder {path}")
    if is_open(path):
        raise RecipeError(f"a recipe must be a TOML file, got the database {path}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"a recipe must be an existing TOML file, found no {path}") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: a recipe must be a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} must be TOML: {error}") from None


def _validated(stated: Stated, where: str, said: Stated | None = None) -> Recipe:
    try:
        return Recipe.model_validate(stated)
    except ValidationError as error:
        raise RecipeError(where, explained(error, Recipe, set(flat(said or {})))) from None


def _suited(stated: Stated, implied: Mapping[str, Any] | None = None) -> Stated:
    """Return what suits the data set that is named, to be overruled by what is stated."""
    data = stated.get("data")
    name = data.get("name", "digits") if isinstance(data, dict) else "digits"
    # Files of one's own are mostly small; those who have large ones say what they want.
    suited = _SMALL if name == "digits" or str(name) not in CATALOGUE else {}
    return _merged(suited, nested(implied)) if implied else suited


def _merged(base: Stated, said: Stated) -> Stated:
    """Return both layers as one: ``said`` wins, and unsays what does not go with it."""
    merged: Stated = dict(base)
    for section, values in said.items():
        inner = base.get(section)
        if isinstance(values, dict) and isinstance(inner, dict):
            merged[section] = _merged_section(inner, values, section)
        elif isinstance(values, dict):
            merged[section] = _merged_section({}, values, section)
        else:
            merged[section] = values
    training, final = merged.get("training"), merged.get("final")
    if isinstance(training, dict) and isinstance(final, dict):
        cyclical = training.get("schedule", _CHOICES["schedule"]) == "cyclical"
        if not cyclical and "cycles" not in said.get("final", {}):
            merged["final"] = {k: v for k, v in final.items() if k != "cycles"}
    return merged


def _merged_section(base: Stated, said: Stated, section: str) -> Stated:
    parts = _PARTS.get(section, {})
    choices = {part.choice: base.get(part.choice, _CHOICES[part.choice]) for part in parts.values()}
    choices |= {choice: said[choice] for choice in choices if choice in said}
    for key, part in parts.items():
        inferable = key in said and part.choice not in said
        if inferable and choices[part.choice] in part.inferred_from:
            choices[part.choice] = part.choices[0]
    kept = {
        key: value
        for key, value in base.items()
        if (key not in parts or choices[parts[key].choice] in parts[key].choices)
        and not (key == "cycles" and "epochs" in said)
        and not (key == "epochs" and "cycles" in said)
        # A deviation of 0.01 is no bound for uniform weights.
        and not (key == "sigma" and choices.get("initialisation") != base.get("initialisation"))
    }
    stated = {key for key in choices if key in base or choices[key] != _CHOICES[key]}
    return kept | {key: choices[key] for key in stated} | said


def _filled(stated: Any, section: str) -> Any:
    """Return what is stated and the defaults that depend on it; refuse what goes not together."""
    if not isinstance(stated, Mapping):
        return stated
    given = {key: exact(value) for key, value in stated.items() if value is not None}
    for key, part in _PARTS[section].items():
        choice = given.get(part.choice, _CHOICES[part.choice])
        # A choice that does not exist is an error of its own, and the one to show.
        exists = choice in _EXISTING[part.choice]
        if key in given and exists and choice not in part.choices:
            raise ContradictionError(
                "{} needs {} " + " or ".join(part.choices) + f", got {choice}",
                f"{section}.{key}",
                f"{section}.{part.choice}",
            )
    if "epochs" in given and "cycles" in given:
        raise ContradictionError(
            "the length is either {} or {}, got "
            f"{literal(given['epochs'])} and {literal(given['cycles'])}",
            f"{section}.epochs",
            f"{section}.cycles",
        )
    return _defaults(given, section) | given


def _defaults(given: Stated, section: str) -> Stated:
    if section == "data":
        split = given.get("split", _CHOICES["split"])
        values: Stated = {} if split == "canonical" else {"validation": 0.1}
        return values | ({"stratified": True} if split == "random" else {})
    if section == "network":
        sigma = {"normal": 0.01, "uniform": 1.0}.get(str(given.get("initialisation")))
        return {} if sigma is None else {"sigma": sigma}
    if section == "final":
        return {"validation": 0.02} if given.get("refit") != "none" else {}
    optimizer = given.get("optimizer", _CHOICES["optimizer"])
    schedule = given.get("schedule", _CHOICES["schedule"])
    # η has to go down when momentum comes in (NTNU's lab: from 0.1 to 0.02); 0.001 is Adam's own.
    eta = {"momentum": 0.02, "nesterov": 0.02, "adam": 0.001}.get(str(optimizer), 0.1)
    values = {"momentum": 0.9} if str(optimizer) in {"momentum", "nesterov"} else {}
    values |= {"stop_rule": "best"} if "patience" in given else {}
    if schedule == "cyclical":
        length = {} if "epochs" in given else {"cycles": 2}
        return values | {"eta_min": 1e-5, "eta_max": eta} | length
    if schedule == "geometric":
        return values | {"eta_min": 1e-5, "eta_max": eta, "epochs": 10}
    steps = {"step_factor": 0.1, "step_every": 5} if schedule == "step" else {}
    return values | {"eta": eta, "epochs": 10} | steps


def _without_none(stated: Stated) -> Stated:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in stated.items()
        if value is not None
    }


def _toml_value(value: Any) -> str:
    # JSON writes strings, numbers, booleans and lists as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
