"""All searches, by name."""

from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.grids import BATCH_SIZE, DATASET_SIZE, HIDDEN, TRICKS
from coarsefine.studies.spaces.searches.l2_strength import LAMBDA
from coarsefine.studies.spaces.searches.learning_rate import ETA, LAMBDA_ETA

SEARCHES: dict[str, SearchKind] = {
    kind.name: kind for kind in (LAMBDA, ETA, LAMBDA_ETA, BATCH_SIZE, DATASET_SIZE, HIDDEN, TRICKS)
}
