#!/usr/bin/env python3
"""Make the README's pictures from real runs, in docs/pictures; takes some seconds.

The report is photographed by Chromium, if there is one.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 116
MOST_BYTES = 150_000
SEARCHES = ("lambda --coarse", "lambda --fine", "test")
AS_IT_IS = textwrap.TextWrapper(
    COLUMNS, subsequent_indent="  ", replace_whitespace=False, break_on_hyphens=False
)
THEME = TerminalTheme((250, 250, 250), (36, 41, 46), [(0, 0, 0)] * 8, [(0, 0, 0)] * 8)


def run(folder: Path, words: str) -> str:
    """Return what a command prints on a terminal, notes included, typed in a new folder."""
    # The program leaves its columns out to fit, as in a terminal of this width.
    environment = os.environ | {"COLUMNS": str(COLUMNS), "PYTHONPATH": str(ROOT)}
    environment.pop("SEARCH_STORAGE", None)
    done = subprocess.run(  # noqa: S603  # our own commands
        [sys.executable, "-m", "search", *words.split()],
        cwd=folder,
        env=environment,
        check=True,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return f"$ python -m search {words}\n{done.stdout}"


def as_svg(text: str, title: str) -> str:
    """Return a terminal with a text in it; letters are text, and nothing is fetched."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    for line in text.rstrip("\n").split("\n"):
        strong = line.startswith(("$ ", "next: "))
        # As the program does on a terminal: here it writes into a pipe.
        for part in AS_IT_IS.wrap(line) or [""]:
            console.print(Text(part, style="bold" if strong else ""), soft_wrap=True)
    drawn = console.export_svg(title=title, theme=THEME, unique_id="terminal")
    # Rich would have browsers fetch a font from somewhere else.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return re.sub(r"Fira Code", "DejaVu Sans Mono, Menlo, Consolas", drawn)


def photograph(page: Path, picture: Path) -> None:
    """Take a picture of the top of a page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium: the picture of the report stays as it is", file=sys.stderr)  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as profile:
        flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run"
        quiet = "--disable-quic --disable-sync --disable-background-networking"
        subprocess.run(  # noqa: S603  # a file of ours
            [
                chromium,
                *flags.split(),
                *quiet.split(),
                "--disable-component-update",
                f"--user-data-dir={profile}",
                "--window-size=820,900",
                f"--screenshot={picture}",
                page.as_uri(),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


def main() -> int:
    """Make all pictures; fails if one is too large for a README."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coarse, *_ = [run(folder, words) for words in SEARCHES]
        svg = as_svg(coarse, "a coarse search of λ")
        (PICTURES / "search.svg").write_text(svg, encoding="utf-8")
        run(folder, "plot values -o values.png")
        shutil.copy(folder / "values.png", PICTURES / "values.png")
        run(folder, "report -o report.html")
        photograph(folder / "report.html", PICTURES / "report.png")
    sizes = {picture.name: picture.stat().st_size for picture in sorted(PICTURES.iterdir())}
    for picture, size in sizes.items():
        print(f"{picture}: {size / 1000:.0f} kB")  # noqa: T201
    return int(max(sizes.values()) > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
