"""A study's trained model, to be taken along: a trial, or the tied ones as one."""

from collections.abc import Sequence
from typing import Any

from coarsefine.db import repository
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.records import StudyRecord
from coarsefine.hints import command
from coarsefine.models.data.new_samples import layout_of
from coarsefine.models.saved import SavedModel, SavedNetwork
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import from_json, to_json
from coarsefine.studies.running.final.choice import choose
from coarsefine.studies.running.final.training import Candidate, named, trained_as_asked
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.studies import checked_data


def model_of(
    resources: Resources,
    study: StudyRecord,
    *,
    pick: tuple[str, int] | None = None,
    ensemble: bool = False,
    refit: str | None = None,
) -> SavedModel:
    """Return a model with the weights that the final test measures; the test set stays shut.

    What is not trained yet is trained, as the recipe's final section says, and stored.

    Args:
        resources: With what.
        study: Whose trial.
        pick: Stage and number of a trial; ``None`` for the best.
        ensemble: Whether all trials that are tied with the best answer as one.
        refit: As for ``final_test``.

    Raises:
        StudyError: If the search is not finished, no trial is complete, the one that was picked is
            not, it diverged in the final training, its trainer keeps its networks to itself, or an
            ensemble is of networks without probabilities.
    """
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    if recipe.trainer is not None:
        raise StudyError(
            f"study {study.name} is trained by {recipe.trainer}, whose networks are its own: no "
            "weights are stored, so there is no model to save"
        )
    stated: dict[str, Any] = {"final.top": 1, "final.ensemble": ensemble, "final.refit": refit}
    if not ensemble:
        stated["final.replicates"] = 1
    recipe = with_overrides(recipe, stated)
    searched = checked_data(resources, study, recipe)
    with StudyLock(resources.database, study.uuid):
        choice = choose(resources.database, study, recipe, () if pick is None else (pick,))
        _, _, candidates = trained_as_asked(resources, study, recipe, searched, choice)
    kept = [c for c in candidates if c.parameters is not None]
    if not kept:
        raise StudyError(
            f"{named(choice.tested[0])} of {study.name} diverged in the final training"
        )
    data = kept[0].data
    assert data is not None  # noqa: S101  # networks of ours were trained on some
    if any(c.data is None or c.data.key != data.key for c in kept):
        raise StudyError(
            "an ensemble needs networks that see the same samples; these were normalised by "
            "different training samples"
        )
    model = SavedModel(
        networks=tuple(
            SavedNetwork(c.network, parameters)
            for c in kept
            for parameters in (c.networks if ensemble else (c.parameters,))
            if parameters is not None
        ),
        transform=data.transform(),
        layout=layout_of(data),
        class_names=data.class_names,
        precision=data.precision,
        about=_about(resources, study, to_json(recipe), kept),
    )
    if ensemble and not model.probable:
        raise StudyError(
            f"networks of {study.name} put out scores, not probabilities that have a mean; save "
            "one of them, or use ",
            command("test", study.name, ensemble=True),
            " to test their vote",
        )
    return model


def _about(
    resources: Resources,
    study: StudyRecord,
    recipe: dict[str, Any],
    candidates: Sequence[Candidate],
) -> dict[str, Any]:
    """Return where a model comes from, as it is kept with it."""
    data = candidates[0].data
    assert data is not None  # noqa: S101  # as above
    openings = repository.openings(resources.database, study)
    return {
        "study": study.name,
        "search": study.search,
        "recipe": recipe,
        "trials": [
            {
                "stage": c.trial.stage,
                "trial": c.trial.trial,
                "rank": c.trial.rank,
                "params": dict(c.trial.params),
                "seed": recipe["seed"],
                "replicate": c.replicate,
                "epochs": c.epochs,
                "search_validation_accuracy": c.trial.validation_accuracy,
                "validation_accuracy": c.validation_accuracy,
            }
            for c in candidates
        ],
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "split_fingerprint": data.split_fingerprint,
            "training_samples": data.n_train,
            "normalisation": data.normalisation,
        },
        "test_set": {
            "openings": len(openings),
            "openings_of_these_trials": sum(
                any(
                    (run.stage, dict(run.params)) == (c.trial.stage, dict(c.trial.params))
                    for run in opening.runs
                    for c in candidates
                )
                for opening in openings
            ),
        },
        "versions": environment.versions(),
    }
