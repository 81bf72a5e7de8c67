"""What a linear network can reach at all, to stand beside what training reached."""

from dataclasses import asdict, dataclass
from typing import Any

from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.data import PreparedData
from coarsefine.models.least_squares import largest_eigenvalue, least_squares, stable_learning_rate
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class ReferenceLines:
    """The exact optimum of a linear network with squared loss, and how large η may be.

    Attributes:
        train_loss: ½ ‖scores − one_hot‖², mean over the training samples.
        train_accuracy: In [0, 1].
        validation_loss: The same over the validation samples.
        validation_accuracy: In [0, 1].
        largest_eigenvalue: Of XᵀX/N.
        largest_eta: Up to which gradient descent on the whole training set is stable.
    """

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    largest_eigenvalue: float
    largest_eta: float

    def lines(self) -> tuple[str, ...]:
        """Return it in words."""
        optimum = (
            f"exact least-squares optimum: training loss {self.train_loss:.4f}, training accuracy "
            f"{100 * self.train_accuracy:.2f} %, validation accuracy "
            f"{100 * self.validation_accuracy:.2f} %"
        )
        bound = (
            f"largest eigenvalue of XᵀX/N, by power iteration: {self.largest_eigenvalue:.4g}; "
            f"gradient descent on the squared loss is stable up to η = {self.largest_eta:.4g}"
        )
        return optimum, bound

    def to_json(self) -> dict[str, Any]:
        """Return it by name."""
        return asdict(self)


def reference_lines(recipe: Recipe, data: PreparedData) -> ReferenceLines:
    """Return what the recipe's linear network can reach with squared loss.

    Raises:
        RecipeError: If the network is not linear, or its loss another.
    """
    if recipe.network.hidden or recipe.training.loss != "squared-error":
        raise RecipeError(
            "the exact optimum is that of a network without hidden layers and with loss "
            f"squared-error, got hidden layers {list(recipe.network.hidden)} and "
            f"{recipe.training.loss}"
        )
    if recipe.network.bias_row and recipe.training.l2_strength:
        raise RecipeError("the exact optimum leaves biases free, and a bias row is penalised")
    bias, strength = recipe.network.bias != "none", recipe.training.l2_strength
    samples = data.open()
    with limited_blas(1):
        best = least_squares(samples, data.n_classes, bias=bias, l2_strength=strength)
        eigenvalue = largest_eigenvalue(samples.x_train, bias=bias)
    return ReferenceLines(
        train_loss=best.train_loss,
        train_accuracy=best.train_accuracy,
        validation_loss=best.validation_loss,
        validation_accuracy=best.validation_accuracy,
        largest_eigenvalue=eigenvalue,
        largest_eta=stable_learning_rate(eigenvalue, "squared-error", strength),
    )
