"""How long the command takes to start."""

from functools import partial

from benchmarks.commands import python, seconds
from benchmarks.common import Options, Spread, Table, interleaved, log, main, verdict

COMMANDS = {
    "python -m search --help": python("-m", "search", "--help"),
    "python -c pass": python("-c", "pass"),
    "python -c 'import numpy'": python("-c", "import numpy"),
    "python -c 'import optuna'": python("-c", "import optuna"),
}
TARGETS = {"python -m search --help": 0.4}


def run(options: Options) -> list[Table]:
    """Return the table."""
    log("startup")
    steps = {name: partial(seconds, command) for name, command in COMMANDS.items()}
    interleaved(steps, 1)
    measured = interleaved(steps, options.rounds or 7)
    table = Table("Start-up, s", ("command", "wall time", "target"))
    for name, times in measured.items():
        spread = Spread(tuple(times))
        target = TARGETS.get(name)
        met = "" if target is None else f"≤ {target}: {verdict(spread.median, at_most=target)}"
        table.rows.append((name, str(spread), met))
    return [table]


if __name__ == "__main__":
    main(run, __doc__)
