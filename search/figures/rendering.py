"""A figure as a file: the same figure is the same bytes.

Imports matplotlib when a figure is made into a file: names of files are checked without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.errors import UsageError
from coarsefine.search.files import check_place, write
from coarsefine.studies.errors import did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")
DPI: Final = 250


def format_of(file: Path | None, name: str | None) -> str:
    """Return the format that is named, or else the one of the file's ending, or png.

    Raises:
        UsageError: If it is none of ours.
    """
    if name is not None:
        found = name.lower().removeprefix(".")
        if found not in FORMATS:
            raise UsageError(
                f"--format must be one of {', '.join(FORMATS)}, got {name!r}"
                f"{did_you_mean(found, FORMATS)}"
            )
        return found
    if file is None or not file.suffix or file.is_dir():
        return FORMATS[0]
    ending = file.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(
            f"figures must end in .{', .'.join(FORMATS)}, got {file.name}; or name the format with "
            "--format"
        )
    return ending


def rendered(figure: "Figure", file_format: str) -> bytes:
    """Return the file of a figure: ``png``, ``svg`` or ``pdf``.

    It holds no time and no user's name, and says inside what it shows.
    """
    from coarsefine.search.figures.style import house_style

    buffer = BytesIO()
    with house_style(), _laid_out(figure):
        figure.savefig(buffer, format=file_format, dpi=DPI, metadata=_metadata(figure, file_format))
    return buffer.getvalue()


def check_file(file: Path | None) -> None:
    """Raise an error unless a figure can be written there; ``None`` is no figure.

    Raises:
        UsageError: If its ending is none of ours.
        ExportError: If it cannot be a file.
    """
    if file is not None:
        format_of(file, None)
        check_place(file)


def write_figure(file: Path, figure: "Figure") -> None:
    """Write a figure into a file, by whose ending its format goes."""
    write(file, rendered(figure, format_of(file, None)))


def caption_of(figure: "Figure") -> str:
    """Return what a figure of ours shows, in a sentence or two."""
    return str(figure.get_label())


@contextmanager
def _laid_out(figure: "Figure") -> Iterator[None]:
    """Keep panels where their layout puts them, to the millionth of a figure.

    The layout's solver takes its constraints in the order of their addresses, so that the last
    digits differ from run to run; in an SVG they are part of names.
    """
    from matplotlib.transforms import Bbox

    engine = figure.get_layout_engine()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    places = [
        (panel, panel.get_position(original=True), panel.get_in_layout()) for panel in figure.axes
    ]
    for panel, place, _ in places:
        rounded = Bbox.from_bounds(*(round(each, 6) for each in place.bounds))
        panel.set_position(rounded, which="original")
    try:
        yield
    finally:
        for panel, place, in_layout in places:
            panel.set_position(place, which="original")
            panel.set_in_layout(in_layout)
        figure.set_layout_engine(engine)


def _metadata(figure: "Figure", file_format: str) -> dict[str, Any]:
    # A name may hold what no XML may, and a viewer should not be told.
    caption = "".join(c if c.isprintable() or c == "\n" else "□" for c in caption_of(figure))
    known: dict[str, dict[str, Any]] = {
        "png": {"Description": caption},
        "svg": {"Date": None, "Description": caption},
        "pdf": {"CreationDate": None, "ModDate": None, "Subject": caption},
    }
    return known[file_format]
