"""The gradient check of a report: of the study's network on its data, or why there is none."""

from pathlib import Path
from typing import TYPE_CHECKING

from coarsefine.hints import Message, Part, command
from coarsefine.models.data import status
from coarsefine.models.errors import ModelError
from coarsefine.studies.checks.gradients import checked_networks
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.reports.setup import CheckedNetwork, GradientCheck

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import Progress


def checked_gradients(
    study: "StudyRecord", data_dir: Path | None, progress: "Progress"
) -> GradientCheck | Message:
    """Return the gradients of the study's network checked, or why they are not."""
    trainer = study.recipe.get("trainer")
    if trainer is not None:
        return unchecked(f"the study is trained by {trainer}, whose gradients are its own")
    try:
        missing = not_here(study.data_name, data_dir)
        if missing is not None:
            return unchecked(missing)
        recipe = from_json(study.recipe, f"the recipe of study {study.name}")
        checks, on = checked_networks(recipe, data_dir, progress)
    except ModelError as error:
        return unchecked(error.message)
    networks = [
        CheckedNetwork(name=check.label, l2_strength=check.l2_strength, parameters=check.parameters)
        for check in checks
    ]
    return GradientCheck(on=on, networks=networks)


def not_here(data_name: str, data_dir: Path | None) -> str | None:
    """Return that data would have to be downloaded, which nobody who asks for a report expects."""
    states = {each.info.name: each.state for each in status(data_dir)}
    if states.get(data_name) == "to download":
        return f"the data set {data_name} is not on this machine"
    return None


def unchecked(reason: Part) -> Message:
    """Return why a report has no gradient check, and what checks this program's gradients."""
    return Message(reason, "; ", command("gradcheck"), " checks those of this program")
