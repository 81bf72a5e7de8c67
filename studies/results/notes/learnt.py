"""Whether anything was learnt, and whether any trial was completed."""

from collections import Counter
from typing import TYPE_CHECKING

from coarsefine.hints import Part, command, option
from coarsefine.studies.results.learning import chance, has_learnt
from coarsefine.studies.results.notes.note import Note, points
from coarsefine.studies.states import UNFINISHED

if TYPE_CHECKING:
    from coarsefine.db.records import TrialState
    from coarsefine.studies.results.ranking import Ranking


def on_learning(ranking: "Ranking") -> tuple[Note, ...]:
    """Return that no trial was completed, or that no network has learnt, and what to change."""
    states = Counter(trial.state for trial in ranking.trials)
    if not states or any(state in UNFINISHED for state in states):
        return ()
    if ranking.best is None:
        ended = ", ".join(f"{n:,} {state}" for state, n in states.items())
        line = f"no trial was completed: {ended}"
        return (Note("none-complete", line, "; ", *_mended(ranking, states)),)
    best = ranking.best.validation_accuracy
    if best is None or has_learnt(ranking):
        return ()
    line = (
        f"the networks have learnt little: the best validation accuracy is {points(best)} %, and "
        f"the commonest class alone gives {points(chance(ranking))} %"
    )
    advice: tuple[Part, ...] = ("; try a larger or smaller ", _eta(ranking), ", or more epochs")
    if ranking.study.recipe.get("trainer"):
        advice = ("; try other values, or more epochs",)
    return (Note("not-learnt", line, *advice),)


def _mended(ranking: "Ranking", states: "Counter[TrialState]") -> tuple[Part, ...]:
    """Return what to do about trials of which none was completed."""
    if states["failed"]:
        return ("`", command("show", ranking.study.name), "` lists why trials failed")
    if ranking.study.recipe.get("trainer"):
        return ("the custom trainer reported losses that are not finite",)
    return ("try a smaller ", _eta(ranking))


def _eta(ranking: "Ranking") -> Part:
    """Return what decides the largest step."""
    if any("eta" in trial.params for trial in ranking.trials):
        return "η"
    cyclical = ranking.study.recipe.get("training", {}).get("eta") is None
    return option("training.eta_max" if cyclical else "training.eta")
