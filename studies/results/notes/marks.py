"""What the marks and intervals of a ranking claim, and which values are tied."""

import math
from typing import TYPE_CHECKING

from coarsefine.hints import option
from coarsefine.studies.results.notes.note import Note, counted, points
from coarsefine.studies.results.resolution import resolution_reached

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import Ranking


def legend(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what a ranking's intervals and marks claim, a note each."""
    comparison, n_samples = ranking.comparison, ranking.n_validation
    replicated = any(trial.standard_deviation is not None for trial in ranking.trials)
    single = any(trial.interval and trial.replicates == 1 for trial in ranking.trials)
    notes = []
    if comparison is not None and comparison.n_tied:
        how = f"on {n_samples:,} validation samples" if n_samples else ""
        if comparison.method == "paired":
            how = f"paired over {comparison.n_replicates} seeds" + (how and f", {how}")
        margin = points(min(1.0, comparison.margin))
        line = (
            f"= cannot be told from the best: {how}, up to {margin} points of "
            f"difference may be chance (95 %, {_values(ranking, comparison.n_points)} compared)"
        )
        notes.append(Note("tied", line))
    if replicated:
        line = "95 % intervals: of the mean over seeds, on these validation samples"
        if n_samples:
            line += f"; {n_samples:,} others would shift all accuracies, by {_shift(ranking)} (SE)"
        notes.append(Note("interval-over-seeds", line))
    if single:
        whose = "those of trials with one replicate" if replicated else "95 % intervals"
        line = (
            f"{whose}: of {n_samples:,} validation samples; seeds were not repeated, so what "
            "another seed would give is not known"
        )
        notes.append(Note("interval-over-samples", line, " (", option("replicates"), " tells)"))
    if comparison is not None and comparison.n_noisy:
        line = (
            f"{counted(comparison.n_noisy, 'trial')} far noisier than the others: judged by their "
            "own noise"
        )
        notes.append(Note("noisy", line))
    if any(trial.reused for trial in ranking.trials):
        line = "reused: trained before, for another trial; it is no new evidence"
        notes.append(Note("reused", line))
    return tuple(notes)


def _shift(ranking: "Ranking") -> str:
    """Return how far other validation samples would move the accuracies."""
    best = ranking.best
    accuracy = 0.5 if best is None or best.validation_accuracy is None else best.validation_accuracy
    return f"{points(math.sqrt(accuracy * (1 - accuracy) / ranking.n_validation))} points"


def _values(ranking: "Ranking", n: int) -> str:
    one = all(len(trial.params) == 1 for trial in ranking.trials)
    return counted(n, "value" if one else "point")


def on_ties(ranking: "Ranking") -> tuple[Note, ...]:
    """Return the set of values that are tied, and what would tell them apart."""
    comparison, best = ranking.comparison, ranking.best
    if comparison is None or best is None or not comparison.n_tied:
        return ()
    found = []
    if best.replicates < comparison.n_replicates:
        line = (
            f"the best trial has {counted(best.replicates, 'run')}, others it is tied with have "
            f"up to {comparison.n_replicates}: it owes more to luck than they do"
        )
        found.append(Note("fewer-replicates", line))
    if ranking.stages and ranking.refines:
        reached = resolution_reached(ranking, ranking.stages[-1].name)
        if reached is not None:
            return (*found, Note("resolution", reached))
    about = "at least" if comparison.method == "paired" else "up to"
    line = (
        f"{comparison.n_tied:,} of {_values(ranking, comparison.n_points)} are tied"
        f"{_tied_range(ranking)}: {comparison.lacking} would tell more than further values; the "
        f"best of {comparison.n_tied:,} equals looks {about} {points(comparison.optimism)} points "
        "better than it is"
    )
    return (*found, Note("ties", line))


def _tied_range(ranking: "Ranking") -> str:
    name = ranking.numeric_parameter
    if name is None:
        return ""
    values = [float(trial.params[name]) for trial in ranking.trials if trial.tied]
    return f", {ranking.symbol(name)} {min(values):.4g} … {max(values):.4g}"
