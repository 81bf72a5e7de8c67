"""Data that submitted recipes name: a data set, or a file of the server's."""

from collections.abc import Sequence
from pathlib import Path

from coarsefine.models.data.catalogue import CATALOGUE, FILE_ENDINGS, meaning, unknown_name
from coarsefine.models.data.confinement import confined
from coarsefine.models.errors import DataError


def names_file(data: str) -> bool:
    """Return whether data are named by a file, which is the server's.

    Raises:
        DataError: If they are neither that nor a data set.
    """
    if data in CATALOGUE:
        return False
    path = Path(data)
    if path.suffix.lower() in FILE_ENDINGS or len(path.parts) > 1:
        return True
    raise DataError(unknown_name(data))


def server_file(data: str, folders: Sequence[Path], data_dir: Path | None) -> str:
    """Return where a file of data lies on this machine.

    Args:
        data: As a recipe names it; relative to the working folder, or to ``data_dir``.
        folders: Where files may lie.
        data_dir: The folder of data files.

    Raises:
        DataError: If it is not there, or lies elsewhere: whoever submits a recipe may not read all
            that this machine can.
    """
    with confined(folders):
        return str(Path.cwd() / str(meaning(data, data_dir)))
