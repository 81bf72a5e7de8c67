"""What becomes of a trial: means over its replicates."""

from collections.abc import Sequence
from statistics import fmean

from coarsefine.db.records import FINAL_STATES, RunRecord, RunUpdate, TrialState, TrialUpdate


def trial_update(
    uuid: str, replicates: int, runs: Sequence[RunRecord | RunUpdate]
) -> TrialUpdate | None:
    """Return a trial's means over its replicates, once the last of them is finished."""
    if len(runs) < replicates or any(run.state not in FINAL_STATES for run in runs):
        return None
    states = {run.state for run in runs}
    state: TrialState = "complete"
    for worse in ("failed", "diverged", "pruned"):
        if worse in states:
            state = worse
            break
    return TrialUpdate(
        uuid=uuid,
        state=state,
        validation_accuracy=_mean([run.validation_accuracy for run in runs]),
        validation_loss=_mean([run.validation_loss for run in runs]),
        train_accuracy=_mean([run.train_accuracy for run in runs]),
        seconds=sum(run.seconds or 0.0 for run in runs),
        replicates=len(runs),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or ``None`` if a value is missing: a diverged replicate has no accuracy."""
    if any(value is None for value in values):
        return None
    return fmean(value for value in values if value is not None)
