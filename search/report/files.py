"""The files of a report: the page itself, and figures beside it where it cannot hold them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coarsefine.search.errors import UsageError
from coarsefine.search.formats import latex, markdown
from coarsefine.search.formats.captions import numbered
from coarsefine.search.formats.pdf import compiled
from coarsefine.studies.reports.parts import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Rendered:
    """A report ready to be written.

    Attributes:
        page: The file itself.
        beside: Figures, by their names in the folder beside it.
    """

    page: bytes
    beside: Mapping[str, bytes] = field(default_factory=dict)


def rendered(
    report: Report, file_format: str, figures: "Mapping[str, Figure]", folder: str
) -> Rendered:
    """Return the files of a report.

    Args:
        report: What it says.
        file_format: One of ``FORMATS``.
        figures: By the names of their places; those that the report has a place for are shown.
        folder: What the folder of the figures is called, for formats that need one.

    Raises:
        ExportError: If it cannot be made on this machine.
    """
    return FORMATS[file_format](report, figures, folder)


def format_of(file: Path | None) -> str:
    """Return the format that a file's ending names; HTML without a file.

    Raises:
        UsageError: If it is none of ours.
    """
    # A pipe or a device, as /dev/stdout, has no ending.
    other = file is not None and file.exists() and not (file.is_file() or file.is_dir())
    if file is None or (not file.suffix and other):
        return "html"
    ending = file.suffix.lower().removeprefix(".")
    found = _ENDINGS.get(ending, ending)
    if found not in FORMATS:
        raise UsageError(f"reports must end in .{', .'.join(FORMATS)}, got {file.name}")
    return found


# Each is imported when it is asked for: start-up counts.


def _html(report: Report, figures: "Mapping[str, Figure]", _folder: str) -> Rendered:
    from coarsefine.search.formats.html import page

    return Rendered(page(report, figures))


def _md(report: Report, figures: "Mapping[str, Figure]", folder: str) -> Rendered:
    captions = numbered(report, figures)
    beside = _drawn(figures, captions, "png")
    return Rendered(markdown.text(report, captions, folder).encode(), beside)


def _tex(report: Report, figures: "Mapping[str, Figure]", folder: str) -> Rendered:
    captions = numbered(report, figures)
    beside = _drawn(figures, captions, "pdf")
    return Rendered(latex.text(report, captions, folder).encode(), beside)


def _pdf(report: Report, figures: "Mapping[str, Figure]", _folder: str) -> Rendered:
    source = _tex(report, figures, "figures")
    return Rendered(compiled(source.page, "figures", source.beside))


def _drawn(
    figures: "Mapping[str, Figure]", names: Iterable[str], file_format: str
) -> dict[str, bytes]:
    """Return the files of some figures; matplotlib is only imported where there are any."""
    if not figures:
        return {}
    from coarsefine.search.figures.rendering import rendered as drawn

    return {f"{name}.{file_format}": drawn(figures[name], file_format) for name in names}


FORMATS: Final[dict[str, Callable[[Report, "Mapping[str, Figure]", str], Rendered]]] = {
    "html": _html,
    "md": _md,
    "tex": _tex,
    "pdf": _pdf,
}
_ENDINGS: Final = {"htm": "html", "markdown": "md", "latex": "tex"}
