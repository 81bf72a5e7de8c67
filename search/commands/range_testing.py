"""``eta --range-test``: what one training with a rising η shows; and cycles that follow from it."""

from dataclasses import fields
from pathlib import Path
from typing import Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.errors import UsageError
from coarsefine.search.figures.checks import draw_range_test
from coarsefine.search.figures.rendering import check_file
from coarsefine.search.hints import command as typed
from coarsefine.search.options import StageOptions
from coarsefine.search.options.requesting import ends
from coarsefine.search.options.searches import Options
from coarsefine.search.progress import Watch, watching
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import percent, value
from coarsefine.studies.checks.network import check_own_network
from coarsefine.studies.checks.range_test import (
    HIGH,
    LOW,
    Found,
    check_range,
    ends_of,
    range_test_of,
)
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.running.resources import prepared
from coarsefine.studies.running.studies import study_name
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

CYCLE: Final = ("training.eta_min", "training.eta_max")
# What a cycle of η takes the place of, and what the search after the test varies.
_REPLACED: Final = frozenset({*CYCLE, "training.eta", "training.schedule", "training.lambda"})


def eta_range(
    kind: SearchKind, wanted: str, asked: Asked, data_dir: Path | None, watch: Watch
) -> Found:
    """Return the range test of the recipe that the ends of its cycle are to come from.

    Raises:
        UsageError: If the ends are given, or anything but ``auto`` is wanted.
    """
    if wanted != "auto":
        raise UsageError(f"--eta-range must be auto, got {wanted!r}; or state --eta-min, --eta-max")
    if any(key in asked.flags for key in CYCLE):
        raise UsageError("--eta-range auto chooses --eta-min and --eta-max; leave them out")
    cyclical = Asked(asked.path, {**asked.flags, "training.schedule": "cyclical"})
    recipe = cyclical.recipe(kind.implied)
    found = range_test_of(None, recipe, prepared(to_data_spec(recipe), data_dir, watch))
    low, high = ends_of(found)
    watch.said(f"range test: η from {low:g} to {high:g}")
    return found


def range_test(
    kind: SearchKind,
    stage: StageOptions,
    file: Path | None,
    options: Options,
) -> None:
    """Print what one training with a rising η shows, and what it suggests."""
    if file is not None:
        check_file(file)
    _check_plain(stage)
    (name,) = (parameter.name for parameter in kind.parameters)
    low = ends("--low", stage.low, kind).get(name) or LOW
    high = ends("--high", stage.high, kind).get(name) or HIGH
    check_range(low, high)
    recipe, storage, output = options.recipe, options.storage, options.output
    asked = options.asked.recipe(kind.implied)
    check_own_network(asked, "a range test")
    with watching(quiet=output.quiet) as watch:
        data = prepared(to_data_spec(asked), recipe.data.data_dir, watch)
        with open_database(storage.url, create=True, said=note) as database:
            found = range_test_of(database, asked, data, low, high)
            following = SEARCHES["lambda"]
            usual = study_name(following, asked)
            free = repository.free_name(database, usual)
    if file is not None:
        about = f"{data.name}, seed {asked.seed}; {data.n_train:,} training samples"
        draw_range_test(file, found, data.name, about)
    if output.json:
        say_json(found.to_json())
        return
    _print(found, f"{data.name}, {len(found.etas):,} updates, seed {asked.seed}")
    if found.eta_min is None or found.eta_max is None:
        return
    limits = ("--eta-min", f"{found.eta_min:g}", "--eta-max", f"{found.eta_max:g}")
    named = () if free == usual else ("--study", free)
    line = typed(
        "lambda",
        "--coarse",
        *recipe.as_typed(without=_REPLACED),
        *limits,
        *named,
        storage=storage.storage,
        data_dir=recipe.data.data_dir,
    )
    say(f"\nnext: {line}")


def _check_plain(stage: StageOptions) -> None:
    """Raise a UsageError if what only a search can heed is stated, too."""
    for field in fields(stage):
        stated = getattr(stage, field.name) != field.default
        if stated and field.name not in {"low", "high", "yes"}:
            option = f"--{field.name.replace('_', '-')}"
            raise UsageError(
                f"{option} belongs to searches, and --range-test is not one; leave one out"
            )


def _print(found: Found, what: str) -> None:
    # Some three lines a decade.
    n_lines = 24
    last = len(found.etas) - 1
    rows = sorted({round(i * last / (n_lines - 1)) for i in range(n_lines)})
    near = max(1, last // (2 * n_lines))

    def accuracy(i: int) -> float:
        around = found.accuracies[max(0, i - near) : i + near + 1]
        return sum(around) / len(around)

    def loss(i: int) -> str:
        return "–" if found.smoothed[i] is None else f"{found.smoothed[i]:.4g}"

    columns: list[TextColumn[int]] = [
        TextColumn("η", lambda i: value(float(f"{found.etas[i]:.3g}"))),
        TextColumn("training loss\n(smoothed)", loss),
        TextColumn("training\naccuracy %", lambda i: percent(accuracy(i))),
    ]
    console = stdout()
    print_table(console, fitting(console, f"η range test: {what}", columns, rows))
    say("")
    if found.eta_min is None or found.eta_max is None:
        tell("the loss did not fall at any η: widen the range with --low and --high")
        return
    tell(
        f"a tenth of the fall of the loss is made at η {found.eta_min:g}, nine tenths at "
        f"{found.eta_max:g}: the ends of a cycle (Smith 2017, section 3.3)"
    )
    if found.broke_at is not None:
        tell(f"training breaks down at η {found.broke_at:g}")
