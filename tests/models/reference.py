"""The trainer once more, as a textbook writes it: one trial, float64, nothing clever.

It shares specs, schedules and random streams with the real one and none of its arithmetic.
"""

from typing import NamedTuple

import numpy as np

from coarsefine.models.cohort import AUGMENTATION, DROPOUT, NOISE, ORDER, WEIGHTS, CohortPlan
from coarsefine.models.schedules import learning_rates


def activation(spec, z):
    return {
        "relu": lambda: np.maximum(z, 0),
        "leaky-relu": lambda: np.where(z > 0, z, spec.slope * z),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.tanh(z),
        "improved-sigmoid": lambda: 1.7159 * np.tanh(2 * z / 3),
    }[spec.activation]()


def derivative(spec, z):
    sigmoid = 1 / (1 + np.exp(-z))
    return {
        "relu": lambda: (z > 0).astype(float),
        "leaky-relu": lambda: np.where(z > 0, 1.0, spec.slope),
        "sigmoid": lambda: sigmoid * (1 - sigmoid),
        "tanh": lambda: 1 - np.tanh(z) ** 2,
        "improved-sigmoid": lambda: 1.7159 * 2 / 3 * (1 - np.tanh(2 * z / 3) ** 2),
    }[spec.activation]()


def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def perturbed(plan, hyper, x, streams, image):
    """Return a batch as it is trained on, and what each hidden layer is multiplied with."""
    augmentation, noise, dropout = streams
    training, n = plan.training, len(x)
    x = x.copy()
    if training.flips or training.shifts:
        s = training.shifts
        flipped = augmentation.integers(0, 2, n) if training.flips else np.zeros(n)
        moved = augmentation.integers(0, 2 * s + 1, (2, n)) - s if s else np.zeros((2, n), int)
        for i in range(n):
            picture = x[i].reshape(image)  # grey
            picture = picture[:, ::-1] if flipped[i] else picture
            wide = np.pad(picture, s, mode="edge")
            down, right = s - moved[0, i], s - moved[1, i]
            x[i] = wide[down : down + image[0], right : right + image[1]].ravel()
    if training.input_noise:
        x += training.input_noise * noise.standard_normal(x.shape, dtype=np.float32)
    masks = [np.ones((n, width)) for width in plan.network.hidden]
    if any(trial.dropout for trial in plan.trials):
        for i, width in enumerate(plan.network.hidden):
            drawn = dropout.random((width, n), dtype=np.float32).T
            masks[i] = (drawn >= np.float32(hyper.dropout)) / (1 - hyper.dropout)
    return x, masks


class Norm:
    """Batch normalisation of one layer, with its running statistics."""

    def __init__(self, width):
        self.gain, self.mean, self.variance, self.seen = np.ones(width), 0, 1, False

    def measured(self, z):
        return self.gain * (z - self.mean) / np.sqrt(self.variance + 1e-5)

    def trained(self, z):
        mean, variance = z.mean(axis=0), z.var(axis=0)
        kept = 0.9 if self.seen else 0
        self.mean = kept * self.mean + (1 - kept) * mean
        self.variance = kept * self.variance + (1 - kept) * variance
        self.seen, self.deviation = True, np.sqrt(variance + 1e-5)
        self.normalised = (z - mean) / self.deviation
        return self.gain * self.normalised

    def backward(self, delta):
        self.gradient = (delta * self.normalised).sum(axis=0)
        delta = delta * self.gain
        along = self.normalised * (delta * self.normalised).mean(axis=0)
        return (delta - delta.mean(axis=0) - along) / self.deviation


def forward(spec, Ws, bs, x, norms=(), masks=None):
    inputs, zs = [x], []
    for i, (W, b) in enumerate(zip(Ws, bs, strict=True)):
        z = inputs[-1] @ W.T
        if i < len(norms):
            z = norms[i].measured(z) if masks is None else norms[i].trained(z)
        z = z + b
        zs.append(z)
        if i == len(Ws) - 1:
            inputs.append(z)
        else:
            inputs.append(activation(spec, z) * (1 if masks is None else masks[i]))
    return inputs, zs


def losses(spec, scores, labels):
    if spec.loss == "cross-entropy":
        return -np.log(softmax(scores)[np.arange(len(labels)), labels])
    one_hot = np.eye(spec.n_classes)[labels]
    if spec.loss == "hinge":
        margins = 1 + scores - (scores * one_hot).sum(axis=1, keepdims=True)
        return (np.maximum(margins, 0) * (1 - one_hot)).sum(axis=1)
    if spec.loss == "binary-cross-entropy":
        p = 1 / (1 + np.exp(-scores))
        return -(one_hot * np.log(p) + (1 - one_hot) * np.log(1 - p)).mean(axis=1)
    return 0.5 * ((scores - one_hot) ** 2).sum(axis=1)


def by_scores(spec, scores, targets):
    """Return the derivative of each sample's loss by its scores."""
    if spec.loss == "cross-entropy":
        return softmax(scores) - targets
    if spec.loss == "squared-error":
        return scores - targets
    if spec.loss == "binary-cross-entropy":
        return (1 / (1 + np.exp(-scores)) - targets) / spec.n_classes
    margins = 1 + scores - (scores * targets).sum(axis=1, keepdims=True)
    within = ((margins > 0) & (targets == 0)).astype(float)
    return within - targets * within.sum(axis=1, keepdims=True)


def gradients(spec, Ws, bs, x, labels, hyper, weights, norms, masks):
    inputs, zs = forward(spec, Ws, bs, x, norms, masks)
    scores = inputs[-1]
    share = hyper.label_smoothing
    targets = (1 - share) * np.eye(spec.n_classes)[labels] + share / spec.n_classes
    delta = weights[labels, None] * by_scores(spec, scores, targets) / len(labels)
    dWs, dbs = [None] * len(Ws), [None] * len(Ws)
    for i in reversed(range(len(Ws))):
        dbs[i] = delta.sum(axis=0) + 2 * hyper.l2_strength * spec.bias_row * bs[i]
        if i < len(norms):
            delta = norms[i].backward(delta)
        dWs[i] = delta.T @ inputs[i] + 2 * hyper.l2_strength * Ws[i]
        if i:
            delta = (delta @ Ws[i]) * derivative(spec, zs[i - 1]) * masks[i - 1]
    return dWs, dbs


def class_weights(stated, labels, n_classes):
    if stated == "balanced":
        return len(labels) / (n_classes * np.bincount(labels, minlength=n_classes))
    return np.ones(n_classes) if stated is None else np.array(stated)


def clipped(spec, dWs, dbs, norms, limit):
    """Return gradients of a norm of at most ``limit``; biases that there are not do not count."""
    every = [*dWs, *dbs[: spec.n_biased], *(norm.gradient for norm in norms)]
    length = np.sqrt(sum((g**2).sum() for g in every))
    factor = min(1, limit / (length + 1e-6)) if limit else 1
    for norm in norms:
        norm.gradient = factor * norm.gradient
    return [factor * g for g in dWs], [factor * g for g in dbs]


class Optimizer:
    """One parameter's optimizer, from the papers."""

    def __init__(self, name, hyper, decays):
        self.name, self.momentum = name, hyper.momentum
        self.beta1, self.beta2 = hyper.beta1, hyper.beta2
        self.decay = hyper.decoupled_decay if decays and name == "adamw" else 0
        self.v = self.m = self.u = 0.0
        self.t = 0

    def step(self, w, g, eta):
        self.t += 1
        if self.name == "sgd":
            return w - eta * g
        if self.name in {"adam", "adamw"}:
            w = w - eta * self.decay * w
            self.m = self.beta1 * self.m + (1 - self.beta1) * g
            self.u = self.beta2 * self.u + (1 - self.beta2) * g * g
            m, u = self.m / (1 - self.beta1**self.t), self.u / (1 - self.beta2**self.t)
            return w - eta * m / (np.sqrt(u) + 1e-8)
        if self.name == "rmsprop":
            self.u = 0.99 * self.u + 0.01 * g * g
            return w - eta * g / (np.sqrt(self.u) + 1e-8)
        self.v = self.momentum * self.v + g
        return w - eta * (g + self.momentum * self.v if self.name == "nesterov" else self.v)


def first_weights(spec, layer, rng):
    fan_in, fan_out = spec.widths[layer : layer + 2]
    units = fan_out if layer < len(spec.hidden) else fan_in
    fan_in += spec.bias_row and layer < spec.n_biased
    shape = (fan_out, fan_in)
    glorot = np.sqrt(6 / (fan_in + fan_out))
    return {
        "he": lambda: rng.standard_normal(shape) * np.sqrt(2 / fan_in),
        "xavier": lambda: rng.standard_normal(shape) * np.sqrt(1 / fan_in),
        "hidden-width": lambda: rng.standard_normal(shape) / np.sqrt(units),
        "glorot-uniform": lambda: rng.uniform(-glorot, glorot, shape),
        "normal": lambda: rng.standard_normal(shape) * spec.sigma,
        "uniform": lambda: rng.uniform(-spec.sigma, spec.sigma, shape),
        "zero": lambda: np.zeros(shape),
    }[spec.initialisation]()


def first_layers(spec, rng):
    Ws, bs = [], []
    for layer, width in enumerate(spec.widths[1:]):
        W, b = first_weights(spec, layer, rng), np.zeros(width)
        if spec.bias_row and layer < spec.n_biased:
            W, b = W[:, :-1], W[:, -1]
        elif spec.bias_sigma and layer < spec.n_biased:
            b = spec.bias_sigma * rng.standard_normal(width)
        Ws.append(W)
        bs.append(b)
    return Ws, bs


def stops(training, seen):
    """Return whether early stopping ends a trial that had these validation losses."""
    patience = training.patience
    if patience is None:
        return False
    if training.stop_rule == "window":
        window = seen[-(patience + 1) :]
        return len(seen) >= patience and window[0] == min(window)
    return len(seen) - 1 - int(np.argmin(seen)) >= patience


class Alone(NamedTuple):
    """A trial trained alone.

    Attributes:
        curve: A row per epoch: validation loss and accuracy, the means of the batches' before
            their updates, and the updates made.
        seen: A row per evaluation: updates made, validation loss and accuracy.
    """

    curve: np.ndarray
    Ws: list
    bs: list
    seen: np.ndarray


def train_alone(plan: CohortPlan, slot, data, n_epochs):
    """Return what becomes of one trial of the plan in so many epochs."""
    spec, training, hyper = plan.network, plan.training, plan.trials[slot]
    rng = plan.generator(WEIGHTS)
    Ws, bs = first_layers(spec, rng)
    norms = [Norm(width) for width in spec.hidden] if spec.batch_norm else []
    optimizers = [
        Optimizer(training.optimizer, hyper, decays)
        for decays in (True, spec.bias_row, False)
        for _ in Ws
    ]
    n, B = len(data.y_train), training.batch_size
    per_epoch = training.updates_per_epoch(n)
    weights = class_weights(training.class_weights, data.y_train, spec.n_classes)
    interval = max(1, per_epoch // training.evaluations)
    step, curve, seen, stopped = 0, [], [], False
    for epoch in range(n_epochs):
        if stopped:
            break
        order, batch_losses, batch_right = np.arange(n), [], []
        streams = [plan.generator(stream, epoch) for stream in (AUGMENTATION, NOISE, DROPOUT)]
        if training.shuffle:
            plan.generator(ORDER, epoch).shuffle(order)
        for i in range(per_epoch):
            rows = order[i * B : (i + 1) * B]
            eta = learning_rates(training.schedule, step, step + 1, [hyper], per_epoch)[0, 0]
            batch, masks = perturbed(plan, hyper, data.x_train[rows], streams, data.sample_shape)
            state = [(norm.mean, norm.variance, norm.seen) for norm in norms]
            scores = forward(spec, Ws, bs, batch, norms, masks)[0][-1]
            for norm, before in zip(norms, state, strict=True):
                norm.mean, norm.variance, norm.seen = before
            batch_losses.extend(losses(spec, scores, data.y_train[rows]))
            batch_right.extend(scores.argmax(axis=1) == data.y_train[rows])
            dWs, dbs = gradients(
                spec, Ws, bs, batch, data.y_train[rows], hyper, weights, norms, masks
            )
            dWs, dbs = clipped(spec, dWs, dbs, norms, hyper.clip_norm)
            for k in range(len(Ws)):
                Ws[k] = optimizers[k].step(Ws[k], dWs[k], eta)
                if spec.bias == "all" or (spec.bias == "input" and k == 0):
                    bs[k] = optimizers[len(Ws) + k].step(bs[k], dbs[k], eta)
            for k, norm in enumerate(norms):
                norm.gain = optimizers[2 * len(Ws) + k].step(norm.gain, norm.gradient, eta)
            step += 1
            ends = i + 1 == per_epoch or step == training.n_updates
            within = (i + 1) % interval == 0 and (i + 1) // interval < training.evaluations
            counted = (step - 1) % (training.evaluate_every or 1) == 0
            if ends or (within if training.evaluate_every is None else counted):
                scores = forward(spec, Ws, bs, data.x_validation, norms)[0][-1]
                loss = losses(spec, scores, data.y_validation).mean()
                accuracy = (scores.argmax(axis=1) == data.y_validation).mean()
                if counted:
                    seen.append((step, loss, accuracy))
                    stopped = stops(training, [loss for _, loss, _ in seen])
            if ends or stopped:
                break
        curve.append((loss, accuracy, np.mean(batch_losses), np.mean(batch_right), step))
    return Alone(np.array(curve), Ws, bs, np.array(seen))
