"""All searches, by name."""

from studies.grids import BATCH_SIZE, DATASET_SIZE, HIDDEN, TRICKS
from studies.l2_strength import LAMBDA
from studies.learning_rate import ETA, LAMBDA_ETA
from studies.search_kind import SearchKind

SEARCHES: dict[str, SearchKind] = {
    kind.name: kind for kind in (LAMBDA, ETA, LAMBDA_ETA, BATCH_SIZE, DATASET_SIZE, HIDDEN, TRICKS)
}
