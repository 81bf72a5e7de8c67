"""What the stages of a study searched, in lines."""

from coarsefine.search.words import value
from coarsefine.studies.results.ranking import Ranking


def stage_lines(ranking: Ranking) -> list[str]:
    """Return what each stage searched, and why there."""
    lines = []
    for stage in ranking.stages:
        searched = [
            f"{ranking.symbol(each['name'])} {value(each['low'])} … {value(each['high'])}"
            for each in stage.dimensions
            if each["low"] is not None and each["high"] is not None
        ]
        ends = f" {', '.join(searched)}" if searched else ""
        lines.append(f"{stage.name}:{ends} ({stage.reason})")
    return lines
