"""The keys of what updates alone are made with, so that networks learn less by heart."""

from typing import Annotated, Literal

from coarsefine.models.specs import MOST_SHIFTS
from coarsefine.studies.recipes.keys.key import Key, Needs
from coarsefine.studies.recipes.keys.kinds import Real, Switch, Whole
from coarsefine.studies.recipes.keys.lists import Weights


class RegulariserKeys:
    """How gradients, labels and samples are changed for updates; ``None`` is not at all.

    Attributes:
        clip_norm: What gradients longer than it are shortened to.
        class_weights: By class; ``None`` is 1 for all.
    """

    clip_norm: Annotated[
        float | None,
        Key(
            kind=Real(least=0),
            before="shuffle",
            field="clip_norm",
            per_trial=True,
            unnamed=0.0,
            stored_if_used=True,
            help="Norm that gradients of all parameters together are shortened to, 0 for any "
            "(default: 0).",
        ),
    ] = None
    label_smoothing: Annotated[
        float | None,
        Key(
            kind=Real(least=0, below=1),
            before="shuffle",
            symbol="ε",
            field="label_smoothing",
            per_trial=True,
            unnamed=0.0,
            stored_if_used=True,
            needs=Needs("loss", ("cross-entropy",)),
            help="Share of each label that is spread evenly over the classes, in [0, 1) "
            "(default: 0).",
        ),
    ] = None
    class_weights: Annotated[
        Literal["balanced"] | tuple[float, ...] | None,
        Key(
            kind=Weights(),
            before="shuffle",
            unnamed=None,
            stored_if_used=True,
            not_searched="it is a number a class; variants of a lab may state several",
            help="What a sample's loss counts in updates, by its class: balanced (the inverse of "
            "the class's share), or a number a class, as in 1,2,1 (default: 1).",
        ),
    ] = None
    dropout: Annotated[
        float | None,
        Key(
            kind=Real(least=0, below=1),
            before="shuffle",
            symbol="p",
            field="dropout",
            per_trial=True,
            unnamed=0.0,
            stored_if_used=True,
            help="Share of the hidden units that each sample of a batch leaves out, in [0, 1) "
            "(default: 0).",
        ),
    ] = None
    input_noise: Annotated[
        float | None,
        Key(
            kind=Real(least=0),
            before="shuffle",
            unnamed=0.0,
            stored_if_used=True,
            help="Standard deviation of normal noise on the samples of a batch, >= 0 (default: 0).",
        ),
    ] = None
    flips: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            before="shuffle",
            unnamed=False,
            stored_if_used=True,
            help="Mirror each image of a batch with a chance of 1/2 (default: no-flips).",
        ),
    ] = None
    shifts: Annotated[
        int | None,
        Key(
            kind=Whole(least=0, most=MOST_SHIFTS),
            before="shuffle",
            unnamed=0,
            stored_if_used=True,
            help="Pixels that each image of a batch is shifted by at the most, in both directions, "
            ">= 0 (default: 0).",
        ),
    ] = None
