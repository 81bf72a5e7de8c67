"""How long a recipe trains: the one place where epochs, cycles, batches and updates are derived."""

from dataclasses import dataclass

from coarsefine.models.specs import SCORE_WORDS
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.layers import default_batch_size
from coarsefine.studies.recipes.recipe import Recipe, TrainingRecipe


@dataclass(frozen=True)
class Steps:
    """The length of a training, and all that follows from it.

    Attributes:
        half_cycle: n_s in updates; ``None`` unless η is cyclical.
        step_every: Updates between two steps of η; ``None`` unless it goes in steps.
        n_epochs: The last of them may be a part of one.
        n_cycles: Whole or not; ``None`` unless η is cyclical.
        ends_on_whole_cycle: Whether η is back at its lowest at the end; true where it has no cycle.
        lines: The arithmetic, to be printed.
        warnings: What the user should know, a line each.
    """

    batch_size: int
    updates_per_epoch: int
    n_updates: int
    n_epochs: int
    half_cycle: int | None
    step_every: int | None
    n_cycles: float | None
    ends_on_whole_cycle: bool
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def resolve(recipe: Recipe, n_train: int) -> Steps:
    """Return the length of the recipe's training on ``n_train`` samples.

    Raises:
        RecipeError: If a batch is larger than the training set.
    """
    training = recipe.training
    size = training.batch_size
    warnings: list[str] = []
    if size > n_train and size == default_batch_size(recipe.data.name):
        warnings.append(
            f"the default batch size, {size:,}, is larger than the training set: all its "
            f"{n_train:,} samples are one batch"
        )
        size = n_train
    if size > n_train:
        raise RecipeError(
            f"batch size must be <= the training set's {n_train:,} samples, got {size:,}"
        )
    per_epoch = n_train // size if training.drop_last else -(-n_train // size)
    cyclical = training.schedule == "cyclical"
    # ⌊N/B⌋ as in the lab's text, whether or not the last, smaller batch is trained on.
    half = (training.ns or 2 * (n_train // size)) if cyclical else None
    warm_up = training.warm_up or 0
    if training.updates is not None:
        n_updates = training.updates
    elif training.epochs is not None:
        n_updates = training.epochs * per_epoch
    else:
        assert training.cycles is not None  # noqa: S101  # the recipe sees to it
        assert half is not None  # noqa: S101
        n_updates = warm_up + 2 * half * training.cycles
    n_cycles = None if half is None else max(0, n_updates - warm_up) / (2 * half)
    whole = n_cycles is None or n_cycles == int(n_cycles)
    return Steps(
        batch_size=size,
        updates_per_epoch=per_epoch,
        n_updates=n_updates,
        n_epochs=-(-n_updates // per_epoch),
        half_cycle=half,
        step_every=None if training.step_every is None else training.step_every * per_epoch,
        n_cycles=n_cycles,
        ends_on_whole_cycle=whole,
        lines=(
            f"{n_train:,} samples / batch {size:,} = {_updates(per_epoch)} an epoch",
            _length(recipe, n_updates, per_epoch, half),
            *([f"η rises linearly over the first {_updates(warm_up)}"] if warm_up else []),
            *_early_stopping(training),
        ),
        warnings=(*warnings, *(() if whole or n_cycles is None else (_half_done(n_cycles),))),
    )


def _length(recipe: Recipe, n_updates: int, per_epoch: int, half: int | None) -> str:
    training = recipe.training
    epochs = _counted(n_updates / per_epoch, "epoch")
    if half is None:
        both = [epochs, _updates(n_updates)]
        return " = ".join(reversed(both) if training.updates is not None else both)
    warm_up = training.warm_up or 0
    cycles = _counted(max(0, n_updates - warm_up) / (2 * half), "cycle")
    before = f"warm-up {warm_up:,}, " if warm_up else ""
    if training.updates is not None:
        return f"{_updates(n_updates)} = {epochs} = {cycles} of n_s {half:,}"
    if training.epochs is not None:
        return f"{epochs} = {_updates(n_updates)} = {cycles} of n_s {half:,}"
    return f"{before}n_s {half:,}, {cycles} = {_updates(n_updates)} = {epochs}"


def _early_stopping(training: TrainingRecipe) -> list[str]:
    """Return the rule in words: what is waited for, in which unit, and which weights count."""
    patience = training.patience
    if patience is None:
        return []
    each = f"{training.evaluations} an epoch"
    if training.evaluate_every is not None:
        each = f"one every {_updates(training.evaluate_every)}"
    rule = f"after {patience} validations ({each}) in a row without a lower loss"
    if training.stop_rule == "window":
        rule = f"when the oldest of the last {patience + 1} validation losses ({each}) is lowest"
    kept = "" if training.score == "final" else ", whose weights are kept"
    return [f"stops early {rule}; counts with its {SCORE_WORDS[training.score]}{kept}"]


def _half_done(n_cycles: float) -> str:
    fewer = int(n_cycles)
    choice = f"{fewer} or {fewer + 1}" if fewer else "1"
    return (
        f"the training ends after {n_cycles:.3g} cycles, before η is back at its lowest; "
        f"state cycles {choice} in place of epochs"
    )


def _updates(n: int) -> str:
    return _counted(n, "update")


def _counted(n: float, what: str) -> str:
    number = f"{n:,.0f}" if n == int(n) else f"{n:,.3g}" if n < 100 else f"{n:,.1f}"
    return f"{number} {what}{'' if n == 1 else 's'}"
