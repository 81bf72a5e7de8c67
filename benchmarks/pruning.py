"""What halving saves on 27 values of λ, and whether the best stay the best. Needs real CIFAR-10."""

import tempfile
from pathlib import Path

from benchmarks.common import Options, Table, log, main, percent
from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.models.errors import DataError
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import COARSE
from coarsefine.studies.recipes.layers import Asked
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
        ("range", "seed", "best three without", "with", "the same", "epochs saved", "time saved"),
        notes=[
            "epochs saved: of those trained without halving, where what diverges ends by itself"
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
    best, epochs, seconds = {}, {}, {}
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
            runs = repository.run_rows(database, done.study)
            epochs[prune] = sum(each.epochs for each in runs)
            seconds[prune] = sum(each.seconds or 0.0 for each in runs)
            best[prune] = [
                (f"{trial.params['lambda']:.3g}", trial.validation_accuracy or 0.0)
                for trial in read_ranking(database, done.study).trials[:3]
            ]
    names = {prune: [name for name, _ in three] for prune, three in best.items()}
    shown = {
        prune: ", ".join(f"{name} ({percent(accuracy)})" for name, accuracy in three)
        for prune, three in best.items()
    }
    return (
        f"{low:g} … {high:g}",
        str(seed),
        shown["none"],
        shown["halving"],
        "yes" if names["none"] == names["halving"] else "no",
        percent(1 - epochs["halving"] / epochs["none"]),
        percent(1 - seconds["halving"] / seconds["none"]),
    )


if __name__ == "__main__":
    main(run, __doc__)
