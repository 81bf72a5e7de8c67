"""With what a search is carried out."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from coarsefine.db.connections.engine import Database, is_new, open_database
from coarsefine.db.connections.open_files import is_open
from coarsefine.hints import Message, option
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.data import PreparedData, Progress, prepare
from coarsefine.models.data.spec import DataSpec
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.costs import SMALL_SECONDS
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.running.executors import (
    Executor,
    ProcessExecutor,
    make_executor,
    may_be_copied,
)
from coarsefine.studies.running.watching import NullObserver, Observer

# By estimate, which is short for short searches: copies take some 0.03 s to start and to end.
_COPIED_SECONDS: Final = 0.05


class NewDatabase:
    """A database that is made when it is first needed, so that a search can be checked before.

    One that is there is opened at once. A context manager: it is closed in the end.

    Args:
        url: Where it is to be.
        said: Hears a line if tables of an older version were brought up to date.
        create: Whether it may be made: otherwise it must be there.
    """

    def __init__(
        self, url: str, said: Callable[[str], None] | None = None, *, create: bool = True
    ) -> None:
        self._url = url
        self._said = said
        self._create = create
        self._opened: Database | None = None

    @property
    def exists(self) -> bool:
        """Return whether there is something to be read."""
        return self._opened is not None

    def open(self) -> Database:
        """Return the database, made if there is none."""
        if self._opened is None:
            self._opened = open_database(self._url, create=self._create, said=self._said)
        return self._opened

    def __enter__(self) -> Self:
        """Return itself, opened if it is there or has to be.

        Raises:
            StorageError: If it is not there and may not be made, or cannot be used.
        """
        if not self._create or not is_new(self._url):
            self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._opened is not None:
            self._opened.close()


@dataclass(frozen=True, slots=True)
class Resources:
    """With what a search is carried out; none of it changes a result.

    Attributes:
        storage: The database, or one that is to be made.
        n_jobs: Worker processes at the most.
        executor: Workers to use, kept open for the next search; ``None`` starts them as needed.
        planned_for: How many cohorts trials are put together for; ``None`` is one a core.
        processes: Whether processes are started even for what is done sooner without.
        budget: How long all of it may take; ``None`` as long as it takes.
    """

    storage: Database | NewDatabase
    n_jobs: int = field(default_factory=n_cores)
    executor: Executor | None = None
    planned_for: int | None = None
    processes: bool = False
    data_dir: Path | None = None
    observer: Observer = field(default_factory=NullObserver)
    progress: Progress | None = None
    budget: Budget | None = None

    @property
    def n_workers(self) -> int:
        """Return how many cohorts are trained at the same time, if there are as many."""
        return self.n_jobs if self.executor is None else self.executor.n_workers

    @property
    def database(self) -> Database:
        """Return the database, made if there is none."""
        return self.storage.open() if isinstance(self.storage, NewDatabase) else self.storage

    @property
    def has_database(self) -> bool:
        """Return whether there is one already."""
        return not isinstance(self.storage, NewDatabase) or self.storage.exists

    def prepare(self, recipe: Recipe) -> PreparedData:
        """Return the recipe's data."""
        return self.prepared(to_data_spec(recipe))

    def prepared(self, spec: DataSpec) -> PreparedData:
        """Return the data that is asked for."""
        return prepared(spec, self.data_dir, self.progress)

    def workers(
        self, seconds: float, n_cohorts: int, *, alone: bool = False
    ) -> AbstractContextManager[Executor]:
        """Return workers for some work.

        Args:
            seconds: About how long it takes on one core.
            n_cohorts: How many can be trained at the same time.
            alone: Whether each is to be timed: it has this machine to itself.
        """
        if alone and self.executor is not None:
            self.observer.said(
                Message(
                    "trials that are timed are trained by this process, one after another, so that "
                    "their times can be compared; ",
                    option("together", value=True),
                    " leaves them to the cluster",
                )
            )
        elif self.executor is not None:
            return nullcontext(self.executor)
        n_workers = 1 if alone else max(1, min(self.n_jobs, n_cohorts))
        if self.budget is not None and not self.budget.has_time_for(n_workers):
            n_workers = 1
        if self.processes:
            return ProcessExecutor(n_workers)
        if seconds >= SMALL_SECONDS:
            return make_executor(n_workers)
        copied = seconds >= _COPIED_SECONDS and self.budget is None and may_be_copied()
        return make_executor(n_workers if copied else 1, "fork")


def prepared(
    spec: DataSpec, data_dir: Path | None = None, progress: Progress | None = None
) -> PreparedData:
    """Return the data that is asked for.

    Raises:
        StudyError: If they are a database that is open, which only SQLite may open.
    """
    if is_open(Path(spec.name)):
        raise StudyError(f"data must be a file of samples, got the database {spec.name}")
    return prepare(spec, data_dir=data_dir, progress=progress)
