"""Each two trials of a ranking that are judged together: a row a pair, for exports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

from coarsefine.studies.results.columns.column import Column, Face
from coarsefine.studies.results.columns.shared import ASKED, PARAMS, STAGE, STUDY, TITLE, TRIAL
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.splits import Splits


@dataclass(frozen=True, slots=True)
class TrialPair:
    """Two trials of a ranking, the better-ranked first.

    Attributes:
        values: What was searched of the other, in words.
        n_seeds: Seeds that both have; of splits, how many.
        difference: Score of the first less that of the other, over these.
        standard_error: Of the difference.
        df: Degrees of freedom of that; ``None`` where it is assumed.
        interval: 95 % of the difference, for this pair alone.
        p: Two-sided, for this pair alone.
        p_adjusted: After Holm (1979), for all pairs.
        margin: By how much the first may be ahead by chance, as the marks of the ranking have it.
        verdict: ``better``, ``worse`` or ``tied``, by the margins.
        claim: What it is for.
    """

    trial: RankedTrial
    other: RankedTrial
    values: str
    n_seeds: int
    difference: float
    standard_error: float
    df: float | None
    interval: tuple[float, float]
    p: float
    p_adjusted: float
    margin: float
    verdict: str
    claim: str

    @property
    def params(self) -> Mapping[str, Any]:
        """Return what was searched of the first."""
        return self.trial.params


def trial_pairs(ranking: Ranking) -> list[TrialPair]:
    """Return each two trials that are judged together; none where nothing is known of the noise."""
    import numpy as np

    from coarsefine.studies.results.evidence.contrasts import holm, tail
    from coarsefine.studies.results.evidence.intervals import t_quantile

    comparison = ranking.comparison
    if comparison is None or comparison.judged is None:
        return []
    positions, judged, n_seeds = comparison.judged
    ranked = [trial for trial in ranking.trials if trial.rank is not None]
    trials = [ranked[position] for position in positions]
    # A trial with more seeds may stand for those of its point that are ranked before it.
    order = sorted(range(len(trials)), key=lambda row: trials[row].rank or 0)
    pairs = [(i, j) for i, j in combinations(order, 2) if np.isfinite(judged.leads[i, j])]
    if not pairs:
        return []
    at = tuple(np.array(pairs).T)
    lead, error, df = judged.leads[at], judged.errors[at], judged.df[at]
    t = np.abs(lead) / np.where(error > 0, error, np.finfo(float).tiny)
    p = np.minimum(1.0, 2 * tail(t, df))
    adjusted, sign, claim = holm(p), ranking.metric.sign, _claim(ranking)
    found = []
    for k, (i, j) in enumerate(pairs):
        half = t_quantile(float(df[k])) * float(error[k])
        ahead, behind = lead[k] > judged.margins[i, j], -lead[k] > judged.margins[j, i]
        difference = sign * float(lead[k]) + 0.0
        found.append(
            TrialPair(
                trial=trials[i],
                other=trials[j],
                values=ranking.point(trials[j].params),
                n_seeds=int(n_seeds[i, j]),
                difference=difference,
                standard_error=float(error[k]),
                df=float(df[k]) if np.isfinite(df[k]) else None,
                interval=(difference - half, difference + half),
                p=float(p[k]),
                p_adjusted=float(adjusted[k]),
                margin=float(judged.margins[i, j]),
                verdict="better" if ahead else "worse" if behind else "tied",
                claim=claim,
            )
        )
    return found


def _claim(ranking: Ranking) -> str:
    """Return what differences are for, and what is assumed."""
    comparison = ranking.comparison
    if Splits.of(ranking.study) is not None:
        return "new splits, seeds and samples"
    if comparison is None or comparison.seed_deviation is None:
        others = "" if comparison is None else comparison.seeds_from
        return "new seeds and samples" + (f", also by the seeds of {others}" if others else "")
    amount = ranking.metric.amount(comparison.seed_deviation, 1)
    source = "assumed" if comparison.seeds_from is None else f"from {comparison.seeds_from}"
    return f"new seeds and samples, SD {amount} between seeds {source}"


def _end(place: int, word: str) -> Column:
    return Column(
        name=f"interval_{('low', 'high')[place]}",
        kind="percent",
        meaning=f"{word} end of the 95 % interval of the difference, for this pair alone",
        value=lambda row: row.interval[place],
        of_score=True,
        heading=f"{word} end",
    )


PAIRS: Final[tuple[Column, ...]] = (
    STUDY,
    Column(
        name="rank",
        kind="whole",
        meaning="of the trial that is ranked before the other, from 1",
        value=lambda row: row.trial.rank,
    ),
    replace(STAGE, value=lambda row: row.trial.stage),
    replace(TRIAL, value=lambda row: row.trial.trial),
    PARAMS,
    Column(
        name="other_rank",
        kind="whole",
        meaning="of the other trial",
        value=lambda row: row.other.rank,
    ),
    Column(
        name="other_stage",
        kind="text",
        meaning="of the other trial",
        value=lambda row: row.other.stage,
    ),
    Column(
        name="other_trial",
        kind="whole",
        meaning="of the other trial",
        value=lambda row: row.other.trial,
    ),
    Column(
        name="other_values",
        kind="text",
        meaning="what was searched of the other trial, in words",
        value=lambda row: row.values,
    ),
    Column(
        name="ranked_by",
        kind="text",
        meaning="what trials are ranked by, and the difference is of",
        value=lambda ranking: ranking.by,
        of_table=True,
        absent=TITLE,
    ),
    Column(
        name="seeds_compared",
        kind="whole",
        meaning="seeds that both trials have; where replicates are splits, how many splits",
        value=lambda row: row.n_seeds,
        heading="seeds",
    ),
    Column(
        name="difference",
        kind="percent",
        meaning="score of the first less that of the other, over these seeds",
        of_score=True,
    ),
    Column(
        name="standard_error",
        kind="percent",
        meaning="of the difference, over new seeds and samples",
        of_score=True,
    ),
    Column(
        name="df",
        kind="real",
        meaning="degrees of freedom of the standard error; empty where it is assumed",
        absent=ASKED,
        paper=Face("degrees of freedom", absent=ASKED),
    ),
    _end(0, "lower"),
    _end(1, "upper"),
    Column(
        name="p",
        kind="real",
        meaning="two-sided, by Student's t with `df`, for this pair alone",
        absent=ASKED,
        paper=Face(absent=ASKED),
    ),
    Column(
        name="p_adjusted",
        kind="real",
        meaning="`p` adjusted for all pairs (Holm 1979)",
        absent=ASKED,
        paper=Face(absent=ASKED),
    ),
    Column(
        name="margin",
        kind="percent",
        meaning="by how much the first may be ahead by chance, where all trials are looked at; "
        "marks of the ranking follow from it",
        of_score=True,
    ),
    Column(
        name="verdict",
        kind="text",
        meaning="the first is `better` than the other, `worse`, or `tied` with it, by the margins",
    ),
    Column(
        name="claim",
        kind="text",
        meaning="what the difference is for, and what is assumed of seeds",
        absent=TITLE,
    ),
)
"""Columns of pairs: a row each two trials."""
