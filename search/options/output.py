"""The options that say which study, where it is kept, and what is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from coarsefine.paths import expanded
from coarsefine.search.errors import UsageError
from coarsefine.search.options.declaring import OUTPUT, one_of, option, text_option
from coarsefine.studies.metric import METRICS, plain_metric

StudyFlag = Annotated[
    str | None, option(OUTPUT, "--study", metavar="NAME", help="As STUDY.", hidden=True)
]
NoNotes = Annotated[bool, option(OUTPUT, "--quiet", "-q", help="Print no notes (default: print).")]


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
            "studies (default: $SEARCH_STORAGE, else that of coarsefine.toml, else search.db "
            "in this folder).",
        ),
    ] = None

    @property
    def url(self) -> str:
        """Return it as a URL."""
        from coarsefine.db.connections.urls import storage_url

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
class RankedBy:
    """What trials are ranked by."""

    by: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--by",
            "METRIC",
            f"Rank trials by {one_of(tuple(METRICS))} on the validation samples, or by a metric "
            "that a custom trainer reported, as f2, or error:min where less is better (default: as "
            "the recipe says, else accuracy).",
        ),
    ] = None

    @property
    def metric(self) -> str | None:
        """Return the metric; ``None`` for what the recipe says."""
        return None if self.by is None else plain_metric(self.by)


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
    study_flag: StudyFlag = None

    @property
    def name(self) -> str | None:
        """Return the name, ``None`` for the most recent study."""
        if self.study is not None and self.study_flag is not None:
            raise UsageError(f"name one study, got {self.study} and {self.study_flag}")
        return self.study or self.study_flag


def study_and_file(
    command: str, names: Sequence[str] | None, flag: str | None
) -> tuple[StudyArgument, Path | None]:
    """Return the study and the file that a command was given. A name with an ending is the file's.

    Args:
        command: Its name.
        names: What stands there without an option.
        flag: The study, where ``--study`` names it.

    Raises:
        UsageError: If there are more than two names.
    """
    left = list(names or ())
    if len(left) > 2:
        raise UsageError(f"{command} takes a study and a file, got {' '.join(left)}")
    file = None
    if len(left) == 2 or (left and (_is_file(left[-1]) or flag is not None)):
        file = expanded(left.pop())
    return StudyArgument(left[0] if left else None, flag), file


def _is_file(name: str) -> bool:
    return bool(Path(name).suffix) or Path(name).is_absolute()
