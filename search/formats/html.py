"""A report as one HTML file: good to read on a phone and on paper, light and dark, offline."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from coarsefine.search.formats.captions import numbered
from coarsefine.search.formats.style import STYLE, TEMPLATE
from coarsefine.search.formats.words import cell, clean, is_number
from coarsefine.search.tables.table import ExportTable
from coarsefine.studies.reports.parts import Block, Column, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def page(report: Report, figures: "Mapping[str, Figure]") -> bytes:
    """Return the page: figures are part of it, and it loads nothing.

    Its policy allows its own style sheet and pictures inside it, and nothing else: no script, no
    style of an element, no address.
    """
    pictures: dict[str, tuple[Markup, str]] = {}
    if figures:
        from coarsefine.search.formats.svg import inline

        captions = numbered(report, figures)
        for name, caption in captions.items():
            drawing = Markup(inline(figures[name], name))  # noqa: S704  # our own
            pictures[name] = (drawing, f"{caption.number}: {caption.shows}")
    text = _template().render(
        report=report,
        pictures=pictures,
        style=Markup(STYLE),  # noqa: S704  # no part of it is anyone's text
        policy=POLICY,
    )
    return text.encode()


def table_bytes(table: ExportTable) -> bytes:
    """Return a table alone, with what its marks and intervals claim below it."""
    import pandas as pd

    cells = pd.DataFrame(table.rounded()[0]).map(_on_a_line).rename(columns=_on_a_line)
    file = StringIO()
    cells.to_html(file, index=False, border=0, justify="left")
    below = "".join(f"<p>{escape(clean(line))}</p>\n" for line in table.explained())
    return f'<meta charset="utf-8">\n{file.getvalue()}\n{below}'.encode()


def _on_a_line(words: str) -> str:
    return " ".join(clean(words).split())


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every text of a report goes through this, whoever wrote it.
        finalize=lambda found: clean(found) if type(found) is str else found,
    )
    environment.tests["number"] = is_number
    environment.filters |= {
        "kind": _kind,
        "shown": _shown,
        "exact": _exact,
        "look": _look,
        "prose": _prose,
    }
    return environment.from_string(TEMPLATE)


def _kind(block: Block) -> str:
    return type(block).__name__


def _prose(text: str) -> str:
    """Return a text whose percentages stay on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _look(content: Any, column: Column) -> str:
    """Return the class of a cell: a number, a few words on a line, or a long text."""
    return "n" if is_number(column) else "b" if len(str(content)) <= _BRIEF else "l"


# Letters of a cell that a phone shows on one line.
_BRIEF: Final = 32


def _shown(content: Any, column: Column) -> str:
    return cell(column.kind, content)


def _exact(content: Any, column: Column) -> str | None:
    """Return a number as it is on record where the table rounds it, for those who copy it."""
    number = content[0] if column.kind == "measured" and content else content
    rounded = column.kind in {"percent", "measured", "loss", "value", "seconds", "error"}
    return repr(number) if rounded and isinstance(number, float) else None


_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
