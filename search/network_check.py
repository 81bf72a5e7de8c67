"""A network whose gradients were checked, as the commands and tables hand it on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.gradient_check import ParameterCheck
    from models.specs import NetworkSpec


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
