"""The keywords that make up a recipe: those of the command line, with underscores."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict, TypeVar

from coarsefine.search.options.data import absolute
from coarsefine.studies.errors import RecipeError, did_you_mean
from coarsefine.studies.recipes.keys import KEYS as RECIPE_KEYS
from coarsefine.studies.recipes.keys.kinds import whole

Size = int | float
# Characters of a value in a message.
_SHORT: Final = 60


class Settings(TypedDict, total=False):
    """What may be stated of a recipe; what is not stated has a default that suits the data.

    Each is the option of the same name, which ``docs/cli.md`` explains. ``lambda`` is a word of
    Python's, hence ``lambda_``.
    """

    seed: int | None
    data: str | os.PathLike[str] | None
    label: str | int | None
    header: bool | None
    decimal: str | None
    categorical: str | None
    missing: str | None
    split: str | None
    train: Size | None
    validation: Size | None
    stratified: bool | None
    folds: int | None
    redraw: bool | None
    test: str | None
    only_classes: Sequence[Any] | None
    normalisation: str | None
    hidden: Sequence[int] | int | None
    activation: str | None
    slope: float | None
    batch_norm: bool | None
    initialisation: str | None
    sigma: float | None
    bias: bool | str | None
    bias_sigma: float | None
    bias_row: bool | None
    loss: str | None
    lambda_: float | None
    optimizer: str | None
    momentum: float | None
    beta1: float | None
    beta2: float | None
    decoupled_decay: float | None
    schedule: str | None
    eta: float | None
    eta_min: float | None
    eta_max: float | None
    ns: int | None
    step_factor: float | None
    step_every: int | None
    eta_decay: float | None
    cycle_factor: float | None
    snapshots: bool | None
    warm_up: int | None
    batch_size: int | None
    epochs: int | None
    cycles: int | None
    updates: int | None
    clip_norm: float | None
    label_smoothing: float | None
    class_weights: str | Sequence[float] | None
    dropout: float | None
    input_noise: float | None
    flips: bool | None
    shifts: int | None
    shuffle: bool | None
    drop_last: bool | None
    evaluations: int | None
    evaluate_every: int | None
    patience: int | None
    stop_rule: str | None
    diverged_at: float | None
    score: str | None
    metric: str | None
    running: bool | None
    precision: str | None
    top: int | None
    refit: str | None
    final_validation: Size | None
    final_epochs: int | None
    final_cycles: int | None
    final_replicates: int | None
    final_ensemble: bool | None
    trainer: str | None
    params: Mapping[str, Any] | None


NAMES: Final = {key.key: key.setting for key in RECIPE_KEYS.values()}
"""The setting of each of the recipe's keys."""
KEYS: Final = {setting: key for key, setting in NAMES.items()}
"""The recipe's key of each setting."""


def flags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what settings state, by the recipe's keys; ``None`` states nothing.

    Raises:
        TypeError: If there is no such setting; guesses what was meant.

    >>> flags({"hidden": 50, "lambda": 0.001, "epochs": None})
    {'network.hidden': (50,), 'training.lambda': 0.001}
    """
    stated = {}
    for name, value in settings.items():
        # So that the parameters of a trial are settings as they stand.
        known = name if name in KEYS else f"{name}_"
        if known not in KEYS:
            raise TypeError(f"a recipe has no setting {name!r}{_guess(name)}")
        if value is not None:
            stated[KEYS[known]] = _said(known, value)
    return stated


def _guess(name: str) -> str:
    """Return what was meant: a setting written otherwise, or what others call it."""
    from coarsefine.studies.recipes.messages import OTHER_WORDS

    key = OTHER_WORDS.get(name)
    return did_you_mean(name, KEYS) if key is None else f"; did you mean {key.setting}?"


def settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that state these values, by the recipe's keys.

    >>> settings({"network.hidden": [50], "params.width": 3})
    {'hidden': (50,), 'params': {'width': 3}}
    """
    stated: dict[str, Any] = {}
    for key, value in flags.items():
        section, _, name = key.partition(".")
        if section == "params" and name:
            stated.setdefault("params", {})[name] = value
        else:
            stated[NAMES[key]] = tuple(value) if isinstance(value, list) else value
    return stated


def _said(name: str, value: Any) -> Any:
    """Return a value as recipes have it."""
    value = plain(value)
    if name == "data":
        if not isinstance(value, str | os.PathLike):
            raise RecipeError(
                f"data must be a data set's name or the path of a file, got {described(value)}; "
                "save it as .npz, .csv or .parquet and state the path"
            )
        return absolute(os.fspath(value))
    if name == "label":
        return str(value)
    if name == "hidden":
        value = whole(value)
        return (value,) if isinstance(value, int) else value
    return value


def described(value: Any) -> str:
    """Return a value in a message: as Python writes it, or of which class it is if that is long.

    >>> described(3), described([0] * 99)
    ('3', 'a list')
    """
    text = repr(value)
    return text if len(text) <= _SHORT and text.isprintable() else f"a {type(value).__name__}"


def plain(value: Any) -> Any:
    """Return numbers and arrays of NumPy and pandas as Python's own; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


Function = TypeVar("Function", bound=Callable[..., Any])


def naming(keywords: Any) -> Callable[[Function], Function]:
    """Return what makes a function whose ``**keywords`` show by name in help and completion.

    Args:
        keywords: The typed dictionary that names them.
    """

    def named(function: Function) -> Function:
        own = inspect.signature(function)
        kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if annotation is bool else None,
                annotation=annotation,
            )
            for name, annotation in keywords.__annotations__.items()
        ]
        signature = own.replace(parameters=[*kept, *added])
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return named


def several(texts: "str | Iterable[str]") -> tuple[str, ...]:
    """Return texts as a tuple; one text alone is one, not its letters.

    >>> several("final"), several(["a", "b"])
    (('final',), ('a', 'b'))
    """
    return (texts,) if isinstance(texts, str) else tuple(texts)
