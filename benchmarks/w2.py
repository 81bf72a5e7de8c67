"""W2: eight λ for softmax regression on MNIST, scaled and standardised, beside all peers."""

from benchmarks.common import Options, Table, main
from benchmarks.contest import Targets, contest, tables
from benchmarks.work import w2

TARGETS = Targets(strongest=1.5, waiting=0.05)


def run(options: Options) -> list[Table]:
    """Return the tables."""
    rounds = options.rounds or 3
    scaled = tables(*contest(w2(options), options, rounds=rounds), TARGETS)
    standardised = w2(options, normalisation="standardise")
    # The others do the same products whatever the pixels are.
    without = ("numpy-loop", "sklearn", "torch-dataloader", "torch-loop", "torch-vmap")
    return [
        *scaled,
        *tables(*contest(standardised, options, rounds=rounds, without=without), TARGETS),
    ]


if __name__ == "__main__":
    main(run, __doc__)
