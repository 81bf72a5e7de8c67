"""The options that say who trains: this process, processes of this machine, or a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from coarsefine.hints import option as hint
from coarsefine.search.errors import UsageError
from coarsefine.search.options.declaring import WORKERS, option, text_option, whole_option
from coarsefine.search.options.ending import EndOptions

INLINE, PROCESSES, DASK = "inline", "processes", "dask"


@dataclass(frozen=True, slots=True)
class JobsOptions:
    """Who trains, how many at a time, and who is told at the end; no result depends on it."""

    jobs: Annotated[
        int | None,
        whole_option(
            WORKERS,
            "--jobs",
            "Worker processes, >= 1; on a cluster, segments under way at the most "
            "(default: one a core; a cluster's workers).",
        ),
    ] = None
    executor: Annotated[
        str | None,
        text_option(
            WORKERS,
            "--executor",
            "KIND",
            "inline trains in this process, processes in others, dask on a cluster, see "
            "docs/scaling.md (default: processes where they pay, dask with --scheduler).",
        ),
    ] = None
    scheduler: Annotated[
        str | None,
        text_option(
            WORKERS,
            "--scheduler",
            "URL|FILE",
            "Dask's scheduler, as in tls://HOST:8786 or tcp://127.0.0.1:8786, or the .json file "
            "that it wrote (default: $DASK_SCHEDULER_ADDRESS).",
        ),
    ] = None
    scheduler_ca: Annotated[
        Path | None,
        option(
            WORKERS,
            "--scheduler-ca",
            metavar="FILE",
            help="Certificate of the authority that signed the cluster's, for tls:// "
            "(default: Dask's own configuration).",
        ),
    ] = None
    scheduler_cert: Annotated[
        Path | None,
        option(
            WORKERS,
            "--scheduler-cert",
            metavar="FILE",
            help="Certificate to show to the cluster (default: Dask's own configuration).",
        ),
    ] = None
    scheduler_key: Annotated[
        Path | None,
        option(
            WORKERS,
            "--scheduler-key",
            metavar="FILE",
            help="Its key (default: in the certificate's file).",
        ),
    ] = None
    end: EndOptions = field(default_factory=EndOptions)

    @property
    def n_jobs(self) -> int:
        """Return how many workers there may be on this machine."""
        from coarsefine.models.blas_threads import n_cores

        if self.jobs is not None and self.jobs < 1:
            raise UsageError(hint("jobs"), f" must be >= 1, got {self.jobs}")
        if self.executor == INLINE and (self.jobs or 1) > 1:
            given = hint("jobs", self.jobs)
            raise UsageError(hint("executor", INLINE), " trains in one process, got ", given)
        if self.executor == INLINE:
            return 1
        return n_cores() if self.jobs is None else self.jobs

    def check(self) -> None:
        """Raise a UsageError if the options contradict each other."""
        _ = self.n_jobs, self._is_dask and self._address

    @contextmanager
    def opened(self, said: Callable[[str], None]) -> Iterator[dict[str, Any]]:
        """Yield what ``coarsefine.studies.running.resources.Resources`` has to know of who trains.

        A cluster is left in the end.

        Args:
            said: Hears of what the user should know.

        Raises:
            UsageError: If the options contradict each other.
            StudyError: If the cluster cannot be reached or used.
        """
        resources: dict[str, Any] = {"n_jobs": self.n_jobs, "processes": self.executor == PROCESSES}
        if not self._is_dask:
            yield resources
            return
        from coarsefine.studies.running.dask.address import scheduler_at
        from coarsefine.studies.running.dask.executor import DaskExecutor

        where = scheduler_at(
            self._address, self.scheduler_ca, self.scheduler_cert, self.scheduler_key
        )
        with DaskExecutor(where, most=self.jobs, said=said) as executor:
            yield {**resources, "executor": executor, "planned_for": executor.n_processes}

    @property
    def _is_dask(self) -> bool:
        """Return whether a cluster trains."""
        if self.executor not in {None, INLINE, PROCESSES, DASK}:
            raise UsageError(
                hint("executor"), f" must be inline, processes or dask, got {self.executor!r}"
            )
        of_a_cluster = {
            "scheduler": self.scheduler,
            "scheduler_ca": self.scheduler_ca,
            "scheduler_cert": self.scheduler_cert,
            "scheduler_key": self.scheduler_key,
        }
        given = [name for name, value in of_a_cluster.items() if value is not None]
        if given and self.executor in {INLINE, PROCESSES}:
            raise UsageError(
                hint(given[0]),
                " is for ",
                hint("executor", DASK),
                ", got ",
                hint("executor", self.executor),
            )
        return self.executor == DASK or bool(given)

    @property
    def _address(self) -> str:
        import os

        address = self.scheduler or os.environ.get("DASK_SCHEDULER_ADDRESS")
        if not address:
            raise UsageError(
                hint("executor", DASK),
                " needs ",
                hint("scheduler"),
                ", as in ",
                hint("scheduler", "tcp://127.0.0.1:8786"),
            )
        return address
