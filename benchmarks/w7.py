"""W7: 64-50-10 on the digits, where what an update costs beside its products is most."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import BUT_THE_FASTEST, ONE_BY_ONE, Targets, contest, tables
from benchmarks.work import w7

TARGETS = Targets(strongest=3.0, waiting=0.05)
# Sixty epochs take a fifth of a second: starting and ending the search is a third of it.
LONG = 600


def run(options: Options) -> list[Table]:
    """Return the tables."""
    rounds = options.rounds or 3
    made = tables(*contest(w7(options), options, rounds=rounds, without=ONE_BY_ONE), TARGETS)
    long = contest(w7(options, LONG), options, rounds=rounds, without=BUT_THE_FASTEST)
    return [*made, *tables(*long, TARGETS)]


if __name__ == "__main__":
    main(run, __doc__)
