#!/usr/bin/env python3
"""Write the part of docs/cli.md that says what ``--help`` says; ``--check`` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
sys.path.insert(0, str(PAGE.parent.parent))  # run from a clone, installed or not

from coarsefine.search.cli import build  # noqa: E402

BEGIN, END = "<!-- from --help: scripts/make_cli_docs.py -->", "<!-- end of --help -->"


def page(text: str) -> str:
    """Return the page with its generated part as it should be."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def reference() -> str:
    """Return a chapter a command."""
    return "\n".join(line for path, command in _commands() for line in _chapter(path, command))


def _commands() -> Iterator[tuple[str, Any]]:
    root: Any = get_command(build())
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {other}", sub) for other, sub in inner.items())


def _chapter(path: str, command: Any) -> Iterator[str]:
    words = [
        p.metavar if p.metavar.startswith("[") or p.required else f"[{p.metavar}]"
        for p in command.params
        if p.param_type_name == "argument"
    ]
    yield from (f"### {path}", "", f"    python -m search {' '.join([path, *words])} [OPTIONS]", "")
    for paragraph in command.help.strip().split("\n\n"):
        head, _, rest = paragraph.partition("\n")
        yield from (head, "", *(rest.split("\n") if rest else ()), *([""] if rest else ()))
    panels: dict[str, list[Any]] = {}
    for parameter in command.params:
        if not getattr(parameter, "hidden", False) and parameter.name != "help":
            panel = getattr(parameter, "rich_help_panel", None) or "Arguments"
            panels.setdefault(panel, []).append(parameter)
    for panel, parameters in panels.items():
        yield from (f"| {panel} | |", "| --- | --- |")
        yield from (f"| {_name(p)} | {_escaped(p.help)} |" for p in parameters)
        yield ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if not parameter.metavar else f"{names} `{_escaped(parameter.metavar)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page, or compare it."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if "--check" in sys.argv[1:]:
        return int(text != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
