"""The keys of a recipe's training."""

from typing import Annotated, Final

from coarsefine.hints import alternatives
from coarsefine.models.specs import (
    LOSSES,
    MOMENTUM_OPTIMIZERS,
    OPTIMIZER_FACTS,
    OPTIMIZERS,
    SCHEDULES,
    LossName,
    OptimizerName,
    PrecisionName,
    ScheduleName,
    ScoreName,
    StopRuleName,
)
from coarsefine.studies.metric import METRICS, MetricName
from coarsefine.studies.recipes.keys.key import Key, Needs
from coarsefine.studies.recipes.keys.kinds import Choice, Real, Switch, Whole
from coarsefine.studies.recipes.keys.regularisers import RegulariserKeys


def _schedules(*choices: str) -> Needs:
    """Return the need of one of these schedules; a key alone chooses the first."""
    return Needs("schedule", choices, tuple(s for s in SCHEDULES if s not in choices))


_LEVEL: Final = _schedules("constant", "step", "exponential", "inverse-time")
_RANGE: Final = _schedules("cyclical", "geometric", "cosine")
_CYCLE: Final = _schedules("cyclical")
_STEP: Final = _schedules("step")
_DECAY: Final = _schedules("exponential", "inverse-time")
_ADAM: Final = Needs("optimizer", ("adam", "adamw"), instead_of=("sgd",))
_USUAL_ETA: Final = f"{OPTIMIZER_FACTS['sgd'].usual_eta:g}; " + ", ".join(
    f"{name} {facts.usual_eta:g}" for name, facts in OPTIMIZER_FACTS.items() if name != "sgd"
)


class TrainingKeys(RegulariserKeys):
    """How the network is trained, and for how long: ``epochs``, ``cycles`` or ``updates``.

    Attributes:
        l2_strength: ``lambda``, unless the study searches it.
        beta1: Of Adam; ``None`` is 0.9, or that there is none. ``beta2`` likewise is 0.999.
        decoupled_decay: Of AdamW.
        eta: First learning rate of the schedules without a lowest and highest.
        ns: Half a cycle in updates; ``None`` is ``2 · ⌊N / batch_size⌋``, as in the KTH lab.
        step_every: Epochs between two steps of the step schedule.
        eta_decay: By epoch.
        cycle_factor: ``None`` is 1.
        snapshots: Whether the final test has the networks of a training's cycles answer as one.
        warm_up: In updates; ``None`` is none.
        evaluations: Times an epoch that the validation split is measured for early stopping.
        evaluate_every: In updates, in place of ``evaluations``; ``None`` where these say it.
        patience: Evaluations that early stopping waits; ``None`` never stops.
        stop_rule: What it waits for; ``None`` where it never stops.
        diverged_at: Times its first cost at which a trial counts as diverged; ``None`` where it has
            to be infinite.
        score: Whether a trial counts with its last epoch, its best, or its lowest evaluation.
        metric: What trials are ranked by; ``None`` is the accuracy.
        running: Whether each batch is measured before its update, as Keras does.
    """

    loss: Annotated[
        LossName,
        Key(kind=Choice(), help=f"{alternatives(LOSSES, str)} (default: cross-entropy)."),
    ] = "cross-entropy"
    optimizer: Annotated[
        OptimizerName, Key(kind=Choice(), help=f"{alternatives(OPTIMIZERS, str)} (default: sgd).")
    ] = "sgd"
    momentum: Annotated[
        float | None,
        Key(
            kind=Real(least=0, below=1),
            symbol="μ",
            field="momentum",
            per_trial=True,
            needs=Needs("optimizer", MOMENTUM_OPTIMIZERS, instead_of=("sgd",)),
            help="Share of the last step that is kept, in [0, 1) "
            "(default: 0.9 where there is one).",
        ),
    ] = None
    beta1: Annotated[
        float | None,
        Key(
            kind=Real(least=0, below=1),
            symbol="β1",
            field="beta1",
            per_trial=True,
            unnamed=0.9,
            stored_if_used=True,
            needs=_ADAM,
            help="Share of the mean gradient that Adam keeps, in [0, 1) (default: 0.9).",
        ),
    ] = None
    beta2: Annotated[
        float | None,
        Key(
            kind=Real(least=0, below=1),
            symbol="β2",
            field="beta2",
            per_trial=True,
            unnamed=0.999,
            stored_if_used=True,
            needs=_ADAM,
            help="Share of the mean square that Adam keeps, in [0, 1) (default: 0.999).",
        ),
    ] = None
    decoupled_decay: Annotated[
        float | None,
        Key(
            kind=Real(least=0),
            field="decoupled_decay",
            per_trial=True,
            stored_if_used=True,
            needs=Needs("optimizer", ("adamw",), instead_of=("sgd", "adam")),
            help="Weight decay of AdamW, w ← (1 − η · decay) w, beside λ, >= 0 (default: 0.01).",
        ),
    ] = None
    schedule: Annotated[
        ScheduleName,
        Key(
            kind=Choice(),
            help=f"Schedule of η: {alternatives(SCHEDULES, str)}; geometric rises from lowest to "
            "highest over the training, cosine falls (default: cyclical).",
        ),
    ] = "cyclical"
    eta: Annotated[
        float | None,
        Key(
            kind=Real(above=0),
            symbol="η",
            field="learning_rate",
            per_trial=True,
            needs=_LEVEL,
            other_names=("learning_rate", "lr"),
            help="Learning rate η, of schedules without a lowest and highest the first, > 0 "
            f"(default: {_USUAL_ETA}).",
        ),
    ] = None
    eta_min: Annotated[
        float | None,
        Key(
            kind=Real(above=0),
            symbol="η min",
            field="eta_min",
            per_trial=True,
            needs=_RANGE,
            help="Lowest η of a cycle, rise or cosine, > 0 (default: 1e-5).",
        ),
    ] = None
    eta_max: Annotated[
        float | None,
        Key(
            kind=Real(above=0),
            symbol="η max",
            field="eta_max",
            per_trial=True,
            needs=_RANGE,
            help=f"Highest η of a cycle, rise or cosine, > 0 (default: {_USUAL_ETA}).",
        ),
    ] = None
    ns: Annotated[
        int | None,
        Key(
            kind=Whole(),
            symbol="n_s",
            field="half_cycle",
            needs=_CYCLE,
            other_names=("n_s", "half_cycle"),
            help="Half a cycle, in updates (default: those of two epochs).",
        ),
    ] = None
    step_factor: Annotated[
        float | None,
        Key(
            kind=Real(above=0, most=1),
            field="step_factor",
            needs=_STEP,
            help="What η is multiplied with at a step, in (0, 1] (default: 0.1).",
        ),
    ] = None
    step_every: Annotated[
        int | None,
        Key(
            kind=Whole(),
            field="step_every",
            needs=_STEP,
            help="Epochs between two steps of η (default: 5).",
        ),
    ] = None
    eta_decay: Annotated[
        float | None,
        Key(
            kind=Real(above=0),
            symbol="k",
            field="eta_decay",
            per_trial=True,
            stored_if_used=True,
            needs=_DECAY,
            help="k of η exp(−k t) and η / (1 + k t), t in epochs, > 0 (default: 0.05).",
        ),
    ] = None
    cycle_factor: Annotated[
        float | None,
        Key(
            kind=Real(above=0, most=1),
            field="cycle_factor",
            per_trial=True,
            unnamed=1.0,
            stored_if_used=True,
            needs=_CYCLE,
            help="What the height of a cycle is multiplied with for the next, in (0, 1] "
            "(default: 1).",
        ),
    ] = None
    snapshots: Annotated[
        bool | None,
        Key(
            kind=Switch(),
            unnamed=False,
            stored_if_used=True,
            needs=_CYCLE,
            not_searched="it changes no training, only what the final test can vote with",
            help="Keep the network that each cycle ends with: the final test has them answer as "
            "one, too (default: no-snapshots).",
        ),
    ] = None
    warm_up: Annotated[
        int | None,
        Key(
            kind=Whole(least=0),
            field="warm_up",
            unnamed=0,
            stored_if_used=True,
            help="Updates before the schedule, while η rises linearly to its first, >= 0 "
            "(default: 0).",
        ),
    ] = None
    batch_size: Annotated[
        int, Key(kind=Whole(), help="Samples a batch (default: 100; digits and files 20).")
    ] = 100
    epochs: Annotated[
        int | None,
        Key(
            kind=Whole(),
            help="Length of the training, in epochs (default: 10 where η has no cycle).",
        ),
    ] = None
    cycles: Annotated[
        int | None,
        Key(
            kind=Whole(),
            needs=_CYCLE,
            help="Length of the training, in cycles of η (default: 2; digits and files 8).",
        ),
    ] = None
    updates: Annotated[
        int | None,
        Key(
            kind=Whole(),
            unnamed=None,
            stored_if_used=True,
            not_searched="search the epochs, which curves are measured after",
            help="Length of the training, in updates (default: as epochs or cycles say).",
        ),
    ] = None
    l2_strength: Annotated[
        float,
        Key(
            kind=Real(least=0),
            name="lambda",
            symbol="λ",
            field="l2_strength",
            per_trial=True,
            before="optimizer",
            other_names=("l2_strength", "weight_decay", "l2", "reg"),
            help="Strength of the L2 penalty λ Σ W², >= 0 (default: 0).",
        ),
    ] = 0.0
    shuffle: Annotated[
        bool,
        Key(kind=Switch(), help="Another order of the samples each epoch (default: shuffle)."),
    ] = True
    drop_last: Annotated[
        bool,
        Key(
            kind=Switch(),
            help="Leave out an epoch's last batch if it is smaller (default: no-drop-last).",
        ),
    ] = False
    evaluations: Annotated[
        int,
        Key(
            kind=Whole(),
            unnamed=1,
            help="Times an epoch that the validation split is measured: early stopping counts "
            "each, and the figure `within` draws them (default: 1).",
        ),
    ] = 1
    evaluate_every: Annotated[
        int | None,
        Key(
            kind=Whole(),
            unnamed=None,
            stored_if_used=True,
            help="In place of evaluations: updates between two of them, from the first update on, "
            "through all epochs (default: none).",
        ),
    ] = None
    patience: Annotated[
        int | None,
        Key(
            kind=Whole(),
            help="Evaluations without a lower validation loss after which a trial stops "
            "(default: never).",
        ),
    ] = None
    stop_rule: Annotated[
        StopRuleName | None,
        Key(
            kind=Choice(),
            unnamed="best",
            help="best counts them from the lowest loss so far; window stops when the oldest of "
            "the last patience + 1 losses is their lowest (default: best).",
        ),
    ] = None
    diverged_at: Annotated[
        float | None,
        Key(
            kind=Real(above=1),
            unnamed=None,
            help="Times its cost before training, > 1, past which a trial counts as diverged "
            "(default: not finite).",
        ),
    ] = None
    score: Annotated[
        ScoreName,
        Key(
            kind=Choice(),
            metavar="EPOCH",
            help="The epoch a trial counts with: final, best (by accuracy), or lowest: the "
            "evaluation with the lowest validation loss, within an epoch, too (default: final).",
        ),
    ] = "final"
    metric: Annotated[
        MetricName | str | None,
        Key(
            kind=Choice(),
            metavar="METRIC",
            unnamed="accuracy",
            stored_if_used=True,
            not_searched="it decides which trial is best, and changes no training",
            help="What trials are ranked by, and fine searches, pruning and the final test go by: "
            f"{alternatives(tuple(METRICS), str)}; or what a custom trainer reports, as f2, or "
            "error:min where less is better (default: accuracy).",
        ),
    ] = None
    running: Annotated[
        bool,
        Key(
            kind=Switch(),
            unnamed=False,
            help="Measure the training accuracy of each batch before its update, too, whose mean "
            "is what Keras prints (default: no-running).",
        ),
    ] = False
    precision: Annotated[
        PrecisionName,
        Key(kind=Choice(), metavar="TYPE", help="float32 or float64 (default: float32)."),
    ] = "float32"
