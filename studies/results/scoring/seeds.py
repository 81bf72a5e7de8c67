"""How far seeds move a score beyond what its samples show, where a study has one seed or few."""

from dataclasses import dataclass
from typing import Final, Self

from coarsefine.studies.results.evidence.intervals import ASSUMED_RUN
from coarsefine.studies.results.evidence.spread import ASSUMED, Spread


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """What is assumed of seeds that were not repeated, and known besides of those that were.

    Attributes:
        run: Of one run's score.
        pair: Of the difference of two.
        source: The study that it was measured in; ``None`` where it is assumed.
        ratio: How seeds were to samples in that study; ``None`` where that is not known.
    """

    run: Spread
    pair: Spread
    source: str | None = None
    ratio: Spread | None = None

    def times(self, factor: float) -> Self:
        """Return the same for scores of so many times the variance."""
        return type(self)(
            Spread(extra=self.run.extra * factor), Spread(extra=self.pair.extra * factor)
        )


ASSUMED_SEEDS: Final = SeedNoise(ASSUMED_RUN, ASSUMED)
