"""What intervals claim where replicates are splits, and what splits and seeds do to a score."""

from typing import TYPE_CHECKING

from coarsefine.hints import option
from coarsefine.studies.results.notes.note import Note, counted
from coarsefine.studies.spaces.searches.registry import SEARCHES

if TYPE_CHECKING:
    from coarsefine.studies.results.evidence.splits import Varied
    from coarsefine.studies.results.ranking import Ranking
    from coarsefine.studies.results.scoring.splits import Splits


def splits_in_words(splits: "Splits", varied: "Varied") -> str:
    """Return on how many splits of which size trials were compared, and with how many seeds."""
    fewest, most = varied.n_seeds
    seeds = f" and {fewest if fewest == most else f'{fewest} to {most}'} seeds on each"
    seeds = seeds if most > 1 else ""
    of = f"{splits.sizes} validation samples{seeds}"
    n_deals = varied.n_splits // splits.folds if splits.folds and splits.redraw else 1
    times = f"{n_deals} times {splits.folds} folds" if n_deals > 1 else ""
    return f"{times or counted(varied.n_splits, splits.word)} of {of}"


def on_splits(ranking: "Ranking", splits: "Splits") -> list[Note]:
    """Return what intervals are for, and what splits and seeds contribute."""
    notes = []
    if any(trial.interval for trial in ranking.trials):
        line = (
            "95 % intervals: for new samples, splits and seeds, by the corrected variance "
            f"(Nadeau and Bengio 2003), which counts that the training sets of {splits.word}s "
            "overlap"
        )
        notes.append(Note("interval-over-splits", line))
    varied = None if ranking.comparison is None else ranking.comparison.varied
    if varied is None:
        return notes
    amount, of = ranking.metric.amount, f"from {splits.word} to {splits.word}"
    whose = (
        "the tied values" if ranking.comparison and ranking.comparison.n_tied else "the best value"
    )
    if varied.seeds is not None:
        kind = SEARCHES.get(ranking.study.search)
        draws = kind is not None and kind.draws
        seed = "seed and draw of training samples to another" if draws else "seed to seed"
        line = (
            f"runs of {whose} vary {of} by {amount(varied.splits, 2)}, and from {seed} on "
            f"the same {splits.word} by {amount(varied.seeds, 2)} (standard deviations)"
        )
        notes.append(Note("splits-and-seeds", line))
        return notes
    line = f"runs of {whose} vary {of} by {amount(varied.splits, 2)} (standard deviation)"
    if splits.folds and not splits.redraw:
        more = ("; use ", option("replicates", 3), " to measure how much of that seeds do")
        notes.append(Note("splits-and-seeds", line, *more))
    else:
        line += "; each split has one seed, so what seeds do is part of that"
        notes.append(Note("splits-and-seeds", line))
    return notes
