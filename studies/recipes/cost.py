"""What is minimised, in words: the penalty's convention, and the same λ in the other one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coarsefine.models.specs import LOSS_WORDS
from coarsefine.studies.recipes.recipe import Recipe


def strengths(stated: float, dimensions: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the least and the greatest λ that trials have; one where they are the same.

    Args:
        stated: The recipe's.
        dimensions: What is searched, as stored with a stage.
    """
    found = [stated]
    for dimension in dimensions:
        variants = dimension.get("variants")
        if variants is not None:
            found = [settings.get("training.lambda", stated) for settings in variants.values()]
        elif dimension["name"] == "lambda":
            ends = [dimension["low"], dimension["high"]]
            found = list(dimension["values"] or ends)
    return sorted({min(found), max(found)})


def cost_line(loss: str, searched: Sequence[float], *, bias_row: bool = False) -> str:
    """Return what the cost is, with the convention of its penalty.

    Args:
        loss: As recipes name it.
        searched: One λ, or the least and the greatest.
        bias_row: Whether biases are penalised as weights.

    >>> cost_line("cross-entropy", [0.01])
    'cost = mean cross-entropy + λ ΣW² (gradient 2λW, biases free): λ 0.01 is 0.02 in ½ λ ΣW²'
    """
    data = LOSS_WORDS[loss]
    if not any(searched):
        return f"cost = {data}, without penalty (λ 0)"
    ours, theirs = (" … ".join(f"{factor * value:.4g}" for value in searched) for factor in (1, 2))
    verb = "are" if len(searched) > 1 else "is"
    biases = "biases too" if bias_row else "biases free"
    return f"cost = {data} + λ ΣW² (gradient 2λW, {biases}): λ {ours} {verb} {theirs} in ½ λ ΣW²"


def cost_of(recipe: Recipe, searched: Sequence[float]) -> str:
    """Return what a recipe minimises, given one λ, or the least and the greatest."""
    return cost_line(recipe.training.loss, searched, bias_row=bool(recipe.network.bias_row))
