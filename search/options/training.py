"""The options that say how it is trained."""

from dataclasses import dataclass
from typing import Annotated, Any

from coarsefine.models.specs import LOSSES, OPTIMIZERS
from coarsefine.search.options.declaring import (
    TRAINING,
    number_option,
    one_of,
    option,
    text_option,
    whole_option,
)

Loss = Annotated[
    str | None,
    text_option(TRAINING, "--loss", "KIND", f"{one_of(LOSSES)} (default: cross-entropy)."),
]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How it is trained."""

    loss: Loss = None
    lambda_: Annotated[
        float | None,
        number_option(
            TRAINING, "--lambda", "Strength of the L2 penalty λ Σ W², >= 0 (default: 0)."
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        text_option(TRAINING, "--optimizer", "KIND", f"{one_of(OPTIMIZERS)} (default: sgd)."),
    ] = None
    momentum: Annotated[
        float | None,
        number_option(
            TRAINING,
            "--momentum",
            "Share of the last step that is kept, in [0, 1) (default: 0.9 where there is one).",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        text_option(
            TRAINING,
            "--schedule",
            "KIND",
            "How η goes: constant, step, cyclical, or geometric, from lowest to highest over the "
            "training (default: cyclical).",
        ),
    ] = None
    eta: Annotated[
        float | None,
        number_option(
            TRAINING,
            "--eta",
            "Learning rate η of a constant or step schedule, > 0 "
            "(default: 0.1; momentum 0.02, adam 0.001).",
        ),
    ] = None
    eta_min: Annotated[
        float | None,
        number_option(TRAINING, "--eta-min", "Lowest η of a cycle or rise, > 0 (default: 1e-5)."),
    ] = None
    eta_max: Annotated[
        float | None,
        number_option(
            TRAINING,
            "--eta-max",
            "Highest η of a cycle or rise, > 0 (default: 0.1; momentum 0.02, adam 0.001).",
        ),
    ] = None
    ns: Annotated[
        int | None,
        whole_option(
            TRAINING,
            "--ns",
            "Half a cycle, in updates (default: those of two epochs).",
        ),
    ] = None
    step_factor: Annotated[
        float | None,
        number_option(
            TRAINING,
            "--step-factor",
            "What η is multiplied with at a step, in (0, 1] (default: 0.1).",
        ),
    ] = None
    step_every: Annotated[
        int | None,
        whole_option(TRAINING, "--step-every", "Epochs between two steps of η (default: 5)."),
    ] = None
    batch_size: Annotated[
        int | None,
        whole_option(
            TRAINING, "--batch-size", "Samples a batch (default: 100; digits and files 20)."
        ),
    ] = None
    epochs: Annotated[
        int | None,
        whole_option(
            TRAINING,
            "--epochs",
            "Length of the training, in epochs (default: 10 where η has no cycle).",
        ),
    ] = None
    cycles: Annotated[
        int | None,
        whole_option(
            TRAINING,
            "--cycles",
            "Length of the training, in cycles of η (default: 2; digits and files 8).",
        ),
    ] = None
    shuffle: Annotated[
        bool | None,
        option(
            TRAINING,
            "--shuffle/--no-shuffle",
            help="Another order of the samples each epoch (default: shuffle).",
        ),
    ] = None
    drop_last: Annotated[
        bool | None,
        option(
            TRAINING,
            "--drop-last/--no-drop-last",
            help="Leave out an epoch's last batch if it is smaller (default: no-drop-last).",
        ),
    ] = None
    evaluations: Annotated[
        int | None,
        whole_option(
            TRAINING,
            "--evaluations",
            "Times an epoch that the validation split is measured for early stopping (default: 1).",
        ),
    ] = None
    patience: Annotated[
        int | None,
        whole_option(
            TRAINING,
            "--patience",
            "Evaluations without a lower validation loss after which a trial stops "
            "(default: never).",
        ),
    ] = None
    stop_rule: Annotated[
        str | None,
        text_option(
            TRAINING,
            "--stop-rule",
            "KIND",
            "best counts them from the lowest loss so far; window stops when the oldest of the "
            "last patience + 1 losses is their lowest (default: best).",
        ),
    ] = None
    diverged_at: Annotated[
        float | None,
        number_option(
            TRAINING,
            "--diverged-at",
            "Times its cost before training, > 1, past which a trial counts as diverged "
            "(default: not finite).",
        ),
    ] = None
    score: Annotated[
        str | None,
        text_option(
            TRAINING,
            "--score",
            "EPOCH",
            "The epoch a trial counts with: final or best (default: final).",
        ),
    ] = None
    running: Annotated[
        bool | None,
        option(
            TRAINING,
            "--running/--no-running",
            help="Measure the training accuracy of each batch before its update, too, whose mean "
            "is what Keras prints (default: no-running).",
        ),
    ] = None
    precision: Annotated[
        str | None,
        text_option(TRAINING, "--precision", "TYPE", "float32 or float64 (default: float32)."),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's training."""
        return {
            f"training.{name.rstrip('_')}": getattr(self, name)
            for name in self.__dataclass_fields__
        }
