"""All searches, by name."""

from studies.l2_strength import LAMBDA
from studies.search_kind import SearchKind

SEARCHES: dict[str, SearchKind] = {kind.name: kind for kind in (LAMBDA,)}
