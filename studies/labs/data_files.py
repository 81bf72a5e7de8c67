"""Data that submitted recipes name: a data set, or a file of the server's."""

from collections.abc import Sequence
from pathlib import Path

from coarsefine.models.data.catalogue import CATALOGUE, FILE_ENDINGS, meaning, unknown_name
from coarsefine.models.errors import DataError
from coarsefine.studies.errors import StudyError


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
        StudyError: If it lies elsewhere: whoever submits a recipe may not read all that this
            machine can.
        DataError: If it is not there.
    """
    path = Path(data)
    places = [Path.cwd() / path, *([] if data_dir is None else [data_dir / path])]
    roots = [folder.resolve() for folder in folders]
    inside = [p for p in places if any(p.resolve().is_relative_to(root) for root in roots)]
    if not inside:
        raise StudyError(
            f"data files of submitted recipes must lie in the server's folders "
            f"({', '.join(map(str, roots))}), got {data}"
        )
    found = meaning(str(next((p for p in inside if p.exists()), inside[0])))
    return str(found)
