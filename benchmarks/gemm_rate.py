"""The machine's limit: single-precision matrix products, one thread a core, all cores at once."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from statistics import median
from types import TracebackType
from typing import Self

from benchmarks.common import n_cores

SIZE = 2048
SECONDS = 0.4


class GemmRate:
    """Processes, one a core, that multiply large square matrices when asked to."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(n_cores()):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def measure(self) -> list[float]:
        """Return multiply-adds a second of each core while all are at it."""
        for pipe in self._pipes:
            pipe.send(SECONDS)
        return [pipe.recv() for pipe in self._pipes]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def _serve(pipe: Connection) -> None:
    import numpy as np

    from coarsefine.models.arrays import gemm
    from coarsefine.models.blas_threads import limited_blas

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, SIZE, SIZE), dtype=np.float32)
    out = np.empty_like(a)
    with limited_blas(1):
        gemm(a, b, out)
        pipe.send("ready")
        while (seconds := pipe.recv()) is not None:
            times = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                started = time.perf_counter()
                gemm(a, b, out)
                times.append(time.perf_counter() - started)
            pipe.send(SIZE**3 / median(times))
