"""η range tests of recipes: run once, kept in the database, and what they suggest for a cycle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.hints import option
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.data import PreparedData
from coarsefine.models.range_test import judged, range_test
from coarsefine.models.specs import Hyperparameters, TrainingSpec
from coarsefine.studies.checks.network import check_own_network
from coarsefine.studies.errors import SpaceError, StudyError
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.recipes.specs import recipe_key, to_specs

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
        key: What it is kept under.
    """

    etas: Sequence[float]
    losses: Sequence[float | None]
    smoothed: Sequence[float | None]
    accuracies: Sequence[float]
    eta_min: float | None
    eta_max: float | None
    broke_at: float | None
    key: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it by name."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "key"}


def check_range(low: float, high: float) -> None:
    """Raise a SpaceError unless η can rise from ``low`` to ``high``."""
    if not 0 < low < high:
        raise SpaceError(f"a range test needs 0 < low < high, got {low:g} and {high:g}")


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
        StudyError: If the range is none, or the recipe names a custom trainer.
    """
    check_range(low, high)
    check_own_network(recipe, "a range test")
    key = _key(recipe, data, low, high)
    plain = with_overrides(recipe, {"training.schedule": "constant", "training.epochs": 1})
    network, training, numbers = to_specs(plain, data.n_features, data.n_classes, data.n_train)
    per_epoch = data.n_train // training.batch_size
    n_updates = min(MOST_UPDATES, max(LEAST_UPDATES, per_epoch))
    training = replace(training, n_updates=n_updates)
    plan = CohortPlan(network, training, (numbers,), recipe.seed)
    known = None if database is None else repository.get_measurement(database, key)
    if known is None:
        with limited_blas(1):
            test = range_test(plan, data.open(), low, high, n_updates)
        known = {
            "etas": [float(f"{eta:.6g}") for eta in test.etas],
            "losses": [_finite(loss) for loss in test.losses],
            "accuracies": test.accuracies.tolist(),
        }
    found = _found(known, key)
    if database is not None:
        keep(database, found)
    return found


def keep(database: Database, found: Found) -> None:
    """Record a range test, unless it is on record."""
    if repository.get_measurement(database, found.key) is None:
        known = {name: list(getattr(found, name)) for name in ("etas", "losses", "accuracies")}
        repository.set_measurement(database, found.key, known)


def recorded(database: Database, study: StudyRecord) -> Found | None:
    """Return the latest range test on record of a study's recipe, data and seed; no data is read.

    ``None`` if there was none.
    """
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    if recipe.trainer is not None:
        return None
    data = study.data
    same = _Same(
        study.data_fingerprint,
        *(data[name] for name in ("split_fingerprint", "normalisation")),
        *(int(data[name]) for name in ("n_features", "n_classes", "n_train")),
    )
    found = repository.measurements(database, _name(recipe, same))
    return _found(found[-1]) if found else None


@dataclass(frozen=True, slots=True)
class _Same:
    """What makes data the same, of the data itself or of a study's record."""

    fingerprint: str
    split_fingerprint: str
    normalisation: str
    n_features: int
    n_classes: int
    n_train: int


def _key(recipe: Recipe, data: PreparedData, low: float, high: float) -> str:
    """Return under which key a range test is kept."""
    same = _Same(**{name: getattr(data, name) for name in _Same.__slots__})
    return f"{_name(recipe, same)} {low!r} {high!r}"


# The hyperparameters that play a part in a range test: all but those of schedules.
COUNTING = tuple(
    key.field
    for key in KEYS.values()
    if key.field
    and key.field != "warm_up"
    and (key.needs is None or key.needs.choice != "schedule")
)


def _name(recipe: Recipe, data: _Same) -> str:
    """Return what range tests of a recipe are called: all that decides one but its ends.

    Schedule and length play no part in it, nor do stopping and scores.
    """
    network, training, numbers = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    named = recipe_key(
        network,
        TrainingSpec(
            batch_size=training.batch_size,
            n_updates=1,
            optimizer=training.optimizer,
            shuffle=training.shuffle,
            precision=training.precision,
            class_weights=training.class_weights,
            flips=training.flips,
            shifts=training.shifts,
            input_noise=training.input_noise,
        ),
        Hyperparameters(**{name: getattr(numbers, name) for name in COUNTING}),
        data_key=f"{data.fingerprint} {data.split_fingerprint} {data.normalisation}",
        seed=recipe.seed,
        replicate=0,
    )
    return f"range test {named}"


def _found(known: dict[str, Any], key: str = "") -> Found:
    losses = [float("inf") if loss is None else loss for loss in known["losses"]]
    seen = judged(known["etas"], losses, known["accuracies"])
    return Found(
        etas=known["etas"],
        losses=known["losses"],
        smoothed=[_finite(loss) for loss in seen.smoothed],
        accuracies=known["accuracies"],
        eta_min=_two_digits(seen.eta_min),
        eta_max=_two_digits(seen.eta_max),
        broke_at=_two_digits(seen.broke_at),
        key=key,
    )


def ends_of(found: Found) -> tuple[float, float]:
    """Return the ends of a cycle that a range test suggests.

    Raises:
        StudyError: If the loss did not fall at any η.
    """
    if found.eta_min is None or found.eta_max is None or found.eta_min >= found.eta_max:
        raise StudyError(
            f"the range test found no η between {LOW:g} and {HIGH:g} at which the loss falls; "
            "state ",
            option("training.eta_min"),
            " and ",
            option("training.eta_max"),
        )
    return found.eta_min, found.eta_max


def _two_digits(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.1e}")


def _finite(loss: float) -> float | None:
    return float(f"{loss:.6g}") if abs(loss) < float("inf") else None
