"""Activations and optimizers of the dense kernel: the reference's formulas, on whole vectors.

Their names are those of ``models.activations`` and ``models.optimizers``, which say where they are
from. What a formula returns replaces its first arguments.
"""

from coarsefine.models.activations import ImprovedSigmoid
from coarsefine.models.kernels.tiles import Value, formula
from coarsefine.models.optimizers import Adam, RMSprop

Values = tuple[Value, ...]

# ------------------------------------------------------- scores z, biases b, slopes of leaky ReLUs


@formula(own=1, panel=True)
def shifted(z: Value, b: Value) -> Values:
    """Return what has no activation."""
    return (z + b,)


@formula(own=1, panel=True)
def relu(z: Value, b: Value) -> Values:
    """Return ``max(0, z)``."""
    z = z + b
    return (z.where_positive(z, 0.0),)


@formula(own=1, panel=True)
def leaky_relu(z: Value, b: Value, slope: Value) -> Values:
    """Return ``z`` above 0 and ``slope z`` below."""
    z = z + b
    return (z.where_positive(z, z * slope),)


@formula(own=1, panel=True)
def sigmoid(z: Value, b: Value) -> Values:
    """Return ``1 / (1 + exp(-z))``."""
    return (((z + b) * 0.5).tanh() * 0.5 + 0.5,)


@formula(own=1, panel=True)
def tanh(z: Value, b: Value) -> Values:
    """Return ``tanh z``."""
    return ((z + b).tanh(),)


@formula(own=1, panel=True)
def improved_sigmoid(z: Value, b: Value) -> Values:
    """Return ``1.7159 tanh(2 z / 3)``."""
    return (((z + b) * ImprovedSigmoid.slope).tanh() * ImprovedSigmoid.amplitude,)


# ------------------------------------------------------------------ derivatives where they are a


@formula(own=2, panel=False)
def relu_backward(delta: Value, a: Value) -> Values:
    """Pass ``delta`` on where the unit is active."""
    return (a.where_positive(delta, 0.0),)


@formula(own=2, panel=False)
def leaky_relu_backward(delta: Value, a: Value, slope: Value) -> Values:
    """Multiply with 1 where the unit is active, else with the slope."""
    return (a.where_positive(delta, delta * slope),)


@formula(own=2, panel=False)
def sigmoid_backward(delta: Value, a: Value) -> Values:
    """Multiply with ``a (1 - a)``."""
    return (delta * (a - a * a),)


@formula(own=2, panel=False)
def tanh_backward(delta: Value, a: Value) -> Values:
    """Multiply with ``1 - a²``."""
    return (delta - delta * (a * a),)


@formula(own=2, panel=False)
def improved_sigmoid_backward(delta: Value, a: Value) -> Values:
    """Multiply with ``slope (amplitude - a² / amplitude)``."""
    slope, amplitude = ImprovedSigmoid.slope, ImprovedSigmoid.amplitude
    return (delta * (a * a * (-slope / amplitude) + slope * amplitude),)


# --------------------------------- weights w, their slots, gradients g, what they are changed with

# A gradient is given as numbers x, one for each row, and the rows d that they are multiplied with:
# ones and gradients, or the input of one sample and its deltas.


@formula(own=3, panel=True, numbers=1)
def sgd(w: Value, x: Value, d: Value, rate: Value, kept: Value) -> Values:
    """``w ← (1 − 2 η λ) w − η g``."""
    return (w * kept - x * d * rate,)


@formula(own=4, panel=True, numbers=2)
def momentum(
    w: Value, v: Value, x: Value, d: Value, rate: Value, penalty: Value, mu: Value
) -> Values:
    """``v ← μ v + g; w ← w − η v``."""
    v = v * mu + (x * d + w * penalty)
    return w - v * rate, v


@formula(own=4, panel=True, numbers=2)
def nesterov(
    w: Value, v: Value, x: Value, d: Value, rate: Value, penalty: Value, mu: Value
) -> Values:
    """``v ← μ v + g; w ← w − η (g + μ v)``."""
    g = x * d + w * penalty
    v = v * mu + g
    return w - (g + v * mu) * rate, v


@formula(own=4, panel=True, numbers=2)
def rmsprop(
    w: Value, s: Value, x: Value, d: Value, rate: Value, penalty: Value, least: Value
) -> Values:
    """``s ← α s + (1 − α) g²; w ← w − η g / (√s + ε)``; gradients below ``least`` are 0."""
    g = (x * d + w * penalty).unless_below(least)
    s = (s * RMSprop.alpha + g * g * (1 - RMSprop.alpha)).unless_below(least * least)
    return w - g / (s.root() + RMSprop.epsilon) * rate, s


@formula(own=5, panel=True, numbers=3)
def adam(
    w: Value,
    first: Value,
    second: Value,
    x: Value,
    d: Value,
    penalty: Value,
    *numbers: Value,
) -> Values:
    """Kingma & Ba (2015); AdamW's weights decay by ``kept``.

    Further numbers are η over the first mean's correction, ``kept``, 1 over the second mean's
    correction, of each mean what is kept and what is new, and below what the first one is 0.
    """
    rate, kept, over_correction, beta1, rest1, beta2, rest2, least = numbers
    g = x * d + w * penalty
    first = (first * beta1 + g * rest1).unless_below(least)
    second = (second * beta2 + g * g * rest2).unless_below(least * least)
    step = first / ((second * over_correction).root() + Adam.epsilon)
    return w * kept - step * rate, first, second
