"""Where studies are kept, and with what they are trained."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from studies.errors import StudyError

if TYPE_CHECKING:
    from db.engine import Database
    from search.progress import Watch
    from studies.means import Means

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Place:
    """A database, opened for as long as something is read or trained, and what trains.

    Attributes:
        url: SQLAlchemy URL; may hold a password.
        data_dir: Where data files are looked for first.
        jobs: Worker processes; ``None`` for one a core.
        progress: Whether to show what is trained.
    """

    url: str = field(repr=False)
    data_dir: Path | None = None
    jobs: int | None = None
    progress: bool = False

    @classmethod
    def of(
        cls,
        storage: PathLike | None,
        data_dir: PathLike | None = None,
        jobs: int | None = None,
        *,
        progress: bool = False,
    ) -> "Place":
        """Return the place that users name.

        Raises:
            StudyError: If ``jobs`` is no number of processes.
            StorageError: If there can be no such database.
        """
        from db.engine import storage_url

        if jobs is not None and (type(jobs) is not int or jobs < 1):
            raise StudyError(f"jobs must be a whole number >= 1, got {jobs!r}")
        url = storage_url(None if storage is None else os.fspath(storage))
        folder = None if data_dir is None else Path(data_dir).expanduser()
        return cls(url, folder, jobs, progress)

    @property
    def shown(self) -> str:
        """Return the storage as it may be printed; nothing for the default."""
        from db.engine import DEFAULT_URL
        from search.hints import without_password

        if self.url == DEFAULT_URL:
            return ""
        return without_password(self.url).removeprefix("sqlite:///")

    @property
    def is_new(self) -> bool:
        """Return whether there is no database yet."""
        from db.engine import is_new

        return is_new(self.url)

    def reading(self) -> "Database":
        """Open the database, which must be there, to read it."""
        from db.engine import open_database

        return open_database(self.url, read_only=True)

    def writing(self, watch: "Watch", *, create: bool = False) -> "Database":
        """Open the database to train something."""
        from db.engine import open_database

        return open_database(self.url, create=create, said=watch.line)

    def means(self, database: "Database", watch: "Watch") -> "Means":
        """Return with what searches are carried out."""
        from studies.executors import n_cores
        from studies.means import Means

        return Means(
            database,
            n_jobs=self.jobs or n_cores(),
            data_dir=self.data_dir,
            observer=watch,
            progress=watch,
        )
