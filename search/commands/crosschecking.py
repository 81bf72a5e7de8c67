"""``crosscheck``: the same training in another framework, step by step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from coarsefine.models.data import PreparedData, prepare
from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.errors import DONE, FAILED, UsageError
from coarsefine.search.figures.checks import draw_overlay
from coarsefine.search.figures.rendering import check_file
from coarsefine.search.options import (
    DataOptions,
    NetworkOptions,
    OutputOptions,
    RecipeFile,
    TrainingOptions,
    option,
    whole,
)
from coarsefine.search.progress import watching
from coarsefine.search.tables.crosscheck import epochs_table, steps_table
from coarsefine.studies.checks.crosscheck import N_STEPS, CrossCheck
from coarsefine.studies.checks.crosscheck import crosscheck as compared
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_data_spec

CHECK = "Check"


@dataclass(frozen=True, slots=True)
class CrosscheckOptions:
    """What is compared with what."""

    against: Annotated[
        str | None,
        option(
            CHECK,
            "--against",
            metavar="NAME",
            help="The other framework: torch or sklearn, which has to be installed "
            "(default: torch).",
        ),
    ] = None
    steps: Annotated[
        int | None,
        option(
            CHECK,
            "--steps",
            metavar="N",
            parser=whole,
            help="First updates to compare one by one; then each epoch (default: 10).",
        ),
    ] = None
    figure: Annotated[
        Path | None,
        option(
            CHECK,
            "--figure",
            metavar="FILE",
            help="Draw the curves of both sides into a png, svg or pdf file (default: none).",
        ),
    ] = None


def crosscheck(
    check: CrosscheckOptions,
    file: RecipeFile,
    data: DataOptions,
    network: NetworkOptions,
    training: TrainingOptions,
    output: OutputOptions,
) -> int:
    """Train the recipe here and in another framework, and compare the weights step by step.

    Both begin with the same weights and see the same batches, at the same learning rates. Prints
    how far parameters differ, what rounding may make of that, and loss and accuracy of both after
    each epoch. Exits 1 if they differ by more. In float64 (--precision) nothing but rounding
    at the 15th digit is left.

    Examples:
        python -m search crosscheck --against torch
        python -m search crosscheck --against torch --precision float64 --lambda 0.01
        python -m search crosscheck --against sklearn --recipe lab.toml --epochs 5
    """
    if check.figure is not None:
        # Before anything is trained for it.
        check_file(check.figure)
    n_steps = N_STEPS if check.steps is None else check.steps
    if n_steps < 0:
        raise UsageError(f"--steps must be >= 0, got {n_steps}")
    sections = (data, network, training)
    flags = {"seed": file.seed}
    for section in sections:
        flags |= section.flags()
    recipe = make_recipe(file.recipe, flags)
    with watching(quiet=output.quiet) as watch:
        prepared = prepare(to_data_spec(recipe), data_dir=data.data_dir, progress=watch)
        found = crosschecked(recipe, prepared, check.against or "torch", n_steps)
    if check.figure is not None:
        draw_crosscheck(found, check.figure, recipe.data.name)
    if output.json:
        say_json(found.to_json())
    else:
        print_crosscheck(found)
        if found.precision == "float32":
            tell("to compare to the last digits: --precision float64")
    return DONE if found.agrees else FAILED


def crosschecked(
    recipe: Recipe, data: PreparedData, against: str, n_steps: int | None = None
) -> CrossCheck:
    """Return how a recipe's training compares with the same in another framework."""
    return compared(recipe, data, against, N_STEPS if n_steps is None else n_steps)


def draw_crosscheck(found: CrossCheck, file: Path, data: str) -> None:
    """Write the curves of both sides into a file."""
    draw_overlay(file, found, f"{data}, {found.network}")


def print_crosscheck(found: CrossCheck) -> None:
    """Print how the weights and curves of both sides compare, and the verdict."""
    console = stdout()
    tell(f"{found.network}, {found.precision}, beside {found.version}")
    for line in found.notes:
        tell(f"note: {line}")
    say("")
    for table in (steps_table(console, found), epochs_table(console, found)):
        if table is not None:
            print_table(console, table)
            say("")
    tell(found.verdict)
