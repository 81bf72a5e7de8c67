"""W1: eight λ on CIFAR-10's shape, 3072-50-10, beside all peers and the machine's GEMM rate."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import Targets, contest, tables
from benchmarks.work import w1

TARGETS = Targets(rate=0.75, strongest=1.1, waiting=0.02)


def run(options: Options) -> list[Table]:
    """Return the tables."""
    return tables(*contest(w1(options), options, rounds=options.rounds or 3), TARGETS)


if __name__ == "__main__":
    main(run, __doc__)
