"""All benchmarks, or those that are named: ``python -m benchmarks [w1 w2 …]``."""

import importlib
import sys
import time

from benchmarks.common import Table, log, machine_line, parser, show, to_options

NAMES = ("startup", "cohort_cost", "memory", "w1", "w2", "w3", "storage", "scaling")


def main() -> None:
    """Run them one after the other and print all tables, as text and as Markdown."""
    made = parser(__doc__)
    made.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    made.add_argument("--markdown", action="store_true", help="print Markdown alone")
    given = made.parse_args()
    wrong = sorted(set(given.names) - set(NAMES))
    if wrong:
        made.error(f"benchmarks are {', '.join(NAMES)}; got {', '.join(wrong)}")
    options = to_options(given)
    tables: list[Table] = []
    for name in given.names or NAMES:
        started = time.perf_counter()
        try:
            tables += importlib.import_module(f"benchmarks.{name}").run(options)
        except Exception as error:  # the others are worth having
            log(f"{name} failed: {type(error).__name__}: {error}")
            tables.append(Table(f"{name} failed", ("error",), [(str(error),)]))
        log(f"{name}: {time.perf_counter() - started:.0f} s")
    if not given.markdown:
        show(tables, as_json=given.json)
    if not given.json:
        print(f"\nMeasured {machine_line()}.")
        for table in tables:
            print(f"\n{table.markdown()}")


if __name__ == "__main__":
    sys.exit(main())
