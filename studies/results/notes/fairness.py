"""In what compared trials differ besides what was searched: updates, lengths, an η not their own.

Notes for below a ranking, each with what to do.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import EpochRecord, RunRecord
from coarsefine.hints import option, search_command
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.spaces.dimensions import VARIANT

if TYPE_CHECKING:
    from coarsefine.studies.results.ranking import Ranking

# At equal epochs, how many updates are made follows from these.
_SIZES = {"batch_size", "train"}
# What a training is long by.
_LENGTHS = {"epochs", "cycles", "updates", "ns", "patience"}
# An η that suits one choice of these need not suit another.
_NEEDS_ITS_OWN = ("network.activation", "network.hidden", "training.optimizer")
_ETAS = ("training.eta", "training.eta_min", "training.eta_max")
# Batches that do not divide the samples make a little more or less than equal updates.
_ALIKE = 1.05


def unlike(database: Database, ranking: "Ranking") -> tuple[Note, ...]:
    """Return what makes the trials of a ranking less comparable than they look."""
    searched = {name for trial in ranking.trials[:1] for name in trial.params}
    sized = bool(searched & _SIZES)
    waits = ranking.study.recipe["training"].get("patience") is not None
    found = [_at_one_eta(ranking, searched)]
    if sized or waits:
        runs = _runs(database, ranking)
        if sized:
            found.append(_unlike_updates(runs))
        elif not searched & _LENGTHS:
            found.append(_stopped(database, ranking, runs))
    return tuple(note for note in found if note is not None)


def _runs(database: Database, ranking: "Ranking") -> dict[str, list[RunRecord]]:
    """Return the runs of each complete trial, by its UUID."""
    complete = {trial.uuid for trial in ranking.trials if trial.rank is not None}
    uuids = {row.id: row.uuid for row in repository.trial_rows(database, ranking.study)}
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for run in repository.run_rows(database, ranking.study):
        uuid = uuids.get(run.trial_id)  # final runs have none here
        if uuid is not None and uuid in complete:
            runs[uuid].append(run)
    return runs


def _unlike_updates(runs: Mapping[str, Sequence[RunRecord]]) -> Note | None:
    updates = [fmean(run.updates for run in of_trial) for of_trial in runs.values()]
    if not updates or max(updates) <= _ALIKE * min(updates):
        return None
    line = (
        f"the trials made {min(updates):,.0f} to {max(updates):,.0f} updates: at equal epochs, few "
        "updates look like a bad value; "
    )
    advice = " compares them at equal updates, and the seconds tell what an equal time would buy"
    return Note("updates", line, option("equal", "updates"), advice)


def _stopped(
    database: Database, ranking: "Ranking", runs: Mapping[str, Sequence[RunRecord]]
) -> Note | None:
    """Return where early stopping ended the trials, and the best one's accuracy there and before.

    Of several replicates, the first one's.
    """
    best = ranking.best
    curve = [] if best is None or best.uuid is None else _first_curve(database, runs[best.uuid])
    if not curve:
        return None
    end = curve[-1]
    highest = max(curve, key=lambda row: (row.validation_accuracy or 0.0, -row.epoch))
    whose = "the best trial" + ("'s first replicate" if best and best.replicates > 1 else "")
    line = f"{whose} ended after epoch {end.epoch} with a validation accuracy of {_percent(end)}, "
    line += (
        f"and had its highest, {_percent(highest)}, after epoch {highest.epoch}"
        if highest.epoch < end.epoch
        else "its highest"
    )
    epochs = [fmean(run.epochs for run in of_trial) for of_trial in runs.values()]
    if max(epochs) > min(epochs):
        line = (
            f"early stopping ended trials after {min(epochs):.4g} to {max(epochs):.4g} epochs, so "
            f"they are compared at unlike lengths: {line}"
        )
    return Note("early-stopping", line)


def _first_curve(database: Database, runs: Sequence[RunRecord]) -> list[EpochRecord]:
    return repository.epoch_rows(database, run_ids=[run.id for run in runs[:1]])


def _percent(row: EpochRecord) -> str:
    return f"{100 * (row.validation_accuracy or 0.0):.2f} %"


# ------------------------------------------------------------------------- an η of one's own


def _at_one_eta(ranking: "Ranking", searched: set[str]) -> Note | None:
    """Return which choices were compared at an η that was tuned for one of them at the most."""
    chosen = {key.partition(".")[2] for key in _NEEDS_ITS_OWN} | {VARIANT}
    if searched & {"eta", "eta_min", "eta_max"} or not searched & chosen:
        return None
    recipe = _flat(ranking.study.recipe)
    variants: Mapping[str, Mapping[str, Any]] = {}
    for stage in ranking.stages:
        for dimension in stage.dimensions:
            variants = {**variants, **(dimension.get("variants") or {})}
    choices: dict[tuple[Any, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for trial in ranking.trials:
        settings = dict(recipe)
        for name, value in trial.params.items():
            if name == VARIANT:
                settings |= variants.get(str(value), {})
            settings |= {key: value for key in _NEEDS_ITS_OWN if key.endswith(f".{name}")}
        etas = tuple(settings.get(key) for key in _ETAS)
        for key in _NEEDS_ITS_OWN:
            # Of hidden layers, their number: η is more a question of depth than of width.
            choice = settings[key]
            choices[etas][key].add(str(len(choice) if key == "network.hidden" else choice))
    for etas, of_eta in choices.items():
        differ = [key for key in _NEEDS_ITS_OWN if len(of_eta[key]) > 1]
        if differ:
            eta = next(value for value in (etas[0], etas[2]) if value is not None)
            listed = "; ".join(
                _listed(of_eta[key]) + (" hidden layers" if "hidden" in key else "")
                for key in differ
            )
            return Note(
                "one-eta",
                f"{listed} are compared at one η, {eta:g}, and each may need its own: `",
                search_command("eta", "coarse"),
                "` with the options of each finds it",
            )
    return None


def _listed(choices: set[str]) -> str:
    *others, last = sorted(choices, key=lambda choice: (len(choice), choice))
    return f"{', '.join(others)} and {last}"


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, values in recipe.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
    }
