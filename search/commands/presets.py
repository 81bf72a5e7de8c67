"""``presets``: the labs that come with the program."""

from coarsefine.search.console import say, say_json, tell
from coarsefine.search.hints import command as typed
from coarsefine.search.options import OutputOptions
from coarsefine.studies.labs.files import presets as preset_names
from coarsefine.studies.labs.files import read_lab


def presets(output: OutputOptions) -> None:
    """List the labs that come with the program.

    Examples:
        python -m search presets
    """
    labs = [read_lab(name) for name in preset_names()]
    if output.json:
        listed = [
            {
                "name": lab.name,
                "title": lab.table.title,
                "source": lab.table.source,
                "asks": lab.table.asks,
                "parts": [part.name for part in lab.parts],
            }
            for lab in labs
        ]
        say_json({"presets": listed})
        return
    for lab in labs:
        say(f"{lab.name}: {lab.table.title}")
        for line in (lab.table.asks, f"parts: {', '.join(part.name for part in lab.parts)}"):
            tell(f"    {line}")
        say("")
    say(f"next: {typed('run', labs[0].name, '--quick')}")
