"""Networks whose gradients are checked, as commands, tables and figures hand them on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.models.gradient_check import ParameterCheck
    from coarsefine.models.specs import NetworkSpec
    from coarsefine.studies.recipes.recipe import Recipe, TrainingRecipe

# Few: each element of a parameter takes four passes through the network.
SAMPLES: Final = 10
# Networks with more inputs, as of images, are checked with the first of them: all would take
# minutes. The others are checked as they are.
FEATURES: Final = 20
_FEW_FEATURES: Final = 100
STRENGTHS: Final[tuple[float, ...]] = (0.0, 0.1)
# More elements of a tensor than so many would take minutes and tell nothing more.
MOST_ELEMENTS: Final = 500


@dataclass(frozen=True, slots=True)
class NetworkCheck:
    """A network that was checked."""

    network: "NetworkSpec"
    l2_strength: float
    parameters: "Sequence[ParameterCheck]"

    @property
    def passed(self) -> bool:
        """Return whether all its gradients are right."""
        return all(parameter.passed for parameter in self.parameters)

    @property
    def worst(self) -> float:
        """Return its largest relative error."""
        return max(parameter.max_relative_error for parameter in self.parameters)

    @property
    def label(self) -> str:
        """Return its widths, its activation and its loss, in words."""
        network = self.network
        activation = f" {network.activation}" if network.hidden else ""
        activation += " with batch normalisation" if network.n_normalised else ""
        return f"{'-'.join(map(str, network.widths))}{activation}, {network.loss}"


def checked(
    networks: "Sequence[NetworkSpec]",
    x: Any,
    labels: Any,
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
    recipe: "TrainingRecipe | None" = None,
) -> list[NetworkCheck]:
    """Return the gradients of networks checked with each λ.

    Args:
        networks: With as many inputs as the samples have features.
        x: Samples, (N, D).
        labels: Their classes, (N,).
        seed: Of the weights, and of the elements that stand for large tensors.
        strengths: The λ to check with.
        recipe: How labels are smoothed, classes weighed and units left out; ``None`` for not at
            all.
    """
    import numpy as np

    from coarsefine.models.blas_threads import limited_blas
    from coarsefine.models.cohort import CohortPlan
    from coarsefine.models.gradient_check import Objective, check_gradients
    from coarsefine.models.losses import class_weights
    from coarsefine.models.perturbations import Perturbations
    from coarsefine.models.specs import Hyperparameters, TrainingSpec

    def check(network: "NetworkSpec", strength: float) -> NetworkCheck:
        stated = {} if recipe is None else dict(recipe)
        numbers = Hyperparameters(
            l2_strength=strength,
            label_smoothing=stated.get("label_smoothing") or 0.0,
            dropout=stated.get("dropout") or 0.0,
        )
        weights = class_weights(stated.get("class_weights"), labels, network.n_classes)
        # One choice of units for all passes: a gradient is that of one network.
        plan = CohortPlan(network, TrainingSpec(1, 1, precision="float64"), (numbers,), seed)
        masks = Perturbations(plan, 0, ()).masks((numbers,), len(labels))
        objective = Objective(x, labels, numbers, weights, masks)
        rng = np.random.default_rng(seed)
        return NetworkCheck(
            network, strength, check_gradients(network, objective, rng, most=MOST_ELEMENTS)
        )

    # Products this small take fifty times as long on threads that wait for each other.
    with limited_blas(1):
        return [check(network, strength) for network in networks for strength in strengths]


def kept_features(n_features: int) -> int:
    """Return with how many of its inputs a network is checked, unless somebody says it."""
    return n_features if n_features <= _FEW_FEATURES else FEATURES


def of_features(kept: int, n_features: int) -> str:
    """Return in words that a network is checked with some of its inputs."""
    return "" if kept == n_features else f", the first {kept} of {n_features:,} features"


def checked_without_data(
    recipe: "Recipe", n_features: int, n_classes: int
) -> tuple[list[NetworkCheck], str]:
    """Return the gradients of a recipe's network checked on random samples, and on what.

    Whether gradients are right does not depend on the samples; so this needs no data.
    """
    import numpy as np

    kept = kept_features(n_features)
    x = np.random.default_rng(recipe.seed).normal(size=(SAMPLES, kept)).astype(np.float32)
    labels = np.arange(SAMPLES) % n_classes
    found = checked(
        [network_of(recipe, kept, n_classes)],
        x,
        labels,
        recipe.seed,
        recipe=recipe.training,
    )
    return found, f"{SAMPLES} random samples{of_features(kept, n_features)}"


def check_own_network(recipe: "Recipe", what: str) -> None:
    """Check that the recipe's network is trained by this program, whose gradients are known.

    Args:
        recipe: Perhaps of a custom trainer.
        what: What cannot be done otherwise, in words.

    Raises:
        StudyError: If a custom trainer has a network of its own.
    """
    if recipe.trainer is not None:
        raise StudyError(
            f"{what} is of this program's own network; the recipe names a custom trainer, "
            f"{recipe.trainer}, whose network is its own; leave the trainer out of the recipe"
        )


def network_of(recipe: "Recipe", n_features: int, n_classes: int) -> "NetworkSpec":
    """Return the recipe's network with these ends."""
    from coarsefine.studies.recipes.specs import network_spec

    return network_spec(recipe, n_features, n_classes)
