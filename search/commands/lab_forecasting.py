"""What the searches of a lab would train, printed in place of training it."""

from collections.abc import Sequence
from pathlib import Path

from coarsefine.search.commands.forecasting import LATER, UNTRAINED, forecast_json
from coarsefine.search.console import note, say, say_json, tell
from coarsefine.search.options import JobsOptions, OutputOptions, StorageOptions
from coarsefine.search.progress import watching
from coarsefine.studies.labs.budgets import foreseen_part, n_stages
from coarsefine.studies.labs.files import Lab, Part
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.results.notes.budget import about, whole
from coarsefine.studies.results.notes.note import duration
from coarsefine.studies.running.resources import NewDatabase, Resources


def foreseen_lab(
    lab: Lab,
    parts: Sequence[Part],
    data_dir: Path | None,
    options: tuple[StorageOptions, JobsOptions, OutputOptions],
    budget: Budget | None,
) -> None:
    """Print what the searches of a lab would train, and what that takes.

    Args:
        lab: The lab.
        parts: Of it.
        data_dir: Where data files are looked for.
        options: Where studies are kept, who trains, and what is printed.
        budget: That is asked for.
    """
    storage, jobs, output = options
    listed, total = [], 0.0
    with (
        watching(quiet=output.quiet) as watch,
        jobs.opened(watch.said) as workers,
        NewDatabase(storage.url, said=note) as database,
    ):
        workers |= {"data_dir": data_dir, "budget": budget}
        resources = Resources(database, observer=watch, progress=watch, **workers)
        for part in parts:
            if part.does != "search":
                continue
            found, stages = foreseen_part(resources, lab, part), n_stages(lab.search(part))
            total += found.seconds or 0.0
            listed.append({"part": part.name, "stages": stages, **forecast_json(found, None)})
            if not output.json:
                more = "" if stages == 1 else f"; {LATER}"
                tell(f"{part.name or lab.name}, {found.stage}: {whole(found)}{more}")
    if output.json:
        within = None if budget is None else budget.seconds
        say_json({"lab": lab.name, "parts": listed, "seconds": total, "within": within})
        return
    tell(f"the first stages of all: {about(total)}")
    if budget is not None:
        tell(f"the budget of {duration(budget.seconds)} is shared among them in proportion")
    say(f"\n{UNTRAINED}")
