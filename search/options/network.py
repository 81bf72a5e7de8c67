"""The options that say which network."""

from typing import Annotated, Any

from coarsefine.search.errors import UsageError
from coarsefine.search.options.declaring import NETWORK, option
from coarsefine.search.options.keys import KeyOptions, with_keys
from coarsefine.studies.recipes.keys import KEYS


@with_keys("network")
class NetworkOptions(KeyOptions):
    """Which network."""

    bias: Annotated[
        bool | None, option(NETWORK, "--bias/--no-bias", help=KEYS["network.bias"].help)
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
        if self.bias_trick and self.bias is not None:
            given = "--bias" if self.bias else "--no-bias"
            raise UsageError(f"state biases with one option, got --bias-trick and {given}")
        bias = "input" if self.bias_trick else self.bias
        return KeyOptions.flags(self) | {"network.bias": bias}
