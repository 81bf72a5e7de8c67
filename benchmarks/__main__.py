"""All benchmarks, or those that are named: ``python -m benchmarks [w1 w2 …]``."""

import importlib
import time
from pathlib import Path

from benchmarks.common import Table, log, machine_line, parser, show, to_options

# Workloads are named by number, w1 and so on: each that is there is measured.
WORKLOADS = sorted(
    (file.stem for file in Path(__file__).parent.glob("w[0-9]*.py")),
    key=lambda name: int(name.removeprefix("w")),
)
NAMES = (
    *("startup", "cohort_cost", "regularised", "memory"),
    *WORKLOADS,
    *("storage", "large", "scaling", "scaling_out", "forecasts"),
)


def main() -> None:
    """Run them one after the other and print all tables, as text and as Markdown."""
    words = parser(__doc__)
    words.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    words.add_argument("--markdown", action="store_true", help="print Markdown alone")
    given = words.parse_args()
    wrong = sorted(set(given.names) - set(NAMES))
    if wrong:
        words.error(f"benchmarks are {', '.join(NAMES)}; got {', '.join(wrong)}")
    options = to_options(given)
    tables: list[Table] = []
    for name in given.names or NAMES:
        started = time.perf_counter()
        try:
            made = importlib.import_module(f"benchmarks.{name}").run(options)
        except Exception as error:  # the others are worth having
            log(f"{name} failed: {type(error).__name__}: {error}")
            made = [Table(f"{name} failed", ("error",), [(str(error),)])]
        tables += made
        if not (given.markdown or given.json):
            # At once: what was measured is not lost with what comes after.
            print("\n\n".join(table.text() for table in made), end="\n\n", flush=True)
        log(f"{name}: {time.perf_counter() - started:.0f} s")
    if given.json:
        show(tables, as_json=True)
    else:
        print(f"Measured {machine_line()}.")
        for table in tables:
            print(f"\n{table.markdown()}")


if __name__ == "__main__":
    main()
