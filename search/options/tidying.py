"""The options that say which of many studies are meant, and that so many are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from coarsefine.search.options.declaring import OUTPUT, option, text_option

if TYPE_CHECKING:
    from coarsefine.studies.tidying.selection import Filters

WHICH = "Which studies"
PATTERNS = "Names, or shell patterns in quotes: 'mnist/*' means all whose names begin with mnist/ "


@dataclass(frozen=True, slots=True)
class StudiesArgument:
    """Which studies."""

    studies: Annotated[
        list[str],
        typer.Argument(metavar="STUDY...", help=PATTERNS.strip() + ".", show_default=False),
    ]


@dataclass(frozen=True, slots=True)
class SureOptions:
    """Whether to ask."""

    yes: Annotated[
        bool, option(OUTPUT, "--yes", "-y", help="Do not ask (default: ask where much goes).")
    ] = False


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What the studies have in common."""

    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STUDY...]", help=f"{PATTERNS}(default: all).", show_default=False),
    ] = None
    tag: Annotated[
        list[str] | None,
        option(
            WHICH,
            "--tag",
            metavar="TAG",
            help="Only those with this tag; given again, with all of these (default: any).",
        ),
    ] = None
    search: Annotated[
        str | None,
        text_option(WHICH, "--search", "KIND", "Only this search, as in lambda (default: any)."),
    ] = None
    on_data: Annotated[
        str | None,
        text_option(
            WHICH, "--data", "NAME", "Only on this data set; may be a pattern (default: any)."
        ),
    ] = None
    since: Annotated[
        str | None,
        text_option(
            WHICH,
            "--since",
            "WHEN",
            "Only those changed since a date, as in 2026-03-02, or in the last 12h, 7d or 2w "
            "(default: any).",
        ),
    ] = None
    trash: Annotated[
        bool, option(WHICH, "--trash", help="Those in the trash (default: all others).")
    ] = False

    def filters(self) -> "Filters":
        """Return them as they are searched with.

        Raises:
            StudyError: If there is no such moment.
        """
        from coarsefine.studies.tidying.selection import Filters, moment_of

        return Filters(
            tuple(self.patterns or ()),
            tuple(self.tag or ()),
            self.search,
            self.on_data,
            moment_of(self.since),
        )
