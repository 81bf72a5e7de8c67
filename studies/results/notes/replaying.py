"""What is said of a study that was replayed under sloppier protocols."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.models.specs import SCORE_WORDS
from coarsefine.studies.results.notes.note import counted, points
from coarsefine.studies.results.scoring.splits import Splits, replicates_in_words

if TYPE_CHECKING:
    from coarsefine.studies.results.replay.protocols import Protocol, Replay

# A share that is 0.00 points.
_NOTHING = 0.00005


def honest(replay: "Replay") -> str:
    """Return what the study's own protocol is, and what it says."""
    ranking, best = replay.ranking, replay.best
    seeds = f"the mean of {best.replicates} seeds" if best.replicates > 1 else "one seed"
    epoch = f"the {SCORE_WORDS[ranking.score]}"
    samples = f"all {ranking.n_validation:,} validation samples"
    splits = Splits.of(ranking.study)
    if splits is not None:
        seeds = f"the mean of {best.replicates} {replicates_in_words(ranking.study)}"
        samples = f"all {splits.sizes} validation samples of each"
    values = f"all {counted(replay.n_values, 'value')}"
    return (
        f"the study's own protocol ({seeds}, {epoch}, {samples}, {values}) names "
        f"{ranking.point(best.params)} with {_percent(best.validation_accuracy)}"
    )


def concluded(replay: "Replay") -> str:
    """Return in a paragraph what sloppier protocols would have concluded."""
    if not replay.protocols:
        return "No sloppier protocol could be replayed."
    lines = [_named(replay), _flattered(replay.protocols)]
    another = [case for each in replay.protocols for case in each.cases if case.another]
    worse = sum(case.worse for case in another)
    if worse:
        n = f"{worse:,} of these {len(another):,} cases" if worse < len(another) else "all of these"
        n = n if len(another) > 1 else "this case"
        lines.append(
            f"In {n}, the value named is worse than the best by more than chance explains."
        )
    elif another and all(case.winner.tied for case in another):
        lines.append("Every value named is tied with the best.")
    return " ".join(lines)


def _named(replay: "Replay") -> str:
    """Return where another value would have been named."""
    others = [each for each in replay.protocols if each.n_another]
    if not others:
        return "Every protocol that could be replayed names the same value."
    return (
        f"Another value would have been named with {_listed([_times(replay, p) for p in others])}."
    )


def _times(replay: "Replay", protocol: "Protocol") -> str:
    n = len(protocol.cases)
    if n == 1:
        return f"{protocol.words} ({replay.ranking.point(protocol.cases[0].winner.params)})"
    return f"{protocol.words} ({protocol.n_another:,} of {n:,} cases)"


def _flattered(protocols: Sequence["Protocol"]) -> str:
    """Return where the headline would have been too high, and where too low."""
    high = sorted((p for p in protocols if p.flattery >= _NOTHING), key=lambda p: -p.flattery)
    low = sorted((p for p in protocols if p.flattery <= -_NOTHING), key=lambda p: p.flattery)
    parts = [
        f"too {word} with {_listed([_by(each) for each in some])}"
        for word, some in (("high", high), ("low", low))
        if some
    ]
    if not parts:
        return "No headline accuracy would have changed."
    return f"The headline accuracy would have been {', and '.join(parts)}."


def _by(protocol: "Protocol") -> str:
    mean = " on average" if len(protocol.cases) > 1 else ""
    return f"{protocol.words} (by {points(abs(protocol.flattery))} points{mean})"


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def left_out(replay: "Replay") -> list[str]:
    """Return what could not be replayed, a sentence for each reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in replay.left_out.items():
        reasons.setdefault(reason, []).append(replay.words(name))
    return [f"not replayed: {_listed(words)}, because {why}" for why, words in reasons.items()]


def legend(replay: "Replay") -> list[str]:
    """Return what the columns mean."""
    from coarsefine.studies.results.replay.protocols import N_HALVES, SEED

    ranking, best = replay.ranking, replay.best
    own = f"{_percent(best.validation_accuracy)} of {ranking.point(best.params)}"
    what = "headline too high: the accuracy that the protocol would have reported, less the"
    lines = [f"{what} {own}; in percentage points"]
    names = {each.name for each in replay.protocols}
    if "by-test" in names:
        lines.append(
            "a choice by test accuracy is compared with the test accuracy of "
            f"{ranking.point(best.params)}, {_percent(best.test_accuracy)}"
        )
    if "linear-grid" in names:
        lines.append(
            "a linear grid: the values tried that are nearest to as many evenly spaced ones"
        )
    if "half-samples" in names:
        lines.append(f"halves are drawn {N_HALVES} times with seed {SEED}")
    lines.append("worse: the ranking does not tie the value named with the best")
    return lines


def winners(replay: "Replay", protocol: "Protocol") -> list[tuple[str, int]]:
    """Return the values that a protocol names, in words, with how often; most frequent first."""
    found = Counter(replay.ranking.point(case.winner.params) for case in protocol.cases)
    return found.most_common()


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"
