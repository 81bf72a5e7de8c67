"""How long the command takes to start, and searches of a second take in all."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.commands import python, seconds
from benchmarks.common import Options, Spread, Table, interleaved, log, main, verdict

COMMANDS = {
    "python -m search --help": python("-m", "search", "--help"),
    "python -c pass": python("-c", "pass"),
    "python -c 'import numpy'": python("-c", "import numpy"),
    "python -c 'import optuna'": python("-c", "import optuna"),
}
ONE_SEED, RACE = "lambda --coarse --replicates 1", "lambda --coarse"
SEARCHES = {ONE_SEED: ("--replicates", "1"), RACE: ()}
TARGETS = {"python -m search --help": 0.3, ONE_SEED: 0.9}


def run(options: Options) -> list[Table]:
    """Return the table."""
    log("startup")
    steps = {name: partial(seconds, command) for name, command in COMMANDS.items()}
    steps |= {name: partial(_searched, words) for name, words in SEARCHES.items()}
    interleaved(steps, 1)
    measured = interleaved(steps, options.rounds or 7)
    table = Table("Start-up, s", ("command", "wall time", "target"))
    for name, times in measured.items():
        spread = Spread(tuple(times))
        target = TARGETS.get(name)
        met = "" if target is None else f"≤ {target}: {verdict(spread.median, at_most=target)}"
        table.rows.append((name, str(spread), met))
    return [table]


def _searched(words: Sequence[str]) -> float:
    """Return how long a search of the embedded digits takes that is new."""
    with tempfile.TemporaryDirectory() as folder:
        at = ("--storage", str(Path(folder) / "search.db"))
        return seconds(python("-m", "search", "lambda", "--coarse", *words, *at))


if __name__ == "__main__":
    main(run, __doc__)
