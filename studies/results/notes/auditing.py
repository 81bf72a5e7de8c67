"""What an audit says, in sentences."""

from typing import TYPE_CHECKING

from coarsefine.studies.results.notes.note import counted

if TYPE_CHECKING:
    from coarsefine.studies.checks.audit import Audit

_MOST_LINES = 8


def conclusions(found: "Audit") -> list[str]:
    """Return what was found of the runs, and of the record."""
    lines = []
    n, verdicts = len(found.checked), [each.verdict for each in found.checked]
    n_same, n_near = verdicts.count("identical"), verdicts.count("rounding")
    n_other = n - n_same - n_near
    parts = [
        f"{n_same} the same to the last bit" if n_same else "",
        f"{n_near} the same to rounding" if n_near else "",
        f"{n_other} different" if n_other else "",
    ]
    drawn = len(found.drawn)
    with_them = f", and {n - drawn} that were trained with them" if n > drawn else ""
    lines.append(
        f"{drawn} of {counted(found.n_runs, 'run')} drawn{with_them}: "
        f"{', '.join(filter(None, parts))}"
    )
    if found.record.left_out:
        lines.append(
            f"{counted(found.record.left_out, 'run')} cannot be trained again: the study that "
            "trained them was deleted"
        )
    lines += [f"contradiction: {line}" for line in found.inconsistent[:_MOST_LINES]]
    if len(found.inconsistent) > _MOST_LINES:
        lines.append(f"and {len(found.inconsistent) - _MOST_LINES:,} more contradictions")
    if n_near or (n_other and found.unlike):
        lines.append(
            f"this machine rounds differently ({'; '.join(found.unlike)}): accuracies may differ "
            "by as much as those of two seeds"
        )
    elif n_other:
        lines.append(
            "machine and versions are those of the record, so a run that differs was changed, or "
            "trained by other code"
        )
    return lines


def about(found: "Audit") -> list[str]:
    """Return how many invented runs could have been missed."""
    if not found.passed:
        return []
    if found.bound == 0:
        return ["every run was trained again: none can be invented"]
    share = f"{100 * found.bound / found.n_runs:.0f} %"
    listed = ", ".join(
        f"{counted(each.runs, 'run')} in {_percent(each.probability)}" for each in found.escapes
    )
    line = (
        f"invented rows: up to {found.bound} of {found.n_runs} runs ({share}) could be invented "
        "and none of them drawn, at 95 % confidence"
    )
    return [line, f"how often such a draw misses all invented runs: {listed}"]


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %" if probability > 0.005 or not probability else "under 1 %"
