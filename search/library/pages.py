"""What notebooks show: tables of the command line as HTML, with every text escaped."""

import io
from collections.abc import Collection, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Nothing that one has to scroll for is left out, and no column either.
_WIDE, _TERMINAL = 1000, 100
_STYLES: Final = {"bold": "font-weight:bold", "dim": "opacity:0.6"}


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


def text(table: "Table", below: Iterable[str] = ()) -> str:
    """Return a table as a terminal shows it, and lines below it."""
    on = console(_TERMINAL)
    with on.capture() as capture:
        on.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([*lines, *below])


def html(table: "Table", below: Iterable[str] = ()) -> str:
    """Return a table as HTML, and lines below it."""
    columns = table.columns
    heads = "".join(
        f'<th style="text-align:{column.justify}">{_lines(column.header)}</th>'
        for column in columns
    )
    cells = [list(column.cells) for column in columns]
    rows = [
        f"<tr{_style(row.style)}>"
        + "".join(
            f'<td style="text-align:{column.justify}">{_lines(cells[place][number])}</td>'
            for place, column in enumerate(columns)
        )
        + "</tr>"
        for number, row in enumerate(table.rows)
    ]
    title = f"<caption{_CAPTION}>{_lines(table.title)}</caption>" if table.title else ""
    head = f"<thead><tr>{heads}</tr></thead>" if any(column.header for column in columns) else ""
    return f"<table>{title}{head}<tbody>{''.join(rows)}</tbody></table>{_paragraphs(below)}"


_CAPTION: Final = ' style="text-align:left;font-weight:bold;caption-side:top"'


def _lines(content: Any) -> str:
    return escape(str(content)).replace("\n", "<br>")


def _style(style: Any) -> str:
    known = _STYLES.get(str(style or ""))
    return f' style="{known}"' if known else ""


def _paragraphs(lines: Iterable[str]) -> str:
    written = [f"<div>{escape(line)}</div>" for line in lines]
    return f'<div style="font-size:smaller">{"".join(written)}</div>' if written else ""


def sections_html(title: str, sections: Mapping[str, Any], stated: Collection[str]) -> str:
    """Return sections of keys as a table: bold is what is stated, the rest are defaults."""
    rows = []
    for name, section in sections.items():
        single = not isinstance(section, Mapping)
        for key, value in ({name: section} if single else section).items():
            if value is None:
                continue
            whole = key if single else f"{name}.{key}"
            style = _style("bold" if whole in stated else "dim")
            rows.append(
                f'<tr{style}><td style="text-align:left">{escape(whole)}</td>'
                f'<td style="text-align:left">{escape(_word(value))}</td></tr>'
            )
    caption = f"<caption{_CAPTION}>{escape(title)}</caption>"
    return f"<table>{caption}<tbody>{''.join(rows)}</tbody></table>"


def facts_html(title: str, facts: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return names and what is known under each as a table."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{"<br>".join(map(escape, lines))}</td></tr>'
        for name, lines in facts
    )
    return f"<table><caption{_CAPTION}>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "-".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
