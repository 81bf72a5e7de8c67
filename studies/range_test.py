"""η range tests of recipes: run once, kept in the database, and what they suggest for a cycle."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from db import repository
from db.engine import Database
from models.blas_threads import limited_blas
from models.cohort import CohortPlan
from models.data import PreparedData
from models.range_test import judged, range_test
from studies.errors import StudyError
from studies.recipe import Recipe, with_overrides
from studies.specs import recipe_key, to_specs

# From where nothing is learnt to where everything breaks down, whatever the optimizer.
LOW, HIGH = 1e-6, 1e2
# Fifty updates a decade and more: the noise of single batches has to average out.
MOST_UPDATES, LEAST_UPDATES = 2000, 400


@dataclass(frozen=True, slots=True)
class Found:
    """What a range test found, as it is kept.

    Attributes:
        etas: η by update.
        losses: Mean loss of the batch before the update.
        smoothed: The losses, averaged over neighbouring updates.
        accuracies: On the batch before the update, in [0, 1].
        eta_min: Suggested lower end of a cycle, two digits; ``None`` if the loss never fell.
        eta_max: Suggested upper end, two digits.
        broke_at: η at which training broke down; ``None`` if it did not.
    """

    etas: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    accuracies: Sequence[float]
    eta_min: float | None
    eta_max: float | None
    broke_at: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def range_test_of(
    database: Database | None,
    recipe: Recipe,
    data: PreparedData,
    low: float = LOW,
    high: float = HIGH,
) -> Found:
    """Return the recipe's range test: the one on record, or one made and recorded now.

    Args:
        database: Where it is kept; ``None`` keeps nothing.
        recipe: Network, optimizer, batch size; its schedule plays no part.
        data: What it is trained on.
        low: First η.
        high: Last η.

    Raises:
        StudyError: If the range is none.
    """
    if not 0 < low < high:
        raise StudyError(f"a range test needs 0 < low < high, got {low:g} and {high:g}")
    plain = with_overrides(recipe, {"training.schedule": "constant", "training.epochs": 1})
    network, training, numbers = to_specs(plain, data.n_features, data.n_classes, data.n_train)
    per_epoch = data.n_train // training.batch_size
    n_updates = min(MOST_UPDATES, max(LEAST_UPDATES, per_epoch))
    training = replace(training, n_updates=n_updates)
    plan = CohortPlan(network, training, (numbers,), recipe.seed)
    named = recipe_key(network, training, numbers, data_key=data.key, seed=recipe.seed, replicate=0)
    key = "range test " + hashlib.sha256(f"{named} {low!r} {high!r}".encode()).hexdigest()
    known = None if database is None else repository.get_measurement(database, key)
    if known is None:
        with limited_blas(1):
            found = range_test(plan, data.open(), low, high, n_updates)
        known = {
            "etas": [float(f"{eta:.6g}") for eta in found.etas],
            "losses": [_finite(loss) for loss in found.losses],
            "accuracies": found.accuracies.tolist(),
        }
        if database is not None:
            repository.set_measurement(database, key, json.loads(json.dumps(known)))
    losses = [float("inf") if loss is None else loss for loss in known["losses"]]
    seen = judged(known["etas"], losses, known["accuracies"])
    return Found(
        etas=known["etas"],
        losses=known["losses"],
        smoothed=[_finite(loss) for loss in seen.smoothed],  # type: ignore[misc]
        accuracies=known["accuracies"],
        eta_min=_two_digits(seen.eta_min),
        eta_max=_two_digits(seen.eta_max),
        broke_at=_two_digits(seen.broke_at),
    )


def suggested(database: Database | None, recipe: Recipe, data: PreparedData) -> tuple[float, float]:
    """Return the ends of a cycle that the recipe's range test suggests.

    Raises:
        StudyError: If the loss did not fall at any η.
    """
    found = range_test_of(database, recipe, data)
    if found.eta_min is None or found.eta_max is None or found.eta_min >= found.eta_max:
        raise StudyError(
            f"the range test found no η between {LOW:g} and {HIGH:g} at which the loss falls; "
            "state --eta-min and --eta-max"
        )
    return found.eta_min, found.eta_max


def _two_digits(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.1e}")


def _finite(loss: float) -> float | None:
    return float(f"{loss:.6g}") if abs(loss) < float("inf") else None
