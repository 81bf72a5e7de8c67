"""W3: batch size 1 on W2's model, where what an update costs beside its products is all."""

import time
from contextlib import closing
from dataclasses import replace

from benchmarks.common import Options, Spread, Table, interleaved, log, main, ratios, verdict
from benchmarks.contest import BUT_THE_FASTEST, Targets, contest, tables
from benchmarks.direct import cohort_plan, train_once
from benchmarks.peers import PEERS
from benchmarks.sides import Side, missing
from benchmarks.work import w3
from coarsefine.models.kernels.choice import SPARSE

TARGETS = Targets(strongest=8.0, waiting=0.05)
# They have nothing to add here, and would take minutes.
WITHOUT = ("torch-dataloader", "sklearn")
# Four epochs take a quarter of a second: starting and ending the search is most of it.
LONG = 100


def run(options: Options) -> list[Table]:
    """Return the tables."""
    rounds = options.rounds or 3
    made = tables(*contest(w3(options), options, rounds=rounds, without=WITHOUT), TARGETS)
    long = contest(w3(options, LONG), options, rounds=rounds, without=BUT_THE_FASTEST)
    return [*made, *tables(*long, TARGETS), *_lone(options)]


def _lone(options: Options) -> list[Table]:
    """Return how many updates a second a single trial makes on one core."""
    peer = next(peer for peer in PEERS if peer.name == "torch-loop")
    mode = next(mode for mode in peer.modes if mode.title == "1 thread")
    work = w3(options).shorter(1)
    strengths = work.l2_strengths[:1]
    n_updates = work.task.updates
    table = Table("W3: a lone trial on one core", ("side", "updates a second", "ours is faster by"))
    if missing(peer) or (options.peers is not None and peer.name not in options.peers):
        return []
    log("W3: a lone trial")
    with closing(Side(peer, mode, work.task)) as side:
        plan = replace(cohort_plan(work, 1), kernel=SPARSE)

        def ours() -> float:
            started = time.perf_counter()
            train_once(plan, work)
            return time.perf_counter() - started

        def theirs() -> float:
            return side.train(strengths, 1).seconds

        interleaved({"ours": ours, "theirs": theirs}, 1)
        times = interleaved({"ours": ours, "theirs": theirs}, options.rounds or 5)
    faster = ratios(times["theirs"], times["ours"])
    table.rows += [
        ("ours", str(Spread(tuple(n_updates / t for t in times["ours"]))), ""),
        (
            f"{peer.title}, {mode.title}",
            str(Spread(tuple(n_updates / t for t in times["theirs"]))),
            f"{faster} (target ≥ 50: {verdict(faster.median, at_least=50)})",
        ),
    ]
    return [table]


if __name__ == "__main__":
    main(run, __doc__)
