"""What a ranking should not be read without: what its marks claim, and what looks wrong in it.

Plain sentences, for tables, reports and programs alike.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.resolution import overall_window, resolution_reached
from coarsefine.studies.spaces.dimensions import from_json, from_params, shown
from coarsefine.studies.spaces.narrowing import ScoredTrial, narrowed
from coarsefine.studies.spaces.ranges import LogRange, is_same

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord, TestOpeningRecord
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

# What no network without hidden layers has been seen to reach, and a leak makes it reach.
LINEAR_CEILINGS: Mapping[str, float] = {"cifar10": 0.44, "mnist": 0.93}
# By how much a network does better on what it was not trained on only if it was trained on it.
ABOVE_TRAINING = 0.03
# A penalty of this strength that changes nothing was hardly applied.
STRONG_PENALTY = 0.1
# The share of the squared weights that such a penalty leaves at the most.
SHRUNK = 0.9


# ------------------------------------------------------------------------- what the marks claim


def legend(ranking: "Ranking") -> tuple[str, ...]:
    """Return what a ranking's intervals and marks claim, a sentence a line."""
    comparison, n_samples = ranking.comparison, ranking.n_validation
    replicated = any(trial.standard_deviation is not None for trial in ranking.trials)
    single = any(trial.interval and trial.replicates == 1 for trial in ranking.trials)
    lines = []
    if comparison is not None and comparison.n_tied:
        how = f"on {n_samples:,} validation samples" if n_samples else ""
        if comparison.method == "paired":
            how = f"paired over {comparison.n_replicates} seeds" + (how and f", {how}")
        margin = _points(min(1.0, comparison.margin))
        lines.append(
            f"= cannot be told from the best: {how}, up to {margin} points of "
            f"difference may be chance (95 %, {_values(ranking, comparison.n_points)} compared)"
        )
    if replicated:
        line = "95 % intervals: of the mean over seeds, on these validation samples"
        if n_samples:
            line += f"; {n_samples:,} others would shift all accuracies, by {_shift(ranking)} (SE)"
        lines.append(line)
    if single:
        whose = "those of trials with one replicate" if replicated else "95 % intervals"
        lines.append(
            f"{whose}: of {n_samples:,} validation samples; seeds were not repeated, so what "
            "another seed would give is not known (--replicates tells)"
        )
    if comparison is not None and comparison.n_noisy:
        lines.append(
            f"{_counted(comparison.n_noisy, 'trial')} far noisier than the others: judged by their "
            "own noise"
        )
    if any(trial.reused for trial in ranking.trials):
        lines.append("reused: trained before, for another trial; it is no new evidence")
    return tuple(lines)


def _shift(ranking: "Ranking") -> str:
    """Return how far other validation samples would move the accuracies."""
    best = ranking.best
    accuracy = 0.5 if best is None or best.validation_accuracy is None else best.validation_accuracy
    return f"{_points(math.sqrt(accuracy * (1 - accuracy) / ranking.n_validation))} points"


def _values(ranking: "Ranking", n: int) -> str:
    one = all(len(trial.params) == 1 for trial in ranking.trials)
    return _counted(n, "value" if one else "point")


# -------------------------------------------------------------------------- what should be known


def notes(ranking: "Ranking") -> tuple[str, ...]:
    """Return what a ranking alone does not show, such as a best value on the edge."""
    return (*_on_range(ranking), *_on_ties(ranking), *_on_leaks(ranking))


def _on_ties(ranking: "Ranking") -> list[str]:
    """Return the set of values that are tied, and what would tell them apart."""
    comparison, best = ranking.comparison, ranking.best
    if comparison is None or best is None or not comparison.n_tied:
        return []
    found = []
    if best.replicates < comparison.n_replicates:
        found.append(
            f"the best trial has {_counted(best.replicates, 'run')}, others it is tied with have "
            f"up to {comparison.n_replicates}: it owes more to luck than they do"
        )
    if ranking.stages and ranking.refines:
        reached = resolution_reached(ranking, ranking.stages[-1].name)
        if reached is not None:
            return [*found, reached]
    about = "at least" if comparison.method == "paired" else "up to"
    line = (
        f"{comparison.n_tied:,} of {_values(ranking, comparison.n_points)} are tied"
        f"{_tied_range(ranking)}: {comparison.lacking} would tell more than further values; the "
        f"best of {comparison.n_tied:,} equals looks {about} {_points(comparison.optimism)} points "
        "better than it is"
    )
    return [*found, line]


def _tied_range(ranking: "Ranking") -> str:
    name = ranking.numeric_parameter
    if name is None:
        return ""
    values = [float(trial.params[name]) for trial in ranking.trials if trial.tied]
    return f", {ranking.symbol(name)} {min(values):.4g} … {max(values):.4g}"


def _on_range(ranking: "Ranking") -> list[str]:
    """Return what is to be said of the range: edges, few values, values badly spread."""
    name, best = ranking.numeric_parameter, ranking.best
    if best is None or not ranking.refines:
        return []
    if name is None:
        return _on_ranges(ranking)
    window = overall_window(ranking)
    found = [] if window is None else list(window.warnings)
    own = next((stage for stage in ranking.stages if stage.name == best.stage), None)
    if own and own.parent and not (window and window.edges):
        tried = float(best.params[name])
        found += [
            f"the best value {tried:.4g} lies on the {side} edge of the {own.name} range; "
            "what lies beyond was only tried coarsely"
            for side, end in (("lower", own.low), ("upper", own.high))
            if end is not None and is_same(tried, end)
        ]
    if window and window.edges and len(ranking.stages) > 1:
        # The fine search has been beyond the edge of the coarse one, and that was not enough.
        ends = window.range.widened(1, 0) if "low" in window.edges else window.range.widened(0, 1)
        study = ranking.study
        words = [study.search, "--coarse", "--study", f"{study.name}-beyond", "--data"]
        words += [study.recipe["data"]["name"], "--low", f"{ends.low:.3g}"]
        words += ["--high", f"{ends.high:.3g}"]
        found.append(
            f"to look there: python -m search {shlex.join(words)}, with the options of this study"
        )
    found += _badly_spread(ranking)
    return found


def _on_ranges(ranking: "Ranking") -> list[str]:
    """Return on which edges the best point of several parameters lies, all stages together."""
    dimensions = []
    for number, stored in enumerate(ranking.stages[-1].dimensions if ranking.stages else ()):
        (dimension,) = from_json([{"variants": None, **stored}])
        ranges = [stage.dimensions[number] for stage in ranking.stages]
        lows = [each["low"] for each in ranges if each["low"] is not None]
        highs = [each["high"] for each in ranges if each["high"] is not None]
        if dimension.range is not None:
            dimension = dimension.with_range(LogRange(min(lows), max(highs)))
        dimensions.append(dimension)
    trials = [
        ScoredTrial(from_params(t.params), t.validation_accuracy, t.validation_loss, t.state)
        for t in ranking.trials
    ]
    try:
        return list(narrowed(dimensions, trials).warnings)
    except StudyError:
        return []  # no ranges, but values given one by one


def _badly_spread(ranking: "Ranking") -> list[str]:
    """Return that values over several decades crowd in the uppermost, as linear steps do."""
    if not ranking.stages:
        return []
    values = [value for value in ranking.stages[0].values if value > 0]
    span = LogRange.spanning(values)
    if span is None or span.decades < _SEVERAL_DECADES or len(values) < _SEVERAL_VALUES:
        return []
    upper = sum(value >= span.high / 10 for value in values)
    if 3 * upper <= 2 * len(values):
        return []
    line = (
        f"{upper} of {len(values)} values lie in the uppermost of {span.decades:.2g} decades; "
        "values that act by factors are spread evenly over the decades, as --sampler grid does"
    )
    return [line]


_SEVERAL_DECADES, _SEVERAL_VALUES = 2.0, 4


# ------------------------------------------------------------------------------- what looks wrong


def _on_leaks(ranking: "Ranking") -> list[str]:
    best = ranking.best
    if best is None or best.validation_accuracy is None:
        return []
    found = list(_above_ceiling(ranking.study, "validation", best, ranking.n_validation))
    validation, training = best.validation_accuracy, best.train_accuracy
    if training is not None and validation - training > ABOVE_TRAINING:
        sizes = (ranking.n_validation, int(ranking.study.data.get("n_train", 0)))
        errors = [
            accuracy * (1 - accuracy) / n if n else 0.0
            for accuracy, n in zip((validation, training), sizes, strict=True)
        ]
        if validation - training > 2 * math.sqrt(sum(errors)):
            found.append(
                "the best trial's validation accuracy lies "
                f"{_points(validation - training)} points above its training accuracy: suspect a "
                "leak, validation samples that were trained on"
            )
    return found


def _above_ceiling(
    study: "StudyRecord", split: str, trial: "RankedTrial", n_samples: int
) -> Sequence[str]:
    accuracy = trial.validation_accuracy
    return () if accuracy is None else above_ceiling(study, split, accuracy, n_samples)


def above_ceiling(
    study: "StudyRecord", split: str, accuracy: float, n_samples: int
) -> tuple[str, ...]:
    """Return that a network without hidden layers is better than any honest one, if it is."""
    ceiling = LINEAR_CEILINGS.get(study.data_name)
    if ceiling is None or study.recipe.get("network", {}).get("hidden"):
        return ()
    error = math.sqrt(accuracy * (1 - accuracy) / n_samples) if n_samples else 0.0
    if accuracy - 2 * error <= ceiling:
        return ()
    line = (
        f"{split} accuracy {_points(accuracy)} % is above what networks without hidden layers "
        f"reach on {study.data_name}, about {100 * ceiling:.0f} %: suspect a leak"
    )
    return (line,)


def same_to_all_digits(validation: float | None, test: float | None) -> bool:
    """Return whether two accuracies are the same to all digits that are printed, and no limit."""
    if validation is None or test is None or validation in (0.0, 1.0):
        return False
    return f"{validation:.4f}" == f"{test:.4f}"


def on_penalty(ranking: "Ranking", squared_weights: Mapping[float, float]) -> tuple[str, ...]:
    """Return that the penalty was probably not applied, if it looks like that.

    Args:
        ranking: Of a search over λ.
        squared_weights: Σ W² at the end of training, by λ > 0: of the least and the greatest.
    """
    if len(squared_weights) < 2:
        return ()
    low, high = min(squared_weights), max(squared_weights)
    if squared_weights[high] <= SHRUNK * squared_weights[low]:
        return ()
    line = (
        f"validation accuracy does not fall up to λ {high:.4g}, and the sum of squared weights "
        f"hardly does ({squared_weights[low]:.4g} at λ {low:.4g}, {squared_weights[high]:.4g} at "
        f"{high:.4g}): the penalty was probably not applied, or had no time to act"
    )
    return (line,)


def looks_unpenalised(ranking: "Ranking") -> tuple["RankedTrial", "RankedTrial"] | None:
    """Return the trials of the least and the greatest λ if the score is flat or rises between them.

    ``None`` if it falls, as it should where λ is strong, or was not tried up to ``STRONG_PENALTY``.
    """
    if ranking.numeric_parameter != "lambda":
        return None
    tried = [t for t in ranking.trials if t.state == "complete" and t.params["lambda"] > 0]
    if len(tried) < 2:
        return None
    weakest = min(tried, key=lambda t: float(t.params["lambda"]))
    strongest = max(tried, key=lambda t: float(t.params["lambda"]))
    if strongest.params["lambda"] < STRONG_PENALTY or weakest is strongest:
        return None
    return (weakest, strongest) if strongest.tied or strongest.rank == 1 else None


# ------------------------------------------------------------------------------ the test set

HAND_PICKED = "hand-picked"
"""Begins the note of an opening for trials that the ranking did not choose."""


def is_hand_picked(opening: "TestOpeningRecord") -> bool:
    """Return whether its trials were picked by hand."""
    return opening.note.startswith(HAND_PICKED)


def on_test(
    study: "StudyRecord",
    opening: "TestOpeningRecord",
    n_before: int,
    others: Sequence[tuple[str, int]],
) -> tuple[str, ...]:
    """Return what makes the figures of an opening worth less than they look, a sentence each.

    Args:
        study: Whose trials were tested.
        opening: What came of it.
        n_before: Earlier openings for this study.
        others: Other studies for which the same test set was opened, and how often.
    """
    found = []
    if n_before:
        found.append(
            f"the test set had been opened {_counted(n_before, 'time')} before for this study; "
            "whoever chooses by what it said needs another test set"
        )
    if others:
        listed = " and ".join(f"{_counted(n, 'time')} for {name}" for name, n in others)
        found.append(
            f"the same test set was opened {listed}: it is no longer unseen where one study "
            "learns from another"
        )
    if is_hand_picked(opening):
        ranks = " and ".join(str(run.rank) for run in opening.runs)
        found.append(
            f"{HAND_PICKED}, rank {ranks}: the ranking by validation accuracy did not choose "
            "what was tested; say so where you report it"
        )
    for run in opening.runs:
        test = run.test_accuracy
        if test is None:
            continue
        validation = (run.validation_accuracy, run.final_validation_accuracy)
        if any(same_to_all_digits(accuracy, test) for accuracy in validation):
            found.append(
                f"rank {run.rank}: test and validation accuracy are the same to all digits, "
                f"{_points(test)} %: suspect a leak, or a copy"
            )
        found += above_ceiling(study, "test", test, opening.n_test)
    return tuple(found)


# ----------------------------------------------------------------------------------------- words


def described(params: Mapping[str, Any]) -> str:
    """Return a trial's parameters in words."""
    return ", ".join(f"{name} {shown(value)}" for name, value in params.items())


def _points(share: float) -> str:
    return f"{100 * share:.2f}"


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
