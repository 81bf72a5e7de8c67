"""One search, ours and the peers', in interleaved rounds."""

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median

from benchmarks.common import (
    Options,
    Spread,
    Table,
    interleaved,
    log,
    percent,
    ratios,
    short,
    verdict,
)
from benchmarks.gemm_rate import GemmRate
from benchmarks.ours import Ours, Search
from benchmarks.peers import PEERS
from benchmarks.sides import Side, Turn, fastest, missing, slice_of
from benchmarks.work import Work


@dataclass(frozen=True, slots=True)
class Targets:
    """What is asked of a search; ``None`` asks nothing.

    Attributes:
        rate: Share of the GEMM rate, end to end.
        strongest: How many times as fast as the fastest of ``rivals``.
        peers: The same by peer.
        waiting: Share of the workers' time that they may wait for the driver.
    """

    rate: float | None = None
    strongest: float | None = None
    peers: tuple[tuple[str, float], ...] = ()
    waiting: float | None = None


# Seconds after which no further round begins, unless rounds are asked for: all benchmarks together
# should take some half an hour, on a machine that is busy with something else, too.
BUDGET = 150.0
RIVALS = ("torch-loop", "torch-vmap", "jax-vmap")
# The others, which know rectified units and plain descent alone. They are the slowest, so they are
# measured in the first round alone.
ONE_BY_ONE = ("torch-dataloader", "sklearn", "numpy-loop")
# All but the fastest, for searches as long as those that our kernels are compiled for.
BUT_THE_FASTEST = (*ONE_BY_ONE, "torch-loop", "torch-vmap")


@dataclass(frozen=True, slots=True)
class Contest:
    """What the rounds gave.

    Attributes:
        by_reference: Ours once more without a compiled kernel, where there is one.
    """

    work: Work
    searches: list[Search]
    turns: list[tuple[Side, list[Turn]]]
    rates: list[list[float]]
    by_reference: list[Search] = field(default_factory=list)

    @property
    def our_seconds(self) -> list[float]:
        """Return the seconds of one update of one trial, by round."""
        return self.per_update(self.searches)

    @property
    def our_processor(self) -> list[float]:
        """Return the processor time of one update of one trial, by round."""
        n = len(self.work.l2_strengths) * self.work.task.updates
        return [search.processor_seconds / n for search in self.searches]

    def per_update(self, searches: Sequence[Search]) -> list[float]:
        """Return the seconds that searches took for one update of one trial."""
        n = len(self.work.l2_strengths) * self.work.task.updates
        return [search.seconds / n for search in searches]


def contest(
    work: Work, options: Options, *, rounds: int, without: Sequence[str] = ()
) -> tuple[Contest, list[str]]:
    """Return all that was measured, and what to know about it."""
    notes = [f"data: {work.about_data}; {work.task.n_epochs} epochs of {work.task.data.n_train:,}"]
    with ExitStack() as stack:
        gemm = stack.enter_context(GemmRate())
        ours = stack.enter_context(Ours())
        log(f"{work.name}: warming up")
        compiles = ours.search(work.shorter(1)).kernel != "numpy"
        sides = []
        for peer in PEERS:
            wanted = options.peers is None or peer.name in options.peers
            if peer.name in without or not wanted:
                continue
            lacking = missing(peer)
            if lacking is not None:
                notes.append(f"{peer.title} left out: {lacking} is not installed")
                continue
            try:
                sides.append(stack.enter_context(closing(fastest(peer, work))))
            except Exception as error:  # a peer that fails must not take the others with it
                notes.append(f"{peer.title} failed: {type(error).__name__}: {error}"[:200])
        log(f"{work.name}: {rounds} rounds")
        rates: list[list[float]] = []
        searches: list[Search] = []
        by_reference: list[Search] = []
        turns: dict[str, list[Turn]] = {side.peer.name: [] for side in sides}

        def measure_ours() -> None:
            # On both sides of the search: what else the machine does changes within seconds.
            before = gemm.measure()
            searches.append(ours.search(work))
            rates.append([(a + b) / 2 for a, b in zip(before, gemm.measure(), strict=True)])

        def measured(side: Side) -> None:
            if side.peer.name in ONE_BY_ONE and turns[side.peer.name]:
                return
            part = slice_of(side.peer, work, side.mode)
            turns[side.peer.name].append(side.train(part, work.task.n_epochs))

        def measure_reference() -> None:
            by_reference.append(ours.search(work, compiled=False))

        steps = {"ours": measure_ours}
        if compiles:
            steps["reference"] = measure_reference
        steps |= {side.peer.name: lambda side=side: measured(side) for side in sides}  # type: ignore[misc]
        interleaved(steps, rounds, budget=BUDGET if options.rounds is None else math.inf)
    pairs = [(side, turns[side.peer.name]) for side in sides]
    return Contest(work, searches, pairs, rates, by_reference), notes


def tables(result: Contest, notes: list[str], targets: Targets) -> list[Table]:
    """Return how ours compares with the peers, and how far from the machine's limit it is."""
    return [_peer_table(result, notes, targets), _limit_table(result, targets)]


def _peer_table(result: Contest, notes: list[str], targets: Targets) -> Table:
    work = result.work
    table = Table(
        f"{work.name}: {work.title}, end to end",
        (
            "side",
            "runs as",
            "µs a trial-update",
            "ours is faster by",
            "processor time by",
            "target",
            "accuracy",
            "ours, same λ",
        ),
        notes=list(notes),
    )
    ours = Spread(tuple(seconds * 1e6 for seconds in result.our_seconds))
    every = result.searches[-1].mean_accuracy(work.l2_strengths)
    widths, kernel = result.searches[-1].widths, result.searches[-1].kernel
    table.rows.append(
        (
            "ours",
            f"{len(widths)} cohorts of {'+'.join(map(str, widths))}, {kernel}, stored",
            str(ours),
            "",
            f"{median(result.our_processor) * 1e6:.3g} µs",
            "",
            f"{every:.4f}",
            "",
        )
    )
    if result.by_reference:
        seconds = result.per_update(result.by_reference)
        n = len(work.l2_strengths) * work.task.updates
        used = [search.processor_seconds / n for search in result.by_reference]
        same = result.by_reference[-1].mean_accuracy(work.l2_strengths)
        table.rows.append(
            (
                "ours, reference",
                "the same cohorts, numpy, stored",
                str(Spread(tuple(s * 1e6 for s in seconds))),
                str(ratios(seconds, result.our_seconds)),
                str(ratios(used, result.our_processor)),
                "",
                f"{same:.4f}",
                f"{every:.4f}",
            )
        )
    wanted = dict(targets.peers)
    rivals: list[tuple[float, str]] = []
    remarks = []
    for side, turns in result.turns:
        seconds = [turn.seconds_per_update(work) for turn in turns]
        faster = ratios(seconds, result.our_seconds[: len(turns)])
        used = [turn.processor_per_update(work) for turn in turns]
        if side.peer.name in RIVALS:
            rivals.append((faster.median, side.peer.title))
        target = wanted.get(side.peer.name)
        part = turns[-1].l2_strengths
        shown = "" if len(part) == len(work.l2_strengths) else f", {len(part)} of the λ"
        table.rows.append(
            (
                side.peer.title,
                f"{side.mode.title}{shown}",
                str(Spread(tuple(s * 1e6 for s in seconds))),
                str(faster),
                str(ratios(used, result.our_processor[: len(turns)])),
                ""
                if target is None
                else f"≥ {target:g}: {verdict(faster.median, at_least=target)}",
                f"{turns[-1].mean_accuracy:.4f}",
                f"{result.searches[-1].mean_accuracy(part):.4f}",
            )
        )
        if side.peer.remark:
            remarks.append(f"{side.peer.title}: {side.peer.remark}")
    if rivals:
        least, name = min(rivals)
        text = f"the strongest rival is {name}: ours is {short(least)} times as fast"
        if targets.strongest is not None:
            met = verdict(least, at_least=targets.strongest)
            text += f" (target ≥ {targets.strongest:g}: {met})"
        table.notes.append(text)
    table.notes += remarks
    return table


def _limit_table(result: Contest, targets: Targets) -> Table:
    work = result.work
    task = work.task
    useful = task.multiply_adds * task.updates * len(work.l2_strengths)
    totals = Spread(tuple(sum(cores) / 1e9 for cores in result.rates))
    end_to_end = Spread(
        tuple(
            useful / search.seconds / sum(cores)
            for search, cores in zip(result.searches, result.rates, strict=True)
        )
    )
    training = Spread(
        tuple(
            useful / search.training_seconds / (sum(cores) / len(cores))
            for search, cores in zip(result.searches, result.rates, strict=True)
        )
    )
    waited = Spread(tuple(search.waited for search in result.searches))
    tail = Spread(tuple(s.tail_seconds / s.worker_seconds for s in result.searches))
    evaluation = Spread(tuple(s.evaluation_seconds / s.worker_seconds for s in result.searches))
    driver = Spread(tuple(s.driver_seconds for s in result.searches))
    others = Spread(tuple(s.others for s in result.searches))
    seconds = Spread(tuple(s.seconds for s in result.searches))
    before = Spread(tuple(s.waiting["before the first segment"] for s in result.searches))
    after = Spread(tuple(s.waiting["after the last segment"] for s in result.searches))
    table = Table(f"{work.name}: ours beside the machine's limit", ("what", "figure", "target"))
    rate_target = waiting_target = ""
    if targets.rate is not None:
        met = verdict(end_to_end.median, at_least=targets.rate)
        rate_target = f"≥ {percent(targets.rate)}: {met}"
    if targets.waiting is not None:
        met = verdict(waited.median, at_most=targets.waiting)
        waiting_target = f"≤ {percent(targets.waiting)}: {met}"
    each = ", ".join(short(rate / 1e9) for rate in result.rates[-1])
    table.rows += [
        ("GEMM rate, all cores, 10⁹ multiply-adds/s", f"{totals}; by core {each}", ""),
        ("wall time of the search, s", str(seconds), ""),
        (
            "useful multiply-adds of training / GEMM rate, end to end",
            _shares(end_to_end),
            rate_target,
        ),
        ("the same while updates are made", _shares(training), ""),
        ("workers waiting for the driver", _shares(waited), waiting_target),
        ("workers done while another is not", _shares(tail), ""),
        ("workers measuring loss and accuracy", _shares(evaluation), ""),
        ("driver's processor time, s", str(driver), ""),
        ("before the first segment, s", str(before), ""),
        ("after the last segment, s", str(after), ""),
    ]
    table.notes.append(
        f"noise of the run, (highest - lowest) / median: GEMM rate {percent(totals.noise)}, "
        f"ours {percent(seconds.noise)}; other processes had {_shares(others)} of the cores "
        "during ours"
    )
    return table


def _shares(spread: Spread) -> str:
    values = spread.values
    return f"{percent(spread.median)} ({percent(min(values))}–{percent(max(values))})"
