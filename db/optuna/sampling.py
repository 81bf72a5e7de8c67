"""New points of a search, and which trials to stop, by Optuna's samplers and pruners."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from coarsefine.db.optuna.trials import Choices, Range, inside, plain
from coarsefine.db.optuna.values import distribution_of, quiet

SamplerName = Literal["random", "qmc", "tpe", "gp"]

TPE_STARTUP: Final = 4
"""Random points before TPE learns from them. Optuna's 10 are more than a search here has trials."""

Past = tuple[Mapping[str, Any], float | None, str]

_SAME: Final = 1e-6
_TRIES: Final = 50


def propose(
    sampler: SamplerName,
    space: Mapping[str, Range | Choices],
    history: Sequence[Past],
    n: int,
    *,
    seed: int,
    batch: int,
) -> list[dict[str, Any]]:
    """Return up to ``n`` new points of ``space``, the same for the same arguments.

    Args:
        sampler: ``qmc`` goes on with one scrambled Sobol sequence; ``tpe`` and ``gp``, a Gaussian
            process, learn from history.
        space: Range of each parameter, or choices, which are numbered from 0.
        history: Parameters, value and state of each point so far, running ones included; a
            parameter is ``None`` where the point has no use for it.
        n: How many points.
        seed: The study's.
        batch: How many batches were proposed before: a sampler that started with the same seed
            each time would repeat itself.

    Returns:
        Points that are neither in history nor twice among themselves; fewer than ``n`` if the
        space has no more to give.
    """
    entropy = [abs(seed), 0 if sampler == "qmc" else batch]
    state = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    distributions = {name: distribution_of(where) for name, where in space.items()}
    taken = np.array([_coordinates(space, params) for params, _, _ in history])
    taken = taken.reshape(len(history), len(space))
    found: list[dict[str, Any]] = []
    with quiet():
        study = optuna.create_study(direction="maximize", sampler=_sampler(sampler, state))
        known = list(history)
        if sampler == "qmc":
            # It takes its space from the first trial, and learns nothing from others.
            known = [each for each in history if None not in each[0].values()]
        elif sampler == "gp":
            known = _complete(space, history)
        study.add_trials(_past(space, distributions, known))
        if sampler == "qmc":
            # The first trial of a study would be random: QMC learns the space from one.
            low = {
                name: where.low if isinstance(where, Range) else where.values[0]
                for name, where in space.items()
            }
            study.add_trial(
                create_trial(state=TrialState.RUNNING, params=low, distributions=distributions)
            )
        # A Sobol sequence starts from its beginning and passes all that was asked before.
        tries = _TRIES + (len(history) if sampler == "qmc" else 0)
        failures = 0
        while len(found) < n and failures < tries:
            trial = study.ask(distributions)
            here = _coordinates(space, trial.params)
            if (np.abs(taken - here).max(axis=1) <= _SAME).any():
                study.tell(trial, state=TrialState.FAIL)
                failures += 1
                continue
            failures = 0
            taken = np.vstack([taken, here])
            found.append({name: trial.params[name] for name in space})
    return found


def _sampler(name: SamplerName, seed: int) -> optuna.samplers.BaseSampler:
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "qmc":
        return optuna.samplers.QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=TPE_STARTUP)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=TPE_STARTUP)


def _complete(space: Mapping[str, Range | Choices], history: Sequence[Past]) -> list[Past]:
    """Return a history that a Gaussian process learns all of: it knows complete trials alone.

    A diverged trial counts as the worst, and is in the middle of what it has no use for.
    """
    values = [v for _, v, state in history if state == "complete" and v is not None]
    worst = min(values, default=None)
    return [
        (
            {n: _middle(space[n]) if p[n] is None else p[n] for n in space},
            *((worst, "complete") if state in {"diverged", "pruned"} else (value, state)),
        )
        for p, value, state in history
    ]


def _middle(where: Range | Choices) -> Any:
    if isinstance(where, Choices):
        return where.values[0]
    middle = math.sqrt(where.low * where.high) if where.log else (where.low + where.high) / 2
    return round(middle) if isinstance(where.low, int) else middle


def _past(
    space: Mapping[str, Range | Choices],
    distributions: Mapping[str, BaseDistribution],
    history: Sequence[Past],
) -> list[FrozenTrial]:
    trials = []
    for params, value, state in history:
        used = {name: where for name, where in space.items() if params[name] is not None}
        point = {name: inside(plain(params[name]), where) for name, where in used.items()}
        if any(
            isinstance(where, Range) and not where.low <= point[name] <= where.high
            for name, where in used.items()
        ):
            continue
        complete = state == "complete" and value is not None and math.isfinite(value)
        trials.append(
            create_trial(
                state=TrialState.COMPLETE if complete else _PAST_STATES[state],
                value=float(value) if complete and value is not None else None,
                params=point,
                distributions={name: distributions[name] for name in used},
            )
        )
    return trials


# TPE takes a pruned trial for a bad one but ignores a failed one, and would go there again.
_PAST_STATES: Final = {
    "complete": TrialState.FAIL,  # without a value
    "diverged": TrialState.PRUNED,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "planned": TrialState.RUNNING,
}


def _coordinates(space: Mapping[str, Range | Choices], params: Mapping[str, Any]) -> list[float]:
    """Return the point such that what is closer than ``_SAME`` in all of it is the same."""
    return [_coordinate(where, params[name]) for name, where in space.items()]


def _coordinate(where: Range | Choices, value: Any) -> float:
    if value is None:
        return math.nan  # no point is the same
    if isinstance(where, Choices):
        return float(value)
    if where.log:
        return math.log(value) if value > 0 else -math.inf
    return float(value) / (where.high - where.low or 1)


def worse_half(values: Mapping[str, float], step: int) -> set[str]:
    """Return which trials Optuna's median pruner would stop, whatever their order.

    Args:
        values: Validation accuracy at this step, by trial UUID.
        step: The epoch.
    """
    names = list(values)
    pruner = optuna.pruners.PercentilePruner(50.0, n_startup_trials=0, n_warmup_steps=0)
    with quiet():
        study = optuna.create_study(direction="maximize", pruner=pruner)
        # The pruner compares a trial with finished ones: at a rung, with all that came to it.
        for name in names:
            value = float(values[name])
            study.add_trial(create_trial(value=value, intermediate_values={step: value}))
        trials = study.get_trials(deepcopy=False)
        return {
            name for name, trial in zip(names, trials, strict=True) if pruner.prune(study, trial)
        }
