"""What the marks and intervals of a ranking claim, and which values are tied."""

from typing import TYPE_CHECKING

from coarsefine.hints import Part, option
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.notes.note import Note, counted
from coarsefine.studies.results.notes.planning import race_advice
from coarsefine.studies.results.notes.splits import on_splits, splits_in_words
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.results.scoring.splits import Splits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coarsefine.studies.results.judging.statistics import Comparison
    from coarsefine.studies.results.ranking import Ranking

# As ``evidence.spread`` has it, which needs NumPy.
ASSUMED_POINTS = 0.3
# Names of so many trials say which they are.
_MOST_NAMES = 5


def legend(ranking: "Ranking") -> tuple[Note, ...]:
    """Return what a ranking's intervals and marks claim, a note each."""
    comparison, n_samples = ranking.comparison, ranking.n_validation
    replicated = any(trial.standard_deviation is not None for trial in ranking.trials)
    splits = Splits.of(ranking.study)
    single = any(trial.interval and trial.replicates == 1 for trial in ranking.trials)
    notes = []
    if ranking.metric.own:
        name = ranking.metric.words
        line = (
            f"{name} is what the custom trainer reported: trials are ranked by its mean over "
            "seeds, and which of them are tied is not known"
        )
        notes.append(Note("own-metric", line))
    if comparison is not None and comparison.n_tied:
        seeds = f"{comparison.n_replicates} seeds" if comparison.n_replicates > 1 else ""
        samples = f"{n_samples:,} validation samples" if n_samples else ""
        on = " and ".join(filter(None, (seeds, samples)))
        if splits is not None and comparison.varied is not None:
            on = splits_in_words(splits, comparison.varied)
        raced = any(stage.race is not None for stage in ranking.stages)
        each = "seed" if splits is None or splits.folds else "split"
        looked = f", looked at after every {each}" if raced else ""
        line = (
            f"= tied with the best: with {on}, a difference below about "
            f"{_amount(ranking, comparison.margin)} may be due to chance (95 % confidence, "
            f"{_values(ranking, comparison.n_points)} compared{looked}; each pair by its own noise)"
        )
        notes.append(Note("tied", line))
    if comparison is not None and splits is None:
        notes += _on_seeds(ranking, comparison)
    if splits is not None:
        notes += on_splits(ranking, splits)
    elif replicated and any(trial.interval for trial in ranking.trials):
        whose = " of trials with several seeds" if single else ""
        line = f"95 % intervals{whose}: for new seeds and new samples, as far as known"
        notes.append(Note("interval-over-seeds", line))
    if single:
        whose = " of trials with one seed" if replicated else ""
        line = f"95 % intervals{whose}: for new samples, and for new seeds {_runs_vary(ranking)}"
        notes.append(Note("interval-over-samples", line))
    if comparison is not None and comparison.without:
        line = (
            f"{counted(comparison.n_without, 'trial')} without stored predictions "
            f"({_named(comparison.without)}; of an older version, or of a trainer without "
            "predict): trials are compared by their scores only, which needs larger differences"
        )
        notes.append(Note("without-outcomes", line))
    if comparison is not None and comparison.n_noisy:
        line = (
            f"{counted(comparison.n_noisy, 'trial')} far noisier than the others: judged by their "
            "own noise"
        )
        notes.append(Note("noisy", line))
    if comparison is not None and splits is None and _may_hide_noise(comparison):
        line = (
            "two seeds may agree by luck: beside a value that is ten times as noisy as the others, "
            "the best value keeps its mark in about 90 % of rankings, not in 95 %"
        )
        notes.append(Note("two-seeds", line, "; use ", option("replicates", 3)))
    if any(trial.reused for trial in ranking.trials):
        line = "reused: trained before, for another trial; no new evidence"
        notes.append(Note("reused", line))
    return tuple(notes)


def _on_seeds(ranking: "Ranking", comparison: "Comparison") -> "Iterator[Note]":
    """Yield what is assumed of seeds that were not repeated, or known beside those that were."""
    if comparison.n_replicates == 1:
        tells: tuple[Part, ...] = ()
        if has_learnt(ranking):
            more = (option("replicates"), " to measure how much results vary between seeds")
            tells = ("; use ", *more)
        yield Note("one-seed", _one_seed(ranking, comparison), *tells)
    elif comparison.seeds_from is not None:
        line = (
            "how much seeds matter is judged by the seeds of this study and also by the seeds of "
            f"study {comparison.seeds_from}, a similar one"
        )
        yield Note("seeds-of-others", line)


def _may_hide_noise(comparison: "Comparison") -> bool:
    """Return whether a value that is far noisier than the others may pass for one of them."""
    return comparison.n_replicates == 2 and comparison.n_points > 2


def _one_seed(ranking: "Ranking", comparison: "Comparison") -> str:
    """Return what a comparison of single runs claims, and what it assumes."""
    if comparison.network_margin is None:
        return (
            "each value was trained with one seed: these trained networks are compared, for new "
            "samples; other seeds may give another order"
        )
    deviation, source = comparison.seed_deviation or ASSUMED_POINTS / 100, comparison.seeds_from
    how = "is assumed" if source is None else f"was measured in study {source}"
    return (
        "each value was trained with one seed: the comparison holds for new seeds if they change "
        "the difference of two values by a standard deviation of no more than "
        f"{_amount(ranking, deviation, 1)}, which {how}; for these trained networks alone, a "
        f"difference below about {_amount(ranking, comparison.network_margin)} may be due to chance"
    )


def _runs_vary(ranking: "Ranking") -> str:
    """Return on which condition the interval of a single run holds for new seeds."""
    comparison = ranking.comparison
    several = comparison is not None and comparison.n_replicates > 1
    if comparison is not None and comparison.seeds_from is not None and not several:
        return f"as far as study {comparison.seeds_from} shows what they change"
    deviation = ASSUMED_POINTS / 100
    if comparison is not None and comparison.seed_deviation is not None:
        deviation = comparison.seed_deviation
    return (
        "if they change a run by a standard deviation of no more than "
        f"{_amount(ranking, deviation, 1)}, which is assumed"
    )


def _amount(ranking: "Ranking", difference: float, digits: int = 2) -> str:
    """Return a difference of scores with its unit."""
    metric = ranking.metric
    return metric.amount(min(1.0, difference) if metric.share else difference, digits)


def _named(trials: "Sequence[str]") -> str:
    more = len(trials) - _MOST_NAMES
    return ", ".join(trials[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def on_metric(ranking: "Ranking") -> tuple[Note, ...]:
    """Return which complete trials have no score, and why."""
    lacking = [
        f"{t.stage}:{t.trial}" for t in ranking.trials if t.state == "complete" and not t.rank
    ]
    if not lacking:
        return ()
    n_lacking, metric = counted(len(lacking), "complete trial"), ranking.metric
    if metric.own:
        line = f"{n_lacking} without {metric.words}, so without rank: {_named(lacking)}"
        return (Note("without-score", line),)
    line = (
        f"{n_lacking} without stored predictions, so without {metric.words} and rank: "
        f"{_named(lacking)}; of an older version, or of a trainer without predict"
    )
    return (Note("without-score", line),)


def _values(ranking: "Ranking", n: int) -> str:
    one = all(len(trial.params) == 1 for trial in ranking.trials)
    return counted(n, "value" if one else "point")


def on_ties(ranking: "Ranking") -> tuple[Note, ...]:
    """Return the set of values that are tied, and what would tell them apart."""
    comparison, best = ranking.comparison, ranking.best
    if comparison is None or best is None or not comparison.n_tied or not has_learnt(ranking):
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
            return (*found, Note("resolution", reached, *race_advice(ranking)))
    # Another note says more of what would tell them apart.
    known = comparison.to_second is not None or any(s.race is not None for s in ranking.stages)
    more = "" if known else f": {comparison.lacking} would tell more than further values"
    line = (
        f"{comparison.n_tied:,} of {_values(ranking, comparison.n_points)} are tied"
        f"{_tied_range(ranking)}{more}; selection bias: the best of them is overestimated by about "
        f"{_amount(ranking, comparison.optimism)}"
    )
    return (*found, Note("ties", line, *race_advice(ranking)))


def _tied_range(ranking: "Ranking") -> str:
    name = ranking.numeric_parameter
    if name is None:
        return ""
    values = [float(trial.params[name]) for trial in ranking.trials if trial.tied]
    return f", {ranking.symbol(name)} from {min(values):.4g} to {max(values):.4g}"
