"""With what a search is carried out."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from db.engine import Database
from models.data import PreparedData, Progress, prepare
from models.data.spec import DataSpec
from studies.executors import Executor, make_executor, n_cores
from studies.recipe import Recipe
from studies.running import Observer, Quiet
from studies.specs import to_data_spec

# Work that is done sooner than a worker process has started is done in this process.
SMALL_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Means:
    """With what a search is carried out; none of it changes a result.

    Attributes:
        n_jobs: Worker processes at the most.
        executor: Workers to use, kept open for the next search; ``None`` starts them as needed.
    """

    database: Database
    n_jobs: int = field(default_factory=n_cores)
    executor: Executor | None = None
    data_dir: Path | None = None
    observer: Observer = field(default_factory=Quiet)
    progress: Progress | None = None

    def prepare(self, recipe: Recipe) -> PreparedData:
        """Return the recipe's data."""
        return self.prepared(to_data_spec(recipe))

    def prepared(self, spec: DataSpec) -> PreparedData:
        """Return the data that is asked for."""
        return prepared(spec, self.data_dir, self.progress)

    def workers(self, seconds: float, n_cohorts: int) -> AbstractContextManager[Executor]:
        """Return workers for some work that takes about ``seconds`` on one core."""
        if self.executor is not None:
            return nullcontext(self.executor)
        small = seconds < SMALL_SECONDS
        return make_executor(1 if small else max(1, min(self.n_jobs, n_cohorts)))


def prepared(
    spec: DataSpec, data_dir: Path | None = None, progress: Progress | None = None
) -> PreparedData:
    """Return the data that is asked for."""
    return prepare(spec, data_dir=data_dir, progress=progress)
