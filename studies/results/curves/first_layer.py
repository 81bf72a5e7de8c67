"""What the first layer of a trained network has learnt, read from its cohort's checkpoint."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.models.cohort import state_from_bytes
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.results.ranking import RankedTrial, Ranking


@dataclass(frozen=True, slots=True)
class FirstLayer:
    """What the first layer of a trained network has learnt.

    Attributes:
        trial: Its place in the ranking.
        weights: (units, features): a row a unit; a row a class where there is no hidden layer.
        linear: Whether there is no hidden layer.
        epoch: That the weights are of.
    """

    trial: RankedTrial
    weights: npt.NDArray[np.floating]
    linear: bool
    epoch: int


def read_first_layer(database: Database, ranking: Ranking, trial: RankedTrial) -> FirstLayer:
    """Return the first layer's weights of a trial's first replicate, as it counts in the ranking.

    Raises:
        StudyError: If they are not in the database.
        StorageError: If they were trained in a study that was deleted.
    """
    name = f"{trial.stage}:{trial.trial}"
    runs = read_runs(database, ranking, [trial]).get(trial.uuid or "", [])
    if not runs:
        raise StudyError(f"trial {name} of {ranking.study.name} has no training run yet")
    source, cohort = repository.trained_run(database, runs[0])
    stored = repository.load_checkpoint(database, cohort.uuid)
    finished = None
    if stored is not None:
        finished = state_from_bytes(stored[1]).finished.get(source.slot or 0)
    # A trainer of the user's leaves none.
    if finished is None or not finished.parameters.n_trials:
        raise StudyError(
            f"the weights of trial {name} of {ranking.study.name} are not in {database.label}: "
            f"it is {trial.state}"
        )
    weights = finished.parameters.weights
    return FirstLayer(trial, weights[0][0], len(weights) == 1, finished.scored_epoch)
