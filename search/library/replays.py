"""What sloppier protocols would have concluded, to be looked at and taken on as a data frame."""

from typing import TYPE_CHECKING, Any

from coarsefine.search.library.pages import Shown
from coarsefine.studies.results.notes.replaying import concluded, honest, left_out, legend

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.results.replay.protocols import Replay as Found


class Replay(Shown):
    """A study under sloppier protocols: which value each would have named, with which accuracy."""

    def __init__(self, found: "Found") -> None:
        self._found = found

    @property
    def conclusion(self) -> str:
        """Return in a paragraph how often another value is named, and how far headlines flatter."""
        return concluded(self._found)

    @property
    def left_out(self) -> dict[str, str]:
        """Return which protocols could not be replayed, and why."""
        return {str(name): reason for name, reason in self._found.left_out.items()}

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a case of each protocol, see ``docs/library.md``."""
        import pandas as pd

        rows = [
            {
                "protocol": protocol.name,
                "case": case.name,
                "stage": case.winner.stage,
                "trial": case.winner.trial,
                **case.winner.params,
                "headline": case.headline,
                "honest": case.honest,
                "flattery": case.flattery,
                "another": case.another,
                "worse": case.worse,
            }
            for protocol in self._found.protocols
            for case in protocol.cases
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``replay --json`` prints, see ``docs/cli.md``."""
        from coarsefine.search.tables.replay import to_json

        return to_json(self._found)

    def _table(self, on: "Console") -> "Table":
        from coarsefine.search.tables.replay import replay_table

        return replay_table(on, self._found)

    def _below(self) -> list[str]:
        found = self._found
        return [honest(found), self.conclusion, *legend(found), *left_out(found)]
