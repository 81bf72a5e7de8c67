"""What a figure is drawn of: a study in a database, and what was asked of the figure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from coarsefine.studies.results.ranking import top

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.db.records import TestOpeningRecord
    from coarsefine.studies.results.ranking import RankedTrial, Ranking


Against = Literal["epochs", "updates"]
AGAINST: Final[tuple[Against, ...]] = get_args(Against)
On = Literal["validation", "test"]
ON: Final[tuple[On, ...]] = get_args(On)


@dataclass(frozen=True, slots=True)
class Subject:
    """What figures are drawn of.

    Attributes:
        trials: Those that figures of single trials show; the best ones unless named.
        n_best: How many of the best; as many as suits the figure unless named.
        against: What curves are drawn against.
        on: Which samples confusions are of; ``None`` for the test set where it was opened.
        known_openings: Final tests of the study, if they were read already.
    """

    database: "Database"
    ranking: "Ranking"
    trials: "tuple[RankedTrial, ...]" = ()
    n_best: int | None = None
    against: Against = "epochs"
    on: "On | None" = None
    known_openings: "tuple[TestOpeningRecord, ...] | None" = None

    def chosen(self) -> "tuple[RankedTrial, ...]":
        """Return the trials to show: those named, or so many of the best, one unless named."""
        return self.trials or top(self.ranking.trials, self.n_best or 1)

    def latest_opening(self) -> "TestOpeningRecord | None":
        """Return the latest final test."""
        from coarsefine.db import repository

        openings = self.known_openings
        if openings is None:
            openings = tuple(repository.openings(self.database, self.ranking.study))
        return openings[-1] if openings else None
