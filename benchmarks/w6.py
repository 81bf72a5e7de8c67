"""W6: 784-128-128-10 with Adam on Fashion-MNIST at three batch sizes, beside the peers."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import ONE_BY_ONE, Targets, contest, tables
from benchmarks.work import w6

TARGETS = {
    100: Targets(strongest=1.15, waiting=0.05),
    1000: Targets(strongest=1.15, waiting=0.05),
    1: Targets(strongest=1.5, peers=(("torch-loop", 3.0),), waiting=0.05),
}


def run(options: Options) -> list[Table]:
    """Return the tables."""
    made: list[Table] = []
    for batch_size, targets in TARGETS.items():
        work = w6(options, batch_size)
        rounds = options.rounds or 2  # three batch sizes of a search that takes a while
        made += tables(*contest(work, options, rounds=rounds, without=ONE_BY_ONE), targets)
    return made


if __name__ == "__main__":
    main(run, __doc__)
