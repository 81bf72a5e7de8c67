"""Whether a search over λ applied its penalty at all."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coarsefine.db import repository
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.notes.note import Note

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.studies.results.ranking import RankedTrial, Ranking

# A penalty of this strength that changes nothing was hardly applied.
STRONG_PENALTY = 0.1
# The share of the squared weights that such a penalty leaves at the most.
SHRUNK = 0.9


def penalty_notes(database: "Database", ranking: "Ranking") -> tuple[Note, ...]:
    """Return whether a penalty that changes no score was applied at all.

    Costs are stored beside losses: their difference is λ Σ W².
    """
    ends = looks_unpenalised(ranking)
    if ends is None:
        return ()
    uuids = {trial.uuid: float(trial.params["lambda"]) for trial in ends}
    strengths = {
        row.id: uuids[row.uuid]
        for row in repository.trial_rows(database, ranking.study)
        if row.uuid in uuids
    }
    squared: dict[float, float] = {}
    for run in repository.run_rows(database, trial_ids=list(strengths)):
        curve = repository.epoch_rows(database, run_ids=[run.id]) if run.replicate == 0 else []
        if curve and curve[-1].train_cost is not None and curve[-1].train_loss is not None:
            strength = strengths[run.trial_id]
            squared[strength] = (curve[-1].train_cost - curve[-1].train_loss) / strength
    return on_penalty(ranking, squared)


def on_penalty(ranking: "Ranking", squared_weights: Mapping[float, float]) -> tuple[Note, ...]:
    """Return that the penalty was probably not applied, if it looks like that.

    Args:
        ranking: Of a search over λ.
        squared_weights: Σ W² at the end of training, by λ > 0: of the least and the greatest.
    """
    if len(squared_weights) < 2:
        return ()
    low, high = min(squared_weights), max(squared_weights)
    if squared_weights[high] <= SHRUNK * squared_weights[low]:
        return ()
    line = (
        f"validation accuracy does not fall up to λ {high:.4g}, and the sum of squared weights "
        f"hardly does ({squared_weights[low]:.4g} at λ {low:.4g}, {squared_weights[high]:.4g} at "
        f"{high:.4g}): the penalty was probably not applied, or had no time to act"
    )
    return (Note("unpenalised", line),)


def looks_unpenalised(ranking: "Ranking") -> tuple["RankedTrial", "RankedTrial"] | None:
    """Return the trials of the least and the greatest λ if the score is flat or rises between them.

    ``None`` if it falls, as it should where λ is strong, or was not tried up to ``STRONG_PENALTY``.
    """
    if ranking.numeric_parameter != "lambda" or not has_learnt(ranking):
        return None
    tried = [t for t in ranking.trials if t.state == "complete" and t.params["lambda"] > 0]
    if len(tried) < 2:
        return None
    weakest = min(tried, key=lambda t: float(t.params["lambda"]))
    strongest = max(tried, key=lambda t: float(t.params["lambda"]))
    if strongest.params["lambda"] < STRONG_PENALTY or weakest is strongest:
        return None
    return (weakest, strongest) if strongest.tied or strongest.rank == 1 else None
