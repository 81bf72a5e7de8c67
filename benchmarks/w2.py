"""W2: eight λ for softmax regression on MNIST, scaled and standardised, beside all peers.

A search of 12 epochs takes a second, of which starting and ending it is a part; one of 60 shows
what training costs.
"""

from benchmarks.common import Options, Table, main
from benchmarks.contest import BUT_THE_FASTEST, Targets, contest, tables
from benchmarks.work import w2

TARGETS = Targets(strongest=1.5, waiting=0.05)
LONG = 60


def run(options: Options) -> list[Table]:
    """Return the tables."""
    rounds = options.rounds or 3
    made = tables(*contest(w2(options), options, rounds=rounds), TARGETS)
    # The others do the same products whatever the pixels are.
    standardised = w2(options, normalisation="standardise")
    for work in (w2(options).shorter(LONG), standardised.shorter(LONG)):
        made += tables(*contest(work, options, rounds=rounds, without=BUT_THE_FASTEST), TARGETS)
    return made


if __name__ == "__main__":
    main(run, __doc__)
