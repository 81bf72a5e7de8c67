"""The options that say who is told when a command has ended."""

from dataclasses import dataclass, replace
from typing import Annotated

from coarsefine.configuration import ON_END, VARIABLES, setting
from coarsefine.search.options.declaring import OUTPUT, option, text_option


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
            f"as JSON on stdin, see docs/service.md (default: ${VARIABLES[ON_END]}, else that of "
            "coarsefine.toml, else none).",
        ),
    ] = None
    bell: Annotated[
        bool, option(OUTPUT, "--bell", help="Ring the terminal's bell at the end (default: no).")
    ] = False

    @property
    def command(self) -> str | None:
        """Return the command, ``None`` if there is none."""
        return (setting(ON_END) if self.on_end is None else self.on_end) or None

    @property
    def of_service(self) -> "EndOptions":
        """Return the same for a service, which a file may say another command for."""
        if self.on_end is not None:
            return self
        return replace(self, on_end=setting(ON_END, service=True) or "")
