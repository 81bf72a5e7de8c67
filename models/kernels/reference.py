"""The definition of an update, on NumPy: every network, every optimizer."""

import numpy as np

from coarsefine.models.batch_norm import KEPT
from coarsefine.models.evaluation import count_right
from coarsefine.models.kernels.stretch import Stretch
from coarsefine.models.losses import LOSSES, class_weights, targets
from coarsefine.models.network import Network
from coarsefine.models.updaters import make_updater


def make_updates(stretch: Stretch) -> None:
    """Make one update per row of the learning rates."""
    plan, running = stretch.plan, stretch.running
    spec, parameters = plan.training, stretch.state.parameters
    order, etas, labels = stretch.order, stretch.etas, stretch.labels
    batch_size, n_trials = spec.batch_size, parameters.n_trials
    updater = make_updater(
        spec.optimizer,
        parameters,
        stretch.state.optimizer,
        stretch.trials,
        bias_row=plan.network.bias_row,
    )
    loss = LOSSES[plan.network.loss]
    network = Network(plan.network, n_trials, batch_size, plan.dtype)
    x = np.empty((batch_size, plan.network.n_features), plan.dtype)
    classes = targets(plan.network.n_classes, stretch.trials, plan.dtype)
    batch_targets = np.empty((*classes.shape[:-1], batch_size), plan.dtype)
    weights = class_weights(spec.class_weights, labels, plan.network.n_classes)
    if weights is not None:
        weights = weights.astype(plan.dtype)
    # The last batch of an epoch is smaller where the batch size does not divide the samples.
    starts = np.arange(len(etas)) * batch_size
    updater.plan(stretch.state.step, etas, np.minimum(batch_size, len(order) - starts))
    for i in range(len(etas)):
        rows = order[i * batch_size : (i + 1) * batch_size]
        if len(rows) < batch_size:
            network = Network(plan.network, n_trials, len(rows), plan.dtype)
            x = x[: len(rows)]
            batch_targets = np.empty((*classes.shape[:-1], len(rows)), plan.dtype)
        # With mode "raise" NumPy would gather into a buffer first.
        np.take(stretch.x, rows, axis=0, out=x, mode="clip")
        np.take(classes, labels[rows], axis=-1, out=batch_targets, mode="clip")
        masks = None
        if stretch.perturbations is not None:
            stretch.perturbations.change(x)
            masks = stretch.perturbations.masks(stretch.trials, len(rows))
        # The first batch is what running statistics begin with.
        kept = KEPT if stretch.state.step + i else 0.0
        scores = network.forward(parameters, x, updater.scale, masks, kept)
        if running is None:
            loss.backward(scores, batch_targets)
        else:
            n_right = count_right(scores, labels[rows])
            measured = loss.measured_backward(scores, batch_targets, labels[rows])
            running.add(len(rows), n_right, measured)
        if weights is not None:
            scores *= weights[labels[rows]]
        scores *= updater.begin(i)
        for layer, delta, below, norm in network.backward(parameters, x, scores):
            updater.apply(layer, delta, below, norm)
    updater.settle()
