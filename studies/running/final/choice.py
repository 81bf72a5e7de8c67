"""Which trials meet the test set: the top of the ranking, or trials picked by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.hints import command
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.results.notes.test_set import HAND_PICKED
from coarsefine.studies.results.ranking import RankedTrial, Ranking, top
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.states import UNFINISHED


@dataclass(frozen=True, slots=True)
class Choice:
    """Trials that are trained for the test set, best first.

    Attributes:
        tested: Those with a row of their own.
        members: Those whose networks answer as one; nothing where no ensemble was asked for.
        biases: By how much the validation accuracies of those tested are overestimated for having
            been chosen by them, by UUID, as far as that is known.
        by_hand: Whether a user named them.
    """

    tested: tuple[RankedTrial, ...]
    members: tuple[RankedTrial, ...]
    biases: Mapping[str | None, float]
    by_hand: bool

    @property
    def trained(self) -> tuple[RankedTrial, ...]:
        """Return all of them, each once."""
        others = [m for m in self.members if not _has(self.tested, m)]
        return tuple(sorted((*self.tested, *others), key=lambda trial: trial.rank or 0))

    @property
    def note(self) -> str:
        """Return what the record says of trials that the ranking did not choose."""
        if not self.by_hand:
            return ""
        named = (f"{t.stage}:{t.trial} (rank {t.rank})" for t in self.tested)
        return f"{HAND_PICKED}: {', '.join(named)}"

    @property
    def reason(self) -> str:
        """Return in words how they were chosen."""
        reason = self.note or f"the best {len(self.tested)} of the ranking"
        n_more = len(self.trained) - len(self.tested)
        return f"{reason}, and {n_more} more that are tied with the best" if n_more else reason

    def tests(self, trial: RankedTrial) -> bool:
        """Return whether a trial has a row of its own."""
        return _has(self.tested, trial)

    def combines(self, trial: RankedTrial) -> bool:
        """Return whether a trial is a member of the ensemble."""
        return _has(self.members, trial)


def choose(
    database: Database, study: StudyRecord, recipe: Recipe, picks: Sequence[tuple[str, int]]
) -> Choice:
    """Return the trials of a finished search that are to be trained for the test set.

    Args:
        database: Where the study is.
        study: Whose trials.
        recipe: Its final section says how many of the ranking's best are tested.
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
        chosen = _picked(study, ranking.trials, picks)
        combined = recipe.final.ensemble or recipe.training.snapshots
        return Choice(chosen, chosen if combined else (), {}, by_hand=True)
    chosen = top(ranking.trials, recipe.final.top)
    if not chosen:
        raise StudyError(f"study {study.name} has no complete trial to test")
    tied = _tied(ranking)
    members = chosen[:1] if recipe.training.snapshots else ()
    if recipe.final.ensemble:
        members = tied or chosen[:1]
    return Choice(chosen, members, _biases(ranking, chosen, tied), by_hand=False)


def _tied(ranking: Ranking) -> tuple[RankedTrial, ...]:
    """Return the best and those tied with it, each point once; nothing where it stands alone."""
    tied = [trial for trial in ranking.trials if trial.tied]
    return top(tied, len(tied))


def _biases(
    ranking: Ranking, chosen: Sequence[RankedTrial], tied: Sequence[RankedTrial]
) -> dict[str | None, float]:
    """Return the expected selection bias of chosen trials: that of their place among the tied."""
    comparison = ranking.comparison
    # It is of what trials are ranked by, and the test is of accuracies.
    if comparison is None or ranking.by != "accuracy":
        return {}
    by_place = zip(tied, comparison.optimism_by_place, strict=False)
    found = {trial.uuid: bias for trial, bias in by_place}
    # Who is not tied with the best is behind it by more than chance.
    return {t.uuid: found.get(t.uuid, 0.0) for t in chosen if t.uuid in found or t.tied is False}


def _has(trials: Sequence[RankedTrial], trial: RankedTrial) -> bool:
    return any((t.stage, t.trial) == (trial.stage, trial.trial) for t in trials)


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
