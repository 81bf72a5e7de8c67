"""How much of the differences between trials each parameter explains, by Optuna's fANOVA."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from coarsefine.db.optuna.values import quiet


def importances(
    places: Mapping[str, Sequence[float | int]], scores: Sequence[float], *, seed: int = 0
) -> dict[str, float]:
    """Return the share of the variance that each parameter explains by itself (Hutter 2014).

    Args:
        places: By parameter, where each trial lies: a share of its range in [0, 1], or the number
            of a choice.
        scores: Of the trials, not all the same.
        seed: Of the random forest.

    Returns:
        Shares in [0, 1]; what is left is explained by several together, or not at all.
    """
    distributions: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(tuple(range(max(map(int, values)) + 1)))
        if all(isinstance(value, int) for value in values)
        else FloatDistribution(0.0, 1.0)
        for name, values in places.items()
    }
    with quiet():
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                create_trial(
                    value=float(score),
                    params={name: values[i] for name, values in places.items()},
                    distributions=distributions,
                )
                for i, score in enumerate(scores)
            ]
        )
        forest = FanovaImportanceEvaluator(seed=seed)
        found = get_param_importances(study, evaluator=forest, normalize=False)
    return {name: float(found[name]) for name in places}
