"""A study of 20,000 trials: looked through, its curves exported, and read for the dashboard."""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.commands import memory, python, seconds
from benchmarks.common import Options, Spread, Table, interleaved, log, main, verdict
from benchmarks.filled import EPOCHS, STUDY, fill

N_TRIALS = 20_000
CHECK, CURVES, DASHBOARD = "check", "export --what curves", "dashboard: all trials, as Optuna's"
TARGETS = {CHECK: 8.0, CURVES: 6.0, DASHBOARD: 3.0}
MEGABYTES = {CHECK: 300.0}

# What the dashboard does when somebody first looks at a study, without the browser.
LOOK = """
import io, sys
from coarsefine.db.optuna.dashboard import optuna_dashboard
from coarsefine.db.connections.engine import open_database

with open_database(sys.argv[1], read_only=True) as database:
    app, storage = optuna_dashboard(database)
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies/1", "QUERY_STRING": "after=0"}
    asked |= {"SERVER_NAME": "here", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    asked |= {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
    answer = b"".join(app(asked, lambda *_: None))
    storage.close()
sys.exit(len(answer) < 1000)
"""


def run(options: Options) -> list[Table]:
    """Return the table."""
    table = Table(
        f"{N_TRIALS:,} trials with a curve of {EPOCHS} epochs each; whole processes",
        ("command", "wall time, s", "target, s", "memory, MB", "target, MB"),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.db"
        log(f"large: writing {N_TRIALS:,} trials")
        fill(path, N_TRIALS)
        at = ("--storage", str(path))
        curves = ("export", STUDY, str(Path(folder) / "curves.csv"), "--what", "curves", *at)
        commands = {
            CHECK: python("-m", "search", "check", *at),
            CURVES: python("-m", "search", *curves),
            DASHBOARD: python("-c", LOOK, str(path)),
        }
        peaks = {name: memory(command) for name, command in commands.items()}
        steps = {name: partial(seconds, command) for name, command in commands.items()}
        for name, times in interleaved(steps, options.rounds or 3).items():
            spread, most = Spread(tuple(times)), MEGABYTES.get(name)
            table.rows.append(
                (
                    name,
                    str(spread),
                    f"≤ {TARGETS[name]:g}: {verdict(spread.median, at_most=TARGETS[name])}",
                    f"{peaks[name]:.0f}",
                    "" if most is None else f"≤ {most:g}: {verdict(peaks[name], at_most=most)}",
                )
            )
    return [table]


if __name__ == "__main__":
    main(run, __doc__)
