"""What a stage would train and take, to be looked at before it is called."""

from typing import TYPE_CHECKING, Any

from coarsefine.search.tables.forecast import lines

if TYPE_CHECKING:
    from coarsefine.studies.planning.forecast import Forecast as Found


class Forecast:
    """What a stage would train if it was called now, and what that takes on this machine.

    Attributes are those of ``forecast`` in ``--dry-run --json``, see ``docs/cli.md``: ``seconds``
    of all of it, ``by_seed`` of the first seed, the first two and so on, ``n_parameters``,
    ``multiply_adds`` of an update, ``worker_bytes`` and ``sample_bytes`` of memory.
    """

    def __init__(self, found: "Found") -> None:
        self._found = found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._found, name)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--dry-run --json`` prints of it, see ``docs/cli.md``."""
        return self._found.to_json()

    def __repr__(self) -> str:
        return "\n".join(lines(self._found))
