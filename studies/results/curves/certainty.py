"""How sure a trained network is of the true class of each validation sample, right or wrong."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.models.cohort import state_from_bytes
from coarsefine.models.data import prepare
from coarsefine.models.ensembles import probabilities
from coarsefine.models.errors import ModelError
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.point_runs import recipe_at
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.results.curves.runs import read_runs
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.spaces.dimensions import from_params

# What networks put out is a probability of each class with these.
LOSSES: Final = ("cross-entropy", "binary-cross-entropy")


@dataclass(frozen=True, slots=True)
class Certainty:
    """What a trial's first network gives the true class of the validation samples.

    Attributes:
        probabilities: (N,), in [0, 1].
        right: (N,), whether the class with the highest one is the true one.
    """

    trial: RankedTrial
    probabilities: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def certainty_of(database: Database, ranking: Ranking, trial: RankedTrial) -> Certainty | None:
    """Return how sure the weights that a trial counts with are; ``None`` with another loss.

    Raises:
        StudyError: If its weights are not stored, or its data are not here.
    """
    name = f"{trial.stage}:{trial.trial}"
    runs = read_runs(database, ranking, [trial]).get(trial.uuid or "", [])
    source, cohort = repository.trained_run(database, runs[0]) if runs else (None, None)
    stored = None if cohort is None else repository.load_checkpoint(database, cohort.uuid)
    if source is None or cohort is None or stored is None:
        raise StudyError(f"the weights of trial {name} are not in {database.label}")
    network = plan_from_json(cohort.plan).network
    finished = state_from_bytes(stored[1]).finished.get(source.slot or 0)
    if finished is None or network.loss not in LOSSES:
        return None
    records = repository.stages(database, ranking.study)
    stage = Stage.of(next(record for record in records if record.name == trial.stage))
    recipe = from_json(ranking.study.recipe, f"the recipe of study {ranking.study.name}")
    there = recipe_at(recipe, stage.dimensions, from_params(trial.params))
    try:
        data = prepare(to_data_spec(there), download=False)
    except (ModelError, OSError) as error:
        raise StudyError(f"the data of study {ranking.study.name} are not here: {error}") from error
    if data.fingerprint != ranking.study.data_fingerprint:
        raise StudyError(f"the data of study {ranking.study.name} have changed since")
    opened = data.open()
    outputs = probabilities(network, finished.parameters, np.asarray(opened.x_validation))
    of_label = outputs[np.arange(len(outputs)), opened.y_validation]
    return Certainty(trial, of_label, outputs.argmax(axis=1) == opened.y_validation)
