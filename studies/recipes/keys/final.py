"""The keys of a recipe's final training and test."""

from typing import Annotated, Final, Literal

from coarsefine.studies.recipes.keys.key import Key, Needs
from coarsefine.studies.recipes.keys.kinds import Choice, Size, Switch, Whole

_REFIT: Final = Needs("refit", ("train+validation",))
_FINAL = "a search does not open the test set"


class FinalKeys:
    """How the best trials are trained again before the test set is opened.

    Attributes:
        refit: ``train+validation`` trains on both splits; ``none`` takes the trained weights.
        validation: What is kept of them to watch the training with; 0.02 of CIFAR-10's 50,000
            are the KTH lab's 1,000.
        epochs: Another length than in the search; so does ``cycles``.
        top: How many of the ranking's best trials are tested.
        replicates: How many seeds each of them is trained with for it; ``None`` is one.
        ensemble: Whether the tied trials are tested as one predictor, too.
    """

    refit: Annotated[
        Literal["train+validation", "none"],
        Key(
            kind=Choice(),
            metavar="PARTS",
            not_searched=_FINAL,
            help="train+validation trains them once more on both parts, none takes the weights "
            "they have (default: train+validation).",
        ),
    ] = "train+validation"
    validation: Annotated[
        int | float | None,
        Key(
            kind=Size(),
            option="final_validation",
            needs=_REFIT,
            not_searched=_FINAL,
            help="What both parts keep for validation: a number of samples, or a fraction below 1 "
            "(default: 0.02).",
        ),
    ] = None
    epochs: Annotated[
        int | None,
        Key(
            kind=Whole(),
            option="final_epochs",
            needs=_REFIT,
            not_searched=_FINAL,
            help="Length of the final training, in epochs (default: as in the search).",
        ),
    ] = None
    cycles: Annotated[
        int | None,
        Key(
            kind=Whole(),
            option="final_cycles",
            needs=_REFIT,
            not_searched=_FINAL,
            help="Length of the final training, in cycles of η (default: as in the search).",
        ),
    ] = None
    top: Annotated[
        int,
        Key(
            kind=Whole(),
            before="refit",
            not_searched=_FINAL,
            help="Best trials of the ranking that are tested (default: 3).",
        ),
    ] = 3
    replicates: Annotated[
        int | None,
        Key(
            kind=Whole(),
            option="final_replicates",
            unnamed=1,
            stored_if_used=True,
            not_searched=_FINAL,
            help="Seeds that each tested trial is trained with (default: 1).",
        ),
    ] = None
    ensemble: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            option="final_ensemble",
            unnamed=False,
            stored_if_used=True,
            not_searched=_FINAL,
            help="Whether the tied trials are tested as one predictor, too: by the vote of their "
            "networks, and by the mean of their probabilities (default: no).",
        ),
    ] = None

    @property
    def n_seeds(self) -> int:
        """Return how many seeds each tested trial is trained with."""
        return self.replicates or 1
