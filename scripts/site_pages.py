"""Pages of the site that are no files of docs/: the README and others, and the Python reference.

MkDocs calls the functions by their names (`hooks` in mkdocs.yml). Links between the files of the
repository, which lead somewhere on any page that shows them as Markdown, are led to their pages.
"""

import inspect
import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import coarsefine
from scripts.link_tree import FLOORS

ROOT = Path(__file__).parents[1]
# Files of the repository beside docs/, by the page that they become.
BESIDE = {
    "start.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
PICTURE = "benchmarks/scaling.png"
SOURCE = ROOT / "build" / "documented"
_NO_SOURCE = shutil.ignore_patterns("__pycache__")
_LINK = re.compile(r"(\]\(|src=\")(?!\w+:|#)([^)\s#\"]+)")


def on_startup(**_: Any) -> None:
    """Lay the source out for the reference as it is installed (``paths`` in mkdocs.yml).

    It is copied: who reads the reference from the source follows links to where no floors are. It
    must be there before other plugins read the configuration: a path that is not is left out.
    """
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "coarsefine", SOURCE / "coarsefine", ignore=_NO_SOURCE)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, SOURCE / "coarsefine" / floor, ignore=_NO_SOURCE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and the reference."""
    decisions = sorted(file.src_uri for file in files if file.src_uri.startswith("decisions/"))
    _fill(config.nav, decisions)
    for page, source in BESIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, PICTURE, abs_src_path=str(ROOT / PICTURE)))
    files.append(File.generated(config, "api.md", content=reference()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links between files of the repository to their pages."""
    uri = page.file.src_uri
    here = (ROOT / BESIDE[uri] if uri in BESIDE else ROOT / "docs" / uri).parent
    depth = uri.count("/")

    def led(link: re.Match[str]) -> str:
        target = (here / link[2]).resolve().relative_to(ROOT).as_posix()
        return f"{link[1]}{'../' * depth}{_PAGES.get(target, target.removeprefix('docs/'))}"

    return _LINK.sub(led, markdown)


_PAGES = {source: page for page, source in BESIDE.items()} | {
    "docs/decisions": "decisions/0001-our-tables-are-the-record.md",
    "docs/notebook.ipynb": "library.md",
}


def reference() -> str:
    """Return the page on the public names, each of which must say what it is.

    Raises:
        PluginError: If a public name, or a public member of one, has no docstring.
    """
    silent = [name for name in coarsefine.__all__ for name in _without_docstring(name)]
    if silent:
        raise PluginError(f"public names without a docstring: {', '.join(silent)}")
    names = "\n\n".join(f"::: coarsefine.{name}" for name in coarsefine.__all__)
    head = "# Python reference\n\nExamples are in [In Python and in notebooks](library.md)."
    return f"{head}\n\n{names}\n"


def _without_docstring(name: str) -> list[str]:
    """Return which of a public name and its own public members say nothing."""
    public = getattr(coarsefine, name)
    members = {
        f"{name}.{member}": value
        for member, value in vars(public).items()
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }
    return [
        place for place, value in {name: public, **members}.items() if not inspect.getdoc(value)
    ]


def _fill(nav: Any, decisions: list[str]) -> None:
    """Put the decisions in the place that the navigation has for them."""
    for entry in nav:
        for title, below in entry.items() if isinstance(entry, dict) else ():
            if below == "decisions":
                entry[title] = decisions
            elif isinstance(below, list):
                _fill(below, decisions)
