"""Accuracies that are too good: signs that a split leaked into the training."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.note import Note, points

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.results.ranking import Ranking

# What no network without hidden layers has been seen to reach, and a leak makes it reach.
LINEAR_CEILINGS: Mapping[str, float] = {"cifar10": 0.44, "mnist": 0.93}
# By how much a network does better on what it was not trained on only if it was trained on it.
ABOVE_TRAINING = 0.03


def on_leaks(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what is suspicious about the best trial's accuracies."""
    best = ranking.best
    if best is None or best.validation_accuracy is None:
        return ()
    found = [
        *above_ceiling(ranking.study, "validation", best.validation_accuracy, ranking.n_validation)
    ]
    validation, training = best.validation_accuracy, best.train_accuracy
    if training is not None and validation - training > ABOVE_TRAINING:
        sizes = (ranking.n_validation, int(ranking.study.data.get("n_train", 0)))
        errors = [
            accuracy * (1 - accuracy) / n if n else 0.0
            for accuracy, n in zip((validation, training), sizes, strict=True)
        ]
        if validation - training > 2 * math.sqrt(sum(errors)):
            line = (
                "the best trial's validation accuracy lies "
                f"{points(validation - training)} points above its training accuracy"
            )
            advice = ": suspect a leak, validation samples that were trained on"
            found.append(Note("above-training", line, advice))
    return tuple(found)


def above_ceiling(
    study: "StudyRecord", split: str, accuracy: float, n_samples: int
) -> tuple[Note, ...]:
    """Return that a network without hidden layers is better than any honest one, if it is."""
    ceiling = LINEAR_CEILINGS.get(study.data_name)
    fewer = study.recipe.get("data", {}).get("classes")
    if ceiling is None or fewer or study.recipe.get("network", {}).get("hidden"):
        return ()
    error = math.sqrt(accuracy * (1 - accuracy) / n_samples) if n_samples else 0.0
    if accuracy - 2 * error <= ceiling:
        return ()
    line = (
        f"{split} accuracy {points(accuracy)} % is above what networks without hidden layers "
        f"reach on {study.data_name}, about {100 * ceiling:.0f} %"
    )
    return (Note("above-ceiling", line, ": suspect a leak"),)


# Two accuracies that are as likely as this to be the same by chance are suspicious.
_BY_CHANCE = 0.05


def surprisingly_same(accuracy: float, n_test: int, n_validation: int | None = None) -> bool:
    """Return whether few samples alone hardly explain that two accuracies are the same.

    On 30 samples each tenth pair of accuracies is. The difference of two shares is about normal,
    and the test accuracy lies in steps of one sample, or of the last digit that is printed.

    Args:
        accuracy: What both are, in (0, 1).
        n_test: Samples of the one.
        n_validation: Of the other; ``None`` if that is not known, and taken for many.
    """
    variance = accuracy * (1 - accuracy) * (1 / n_test + (1 / n_validation if n_validation else 0))
    step = max(1 / n_test, _LAST_DIGIT)
    return step < _BY_CHANCE * math.sqrt(2 * math.pi * variance)


_LAST_DIGIT = 1e-4


def same_to_all_digits(
    validation: float | None, test: float | None, n_classes: int | None = None
) -> bool:
    """Return whether two accuracies are the same to all digits that are printed, and no limit.

    Of ``n_classes`` that are equally frequent, whoever always answers one has 1/K on both sides.
    """
    chance = 1 / n_classes if n_classes else None
    if validation is None or test is None or validation in (0.0, 1.0, chance):
        return False
    return f"{validation:.4f}" == f"{test:.4f}"
