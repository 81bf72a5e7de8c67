"""A figure as a file: the same figure is the same bytes."""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from search.errors import UsageError
from search.figures.style import DPI, caption_of, house_style

FORMATS: Final = ("png", "svg", "pdf")


def format_of(file: Path | None, name: str | None) -> str:
    """Return the format that is named, or else the one of the file's ending, or png.

    Raises:
        UsageError: If it is none of ours.
    """
    from studies.suggestions import did_you_mean

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


def rendered(figure: Figure, file_format: str) -> bytes:
    """Return the file of a figure: ``png``, ``svg`` or ``pdf``.

    It holds no time and no user's name, and says inside what it shows.
    """
    buffer = BytesIO()
    with house_style():
        figure.savefig(buffer, format=file_format, dpi=DPI, metadata=_metadata(figure, file_format))
    return buffer.getvalue()


def _metadata(figure: Figure, file_format: str) -> dict[str, Any]:
    caption = caption_of(figure)
    known: dict[str, dict[str, Any]] = {
        "png": {"Description": caption},
        "svg": {"Date": None, "Description": caption},
        "pdf": {"CreationDate": None, "ModDate": None, "Subject": caption},
    }
    return known[file_format]
