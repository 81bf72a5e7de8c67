"""The options that say which study, where it is kept, and what is printed."""

from dataclasses import dataclass
from typing import Annotated

import typer

from coarsefine.search.errors import UsageError
from coarsefine.search.options.declaring import OUTPUT, option, text_option


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Where studies are kept."""

    storage: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--storage",
            "FILE|URL",
            "SQLite file, or URL of a PostgreSQL, MySQL or MariaDB database, that keeps the "
            "studies (default: $SEARCH_STORAGE, else search.db in this folder).",
        ),
    ] = None

    @property
    def url(self) -> str:
        """Return it as a URL."""
        from coarsefine.db.urls import storage_url

        return storage_url(self.storage)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is printed."""

    quiet: Annotated[
        bool,
        option(OUTPUT, "--quiet", "-q", help="Print no progress (default: print)."),
    ] = False
    json: Annotated[
        bool,
        option(
            OUTPUT,
            "--json",
            help="Print one JSON object in place of a table, see docs/cli.md (default: a table).",
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class StudyArgument:
    """Which study a command is about."""

    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="The study's name, as `list` shows it (default: the most recent one).",
            show_default=False,
        ),
    ] = None
    study_flag: Annotated[
        str | None, option(OUTPUT, "--study", metavar="NAME", help="As STUDY.", hidden=True)
    ] = None

    @property
    def name(self) -> str | None:
        """Return the name, ``None`` for the most recent study."""
        if self.study is not None and self.study_flag is not None:
            raise UsageError(f"one study at a time, got {self.study} and {self.study_flag}")
        return self.study or self.study_flag
