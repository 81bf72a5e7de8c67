"""Studies side by side: in a terminal, and for programs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from coarsefine.hints import Spelling
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.tables.texts import interval
from coarsefine.search.words import percent, value
from coarsefine.studies.results.columns.column import finite
from coarsefine.studies.results.comparing.pairs import Pair
from coarsefine.studies.results.comparing.side_by_side import Side, SideBySide
from coarsefine.studies.results.evidence.contrasts import Contrast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def comparing_table(console: "Console", found: SideBySide) -> "Table":
    """Return a line a study: what it says otherwise than the others, and what it found."""

    def setting(key: str) -> TextColumn[Side]:
        # A recipe's key, its section above it; what is said least of gives way first.
        heading = key.replace(".", "\n").replace("_", " ")
        spare = 1 + len(found.keys) - found.keys.index(key)
        return TextColumn(heading, lambda side: _word(side.settings[key]), right=False, spare=spare)

    columns: list[TextColumn[Side]] = [
        TextColumn("study", lambda side: side.label, right=False),
        *(setting(key) for key in found.keys),
        TextColumn("trials", lambda side: str(len(side.ranking.trials)), spare=1),
        TextColumn("seeds", lambda side: side.tuning.seeds_in_words, spare=1),
        TextColumn(_trial_heading(found), _trial, right=False),
        TextColumn(
            "validation\naccuracy %",
            lambda s: percent(s.trial.validation_accuracy if s.trial else None),
        ),
        TextColumn("95 %\ninterval", lambda s: interval(s.trial.interval if s.trial else None)),
        TextColumn(
            "test\naccuracy %", lambda s: percent(s.tested.test_accuracy if s.tested else None)
        ),
        TextColumn("95 %\ninterval", lambda side: interval(side.test_interval)),
        TextColumn("test set\nopened", lambda side: str(side.n_openings)),
    ]
    return fitting(console, "", columns, found.sides)


def _word(stated: Any) -> str:
    return "–" if stated is None else value(stated)


def _trial_heading(found: SideBySide) -> str:
    by_hand = any(side.entry.chosen_by_hand for side in found.sides)
    return "trial" if by_hand else "best trial"


def _trial(side: Side) -> str:
    return "–" if side.trial is None else side.ranking.point(side.trial.params)


def to_json(found: SideBySide, spelling: Spelling = str) -> dict[str, Any]:
    """Return what ``compare --json`` prints: a stable contract, see ``docs/cli.md``.

    Args:
        found: What is shown.
        spelling: Words the hints of notes.
    """
    return {
        "studies": [_side_json(side) for side in found.sides],
        "differences": list(found.keys),
        "tuned_equally": len({side.tuning for side in found.sides}) == 1,
        "indifference": found.indifference,
        "pairs": [
            {**pair_json(found, pair), "words": line.spelled(spelling)}
            for pair, line in zip(found.pairs, found.verdicts, strict=True)
        ],
        "notes": [line.spelled(spelling) for line in (*found.before, *found.notes)],
    }


def pair_json(found: SideBySide, pair: Pair) -> dict[str, Any]:
    """Return the verdict on a pair for programs; what a test would say is ``None`` without one."""
    first, second = found.sides[pair.first], found.sides[pair.second]
    networks = pair.networks
    return {
        "first": first.ranking.study.name,
        "second": second.ranking.study.name,
        "first_trial": _place(first),
        "second_trial": _place(second),
        "refused": pair.refused,
        **{name: pair.contrast and read(pair.contrast) for name, read in _TESTED.items()},
        "same_samples": pair.same_samples,
        "same_seeds": pair.same_seeds,
        "seeds_needed": pair.needed and pair.needed.seeds,
        "samples_needed": pair.needed and pair.needed.samples,
        "mcnemar": None
        if networks is None
        else {"only_first": networks.n_first, "only_second": networks.n_second, "p": networks.p},
    }


_TESTED: Final[dict[str, Callable[[Contrast], Any]]] = {
    "verdict": lambda tested: tested.verdict,
    "by_at_least": lambda tested: tested.by_at_least,
    "difference": lambda tested: finite(tested.difference),
    "interval": lambda tested: list(map(finite, tested.interval)),
    "standard_error": lambda tested: finite(tested.error),
    "df": lambda tested: finite(tested.df),
    "p": lambda tested: tested.p,
    "p_holm": lambda tested: tested.adjusted,
    "seeds": lambda tested: tested.n_seeds,
    "samples": lambda tested: tested.n_samples,
    "seed_variance": lambda tested: finite(tested.seed_variance),
    "sample_variance": lambda tested: finite(tested.sample_variance),
    "seeds_assumed": lambda tested: tested.assumed,
}


def _place(side: Side) -> str | None:
    return None if side.trial is None else f"{side.trial.stage}:{side.trial.trial}"


def _side_json(side: Side) -> dict[str, Any]:
    study, best, tested = side.ranking.study, side.trial, side.tested
    ends = side.test_interval
    tuning = side.tuning
    return {
        "study": study.name,
        "search": study.search,
        "data": study.data_name,
        "data_fingerprint": study.data_fingerprint,
        "seed": study.seed,
        "settings": dict(side.settings),
        "trials": len(side.ranking.trials),
        "finished": side.n_left == 0,
        "tuning": {
            "searched": list(tuning.searched),
            "values": tuning.n_values,
            "seeds": list(tuning.seeds),
            "ranges": dict(tuning.ranges),
            "stages": tuning.stages,
            "lost": tuning.n_lost,
        },
        "best": None
        if best is None
        else {
            "stage": best.stage,
            "trial": best.trial,
            "params": dict(best.params),
            "validation_accuracy": best.validation_accuracy,
            "interval": None if best.interval is None else list(best.interval),
        },
        "test": None
        if tested is None
        else {
            "rank": tested.rank,
            "params": tested.params,
            "accuracy": tested.test_accuracy,
            "interval": None if ends is None else list(ends),
        },
        "test_openings": side.n_openings,
    }
