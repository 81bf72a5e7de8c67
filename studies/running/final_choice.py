"""Which trials meet the test set: the top of the ranking, or trials picked by hand."""

from collections.abc import Sequence

from coarsefine.db.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.hints import command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.notes.test_set import HAND_PICKED
from coarsefine.studies.results.ranking import RankedTrial, top
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.states import UNFINISHED


def picked_by_hand(chosen: Sequence[RankedTrial]) -> str:
    """Return what the record says of trials that the ranking did not choose."""
    return f"{HAND_PICKED}: " + ", ".join(f"{t.stage}:{t.trial} (rank {t.rank})" for t in chosen)


def chosen_trials(
    database: Database, study: StudyRecord, n_top: int, picks: Sequence[tuple[str, int]]
) -> tuple[RankedTrial, ...]:
    """Return the trials of a finished search that are to be tested, best first.

    Args:
        database: Where the study is.
        study: Whose trials.
        n_top: How many of the ranking's best.
        picks: Stages and numbers of trials in place of the best.

    Raises:
        StudyError: If a trial is not finished, none is complete, or one that was picked is not.
    """
    ranking = read_ranking(database, study)
    n_left = sum(trial.state in UNFINISHED for trial in ranking.trials)
    if n_left:
        raise StudyError(
            f"the test set is opened when the search is over, {n_left} trials of {study.name} are "
            "not finished; run the search's command again"
        )
    if picks:
        return _picked(study, ranking.trials, picks)
    chosen = top(ranking.trials, n_top)
    if not chosen:
        raise StudyError(f"study {study.name} has no complete trial to test")
    return chosen


def _picked(
    study: StudyRecord, trials: Sequence[RankedTrial], picks: Sequence[tuple[str, int]]
) -> tuple[RankedTrial, ...]:
    """Return the trials of those stages and numbers, best first, each once."""
    by_place = {(trial.stage, trial.trial): trial for trial in trials}
    for stage, number in picks:
        trial = by_place.get((stage, number))
        if trial is None:
            stages = ", ".join(dict.fromkeys(t.stage for t in trials))
            raise StudyError(
                f"study {study.name} has no trial {stage}:{number} (stages: {stages}); `",
                command("rank", study.name),
                "` shows all",
            )
        if trial.rank is None:
            raise StudyError(
                f"only complete trials are tested, {stage}:{number} is {trial.state}; `",
                command("rank", study.name),
                "` shows which are",
            )
    chosen = set(picks)
    return tuple(t for t in trials if t.rank is not None and (t.stage, t.trial) in chosen)
