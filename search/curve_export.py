"""Curves as columns: a row an epoch of each training run."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.export import of_one_kind

if TYPE_CHECKING:
    from coarsefine.db.engine import Database
    from coarsefine.studies.results.ranking import Ranking

_MEASURED: Final = (
    "train_loss",
    "train_cost",
    "train_accuracy",
    "validation_loss",
    "validation_cost",
    "validation_accuracy",
    "running_loss",
    "running_accuracy",
    "seconds",
    "evaluation_seconds",
)


def exact(database: "Database", ranking: "Ranking") -> dict[str, list[Any]]:
    """Return columns of a value an epoch, in order of trial, replicate and epoch.

    Their names are in ``docs/tables.md``.
    """
    from coarsefine.db import repository

    rows = repository.trial_rows(database, ranking.study)
    places = {trial.uuid: trial for trial in ranking.trials}
    trials = {row.id: places[row.uuid] for row in rows if row.uuid in places}
    runs = {
        run.id: (trials[run.trial_id], run.replicate)
        for run in repository.run_rows(database, ranking.study)
        if run.trial_id in trials
    }
    names = ranking.searched
    curves = defaultdict(list)
    for row in repository.epoch_rows(database, study=ranking.study):
        curves[row.run_id].append(row)
    known = ("study", "stage", "trial", *names, "replicate", "epoch", "updates", "epoch_eta")
    # Without a single epoch there are columns, too.
    found: dict[str, list[Any]] = {name: [] for name in (*known, *_MEASURED)}
    for run_id, (trial, replicate) in runs.items():
        curve = curves[run_id]
        found["study"] += [ranking.study.name] * len(curve)
        found["stage"] += [trial.stage] * len(curve)
        found["trial"] += [trial.trial] * len(curve)
        for name in names:
            found[name] += [trial.params.get(name)] * len(curve)
        found["replicate"] += [replicate] * len(curve)
        found["epoch"] += [row.epoch for row in curve]
        found["updates"] += [row.step for row in curve]
        found["epoch_eta"] += [row.eta for row in curve]
        for name in _MEASURED:
            found[name] += [getattr(row, name) for row in curve]
    return {
        name: of_one_kind(values) if name in names else values for name, values in found.items()
    }
