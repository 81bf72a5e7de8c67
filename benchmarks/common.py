"""What every benchmark needs: options, interleaved rounds, medians with their spread, tables."""

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.peers import PEERS

Value = TypeVar("Value")

FIGURE = Path("benchmarks/scaling.png")

VERSIONS_OF = ("numpy", "scipy", "optuna", "sqlalchemy", "torch", "jax", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks of a benchmark.

    Attributes:
        rounds: Interleaved rounds; ``None`` leaves it to the benchmark.
        data_dir: Where the data sets' files are; ``None`` is ``$SEARCH_DATA_DIR``.
        peers: Names of the peers to compare with; ``None`` is all that are installed.
        huge: Also measure what takes minutes.
        figure: Where the figure of ``scaling`` goes.
    """

    rounds: int | None = None
    data_dir: Path | None = None
    peers: tuple[str, ...] | None = None
    huge: bool = False
    figure: Path = FIGURE


@dataclass(slots=True)
class Table:
    """A result as people read it: rows of text under a title."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return it with columns lined up."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]

        def padded(line: Sequence[str]) -> str:
            cells = zip(line, widths, strict=True)
            return "  ".join(cell.ljust(width) for cell, width in cells).rstrip()

        rule = "  ".join("-" * width for width in widths)
        body = [padded(self.columns), rule, *(padded(row) for row in self.rows)]
        return "\n".join([self.title, "", *body, *(f"  * {note}" for note in self.notes)])

    def markdown(self) -> str:
        """Return it as Markdown."""
        head = [f"**{self.title}**", "", _piped(self.columns), _piped(["---"] * len(self.columns))]
        notes = ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join([*head, *(_piped(row) for row in self.rows), *notes])

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": self.notes}


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the middle one."""
        return statistics.median(self.values)

    @property
    def noise(self) -> float:
        """Return (highest - lowest) / median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else math.nan

    def __str__(self) -> str:
        if len(self.values) == 1:
            return short(self.values[0])
        return f"{short(self.median)} ({short(min(self.values))}–{short(max(self.values))})"


def short(value: float) -> str:
    """Return a number with three digits that count."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{100 * share:.1f} %"


def verdict(value: float, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """Return whether a target is met."""
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return "met" if met else "MISSED"


def interleaved(
    sides: Mapping[str, Callable[[], Value]], n_rounds: int, *, budget: float = math.inf
) -> dict[str, list[Value]]:
    """Return what each side gave in each round, A B C A B C …: what slows one slows all.

    Args:
        sides: By name.
        n_rounds: Rounds at the most.
        budget: Seconds after which no further round begins; one is always made.
    """
    results: dict[str, list[Value]] = {name: [] for name in sides}
    end = time.perf_counter() + budget
    for i in range(n_rounds):
        if i and time.perf_counter() > end:
            log(f"  {i} rounds only: they have taken {budget:.0f} s")
            break
        for name, side in sides.items():
            results[name].append(side())
    return results


def ratios(of: Sequence[float], to: Sequence[float]) -> Spread:
    """Return the ratios of two sides, each within its round."""
    return Spread(tuple(a / b for a, b in zip(of, to, strict=True)))


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_seconds() -> float | None:
    """Return what all processes of this machine have used, with what its host took from it."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, words[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """Return the processor time that a process has used."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    words = text.rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, str]:
    """Return what the figures were measured on, and when."""
    versions = {}
    for name in VERSIONS_OF:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": str(n_cores()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **versions,
    }


def machine_line() -> str:
    """Return ``machine`` on one line."""
    facts = machine()
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *VERSIONS_OF))
    return (
        f"{facts['date']}, {facts['processor']}, {facts['cores']} cores, {facts['system']}; "
        f"{versions}"
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in text.splitlines())
    found = {name.strip(): value.strip() for name, colon, value in lines if colon}
    name = found.get("model name", platform.machine())
    # Virtual machines call many processors by one name: family and model tell them apart.
    return f"{name} (family {found.get('cpu family', '?')} model {found.get('model', '?')})"


def log(line: str) -> None:
    """Say what is going on: on stderr, the tables are for stdout."""
    print(line, file=sys.stderr, flush=True)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that all benchmarks share."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="print JSON rather than text")
    made.add_argument("--rounds", type=int, help="interleaved rounds")
    made.add_argument("--data-dir", type=Path, help="folder with the data sets' files")
    made.add_argument(
        "--peers", type=_peers, help=f"peers to compare with, of {', '.join(_names())}; or none"
    )
    made.add_argument("--huge", action="store_true", help="also measure what takes minutes")
    made.add_argument("--figure", type=Path, default=FIGURE, help="where scaling draws")
    return made


def _names() -> tuple[str, ...]:
    return tuple(peer.name for peer in PEERS)


def _peers(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    named = tuple(text.split(","))
    wrong = [name for name in named if name not in _names()]
    if wrong:
        raise argparse.ArgumentTypeError(
            f"peers are {', '.join(_names())}, separated by commas, or none; got {', '.join(wrong)}"
        )
    return named


def to_options(given: argparse.Namespace) -> Options:
    """Return the options as benchmarks want them."""
    return Options(
        rounds=given.rounds,
        data_dir=given.data_dir,
        peers=given.peers,
        huge=given.huge,
        figure=given.figure,
    )


def show(tables: Sequence[Table], *, as_json: bool) -> None:
    """Print the tables with the machine they were measured on."""
    if as_json:
        print(json.dumps({"machine": machine(), "tables": [t.as_json() for t in tables]}, indent=1))
        return
    print(machine_line())
    for table in tables:
        print(f"\n{table.text()}")


def main(run: Callable[[Options], list[Table]], description: str | None) -> None:
    """Run one benchmark as a command."""
    given = parser(description).parse_args()
    show(run(to_options(given)), as_json=given.json)
