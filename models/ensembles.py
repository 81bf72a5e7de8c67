"""Several networks as one predictor: the class that most of them choose, or the most probable one.

The mean of probabilities is that of softmax outputs. Networks trained with a squared error learn
to put out 1 for the class and 0 for others: their outputs stand for probabilities.
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
    """Return what one network puts out for each sample, (N, K); rows of a softmax sum to 1."""
    dtype = parameters.weights[0].dtype.type
    block = Evaluator(spec, 1, dtype).block
    found = np.empty((len(x), spec.widths[-1]))
    for start in range(0, len(x), block):
        rows = x[start : start + block]
        network = Network(spec, 1, len(rows), dtype)
        scores = network.forward(parameters, rows)[0].T.astype(np.float64)
        if spec.loss == "cross-entropy":
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        found[start : start + len(rows)] = scores
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
        scores = mean
        if self._loss == "cross-entropy":
            scores = np.log(np.maximum(mean, np.finfo(np.float64).tiny))
        each = np.empty((1, len(labels)))
        # Overwrites what it is given.
        LOSSES[self._loss].total(np.array(scores.T[None]), labels, each)
        return classes, each[0]
