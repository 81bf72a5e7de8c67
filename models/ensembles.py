"""Several networks as one predictor: the class that most of them choose, or the most probable one.

What probabilities are, is up to the loss that the networks were trained with.
"""

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.evaluation import Evaluator
from coarsefine.models.losses import LOSSES
from coarsefine.models.network import Network, Parameters
from coarsefine.models.specs import NetworkSpec

Probabilities = npt.NDArray[np.float64]


def probabilities(spec: NetworkSpec, parameters: Parameters, x: Array) -> Probabilities:
    """Return what one network answers for each sample, (N, K): probabilities, if its loss has."""
    dtype = parameters.weights[0].dtype.type
    block = Evaluator(spec, 1, dtype).block
    found = np.empty((len(x), spec.widths[-1]))
    for start in range(0, len(x), block):
        rows = x[start : start + block]
        network = Network(spec, 1, len(rows), dtype)
        scores = network.forward(parameters, rows).astype(np.float64)
        found[start : start + len(rows)] = LOSSES[spec.loss].outputs(scores)[0].T
    return found


class Ensemble:
    """Networks that answer as one; they are added one after another."""

    def __init__(self, n_samples: int, n_classes: int, loss: str) -> None:
        """Begin without networks.

        Args:
            n_samples: N.
            n_classes: K.
            loss: That the networks were trained with.
        """
        self.n_networks = 0
        self._votes = np.zeros((n_samples, n_classes), np.int32)
        self._sum = np.zeros((n_samples, n_classes))
        self._loss = loss
        self._probable = True

    def add(self, classes: Labels, known: Probabilities | None) -> None:
        """Add a network.

        Args:
            classes: (N,), that it chooses.
            known: (N, K), its probabilities; ``None`` if it has none.
        """
        self.n_networks += 1
        self._votes[np.arange(len(classes)), classes] += 1
        if known is None:
            self._probable = False
        else:
            self._sum += known

    def vote(self) -> Labels:
        """Return the class that most networks choose, (N,).

        Of classes with as many votes it is the one with the highest mean of probabilities, or the
        first where these are equal or not known.
        """
        if not self._probable:
            return np.asarray(self._votes.argmax(axis=1), np.int64)
        most = self._votes == self._votes.max(axis=1, keepdims=True)
        return np.asarray(np.where(most, self._sum, -np.inf).argmax(axis=1), np.int64)

    def mean(self, labels: Labels) -> tuple[Labels, npt.NDArray[np.float64]] | None:
        """Return the class with the highest mean of probabilities, (N,), and the loss of each.

        ``None`` if some network has no probabilities.
        """
        if not self._probable or not self.n_networks:
            return None
        mean = self._sum / self.n_networks
        classes = np.asarray(mean.argmax(axis=1), np.int64)
        scores = LOSSES[self._loss].scores_of(mean)
        each = np.empty((1, len(labels)))
        # Overwrites what it is given.
        LOSSES[self._loss].total(np.array(scores.T[None]), labels, each)
        return classes, each[0]
