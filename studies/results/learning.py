"""Whether the networks of a search have learnt anything: before, no comparison tells much."""

from typing import TYPE_CHECKING, Final

from coarsefine.studies.results.scoring.labels import KEY, majority_of

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import Ranking

# Of the way from the commonest class alone to 100 %, networks that have learnt come further.
LEAST: Final = 0.1
# Penalties only hold networks back: none of them makes one learn.
_PENALTY: Final = "lambda"


def chance(ranking: "Ranking") -> float:
    """Return the validation accuracy of the commonest class alone, in [0, 1].

    Of studies without labels, that of equally frequent classes; 0 where neither is known.
    """
    known = majority_of(ranking.study)
    if known is not None:
        return float(known.accuracy)
    n_classes = int(ranking.study.data.get("n_classes", 0))
    return 1 / n_classes if n_classes > 0 else 0.0


def has_learnt(ranking: "Ranking") -> bool:
    """Return whether any network has learnt, as far as is known."""
    base = chance(ranking)
    least = base + LEAST * (1 - base)
    none_complete = True
    for trial in ranking.trials:
        if trial.state != "complete":
            continue
        none_complete = False
        # The best come first: of thousands, few are looked at.
        if (trial.validation_accuracy or 0.0) >= least or (trial.train_accuracy or 0.0) >= least:
            return True
    return none_complete or base >= 1.0


def equally_good(ranking: "Ranking") -> frozenset[str]:
    """Return the UUIDs of the trials that are tied with the best, and good.

    Nothing where no network has learnt: then they are equally bad, and better ones may lie beyond.
    """
    searched = {name for trial in ranking.trials for name in trial.params}
    if KEY not in ranking.study.data:
        return frozenset()  # studies of before labels were kept are narrowed as they always were
    if searched != {_PENALTY} and not has_learnt(ranking):
        return frozenset()
    return frozenset(trial.uuid for trial in ranking.trials if trial.tied and trial.uuid)
