"""The options that say which network."""

from dataclasses import dataclass
from typing import Annotated, Any

from coarsefine.hints import option as hint
from coarsefine.models.specs import ACTIVATIONS, INITIALISATIONS
from coarsefine.search.errors import UsageError
from coarsefine.search.options.declaring import NETWORK, number_option, one_of, option, text_option


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """Which network."""

    hidden: Annotated[
        str | None,
        text_option(
            NETWORK,
            "--hidden",
            "WIDTHS",
            "Units of each hidden layer, as in 50,50, or none (default: 50).",
        ),
    ] = None
    activation: Annotated[
        str | None,
        text_option(
            NETWORK,
            "--activation",
            "KIND",
            f"{one_of(ACTIVATIONS)} (default: relu).",
        ),
    ] = None
    initialisation: Annotated[
        str | None,
        text_option(
            NETWORK,
            "--initialisation",
            "KIND",
            f"First weights: {one_of(INITIALISATIONS)} (default: he).",
        ),
    ] = None
    sigma: Annotated[
        float | None,
        number_option(
            NETWORK,
            "--sigma",
            "Standard deviation of normal first weights (default: 0.01), or the largest of "
            "uniform ones (default: 1), > 0.",
        ),
    ] = None
    bias: Annotated[
        bool | None,
        option(
            NETWORK,
            "--bias/--no-bias",
            help="Whether all layers add a bias or none (default: all).",
        ),
    ] = None
    bias_trick: Annotated[
        bool,
        option(
            NETWORK,
            "--bias-trick",
            help="Give a bias to the first layer alone, as a constant 1 in the input does "
            "(default: to all layers).",
        ),
    ] = False

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's network."""
        from coarsefine.studies.recipes.layers import parse_hidden

        if self.bias_trick and self.bias is not None:
            given = hint("network.bias", self.bias)
            raise UsageError(
                "biases are stated by one option, got ", hint("bias_trick"), " and ", given
            )
        return {
            "network.hidden": None if self.hidden is None else parse_hidden(self.hidden),
            "network.activation": self.activation,
            "network.initialisation": self.initialisation,
            "network.sigma": self.sigma,
            "network.bias": "input" if self.bias_trick else self.bias,
        }
