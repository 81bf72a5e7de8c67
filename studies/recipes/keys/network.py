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
from coarsefine.studies.recipes.keys.kinds import Bias, Choice, Real, Whole, Widths


class NetworkKeys:
    """Layers and their initial weights.

    Attributes:
        hidden: Widths of the hidden layers; none is softmax or linear regression.
        sigma: Standard deviation of ``normal`` initial weights, bound of ``uniform`` ones; ``None``
            where they are others.
        bias: Which layers add one; ``true`` is all, ``false`` none.
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
