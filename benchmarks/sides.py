"""Peers in processes of their own: their threads, their memory, and one of them at a time."""

import importlib
import importlib.util
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.common import log, n_cores
from benchmarks.peers import Mode, Peer
from benchmarks.work import Task, Work


@dataclass(frozen=True, slots=True)
class Turn:
    """One training of some trials.

    Attributes:
        seconds: Wall time.
        processor_seconds: Of all its processes.
        l2_strengths: Of the trials that were trained.
        accuracies: Theirs.
    """

    seconds: float
    processor_seconds: float
    l2_strengths: tuple[float, ...]
    accuracies: tuple[float, ...]

    @property
    def mean_accuracy(self) -> float:
        """Return the mean over the trials."""
        return sum(self.accuracies) / len(self.accuracies)

    def seconds_per_update(self, work: Work) -> float:
        """Return the wall time of one update of one trial."""
        return self.seconds / (len(self.l2_strengths) * work.task.updates)

    def processor_per_update(self, work: Work) -> float:
        """Return the processor time of one update of one trial."""
        return self.processor_seconds / (len(self.l2_strengths) * work.task.updates)


def missing(peer: Peer) -> str | None:
    """Return the first package that a peer lacks."""
    return next((name for name in peer.needs if importlib.util.find_spec(name) is None), None)


class Side:
    """A peer in one of its modes, loaded, and ready to train when asked to."""

    def __init__(self, peer: Peer, mode: Mode, task: Task) -> None:
        self.peer = peer
        self.mode = mode
        context = multiprocessing.get_context("spawn")
        cores: list[int | None] = _cores() if mode.process_a_core else [None]
        self._pipes: list[Connection] = []
        self._processes = []
        for core in cores:
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, peer.module, task, dict(mode.settings), core)
            )
            process.daemon = True
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            _received(pipe)

    def train(self, l2_strengths: Sequence[float], n_epochs: int) -> Turn:
        """Train some trials, shared by the processes there are."""
        n = len(self._pipes)
        shares = [list(l2_strengths[i::n]) for i in range(n)]
        started = time.perf_counter()
        for pipe, share in zip(self._pipes, shares, strict=True):
            if share:
                pipe.send((share, n_epochs))
        accuracies: dict[float, float] = {}
        processor = 0.0
        for pipe, share in zip(self._pipes, shares, strict=True):
            if share:
                reached, used = _received(pipe)
                accuracies |= dict(zip(share, reached, strict=True))
                processor += used
        seconds = time.perf_counter() - started
        ordered = tuple(accuracies[v] for v in l2_strengths)
        return Turn(seconds, processor, tuple(l2_strengths), ordered)

    def close(self) -> None:
        """End its processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


# A mode that takes so many times as long as the best so far gets no second chance.
_HOPELESS = 1.5


def fastest(peer: Peer, work: Work) -> Side:
    """Return the peer in the mode that trains an epoch of the work soonest, warmed up."""
    best: tuple[float, Side] | None = None
    for mode in peer.modes:
        side = Side(peer, mode, work.task)
        strengths = slice_of(peer, work, mode, least=True)
        seconds = side.train(strengths, 1).seconds  # compiles, and touches what it allocates
        lost = best is not None and seconds > _HOPELESS * best[0] * len(strengths)
        if not lost or mode.compiles:
            seconds = min(side.train(strengths, 1).seconds for _ in range(2))
        seconds /= len(strengths)
        log(f"  {peer.title}, {mode.title}: {seconds * 1e3:.0f} ms a trial and epoch")
        if best is None or seconds < best[0]:
            if best is not None:
                best[1].close()
            best = (seconds, side)
        else:
            side.close()
    assert best is not None
    return best[1]


def slice_of(peer: Peer, work: Work, mode: Mode, *, least: bool = False) -> tuple[float, ...]:
    """Return the trials that are trained in a round: all, or as many as tell how long all take.

    Where trials are trained one after the other, a few on every process are enough.
    """
    if peer.trains_together:
        return work.l2_strengths
    each = 1 if least or peer.name != "torch-loop" else 2
    n = each * (n_cores() if mode.process_a_core else 1)
    step = max(1, len(work.l2_strengths) // n)
    return work.l2_strengths[::step][:n]


def _cores() -> list[int | None]:
    if hasattr(os, "sched_getaffinity"):
        return [*sorted(os.sched_getaffinity(0))]
    return [None] * n_cores()


def _received(pipe: Connection) -> Any:
    answer = pipe.recv()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _serve(
    pipe: Connection, module: str, task: Task, settings: dict[str, Any], core: int | None
) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        train = importlib.import_module(f"benchmarks.peers.{module}").make(task, **settings)
        pipe.send("ready")
        while True:
            asked = pipe.recv()
            before = time.process_time()
            reached = train(*asked)
            pipe.send((reached, time.process_time() - before))
    except EOFError:
        return
    except Exception as error:
        pipe.send(error)
