"""The keys of a recipe's network."""

from typing import Annotated

from coarsefine.hints import alternatives
from coarsefine.models.specs import (
    ACTIVATIONS,
    INITIALISATIONS,
    SPREAD_INITIALISATIONS,
    ActivationName,
    BiasName,
    InitialisationName,
)
from coarsefine.studies.recipes.keys.key import Key, Needs
from coarsefine.studies.recipes.keys.kinds import Bias, Choice, Real, Switch, Whole
from coarsefine.studies.recipes.keys.lists import Widths


class NetworkKeys:
    """Layers and their initial weights.

    Attributes:
        hidden: Widths of the hidden layers; none is softmax or linear regression.
        slope: Of a leaky ReLU below 0; ``None`` is 0.01, or that there is none.
        batch_norm: Whether hidden layers are normalised by their batch; ``None`` is no.
        sigma: Standard deviation of ``normal`` initial weights, bound of ``uniform`` ones; ``None``
            where they are others.
        bias: Which layers add one; ``true`` is all, ``false`` none.
        bias_sigma: Standard deviation of the first biases; ``None`` is 0.
        bias_row: Whether biases are weights of a constant input; ``None`` is no.
    """

    hidden: Annotated[
        tuple[Annotated[int, Whole(most=Widths.most)], ...],
        Key(
            kind=Widths(),
            other_names=("layers",),
            help="Units of each hidden layer, as in 50,50, or none (default: 50).",
        ),
    ] = (50,)
    activation: Annotated[
        ActivationName,
        Key(kind=Choice(), help=f"{alternatives(ACTIVATIONS, str)} (default: relu)."),
    ] = "relu"
    slope: Annotated[
        float | None,
        Key(
            kind=Real(above=0, below=1),
            unnamed=0.01,
            stored_if_used=True,
            needs=Needs(
                "activation",
                ("leaky-relu",),
                instead_of=tuple(a for a in ACTIVATIONS if a != "leaky-relu"),
            ),
            help="Derivative of a leaky ReLU below 0, > 0 and < 1 (default: 0.01).",
        ),
    ] = None
    batch_norm: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            unnamed=False,
            stored_if_used=True,
            other_names=("batchnorm", "bn", "batch_normalisation"),
            help="Normalise each hidden layer by its batch, before its activation (default: "
            "no-batch-norm).",
        ),
    ] = None
    initialisation: Annotated[
        InitialisationName,
        Key(
            kind=Choice(),
            other_names=("init",),
            help=f"First weights: {alternatives(INITIALISATIONS, str)}; he and xavier are normal, "
            "with standard deviation √(2/fan in) and √(1/fan in) (default: he).",
        ),
    ] = "he"
    sigma: Annotated[
        float | None,
        Key(
            kind=Real(above=0),
            symbol="σ",
            needs=Needs(
                "initialisation",
                SPREAD_INITIALISATIONS,
                instead_of=tuple(i for i in INITIALISATIONS if i not in SPREAD_INITIALISATIONS),
            ),
            help="Standard deviation of normal first weights (default: 0.01), or the largest of "
            "uniform ones (default: 1), > 0.",
        ),
    ] = None
    bias: Annotated[
        BiasName, Key(kind=Bias(), help="Whether all layers add a bias or none (default: all).")
    ] = "all"
    bias_sigma: Annotated[
        float | None,
        Key(
            kind=Real(least=0),
            unnamed=0.0,
            stored_if_used=True,
            help="Standard deviation of the first biases, >= 0 (default: 0).",
        ),
    ] = None
    bias_row: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            unnamed=False,
            stored_if_used=True,
            help="Take biases for the weights of one more input, a constant 1: drawn and penalised "
            "as weights (default: no-bias-row).",
        ),
    ] = None
