"""What halving saves on 27 values of λ, and whether the best stay the best. Needs real CIFAR-10."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.common import Options, Table, log, main, percent
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.records import RunRecord
from coarsefine.models.errors import DataError
from coarsefine.studies.planning.pruning import rungs
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import COARSE
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.spaces.searches.registry import SEARCHES

N_VALUES = 27
# The usual coarse range, most of which is flat, and one of which most is hopeless.
RANGES = ((1e-5, 1e-1), (1e-5, 1e2))
FLAGS = {"data.name": "cifar10", "network.initialisation": "xavier"}


def run(options: Options) -> list[Table]:
    """Return the table."""
    table = Table(
        f"Halving on {N_VALUES} values of λ (CIFAR-10, 3072-50-10, 2 cycles of n_s 900)",
        (
            *("range", "seed", "best without", "best with", "tied", "of them stopped"),
            *("epochs saved", "at the most", "time saved"),
        ),
        notes=[
            "epochs saved: of those trained without halving, where what diverges ends by itself",
            "tied: with the best, of all trials without halving",
            "at the most: had all that are not tied, and no others, ended at the first rung",
        ],
    )
    for low, high in RANGES:
        for seed in range(options.rounds or 1):
            log(f"pruning: λ {low:g} … {high:g}, seed {seed}")
            try:
                table.rows.append(_compared(options, low, high, seed))
            except DataError as error:
                table.notes.append(f"skipped: {error}")
                return [table]
    return [table]


def _compared(options: Options, low: float, high: float, seed: int) -> tuple[str, ...]:
    rankings, runs = {}, {}
    for prune in ("none", "halving"):
        # A database each: nothing is shared but the data.
        with (
            tempfile.TemporaryDirectory() as folder,
            open_database(str(Path(folder) / "search.db"), create=True) as database,
        ):
            resources = Resources(database, data_dir=options.data_dir)
            request = StageRequest(n_trials=N_VALUES, low=low, high=high, prune=prune)
            asked = Asked(flags={**FLAGS, "seed": seed})
            done = Search.begin(resources, SEARCHES["lambda"], asked, request)
            done.stage(COARSE, request)
            rankings[prune] = read_ranking(database, done.study)
            values = {
                row.id: row.params["lambda"] for row in repository.trial_rows(database, done.study)
            }
            runs[prune] = {
                values[run.trial_id]: run for run in repository.run_rows(database, done.study)
            }
    epochs = {prune: sum(run.epochs for run in of.values()) for prune, of in runs.items()}
    seconds = {prune: sum(run.seconds or 0.0 for run in of.values()) for prune, of in runs.items()}
    best = {prune: ranking.trials[0] for prune, ranking in rankings.items()}
    tied = _tied(rankings["none"])
    stopped = {_value(trial) for trial in rankings["halving"].trials if trial.state == "pruned"}
    return (
        f"{low:g} … {high:g}",
        str(seed),
        *(
            f"{_value(trial):.3g} ({percent(trial.validation_accuracy or 0.0)})"
            for trial in best.values()
        ),
        str(len(tied)),
        str(len(tied & stopped)),
        percent(1 - epochs["halving"] / epochs["none"]),
        percent(_hopeless(tied, runs["none"]) / epochs["none"]),
        percent(1 - seconds["halving"] / seconds["none"]),
    )


def _value(trial: RankedTrial) -> float:
    return float(trial.params["lambda"])


def _tied(ranking: Ranking) -> set[float]:
    """Return the values that may be the best."""
    return {_value(trial) for trial in ranking.trials[:1]} | {
        _value(trial) for trial in ranking.trials if trial.tied
    }


def _hopeless(tied: set[float], runs: Mapping[float, RunRecord]) -> int:
    """Return the epochs after the first rung of the values that are not tied in the end."""
    first = rungs(max(run.epochs for run in runs.values()))[0]
    return sum(max(0, run.epochs - first) for value, run in runs.items() if value not in tied)


if __name__ == "__main__":
    main(run, __doc__)
