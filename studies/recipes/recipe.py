"""Recipes: everything that decides a training run but what is searched.

A finished recipe states all of its keys, so that two recipes can be compared key by key. What
plays no part in a recipe is ``None`` there. ``layers`` makes a recipe of what users state.
"""

import json
from collections.abc import Collection, Mapping
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

from coarsefine.models.data.spec import (
    CategoricalName,
    DecimalName,
    MissingName,
    NormalisationName,
    SplitMethod,
)
from coarsefine.models.specs import (
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
    explained,
    whole,
)
from coarsefine.studies.recipes.parts import Stated, filled, flat, without_none

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
        return filled(stated, "data")


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
        return filled(stated, "network")


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
        return filled(stated, "training")

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
        return filled(stated, "final")


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


_OF_TABLES = ("header", "decimal", "categorical", "missing")


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
    return validated(without_none(dict(stated)), f"{source}: ")


def to_toml(recipe: Recipe) -> str:
    """Return the text of a file that ``load_recipe`` makes the same recipe of."""
    stated = without_none(to_json(recipe))
    lines = []
    for key, value in stated.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def differences(first: Recipe, second: Recipe) -> list[Difference]:
    """Return the keys on which two recipes disagree, in the order of a recipe."""
    one, other = flat(to_json(first)), flat(to_json(second))
    return [
        Difference(key, one.get(key), other.get(key))
        for key in one | other
        if one.get(key) != other.get(key)
    ]


def validated(stated: Mapping[str, Any], where: str, flags: Collection[str] = ()) -> Recipe:
    """Return the recipe that sections of keys state.

    Args:
        stated: Sections of keys.
        where: What messages begin with.
        flags: Keys that flags stated, which messages name so.

    Raises:
        RecipeError: If they state none; names the key.
    """
    try:
        return Recipe.model_validate(stated)
    except ValidationError as error:
        raise RecipeError(where, explained(error, Recipe, flags)) from None


def _toml_value(value: Any) -> str:
    # JSON writes strings, numbers, booleans and lists as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
