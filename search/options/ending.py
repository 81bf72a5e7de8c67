"""The options that say who is told when a command has ended."""

import os
from dataclasses import dataclass
from typing import Annotated, Final

from coarsefine.search.options.declaring import OUTPUT, option, text_option

VARIABLE: Final = "SEARCH_ON_END"


@dataclass(frozen=True, slots=True)
class EndOptions:
    """Who is told, and how."""

    on_end: Annotated[
        str | None,
        text_option(
            OUTPUT,
            "--on-end",
            "CMD",
            "Run this command in a shell at the end, whatever the end is: it gets what came of it "
            f"as JSON on stdin, see docs/service.md (default: ${VARIABLE}, else none).",
        ),
    ] = None
    bell: Annotated[
        bool, option(OUTPUT, "--bell", help="Ring the terminal's bell at the end (default: no).")
    ] = False

    @property
    def command(self) -> str | None:
        """Return the command, ``None`` if there is none."""
        return (self.on_end if self.on_end is not None else os.environ.get(VARIABLE)) or None
