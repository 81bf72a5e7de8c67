"""Which trials of a stage get more seeds when more are asked for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from coarsefine.db.records import PlanRecord, StudyRecord, TrialRecord
from coarsefine.hints import Message, option
from coarsefine.models.data import PreparedData
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.runs import Plan, plan_more_seeds
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.results.notes.note import counted
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.spaces.seen import same_value


class Begun(NamedTuple):
    """A study at hand, and what its stages are trained with."""

    resources: Resources
    study: StudyRecord
    recipe: Recipe
    data: PreparedData

    def with_seeds(
        self, stage: Stage, stored: PlanRecord, trials: Sequence[TrialRecord], n_seeds: int
    ) -> Plan:
        """Return how some trials of a stage get the seeds that they lack."""
        return plan_more_seeds(
            self.recipe,
            self.data,
            stage,
            stored,
            trials,
            n_seeds=n_seeds,
            prepare=self.resources.prepared,
        )


def more_seeds(
    begun: Begun, stage: Stage, request: StageRequest, stored: PlanRecord
) -> Plan | None:
    """Return how trials get the seeds that are asked for; ``None`` if none lacks any.

    Args:
        begun: The study.
        stage: Whose trials.
        request: How many seeds, and which trials.
        stored: All that is stored of the stage, every trial finished.
    """
    n_seeds = request.replicates or 0
    n_runs = stage.run_options.n_runs(n_seeds)
    if all(trial.replicates >= n_runs for trial in stored.trials):
        return None

    def ranking() -> Ranking:
        return read_ranking(begun.resources.database, begun.study)

    trials, line = lacking_seeds(stage, request, stored.trials, ranking)
    if line is not None:
        begun.resources.observer.said(line)
    return begun.with_seeds(stage, stored, trials, n_seeds) if trials else None


def lacking_seeds(
    stage: Stage,
    request: StageRequest,
    trials: Sequence[TrialRecord],
    ranking: Callable[[], Ranking],
) -> tuple[list[TrialRecord], Message | None]:
    """Return the trials of a stage that get more seeds now, and what to say of it.

    Decided from what is stored alone: after a kill it comes out the same.

    Args:
        stage: Whose trials.
        request: How many seeds they are to have, and which of them.
        trials: All that the stage has, every one finished.
        ranking: Returns that of the study; called where it decides.
    """
    n_seeds = request.replicates or 0
    unit, n_splits = stage.run_options.unit, stage.run_options.n_runs(1)
    n_runs = n_seeds * n_splits
    fewer = [t for t in trials if t.state == "complete" and t.replicates < n_runs]
    if not fewer:
        return [], None
    if request.only == "all":
        chosen = fewer
    elif request.only is None and request.values is not None:
        chosen = [trial for trial in fewer if _named(trial, request)]
    else:
        tied = {trial.uuid for trial in ranking().trials if trial.tied}
        chosen = [trial for trial in fewer if trial.uuid in tied]
    rest = Message()
    if others := len(fewer) - len(chosen):
        have = "has" if others == 1 else "have"
        more = option("only", "all")
        rest = Message(
            f"; {counted(others, 'value')} {have} fewer; use ", more, " to train these, too"
        )
    if not chosen:
        return [], Message(f"{stage.name}: all tied values have {n_seeds} {unit}", rest)
    before = " or ".join(map(str, sorted({trial.replicates // n_splits for trial in chosen})))
    said = f"{stage.name}: {counted(len(chosen), 'value')} with {before} {unit} get {n_seeds}"
    return chosen, Message(said.replace("with 1 seeds", "with 1 seed"), rest)


def _named(trial: TrialRecord, request: StageRequest) -> bool:
    (value,) = trial.params.values()
    return any(same_value(value, each) for each in request.values or ())
