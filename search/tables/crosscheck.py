"""Tables of a cross-check: the first updates, and both curves side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import percent, value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.checks.crosscheck_result import Comparison, CrossCheck, Epoch

# Longer trainings are shown by so many epochs, evenly spread; --json has all.
MOST_EPOCHS = 24

Row = TypeVar("Row")


def steps_table(console: "Console", found: "CrossCheck") -> "Table | None":
    """Return a line for each of the first updates; ``None`` if none was compared."""
    if not found.steps:
        return None
    columns: list[TextColumn[Comparison]] = [
        TextColumn("update", lambda c: str(c.update)),
        TextColumn("η", lambda c: "–" if c.eta is None else value(c.eta), spare=1),
        TextColumn("largest\ndifference", lambda c: _small(c.difference)),
        TextColumn("of", lambda c: c.parameter, right=False),
        TextColumn("rounding\nallows", lambda c: _small(c.allowed)),
        TextColumn("", lambda c: _word(c.agrees), right=False),
    ]
    return fitting(console, "after each of the first updates", columns, found.steps)


def epochs_table(console: "Console", found: "CrossCheck") -> "Table":
    """Return a line an epoch, with losses and accuracies of both sides."""
    columns: list[TextColumn[Epoch]] = [
        TextColumn("epoch", lambda e: str(e.epoch)),
        TextColumn("updates", lambda e: f"{e.weights.update:,}", spare=4),
        TextColumn("largest\ndifference", lambda e: _small(e.weights.difference)),
        TextColumn("of", lambda e: e.weights.parameter, right=False),
        TextColumn("rounding\nallows", lambda e: _small(e.weights.allowed)),
        TextColumn("training\nloss\nhere", lambda e: _loss(e.ours.train_loss), spare=2),
        TextColumn("there", lambda e: _loss(e.theirs.train_loss), spare=2),
        TextColumn("validation\nloss\nhere", lambda e: _loss(e.ours.validation_loss), spare=1),
        TextColumn("there", lambda e: _loss(e.theirs.validation_loss), spare=1),
        TextColumn("training\naccuracy %\nhere", lambda e: percent(e.ours.train_accuracy), spare=3),
        TextColumn("there", lambda e: percent(e.theirs.train_accuracy), spare=3),
        TextColumn("validation\naccuracy %\nhere", lambda e: percent(e.ours.validation_accuracy)),
        TextColumn("there", lambda e: percent(e.theirs.validation_accuracy)),
        TextColumn("", lambda e: _word(e.agrees), right=False),
    ]
    shown = _thinned(found.epochs)
    title = "after each epoch"
    if len(shown) < len(found.epochs):
        title = f"after {len(shown)} of {len(found.epochs)} epochs (--json has all)"
    return fitting(console, title, columns, shown)


def _thinned(rows: "Sequence[Row]") -> "list[Row]":
    """Return the first, the last and some between, evenly spread."""
    last = len(rows) - 1
    if last < MOST_EPOCHS:
        return list(rows)
    return [rows[round(i * last / (MOST_EPOCHS - 1))] for i in range(MOST_EPOCHS)]


def _word(agrees: bool | None) -> str:
    return {True: "ok", False: "differs", None: "not judged"}[agrees]


def _small(number: float) -> str:
    return f"{number:.1e}"


def _loss(number: float) -> str:
    return f"{number:.4f}" if abs(number) < 1e6 else f"{number:.3g}"
