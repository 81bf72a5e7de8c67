"""W5: 784-64-10 with momentum and batches of 32 on MNIST, beside the peers."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import ONE_BY_ONE, Targets, contest, tables
from benchmarks.work import w5

TARGETS = Targets(strongest=1.15, waiting=0.05)


def run(options: Options) -> list[Table]:
    """Return the tables."""
    rounds = options.rounds or 3
    return tables(*contest(w5(options), options, rounds=rounds, without=ONE_BY_ONE), TARGETS)


if __name__ == "__main__":
    main(run, __doc__)
