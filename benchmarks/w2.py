"""W2: eight λ for softmax regression on MNIST, beside all peers."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import Targets, contest, tables
from benchmarks.work import w2

TARGETS = Targets(strongest=4.0, waiting=0.05)


def run(options: Options) -> list[Table]:
    """Return the tables."""
    return tables(*contest(w2(options), options, rounds=options.rounds or 3), TARGETS)


if __name__ == "__main__":
    main(run, __doc__)
