#!/usr/bin/env python3
"""Write the part of docs/recipes.md that says which keys there are; ``--check`` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "recipes.md"
sys.path.insert(0, str(PAGE.parent.parent))  # run from a clone, installed or not

from coarsefine.studies.recipes.keys import KEYS, Key  # noqa: E402

BEGIN = "<!-- from studies/recipes/keys: scripts/make_recipe_docs.py -->"
END = "<!-- end of keys -->"


def page(text: str) -> str:
    """Return the page with its generated part as it should be."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    rows = "\n".join(_rows())
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


def _rows() -> Iterator[str]:
    yield from ("| key | option | what it says | a search varies it |", "| --- | --- | --- | --- |")
    for key in KEYS.values():
        option = "none" if key.not_an_option else f"`{key.flag}`"
        searched = f"no: {key.not_searched}" if key.not_searched else _searched(key)
        yield f"| `{key.key}` | {option} | {_escaped(key.help)} | {searched} |"


def _searched(key: Key) -> str:
    return "yes, and trains its values together" if key.per_trial else "yes"


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
