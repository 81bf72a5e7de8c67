"""Tables of networks: gradients checked, parameters counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.models.gradient_check import ParameterCheck
from coarsefine.models.parameter_count import LayerCount
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import value
from coarsefine.studies.checks.network import NetworkCheck

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def check_table(console: "Console", title: str, checks: Sequence[ParameterCheck]) -> "Table":
    """Return the errors of each parameter tensor of a network."""
    columns: list[TextColumn[ParameterCheck]] = [
        TextColumn("parameter", lambda c: c.name, right=False),
        TextColumn("max absolute\nerror", lambda c: f"{c.max_absolute_error:.2e}"),
        TextColumn("max relative\nerror", lambda c: f"{c.max_relative_error:.2e}"),
        TextColumn("checked", lambda c: f"{c.n_checked:,}"),
        TextColumn("skipped", lambda c: f"{c.n_skipped:,}"),
        TextColumn("", lambda c: "ok" if c.passed else "wrong", right=False),
    ]
    return fitting(console, title, columns, checks)


def checks_table(console: "Console", title: str, checks: Sequence[NetworkCheck]) -> "Table":
    """Return the largest errors of many networks."""
    columns: list[TextColumn[NetworkCheck]] = [
        TextColumn("network", lambda c: "-".join(map(str, c.network.widths)), right=False),
        TextColumn(
            "activation", lambda c: c.network.activation if c.network.hidden else "–", right=False
        ),
        TextColumn("loss", lambda c: c.network.loss, right=False),
        TextColumn("λ", lambda c: value(c.l2_strength)),
        TextColumn("max relative\nerror", lambda c: f"{c.worst:.2e}"),
        TextColumn("", lambda c: "ok" if c.passed else "wrong", right=False),
    ]
    return fitting(console, title, columns, checks)


def layers_table(console: "Console", title: str, layers: Sequence[LayerCount]) -> "Table":
    """Return the parameters of each layer and their sums, in both conventions."""
    rows = [
        (
            layer.name,
            layer.arithmetic,
            f"{layer.n_parameters:,}",
            layer.arithmetic_bias_trick,
            f"{layer.n_parameters_bias_trick:,}",
        )
        for layer in layers
    ]
    total = f"{sum(layer.n_parameters for layer in layers):,}"
    total_trick = f"{sum(layer.n_parameters_bias_trick for layer in layers):,}"
    columns: list[TextColumn[tuple[str, ...]]] = [
        TextColumn("layer", lambda r: r[0], right=False),
        TextColumn("inputs × outputs", lambda r: r[1], right=False),
        TextColumn("parameters", lambda r: r[2]),
        TextColumn("with the bias trick", lambda r: r[3], right=False),
        TextColumn("parameters", lambda r: r[4]),
    ]
    last = ("total", "", total, "", total_trick)
    return fitting(
        console, title, columns, [*rows, last], lambda row: "bold" if row is last else ""
    )
