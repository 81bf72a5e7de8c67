"""How large a network is: its parameters, in the two conventions in use, and its arithmetic."""

from dataclasses import dataclass
from itertools import pairwise

from coarsefine.models.optimizers import n_slots
from coarsefine.models.specs import NetworkSpec, TrainingSpec


@dataclass(frozen=True, slots=True)
class LayerCount:
    """Parameters of one fully connected layer.

    Attributes:
        name: ``dense 1``, ``dense 2``, …
        arithmetic: The sum written out, such as ``784 x 128 + 128``.
        arithmetic_bias_trick: The same where only the input carries a constant 1.
    """

    name: str
    n_inputs: int
    n_outputs: int
    n_weights: int
    n_biases: int
    n_parameters: int
    arithmetic: str
    n_parameters_bias_trick: int
    arithmetic_bias_trick: str


def count_parameters(spec: NetworkSpec) -> list[LayerCount]:
    """Return the layers from the input on.

    As the network is, a layer with a bias has ``inputs x outputs + outputs`` parameters. Under the
    bias trick a 1 is appended to the input: the first layer has ``(inputs + 1) x outputs``, the
    others ``inputs x outputs``. A layer that is normalised by its batch has a gain for each output
    beside them.
    """
    layers = []
    for index, (n_inputs, n_outputs) in enumerate(pairwise(spec.widths)):
        n_weights = n_inputs * n_outputs
        biased = index < spec.n_biased
        n_biases = n_outputs if biased else 0
        tricked = biased and index == 0
        trick_inputs = n_inputs + 1 if tricked else n_inputs
        shown_inputs = f"({n_inputs} + 1)" if tricked else f"{n_inputs}"
        gains = n_outputs if index < spec.n_normalised else 0
        shown_gains = f" + {gains}" if gains else ""
        layers.append(
            LayerCount(
                name=f"dense {index + 1}",
                n_inputs=n_inputs,
                n_outputs=n_outputs,
                n_weights=n_weights,
                n_biases=n_biases,
                n_parameters=n_weights + n_biases + gains,
                arithmetic=f"{n_inputs} x {n_outputs}"
                + (f" + {n_outputs}" if biased else "")
                + shown_gains,
                n_parameters_bias_trick=trick_inputs * n_outputs + gains,
                arithmetic_bias_trick=f"{shown_inputs} x {n_outputs}{shown_gains}",
            )
        )
    return layers


def multiply_adds(network: NetworkSpec, training: TrainingSpec, *, dropout: bool = False) -> int:
    """Return how many multiplications, each with an addition, one trial's update takes.

    The products of a batch: forward and by the weights in every layer, and by what a layer is given
    in all but the first. Beside them, of each sample and hidden unit, 8 where layers are normalised
    by their batch and 2 where units are left out; and of each parameter one, and one more for each
    number that the optimizer keeps of it.

    Args:
        network: What is trained.
        training: How.
        dropout: Whether units are left out.
    """
    first, *others = (a * b for a, b in pairwise(network.widths))
    n_units = sum(network.hidden)
    per_sample = 2 * first + 3 * sum(others)
    per_sample += 8 * sum(network.hidden[: network.n_normalised]) + 2 * n_units * dropout
    n_parameters = sum(layer.n_parameters for layer in count_parameters(network))
    return training.batch_size * per_sample + n_parameters * (1 + n_slots(training.optimizer))
