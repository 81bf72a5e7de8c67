"""``gradcheck`` and ``params``: is the network right, and how large is it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any

from coarsefine.models.data import CATALOGUE, prepare
from coarsefine.models.gradient_check import TOLERANCE
from coarsefine.models.parameter_count import count_parameters
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.errors import DONE, FAILED, UsageError
from coarsefine.search.figures.checks import draw_gradients
from coarsefine.search.figures.rendering import check_file
from coarsefine.search.options import (
    NETWORK,
    TRAINING,
    DataOptions,
    Loss,
    NetworkOptions,
    OutputOptions,
    RecipeFile,
    number,
    option,
    whole,
)
from coarsefine.search.options.keys import key_option
from coarsefine.search.progress import watching
from coarsefine.search.tables.networks import check_table, checks_table, layers_table
from coarsefine.studies.checks.gradients import checked_networks, gradcheck_json
from coarsefine.studies.checks.network import FEATURES, SAMPLES, STRENGTHS, NetworkCheck, network_of
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_data_spec

CHECK = "Check"
# More features than any data have.
_ALL = 10**9


def _features(text: str) -> int:
    return _ALL if text.strip().lower() == "all" else whole(text)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What is checked."""

    all: Annotated[
        bool,
        option(
            CHECK,
            "--all",
            help="Check every activation, loss and λ with none, one and two hidden layers "
            "(default: the recipe's network).",
        ),
    ] = False
    features: Annotated[
        int | None,
        option(
            CHECK,
            "--features",
            metavar="N",
            parser=_features,
            help=f"Features of the data to use: the first N, or all, which checks the network as "
            f"it is trained (default: all of up to 100, else {FEATURES}).",
        ),
    ] = None
    samples: Annotated[
        int | None,
        option(
            CHECK,
            "--samples",
            metavar="N",
            parser=whole,
            help=f"Training samples to use: the first N (default: {SAMPLES}).",
        ),
    ] = None
    lambda_: Annotated[
        float | None,
        option(
            TRAINING,
            "--lambda",
            metavar="X",
            parser=number,
            help="Strength of the L2 penalty λ Σ W², >= 0 (default: 0 and 0.1, one after the "
            "other).",
        ),
    ] = None
    loss: Loss = None
    label_smoothing: Annotated[float | None, key_option("training.label_smoothing")] = None
    class_weights: Annotated[str | None, key_option("training.class_weights")] = None
    dropout: Annotated[float | None, key_option("training.dropout")] = None
    figure: Annotated[
        Path | None,
        option(
            CHECK,
            "--figure",
            metavar="FILE",
            help="Draw the errors into a png, svg or pdf file, too (default: none).",
        ),
    ] = None


def gradcheck(
    check: CheckOptions,
    file: RecipeFile,
    data: DataOptions,
    network: NetworkOptions,
    output: OutputOptions,
) -> int:
    """Compare the network's gradients with central differences, in float64.

    Prints the largest absolute error |gₐ − gₙ| and relative error |gₐ − gₙ| / max(1e-4, |gₐ| +
    |gₙ|) of each parameter tensor, on a few samples of the real data. Of tensors with more than 500
    elements, 500 are drawn. Elements whose difference steps over the kink of a relu or of the hinge
    are skipped. Exits 1 if a relative
    error is above 1e-6.

    Examples:
        python -m search gradcheck
        python -m search gradcheck --hidden 50,50 --activation sigmoid --lambda 0.01
        python -m search gradcheck --data cifar10 --features all
        python -m search gradcheck --all
    """
    samples = check.samples or SAMPLES
    for flag, n in (("--features", check.features), ("--samples", check.samples)):
        if n is not None and n < 1:
            raise UsageError(f"{flag} must be >= 1, got {n}")
    if check.figure is not None:
        check_file(check.figure)
    flags = _flags(file, data, network) | {
        "training.loss": check.loss,
        "training.lambda": check.lambda_,
        "training.label_smoothing": check.label_smoothing,
        "training.class_weights": None
        if check.class_weights is None
        else KEYS["training.class_weights"].kind.typed(check.class_weights),
        "training.dropout": check.dropout,
    }
    recipe = make_recipe(file.recipe, flags)
    strengths = STRENGTHS if check.lambda_ is None else (check.lambda_,)
    with watching(quiet=output.quiet) as watch:
        checks, label = checked_networks(
            recipe,
            data.data_dir,
            watch,
            features=check.features,
            samples=samples,
            every=check.all,
            strengths=strengths,
        )
    if check.figure is not None:
        one = "" if check.all else f"; {checks[0].label}"
        about = f"{label}, seed {recipe.seed}{one}"
        draw_gradients(check.figure, checks, recipe.data.name, about)
    if output.json:
        say_json(gradcheck_json(checks))
    else:
        print_gradcheck(checks, label, every=check.all)
    return DONE if all(one.passed for one in checks) else FAILED


def _flags(file: RecipeFile, data: DataOptions, network: NetworkOptions) -> dict[str, Any]:
    return {"seed": file.seed, **data.flags(), **network.flags()}


def print_gradcheck(checks: Sequence[NetworkCheck], data: str, *, every: bool) -> None:
    """Print the errors of each parameter, or of many networks a line each, and the verdict."""
    console = stdout()
    if every:
        print_table(console, checks_table(console, f"gradients on {data}", checks))
    else:
        for one in checks:
            title = f"{one.label}, λ {one.l2_strength:g}: {data}"
            print_table(console, check_table(console, title, one.parameters))
            say("")
    failed = [one for one in checks if not one.passed]
    worst = max(one.worst for one in checks)
    if failed:
        tell(f"failed: relative error {worst:.1e} > {TOLERANCE:g}")
    else:
        tell(f"passed: relative errors are at most {worst:.1e}, and must be <= {TOLERANCE:g}")


# --------------------------------------------------------------------------------------- params


@dataclass(frozen=True, slots=True)
class ShapeOptions:
    """Ends of a network, in place of data."""

    features: Annotated[
        int | None,
        option(
            NETWORK,
            "--features",
            metavar="N",
            parser=whole,
            help="Inputs of the network (default: the data's).",
        ),
    ] = None
    classes: Annotated[
        int | None,
        option(
            NETWORK,
            "--classes",
            metavar="N",
            parser=whole,
            help="Outputs of the network (default: the data's).",
        ),
    ] = None


def params(
    file: RecipeFile,
    data: DataOptions,
    network: NetworkOptions,
    shape: ShapeOptions,
    output: OutputOptions,
) -> None:
    """Count the network's parameters, layer by layer, with the arithmetic.

    In two conventions: with biases as they are, and under the bias trick, where the input alone
    carries a constant 1. No file is read for a data set that has a name.

    Examples:
        python -m search params --data mnist --hidden 128
        python -m search params --features 784 --hidden 64 --classes 10
    """
    recipe = make_recipe(file.recipe, _flags(file, data, network))
    if recipe.trainer is not None:
        note(f"counted as the recipe describes the network; {recipe.trainer} may train another")
    n_features, n_classes = _ends(recipe, data, shape, quiet=output.quiet)
    spec = network_of(recipe, n_features, n_classes)
    layers = count_parameters(spec)
    total = sum(layer.n_parameters for layer in layers)
    total_trick = sum(layer.n_parameters_bias_trick for layer in layers)
    if output.json:
        say_json(
            {
                "layers": [
                    {
                        "name": layer.name,
                        "inputs": layer.n_inputs,
                        "outputs": layer.n_outputs,
                        "weights": layer.n_weights,
                        "biases": layer.n_biases,
                        "parameters": layer.n_parameters,
                        "arithmetic": layer.arithmetic,
                        "parameters_bias_trick": layer.n_parameters_bias_trick,
                        "arithmetic_bias_trick": layer.arithmetic_bias_trick,
                    }
                    for layer in layers
                ],
                "total": total,
                "total_bias_trick": total_trick,
            }
        )
        return
    console = stdout()
    print_table(console, layers_table(console, "-".join(map(str, spec.widths)), layers))


def _ends(
    recipe: Recipe, data: DataOptions, shape: ShapeOptions, *, quiet: bool
) -> tuple[int, int]:
    """Return inputs and outputs of the network: as stated, or as the data has them."""
    if shape.features is not None and shape.classes is not None:
        return shape.features, shape.classes
    info = CATALOGUE.get(recipe.data.name)
    if info is not None:
        ends = prod(info.sample_shape), info.n_classes
    else:
        with watching(quiet=quiet) as watch:
            prepared = prepare(to_data_spec(recipe), data_dir=data.data_dir, progress=watch)
        ends = prepared.n_features, prepared.n_classes
    return (
        ends[0] if shape.features is None else shape.features,
        ends[1] if shape.classes is None else shape.classes,
    )
