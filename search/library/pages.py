"""What notebooks show: tables of the command line as HTML, with every text escaped."""

import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.console import COMMANDS, written

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Nothing that one has to scroll for is left out, and no column either.
_WIDE, _TERMINAL = 1000, 100
_STYLES: Final = {"bold": "font-weight:bold", "dim": "opacity:0.6"}


class Shown:
    """What is a table with lines below it, in a terminal and in a notebook."""

    def __repr__(self) -> str:
        return text(self._table, ["", *self._below()])

    def _repr_html_(self) -> str:
        return html(self._table, self._below())

    def _table(self, on: "Console") -> "Table":
        raise NotImplementedError

    def _below(self) -> Sequence[str]:
        raise NotImplementedError


def console(width: int = _WIDE) -> "Console":
    """Return what tables are laid out for: nothing is printed."""
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=width,
        highlight=False,
        color_system=None,
        # In a notebook it would show what it prints, whatever the file.
        force_jupyter=False,
    )


def text(layout: "Callable[[Console], Table]", below: Iterable[str] = ()) -> str:
    """Return a table as a terminal shows it, and lines below it.

    Columns give way where it gets too wide; none is cut.
    """
    on = console(_WIDE)
    with on.capture() as capture:
        on.print(layout(console(_TERMINAL)))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([*lines, *map(written, below)])


def html(layout: "Callable[[Console], Table]", below: Iterable[str] = ()) -> str:
    """Return a table as HTML, and lines below it."""
    table = layout(console(_WIDE))
    columns = table.columns
    sides = ["right" if column.justify == "right" else "left" for column in columns]
    heads = "".join(
        _cell("th", column.header, side) for column, side in zip(columns, sides, strict=True)
    )
    cells = [list(column.cells) for column in columns]
    rows = [
        f"<tr{_style(row.style)}>"
        + "".join(_cell("td", cells[place][number], side) for place, side in enumerate(sides))
        + "</tr>"
        for number, row in enumerate(table.rows)
    ]
    head = f"<thead><tr>{heads}</tr></thead>"
    lines = "".join(f"<div>{escaped(line)}</div>" for line in below)
    return (
        f"<table>{_caption(table.title or '')}{head}<tbody>{''.join(rows)}</tbody></table>"
        f'<div style="font-size:smaller;max-width:60em">{lines}</div>'
    )


def facts(title: str, found: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return names, and what is known under each, as HTML."""
    return _two_columns(title, ((name, "<br>".join(map(escaped, lines))) for name, lines in found))


def sections(title: str, found: Mapping[str, Any], stated: Collection[str]) -> str:
    """Return the sections of a recipe as HTML: bold is what is stated, the rest are defaults."""
    rows = []
    for name, section in found.items():
        keys = section if isinstance(section, Mapping) else {"": section}
        words = [
            f"<span{_style('bold' if whole in stated else 'dim')}>"
            f"{escaped(' '.join(filter(None, (key, _word(value)))))}</span>"
            for key, value in keys.items()
            for whole in [f"{name}.{key}" if key else name]
            if value is not None
        ]
        rows.append((name, ", ".join(words)))
    return _two_columns(title, rows)


def escaped(text: str) -> str:
    """Return a text as it can stand in a page: no markup, and nothing that turns it around."""
    return escape(COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text))


def _two_columns(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and of what is HTML already."""
    lines = "".join(
        f"<tr>{_cell('th', name, 'left')}<td{_ALIGNED['left']}>{content}</td></tr>"
        for name, content in rows
    )
    return f"<table>{_caption(title)}<tbody>{lines}</tbody></table>"


def _caption(title: Any) -> str:
    style = "text-align:left;font-weight:bold;caption-side:top"
    return f'<caption style="{style}">{escaped(str(title))}</caption>' if str(title) else ""


_ALIGNED: Final = {
    side: f' style="text-align:{side};vertical-align:top;padding:0.1em 0.6em"'
    for side in ("left", "right")
}


def _cell(tag: str, content: Any, side: str) -> str:
    lines = escaped(str(content)).replace("\n", "<br>")
    return f"<{tag}{_ALIGNED[side]}>{lines}</{tag}>"


def _style(style: Any) -> str:
    known = _STYLES.get(str(style or ""))
    return f' style="{known}"' if known else ""


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
