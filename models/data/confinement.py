"""Which folders files of data may be read from, where not everything that asks is trusted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coarsefine.models.errors import DataError

# Of the whole process, threads included: whatever asks for a file passes through ``allowed``.
_folders: tuple[Path, ...] | None = None


def folders() -> tuple[Path, ...] | None:
    """Return the folders that files of data may be read from; ``None`` is anywhere."""
    return _folders


@contextmanager
def confined(inside: Sequence[Path] | None) -> Iterator[None]:
    """Have this process read files of data in some folders only, links followed.

    Args:
        inside: The folders; ``None`` leaves things as they are.
    """
    global _folders  # noqa: PLW0603
    before = _folders
    if inside is not None:
        _folders = tuple(folder.resolve() for folder in inside)
    try:
        yield
    finally:
        _folders = before


def allowed(name: str, places: Sequence[Path]) -> list[Path]:
    """Return those of the places that may be looked at; the others are not even looked for.

    Args:
        name: What was asked for.
        places: Where it could lie.

    Raises:
        DataError: If it may be read in none of them.
    """
    if _folders is None:
        return list(places)
    inside = [p for p in places if any(p.resolve().is_relative_to(root) for root in _folders)]
    if not inside:
        raise DataError(
            "data files of submitted recipes must lie in the server's folders "
            f"({', '.join(map(str, _folders))}), got {name[:200]}"
        )
    return inside
