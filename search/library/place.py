"""Where studies are kept, and with what they are trained."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coarsefine.paths import expanded
from coarsefine.search.hints import without_password
from coarsefine.search.options import JobsOptions
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.db.connections.engine import Database
    from coarsefine.models.data import PreparedData
    from coarsefine.models.data.spec import DataSpec
    from coarsefine.search.progress import Watch
    from coarsefine.studies.running.resources import NewDatabase, Resources

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Place:
    """A database, opened for as long as something is read or trained, and what trains.

    Attributes:
        url: SQLAlchemy URL; may hold a password.
        data_dir: Where data files are looked for first.
        workers: Who trains, as on the command line.
        progress: Whether to show what is trained.
    """

    url: str = field(repr=False)
    workers: "JobsOptions | None" = None
    data_dir: Path | None = None
    progress: bool = False

    @classmethod
    def of(
        cls,
        storage: PathLike | None,
        data_dir: PathLike | None = None,
        *,
        progress: bool = False,
        **workers: Any,
    ) -> "Place":
        """Return the place that users name.

        Args:
            storage: As of ``Study``.
            data_dir: Likewise.
            progress: Likewise.
            workers: ``jobs``, ``executor`` and ``scheduler``, likewise.

        Raises:
            StudyError: If these cannot be who trains.
            StorageError: If there can be no such database.
        """
        from coarsefine.db.connections.urls import storage_url

        jobs = workers.get("jobs")
        if jobs is not None and (type(jobs) is not int or jobs < 1):
            raise StudyError(f"jobs must be a whole number >= 1, got {jobs!r}")
        asked = JobsOptions(**workers)
        asked.check()
        url = storage_url(None if storage is None else os.fspath(storage))
        folder = None if data_dir is None else expanded(data_dir)
        return cls(url, asked, folder, progress)

    @property
    def shown(self) -> str:
        """Return the storage as it may be printed; nothing for the default."""
        from coarsefine.db.connections.urls import DEFAULT_URL

        if self.url == DEFAULT_URL:
            return ""
        return without_password(self.url).removeprefix("sqlite:///")

    @property
    def is_new(self) -> bool:
        """Return whether there is no database yet."""
        from coarsefine.db.connections.engine import is_new

        return is_new(self.url)

    def reading(self) -> "Database":
        """Open the database, which must be there, to read it."""
        from coarsefine.db.connections.engine import open_database

        return open_database(self.url, read_only=True)

    def writing(self, watch: "Watch", *, create: bool = False) -> "Database":
        """Open the database to train something."""
        from coarsefine.db.connections.engine import open_database

        return open_database(self.url, create=create, said=watch.line)

    def prepared(self, spec: "DataSpec", watch: "Watch") -> "PreparedData":
        """Return the data that is asked for."""
        from coarsefine.studies.running.resources import prepared

        return prepared(spec, self.data_dir, watch)

    def trained_by(self, watch: "Watch") -> "AbstractContextManager[dict[str, Any]]":
        """Yield who trains, as ``resources`` takes it; a cluster is left in the end."""
        return (self.workers or JobsOptions()).opened(watch.said)

    def resources(
        self, database: "Database | NewDatabase", watch: "Watch", trained_by: dict[str, Any]
    ) -> "Resources":
        """Return with what searches are carried out."""
        from coarsefine.studies.running.resources import Resources

        return Resources(
            database, data_dir=self.data_dir, observer=watch, progress=watch, **trained_by
        )
