"""Lay the folders out as they are installed: ``build/linked/coarsefine/search/…``.

Tools that read source files by their import names (mypy, import-linter) do not follow the mapping
of ``setup.py``. They read this tree of links instead; where links cannot be made, of copies.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "linked"
FLOORS = ("search", "studies", "models", "db")


def link_tree(tree: Path = TREE) -> Path:
    """Return ``tree``, made anew."""
    shutil.rmtree(tree, ignore_errors=True)
    _link(ROOT / "coarsefine", tree / "coarsefine")
    for floor in FLOORS:
        _link(ROOT / floor, tree / "coarsefine" / floor)
    return tree


def _link(source: Path, target: Path) -> None:
    for path in source.rglob("*.py"):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.symlink_to(path)
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(path, place)


if __name__ == "__main__":
    link_tree()
