"""With what a search is carried out."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from coarsefine.db.engine import Database
from coarsefine.db.open_files import is_open
from coarsefine.models.blas_threads import n_cores
from coarsefine.models.data import PreparedData, Progress, prepare
from coarsefine.models.data.spec import DataSpec
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.running.executors import Executor, ProcessExecutor, make_executor
from coarsefine.studies.running.loop import Observer, Quiet

# Work that is done sooner than a worker process has started is done in this process.
SMALL_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Means:
    """With what a search is carried out; none of it changes a result.

    Attributes:
        n_jobs: Worker processes at the most.
        executor: Workers to use, kept open for the next search; ``None`` starts them as needed.
        planned_for: How many cohorts trials are put together for; ``None`` is one a core.
        processes: Whether processes are started even for what is done sooner without.
    """

    database: Database
    n_jobs: int = field(default_factory=n_cores)
    executor: Executor | None = None
    planned_for: int | None = None
    processes: bool = False
    data_dir: Path | None = None
    observer: Observer = field(default_factory=Quiet)
    progress: Progress | None = None

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
                "trials that are timed are trained by this process, one after another, so that "
                "their times can be compared; --together leaves them to the cluster"
            )
        elif self.executor is not None:
            return nullcontext(self.executor)
        n_workers = 1 if alone else max(1, min(self.n_jobs, n_cohorts))
        if self.processes:
            return ProcessExecutor(n_workers)
        return make_executor(1 if seconds < SMALL_SECONDS else n_workers)


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
