"""Curves as a table in a file: a row an epoch of each training run, exact, for programs."""

from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from search.errors import UsageError
from search.export import csv_of, json_of, neutral, of_one_kind

if TYPE_CHECKING:
    from db.engine import Database
    from studies.reading import Ranking

# What a sheet of Excel holds beside the line of names.
_MOST_ROWS: Final = 2**20 - 1
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


def check_format(name: str) -> None:
    """Raise a UsageError unless curves can be written in a format."""
    if name not in _WRITERS:
        raise UsageError(f"curves are written as {', '.join(_WRITERS)}, got {name}")


def exact(database: "Database", ranking: "Ranking") -> dict[str, list[Any]]:
    """Return columns of a value an epoch, in order of trial, replicate and epoch.

    Their names are in ``docs/cli.md``.
    """
    from db import repository

    rows = repository.trial_rows(database, ranking.study)
    places = {trial.uuid: trial for trial in ranking.trials}
    trials = {row.id: places[row.uuid] for row in rows if row.uuid in places}
    runs = {
        run.id: (trials[run.trial_id], run.replicate)
        for run in repository.run_rows(database, ranking.study)
        if run.trial_id in trials
    }
    names = dict.fromkeys(name for trial in ranking.trials for name in trial.params)
    curves = defaultdict(list)
    for row in repository.epoch_rows(database, study=ranking.study):
        curves[row.run_id].append(row)
    found: dict[str, list[Any]] = defaultdict(list)
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


def export(database: "Database", ranking: "Ranking", format_name: str) -> tuple[bytes, int]:
    """Return the file of a study's curves as csv, json, parquet or xlsx, and how many rows it has.

    Raises:
        UsageError: If a sheet cannot hold them.
    """
    found = exact(database, ranking)
    n_rows = len(next(iter(found.values()), []))
    if format_name == "xlsx" and n_rows > _MOST_ROWS:
        raise UsageError(f"a sheet holds {_MOST_ROWS:,} rows, got {n_rows:,}; write csv")
    return _WRITERS[format_name](found), n_rows


def _parquet(found: dict[str, list[Any]]) -> bytes:
    import pandas as pd

    file = BytesIO()
    pd.DataFrame(found).to_parquet(file, index=False)
    return file.getvalue()


def _xlsx(found: dict[str, list[Any]]) -> bytes:
    import pandas as pd

    file = BytesIO()
    table = pd.DataFrame({name: neutral(values) for name, values in found.items()})
    table.to_excel(file, index=False, sheet_name="curves", freeze_panes=(1, 0))
    return file.getvalue()


_WRITERS: Final[dict[str, Callable[[dict[str, list[Any]]], bytes]]] = {
    "csv": csv_of,
    "json": json_of,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
