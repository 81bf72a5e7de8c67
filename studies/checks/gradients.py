"""The gradients of a recipe's network, checked on its own data."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from coarsefine.studies.checks.network import (
    FEATURES,
    SAMPLES,
    STRENGTHS,
    NetworkCheck,
    check_own_network,
    checked,
    kept_features,
    network_of,
    of_features,
)

if TYPE_CHECKING:
    from coarsefine.models.data import Progress
    from coarsefine.models.specs import NetworkSpec
    from coarsefine.studies.recipes.recipe import Recipe


def checked_networks(
    recipe: "Recipe",
    data_dir: Path | None,
    progress: "Progress | None",
    *,
    features: int | None = None,
    samples: int = SAMPLES,
    every: bool = False,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[list[NetworkCheck], str]:
    """Return the gradients of a recipe's network checked, and on what.

    Args:
        recipe: The network and its data.
        data_dir: Where data files are looked for.
        progress: Hears of slow data.
        features: How many inputs are kept; ``None`` for all, of many networks or inputs for some.
        samples: On how many.
        every: Check every activation, loss and depth, too.
        strengths: The λ to check with.

    Raises:
        StudyError: If the recipe names a custom trainer.
    """
    check_own_network(recipe, "a gradient check")
    kept = FEATURES if every and features is None else features
    x, labels, n_classes, words = _samples(recipe, data_dir, kept, samples, progress)
    spec = network_of(recipe, x.shape[1], n_classes)
    networks = list(_all_networks(spec)) if every else [spec]
    checks = checked(networks, x, labels, recipe.seed, strengths, recipe.training)
    return checks, words


def _samples(
    recipe: "Recipe",
    data_dir: Path | None,
    features: int | None,
    samples: int,
    progress: "Progress | None",
) -> tuple[Any, Any, int, str]:
    """Return some training samples, their labels, the number of classes, and what they are."""
    from coarsefine.models.data import prepare
    from coarsefine.studies.recipes.specs import to_data_spec

    prepared = prepare(to_data_spec(recipe), data_dir=data_dir, progress=progress)
    opened = prepared.open()
    kept = min(features or kept_features(prepared.n_features), prepared.n_features)
    x = opened.x_train[:samples, :kept]
    words = f"{prepared.name}, {len(x)} samples{of_features(kept, prepared.n_features)}"
    return x, opened.y_train[:samples], prepared.n_classes, words


def _all_networks(spec: "NetworkSpec") -> "Iterator[NetworkSpec]":
    """Yield every activation and loss with none, one and two hidden layers."""
    from coarsefine.models.specs import ACTIVATIONS, LOSSES, ActivationName, LossName

    losses = cast("tuple[LossName, ...]", LOSSES)
    activations = cast("tuple[ActivationName, ...]", ACTIVATIONS)
    for loss in losses:
        # Without a hidden layer there is no activation.
        yield replace(spec, hidden=(), loss=loss)
        for activation in activations:
            for hidden in ((8,), (8, 6)):
                yield replace(spec, hidden=hidden, activation=activation, loss=loss)


def gradcheck_json(checks: Sequence[NetworkCheck]) -> dict[str, Any]:
    """Return checks for programs: a stable contract, see ``docs/cli.md``."""
    worst: dict[str, tuple[float, float]] = {}
    for one in checks:
        for parameter in one.parameters:
            absolute, relative = worst.get(parameter.name, (0.0, 0.0))
            worst[parameter.name] = (
                max(absolute, parameter.max_absolute_error),
                max(relative, parameter.max_relative_error),
            )
    return {
        "parameters": [
            {
                "name": name,
                "max_absolute_error": _finite(absolute),
                "max_relative_error": _finite(relative),
            }
            for name, (absolute, relative) in worst.items()
        ],
        "passed": all(one.passed for one in checks),
        "checks": [
            {
                "widths": list(one.network.widths),
                "activation": one.network.activation if one.network.hidden else None,
                "loss": one.network.loss,
                "lambda": one.l2_strength,
                "passed": one.passed,
                "parameters": [
                    {
                        "name": parameter.name,
                        "max_absolute_error": _finite(parameter.max_absolute_error),
                        "max_relative_error": _finite(parameter.max_relative_error),
                        "checked": parameter.n_checked,
                        "skipped": parameter.n_skipped,
                    }
                    for parameter in one.parameters
                ],
            }
            for one in checks
        ],
    }


def _finite(error: float) -> float | None:
    return error if error < float("inf") else None  # NaN too
