"""Three numbers at once on MNIST: coarse and fine beside Optuna's own TPE with as many trials.

``python -m benchmarks.spaces --seeds 20``: each seed draws 3,000 training and 2,000 validation
samples of its own. What is compared is the best validation accuracy that is found; no time is.
"""

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final, Literal

from coarsefine import Ranking, Recipe, Study
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.data import prepare
from coarsefine.models.training import train
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.specs import to_data_spec, to_specs

FLAGS: Final[dict[str, Any]] = {
    "data.name": "mnist",
    "data.split": "random",
    "data.train": 3000,
    "data.validation": 2000,
    "network.hidden": (30,),
    "training.batch_size": 100,
    "training.epochs": 5,
    "training.schedule": "constant",
    "training.optimizer": "momentum",
}
VARY: Final = {
    "eta": "1e-3..1",
    "momentum": "0.5..0.99:logit",
    "lambda": "1e-6..1e-1",
}


Sampler = Literal["grid", "random", "qmc", "tpe", "gp"] | None


@dataclass(frozen=True, slots=True)
class Found:
    """The best validation accuracies of a seed, in [0, 1].

    Attributes:
        widths: Of each range, the share of it that the fine stage looked at.
    """

    seed: int
    coarse: float
    fine: float
    tpe: float
    widths: tuple[float, ...]


def accuracy(ranking: Ranking) -> float:
    """Return the validation accuracy of the best trial."""
    return (ranking.best and ranking.best.validation_accuracy) or 0.0


def ours(seed: int, sampler: Sampler) -> tuple[float, float, tuple[float, ...], int]:
    """Return what coarse and fine find, how wide the windows are, and the number of trials."""
    sections: dict[str, Any] = {"seed": seed}
    for key, value in FLAGS.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    with tempfile.TemporaryDirectory() as folder:
        study = Study.search(
            "space",
            Recipe(sections),
            vary=VARY,
            storage=Path(folder) / "search.db",
            executor="inline",
        )
        best = [
            accuracy(study.coarse(replicates=1)),
            accuracy(study.fine(sampler=sampler)),
        ]
        stages = study.ranking.to_dict()["stages"]
        trained = len(study.ranking) - 1  # the best point is taken over
    widths = []
    for before, after in zip(*(stage["dimensions"] for stage in stages), strict=True):
        logit = before.get("scale") == "logit"
        ends = [[_place(d[end], logit) for end in ("low", "high")] for d in (before, after)]
        widths.append((ends[1][1] - ends[1][0]) / (ends[0][1] - ends[0][0]))
    return best[0], best[1], tuple(widths), trained


def _place(value: float, logit: bool) -> float:
    return math.log(value / (1 - value)) if logit else math.log(value)


def tpe(seed: int, n_trials: int) -> float:
    """Return what Optuna's TPE with its own settings finds, one trial after another."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    recipe = make_recipe(None, {**FLAGS, "seed": seed})
    data = prepare(to_data_spec(recipe), download=False)
    network, training, base = to_specs(recipe, data.n_features, data.n_classes, data.n_train)

    def accuracy(trial: optuna.Trial) -> float:
        odds = trial.suggest_float("odds", math.log(0.5 / 0.5), math.log(0.99 / 0.01))
        values = replace(
            base,
            learning_rate=trial.suggest_float("eta", 1e-3, 1, log=True),
            momentum=1 / (1 + math.exp(-odds)),
            l2_strength=trial.suggest_float("lambda", 1e-6, 1e-1, log=True),
        )
        plan = CohortPlan(network, training, (values,), seed=seed)
        with limited_blas(1):
            n_epochs = training.n_epochs(data.n_train)
            state, rows = train(plan, initial_state(plan), data.open(), n_epochs)
        if state.finished[0].outcome != "complete":
            raise optuna.TrialPruned
        return float(rows[-1].validation_accuracy)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(accuracy, n_trials=n_trials)
    return study.best_value


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line a seed, and the means."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument("--first", type=int, default=0)
    samplers = ("grid", "random", "qmc", "tpe", "gp")
    words.add_argument("--fine-sampler", choices=samplers, help="of the fine stage (as coarse)")
    given = words.parse_args(argv)
    found = []
    for seed in range(given.first, given.first + given.seeds):
        coarse, fine, widths, n_trials = ours(seed, given.fine_sampler)
        found.append(Found(seed, coarse, fine, tpe(seed, n_trials), widths))
        shares = " ".join(f"{width:.2f}" for width in widths)
        line = f"seed {seed:2}: coarse {coarse:.2%}, fine {fine:.2%}, TPE {found[-1].tpe:.2%}"
        print(f"{line}; windows {shares}; {n_trials} trials", flush=True)
    means = [fmean(getattr(each, name) for each in found) for name in ("coarse", "fine", "tpe")]
    gaps = [each.fine - each.tpe for each in found]
    error = stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.nan
    print(
        f"means of {len(found)} seeds: coarse {means[0]:.2%}, fine {means[1]:.2%}, TPE "
        f"{means[2]:.2%}; fine - TPE {100 * fmean(gaps):+.2f} ± {100 * error:.2f} points"
    )


if __name__ == "__main__":
    main()
