"""What should be known before a training: what is shown by default, and warnings with what to do.

All of it is cheap: a few hundred samples through networks that are not trained yet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coarsefine.hints import Message, Part, option, search_command
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.data import PreparedData
from coarsefine.models.evaluation import Evaluator
from coarsefine.models.least_squares import largest_eigenvalue, stable_learning_rate
from coarsefine.models.specs import OPTIMIZER_FACTS, SPREAD_INITIALISATIONS, NetworkSpec
from coarsefine.studies.errors import RecipeError, StudyError
from coarsefine.studies.planning.point_runs import base_updates, recipe_at
from coarsefine.studies.recipes.cost import cost_of, strengths
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import SEARCHABLE, to_specs
from coarsefine.studies.spaces.dimensions import Dimension, shown, to_json

# On how many samples the initial loss is measured, and the curvature: enough for two digits.
SAMPLES, CURVED = 500, 2000
# An initial loss so many times that of equal chances needs weights that shout: on standardised
# CIFAR-10, a linear classifier has 1.06 times at σ 0.01 and 3.8 times at σ 0.1, and the default
# network with He's weights, whose deviations are large on purpose, 1.4 times.
FAR_ABOVE = 2.0
# Of more networks or lengths, the first are looked at.
MOST = 24


@dataclass(frozen=True, slots=True)
class Beforehand:
    """What is said before a training.

    Attributes:
        lines: What is always shown.
        warnings: What the user should know and do, a sentence each.
    """

    lines: tuple[str, ...]
    warnings: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class _Variation:
    """The recipe with one value of one dimension; without words, the recipe itself."""

    words: str
    recipe: Recipe
    dimension: Dimension | None = None


def beforehand(
    recipe: Recipe,
    data: PreparedData,
    dimensions: Sequence[Dimension] = (),
    *,
    equal_updates: bool = False,
) -> Beforehand:
    """Return what is to be said before a recipe is trained.

    Args:
        recipe: What the search starts from.
        data: What it is trained on.
        dimensions: What the search varies.
        equal_updates: Whether all its trials make as many updates as the recipe.
    """
    if recipe.trainer is not None:
        return Beforehand((), ())  # what it minimises, and from where, is the user's own business
    variations = _variations(recipe, dimensions)
    training = recipe.training
    lines = [
        *_length(recipe, variations, data, equal_updates=equal_updates),
        cost_of(recipe, strengths(training.l2_strength, to_json(dimensions))),
    ]
    losses = _initial_losses(variations, data)
    lines += _loss_line(losses, data.n_classes)
    return Beforehand(
        tuple(lines),
        (
            *_nothing_to_normalise(variations),
            *_half_cycles(recipe, variations, data, equal_updates=equal_updates),
            *_loud_weights(losses, data.n_classes),
            *_too_large_steps(variations, dimensions, data),
        ),
    )


def _variations(recipe: Recipe, dimensions: Sequence[Dimension]) -> list[_Variation]:
    """Return the recipe, and what each value makes of it that is more than a number."""
    found = [_Variation("", recipe)]
    for dimension in dimensions:
        if dimension.name in SEARCHABLE:
            continue
        ends = () if dimension.range is None else (dimension.range.low, dimension.range.high)
        values = dimension.values or tuple(dimension.rounded(end) for end in ends)
        for value in values[:MOST]:
            words = shown(value)
            if dimension.variants is None:
                words = f"{dimension.parameter.symbol} {words}"
            try:
                there = recipe_at(recipe, [dimension], {dimension.name: value})
            except StudyError:
                continue  # it needs a value of another dimension beside it
            found.append(_Variation(words, there, dimension))
    return found


def _length(
    recipe: Recipe, variations: Sequence[_Variation], data: PreparedData, *, equal_updates: bool
) -> list[str]:
    """Return the arithmetic of the length; where values differ in it, from where to where."""
    lengths: dict[int, str] = {}
    for variation in variations[1:]:
        train = variation.recipe.data.train
        n_train = train if isinstance(train, int) else data.n_train
        try:
            n_updates = resolve(variation.recipe, n_train).n_updates
        except RecipeError:
            continue  # a batch that is larger than these data is refused elsewhere
        lengths[n_updates] = variation.words
    if len(lengths) < 2 or equal_updates:
        try:
            return ["; ".join(resolve(recipe, data.n_train).lines)]
        except RecipeError:
            return []
    low, high = min(lengths), max(lengths)
    return [f"from {low:,} updates ({lengths[low]}) to {high:,} ({lengths[high]})"]


def _nothing_to_normalise(variations: Sequence[_Variation]) -> list[Part]:
    """Return that batch normalisation does nothing where no network has a hidden layer."""
    networks = [variation.recipe.network for variation in variations]
    if any(network.hidden for network in networks) or not any(n.batch_norm for n in networks):
        return []
    return ["batch normalisation is of hidden layers, of which this network has none: no effect"]


# --------------------------------------------------------------------------- the first weights


def _initial_losses(
    variations: Sequence[_Variation], data: PreparedData
) -> list[tuple[_Variation, NetworkSpec, float]]:
    """Return the loss of each network before its first update, on some training samples."""
    found: dict[NetworkSpec, tuple[_Variation, NetworkSpec, float]] = {}
    for variation in variations:
        recipe = variation.recipe
        try:
            network, training, numbers = to_specs(
                recipe, data.n_features, data.n_classes, data.n_train
            )
        except RecipeError:
            continue  # on data of its own
        if network.loss != "cross-entropy" or network in found or len(found) == MOST:
            continue
        plan = CohortPlan(network, training, (numbers,), recipe.seed)
        found[network] = variation, network, _initial_loss(plan, data)
    return list(found.values())


def _initial_loss(plan: CohortPlan, data: PreparedData) -> float:
    samples = data.open()
    rows = _some(len(samples.y_train), SAMPLES)
    with limited_blas(1), np.errstate(all="ignore"):
        evaluator = Evaluator(plan.network, 1, plan.dtype)
        parameters = initial_state(plan).parameters
        measured = evaluator.evaluate(parameters, samples.x_train, samples.y_train, rows)
    return float(measured.loss[0])


def _some(n_train: int, most: int) -> npt.NDArray[np.intp]:
    # Spread over the whole split: a file sorted by class gives a sample of all classes.
    return np.linspace(0, n_train - 1, min(most, n_train)).astype(np.intp)


def _loss_line(
    losses: Sequence[tuple[_Variation, NetworkSpec, float]], n_classes: int
) -> list[str]:
    if not losses:
        return []
    found = [loss for _, _, loss in losses]
    ends = [f"{end:.3f}" for end in (min(found), max(found))]
    words = " … ".join(dict.fromkeys(ends))
    chance = f"ln {n_classes} = {math.log(n_classes):.3f}"
    return [f"initial training loss {words} (a uniform guess has {chance})"]


def _loud_weights(
    losses: Sequence[tuple[_Variation, NetworkSpec, float]], n_classes: int
) -> list[Part]:
    chance = math.log(n_classes)
    loud = [each for each in losses if not each[2] <= FAR_ABOVE * chance]
    if not loud:
        return []
    _, network, _ = loud[0]
    named = ", ".join(
        f"{loss:.3g}" + (f" at {variation.words}" if variation.words else "")
        for variation, _, loss in loud
    )
    spread = network.initialisation in SPREAD_INITIALISATIONS
    weights = network.initialisation + (f", σ {network.sigma:g}" if spread else "")
    line = (
        f"the initial training loss, {named}, is far above ln {n_classes} = {chance:.3f}: the "
        f"first weights ({weights}) are large for these inputs; "
    )
    usual = option("network.initialisation", ("xavier", "he"))
    return [Message(line, usual, ", or a smaller ", option("network.sigma"), ", starts near it")]


# ------------------------------------------------------------------------------- whole cycles


def _half_cycles(
    recipe: Recipe,
    variations: Sequence[_Variation],
    data: PreparedData,
    *,
    equal_updates: bool,
) -> list[Part]:
    """Return which values end a training before η is back at its lowest."""
    updates = base_updates(recipe, data) if equal_updates else None
    unfinished: list[tuple[str, float]] = []
    overruled = False
    for variation in variations[1:]:
        there = variation.recipe
        n_train = data.n_train
        if isinstance(there.data.train, int) and there.data.train != recipe.data.train:
            n_train = there.data.train
        try:
            steps = resolve(there, n_train)
        except RecipeError:
            continue
        overruled = True
        if steps.half_cycle is None:
            continue
        n_updates = steps.n_updates if updates is None else updates
        if n_updates % (2 * steps.half_cycle):
            unfinished.append((variation.words, n_updates / (2 * steps.half_cycle)))
    own = resolve(recipe, data.n_train).warnings
    if not overruled:
        return list(own)
    if not unfinished:
        return []
    if own and len({cycles for _, cycles in unfinished}) == 1:
        return list(own)
    named = ", ".join(f"{cycles:.3g} cycles at {words}" for words, cycles in unfinished)
    line = (
        f"some trainings end before η is back at its lowest: {named}; state cycles in place of "
        "epochs, or "
    )
    return [Message(line, option("training.schedule", "constant"))]


# ------------------------------------------------------------------------------- the largest η


def _too_large_steps(
    variations: Sequence[_Variation], dimensions: Sequence[Dimension], data: PreparedData
) -> list[Part]:
    """Return which η are above what a linear network with squared error can be trained with."""
    searched = [
        (d.range.low, d.range.high) if d.range is not None else tuple(map(float, d.values or ()))  # type: ignore[arg-type]
        for d in dimensions
        if d.name in {"eta", "eta_max"}
    ]
    eigenvalue: float | None = None
    too_large: dict[str, None] = {}
    bound = math.inf
    for variation in variations:
        network, training = variation.recipe.network, variation.recipe.training
        linear = not network.hidden and training.loss == "squared-error"
        stable_factor = OPTIMIZER_FACTS[training.optimizer].stable_factor
        if not linear or stable_factor is None:
            continue
        factor = stable_factor(training.momentum or 0.0)
        if eigenvalue is None:
            samples = data.open()
            with limited_blas(1):
                eigenvalue = largest_eigenvalue(
                    samples.x_train[_some(data.n_train, CURVED)],
                    bias=network.bias != "none",
                    tolerance=1e-3,
                )
        largest = factor * stable_learning_rate(eigenvalue, training.loss, training.l2_strength)
        stated = training.eta if training.eta is not None else training.eta_max
        etas = searched[0] if searched else () if stated is None else (stated,)
        for eta in etas:
            if eta > largest:
                too_large[f"{eta:.4g}"] = None
                bound = min(bound, largest)
    if not too_large:
        return []
    line = (
        f"η {', '.join(too_large)} is above {bound:.3g}, 2/λmax of these samples: beyond it a "
        "linear network with squared error diverges, and batches want less still; lower η (`"
    )
    other = option("training.loss", "cross-entropy")
    return [Message(line, search_command("eta", "coarse"), "` finds one), or ", other)]
