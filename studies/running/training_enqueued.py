"""What anybody enqueued in a stage, trained by whoever finds it."""

from coarsefine.db.records import StageRecord, StudyRecord
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.studies import checked_data
from coarsefine.studies.spaces.search import SearchKind


def train_enqueued(
    resources: Resources, study: StudyRecord, record: StageRecord, recipe: Recipe
) -> bool:
    """Train what was enqueued in a stage, whoever has enqueued it.

    Args:
        resources: With what.
        study: The stage's.
        record: One of ``repository.stages_with_enqueued``.
        recipe: The study's; a trainer that it names is run.

    Returns:
        Whether nothing but what was enqueued was left of the stage.

    Raises:
        BusyError: If another process drives the study.
        StudyError: If its data or its trainer are not what they were.
    """
    plugins.check_named(study, recipe, by_user=True)
    data = checked_data(resources, study, recipe)
    kind = SearchKind(study.search, Stage.of(record).dimensions)
    return Search(resources, study, kind, recipe, data).enqueued(record)
