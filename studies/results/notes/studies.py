"""What is said of studies side by side: what differs, how they were tuned, verdicts of tests."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coarsefine.hints import option
from coarsefine.studies.results.comparing.tuning import unequal
from coarsefine.studies.results.notes.marks import ASSUMED_POINTS
from coarsefine.studies.results.notes.note import Note, counted, points
from coarsefine.studies.spaces.dimensions import shown

if TYPE_CHECKING:
    from coarsefine.studies.results.comparing.pairs import Pair
    from coarsefine.studies.results.comparing.side_by_side import Side
    from coarsefine.studies.results.evidence.contrasts import Contrast

# Closer than this, two selection biases are the same to two digits.
_SAME_BIAS = 0.00005


def on_recipes(sides: "Sequence[Side]", keys: Sequence[str]) -> Note:
    """Return in which settings the recipes differ, or that they do not."""
    if not keys:
        return Note(
            "same-recipe",
            "the recipes are equal: no setting explains a difference; what was searched, the "
            "seeds and chance remain",
        )
    words = {key: ", ".join(_word(side.settings[key]) for side in sides) for key in keys}
    listed = "; ".join(f"{key} ({stated})" for key, stated in words.items())
    if list(keys) == ["seed"]:
        line = (
            f"the recipes differ in the {listed} alone: no other setting explains a difference, "
            "only what was searched, seeds, splits and chance"
        )
        return Note("recipes", line)
    return Note("recipes", f"the recipes differ in {listed}; in nothing else")


def _word(stated: Any) -> str:
    return "none" if stated is None else shown(stated)


def on_tuning(sides: "Sequence[Side]") -> tuple[Note, ...]:
    """Return whether all studies were tuned alike, and where luck had more chances in one."""
    tunings = [side.tuning for side in sides]
    differ = unequal(tunings)
    if differ:
        listed = "; ".join(f"{name}: {_of_studies(sides, words)}" for name, words in differ)
        found = [Note("tuning", f"the studies were not tuned equally: {listed}")]
    else:
        first = tunings[0]
        each = f"{first.seeds_in_words} {'seed' if first.seeds == (1, 1) else 'seeds'} each"
        line = (
            f"the studies were tuned equally: {counted(first.n_values, 'value')} tried, "
            f"{first.looked_at}, with {each}"
        )
        found = [Note("tuning", line)]
    biases = [_bias(side) for side in sides]
    if max(biases) - min(biases) > _SAME_BIAS:
        listed = _of_studies(sides, [f"about {points(each)} points" for each in biases])
        line = (
            "selection bias: a best value was chosen for its accuracy and is overestimated for it, "
            f"by {listed}; the tests do not correct for that"
        )
        found.append(Note("selection", line))
    return tuple(found)


def _bias(side: "Side") -> float:
    compared = side.ranking.comparison
    return 0.0 if compared is None or side.entry.chosen_by_hand else compared.optimism


def _of_studies(sides: "Sequence[Side]", words: Sequence[str]) -> str:
    """Return what holds of which study.

    Studies of which the same holds are named together.
    """
    whose: dict[str, list[str]] = {}
    for side, word in zip(sides, words, strict=True):
        whose.setdefault(word, []).append(side.label)
    return ", ".join(f"{word} ({' and '.join(names)})" for word, names in whose.items())


# ------------------------------------------------------------------------------------- verdicts


def on_pair(pair: "Pair", sides: "Sequence[Side]", delta: float, n_tested: int) -> Note:
    """Return the verdict on a pair in words."""
    one, other = sides[pair.first], sides[pair.second]
    both = f"{one.label} and {other.label}"
    if pair.refused is not None or pair.contrast is None:
        why = {
            "no-trial": f"there is no complete trial of {_without_trial(one, other)}",
            "data": "the data differ, so the accuracies are of different tasks",
            "samples": "a test needs two validation samples or more",
            "same-runs": "they are the same training: equal recipes, values and seeds",
            "splits": "replicates are splits of the data, and have to be the same ones in both: "
            "equal in seed, folds and sizes",
        }[pair.refused or "no-trial"]
        return Note("no-test", f"{both}: no test, {why}")
    found = pair.contrast
    first, second = (one, other) if found.difference >= 0 else (other, one)
    measured = _measured(found, n_tested)
    limit, seed = (
        f"{points(delta)} points",
        ", as far as one seed can tell" if found.assumed else "",
    )
    if found.verdict == "equivalent":
        line = (
            f"{both} are equivalent{seed}: they differ by less than {limit}; {_ahead(found, first)}"
        )
        return Note("equivalent", f"{line} ({measured})")
    if found.verdict == "undecided":
        line = f"{both}: undecided{seed}; {_ahead(found, first)} ({measured})"
        return Note("undecided", f"{line}, {_may_be(found, limit)}; {_needed(pair)}")
    by = f" by at least {limit}" if found.by_at_least else f", but perhaps by less than {limit}"
    line = f"{first.label} is better than {second.label}{by}{seed}; {_ahead(found, first)}"
    return Note("better", f"{line} ({measured})")


def _without_trial(one: "Side", other: "Side") -> str:
    return " and ".join(s.label for s in (one, other) if s.entry.trial is None)


def _ahead(found: "Contrast", first: "Side") -> str:
    """Return how far the better one is ahead."""
    if not abs(found.difference) > 0:
        return "both have the same accuracy"
    return f"{first.label} is {points(abs(found.difference))} points ahead"


def _measured(found: "Contrast", n_tested: int) -> str:
    """Return the interval of the lead and how probable it is by chance."""
    ends = found.interval if found.difference >= 0 else tuple(-end for end in found.interval[::-1])
    low, high = map(_signed, ends)
    said = f"95 % interval {low} to {high}, {_p(found.p)}"
    return f"{said}, after Holm for {n_tested} pairs {_p(found.adjusted)}" if n_tested > 1 else said


def _signed(share: float) -> str:
    """Return a difference in points.

    >>> _signed(0.0121), _signed(-0.00004)
    ('+1.21', '0.00')
    """
    text = points(share)
    return "0.00" if float(text) == 0 else f"{'+' if share > 0 else ''}{text}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _may_be(found: "Contrast", limit: str) -> str:
    low, high = found.interval
    if low * high > 0:
        return "which may be due to chance where so many pairs are compared"
    return f"which may be due to chance, and the true difference may be {limit} or more"


def _needed(pair: "Pair") -> str:
    """Return how many more seeds or samples would decide a pair."""
    found, more = pair.contrast, pair.needed
    if found is None or more is None:
        return "more data would tell" if pair.split is not None else ""
    ways = []
    if more.seeds is not None:
        ways.append(
            f"{counted(more.seeds - found.n_seeds, 'more seed')} of each "
            f"({more.seeds:,} in place of {found.n_seeds:,})"
        )
    if more.samples is not None:
        ways.append(
            f"{counted(more.samples - found.n_samples, 'more validation sample')} "
            f"({more.samples:,} in place of {found.n_samples:,})"
        )
    if not ways:
        return "neither seeds alone nor samples alone would decide it: more of both are needed"
    return f"if difference and noise stay as they are, {', or '.join(ways)} would decide"


# ---------------------------------------------------------------------------- how it was tested


def on_tests(pairs: "Sequence[Pair]", sides: "Sequence[Side]") -> tuple[Note, ...]:
    """Return what the tests are based on, and what they claim."""
    tested = [pair for pair in pairs if pair.contrast is not None]
    if not tested:
        return ()
    notes: list[Note] = []
    groups: dict[str, list[str]] = {}
    for pair in tested:
        named = f"{sides[pair.first].label} and {sides[pair.second].label}"
        groups.setdefault(_basis(pair, sides), []).append(named)
    for basis, names in groups.items():
        whose = "" if len(groups) == 1 else f"{'; '.join(names)}: "
        notes.append(Note("basis", f"{whose}{basis}"))
    single = [pair for pair in tested if pair.contrast is not None and pair.contrast.assumed]
    if single:
        named = "; ".join(f"{sides[p.first].label} and {sides[p.second].label}" for p in single)
        whose = "" if len(single) == len(tested) else f"{named}: "
        source = sorted({name for pair in single for name in pair.seeds_from})
        known = f"; where the file knows it, it is taken from {', '.join(source)}" if source else ""
        line = (
            f"{whose}one seed cannot show how much results vary between seeds: the difference is "
            f"assumed to vary by a standard deviation of {ASSUMED_POINTS} points{known}; "
        )
        tells = ("use ", option("replicates"), " to measure it")
        notes.append(Note("one-seed", line, *tells))
    for pair in single:
        if pair.networks is None:
            continue
        n = pair.networks
        one, other = sides[pair.first].label, sides[pair.second].label
        line = (
            f"of the two trained networks alone, the one of {one} is right on "
            f"{counted(n.n_first, 'sample')} that the one of {other} gets wrong, and wrong on "
            f"{n.n_second:,} that it gets right (McNemar's test: {_p(n.p)})"
        )
        notes.append(Note("networks", line))
    notes.append(
        Note(
            "claim",
            "intervals and p values are for new seeds and new samples; each interval is for its "
            "pair alone"
            if len(tested) > 1
            else "interval and p value are for new seeds and new samples",
        )
    )
    return tuple(notes)


def _basis(pair: "Pair", sides: "Sequence[Side]") -> str:
    """Return what is compared with what."""
    found = pair.contrast
    assert found is not None  # noqa: S101  # asked of tested pairs
    seeds = "seed" if found.n_seeds == 1 else f"{found.n_seeds:,} seeds"
    if pair.split is not None:
        return (
            f"paired by {pair.split}: accuracies on the same {found.n_seeds:,} {pair.split}s, by "
            "the corrected resampled t-test (Nadeau and Bengio 2003)"
        )
    if pair.without:
        names = " and ".join(sides[place].label for place in pair.without)
        has = "has" if len(pair.without) == 1 else "have"
        paired = f"paired by {seeds}" if pair.same_seeds and found.n_seeds > 1 else "unpaired"
        return (
            f"{names} {has} runs without stored predictions: accuracies alone are compared, "
            f"{paired}, as if each study had validation samples of its own, which needs larger "
            "differences"
        )
    if not pair.same_samples:
        return (
            "the splits differ, so the validation samples do: they are compared unpaired, which "
            "needs larger differences"
        )
    samples = f"the same {found.n_samples:,} validation samples"
    if pair.same_seeds:
        trials = (sides[place].entry.trial for place in (pair.first, pair.second))
        fewer = any(trial is not None and trial.replicates > found.n_seeds for trial in trials)
        over = f"the {seeds} that both have, and no other" if fewer else f"the same {seeds}"
        return f"paired by sample and seed: {samples}, {over}"
    return f"paired by sample, not by seed: {samples}, other seeds ({found.n_seeds:,} or more each)"


# ---------------------------------------------------------------------------------- other notes


def on_studies(sides: "Sequence[Side]") -> tuple[Note, ...]:
    """Return what else the figures should not be read without."""
    notes = [
        Note(
            "unfinished",
            f"{side.label} is not finished: {counted(side.n_left, 'trial')} "
            f"{'is' if side.n_left == 1 else 'are'} not trained yet",
        )
        for side in sides
        if side.n_left
    ]
    for side in sides:
        trial = side.entry.trial
        if side.entry.chosen_by_hand and trial is not None:
            line = (
                f"{trial.stage}:{trial.trial} of {side.ranking.study.name} was picked by hand: it "
                f"has rank {trial.rank} of its study"
            )
            notes.append(Note("hand-picked", line))
    studies = {side.ranking.study.id: side.n_openings for side in sides}
    n_tested = sum(studies.values())
    if n_tested > 1:
        line = (
            f"the test set was opened {n_tested} times in all: whoever chooses a study by test "
            "accuracy has tuned on it"
        )
        notes.append(Note("opened", line))
    return tuple(notes)
