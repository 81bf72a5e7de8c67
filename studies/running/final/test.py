"""The final test run: the best trials, trained once more, meet the test set.

Nothing else in the program opens it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.final_records import NewTestOpening
from coarsefine.db.records import StageRecord, StudyRecord, TestOpeningRecord
from coarsefine.hints import command, option
from coarsefine.models.arrays import Array
from coarsefine.models.data import PreparedData
from coarsefine.models.data.sealed import open_test
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import FinalRecipe, Recipe, from_json, to_json
from coarsefine.studies.results.final.evidence import OpeningEvidence, evidence_of
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.notes.test_set import is_hand_picked, on_test
from coarsefine.studies.running.final.choice import Choice, choose
from coarsefine.studies.running.final.measuring import Measuring
from coarsefine.studies.running.final.training import (
    REFIT,
    Candidate,
    named,
    trained_as_asked,
)
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.studies import checked_data


@dataclass(frozen=True, slots=True)
class FinalTest:
    """An opening of the test set, and how often it had been open before.

    Attributes:
        evidence: What its figures are worth.
        n_before: Earlier openings for this study.
        n_after: Later openings for this study, where it is not the last one.
        others: Studies of the database for which the same test set was opened, and how often.
    """

    study: StudyRecord
    opening: TestOpeningRecord
    evidence: OpeningEvidence
    n_before: int
    n_after: int = 0
    others: tuple[tuple[str, int], ...] = ()

    @property
    def n_openings(self) -> int:
        """Return how often the test set was opened for this study."""
        return self.n_before + 1 + self.n_after

    @property
    def notes(self) -> tuple[Note, ...]:
        """Return what makes the figures worth less than they look."""
        return on_test(self.study, self.opening, self.n_before, self.others)


def final_test(
    resources: Resources,
    study: StudyRecord,
    *,
    n_top: int | None = None,
    refit: str | None = None,
    picks: Sequence[tuple[str, int]] = (),
    trainer: str | None = None,
    replicates: int | None = None,
    ensemble: bool | None = None,
) -> FinalTest:
    """Train the top of the ranking as the recipe's final section says, and open the test set once.

    Interrupted in training, the same call carries on. A call after that opens the test set again,
    which is allowed and on record.

    Args:
        resources: With what.
        study: Whose trials; all its stages together.
        n_top: How many; ``None`` as the recipe says.
        refit: As in the recipe's final section; ``None`` as the recipe says.
        picks: Stages and numbers of trials to test in place of the top; that they were picked by
            hand is on record.
        trainer: A trainer that the user names: the study's own is called only then.
        replicates: Seeds that each trial is trained with; ``None`` as the recipe says.
        ensemble: Whether the tied trials are tested as one predictor, too; likewise.

    Raises:
        StudyError: If a stage is not finished, no trial is complete, or one that was picked is not.
    """
    recipe = _as_asked(study, n_top, refit, replicates, ensemble)
    if recipe.data.test == "none":
        raise StudyError(
            f"there is no test set: the recipe of {study.name} says so with ",
            option("data.test", "none"),
            ", and all its samples train and validate",
        )
    plugins.check_named(study, recipe, by_user=trainer == recipe.trainer)
    searched = checked_data(resources, study, recipe)
    with StudyLock(resources.database, study.uuid):
        choice = choose(resources.database, study, recipe, picks)
        before = repository.openings(resources.database, study)
        for line in _beforehand(study, before, recipe, choice):
            resources.observer.said(line)
        stage, data, candidates = trained_as_asked(resources, study, recipe, searched, choice)
        tested = [c for c in candidates if choice.tests(c.trial)]
        if all(candidate.diverged for candidate in tested):
            raise StudyError(
                f"all {len(choice.tested)} trials of {study.name} diverged in the final training, "
                "so the test set was not opened; search again with a smaller ",
                option("training.eta"),
                " or ",
                option("training.eta_max"),
                ", or run\n    ",
                command("test", study.name, refit="none"),
            )
        for line in _diverged(candidates):
            resources.observer.said(line)
        opening = _open(resources, study, recipe, stage, data, candidates, choice)
        if choice.members and not opening.ensembles:
            resources.observer.said(_NO_ENSEMBLE)
        n_before = len(repository.openings(resources.database, study)) - 1
    return result_of(resources.database, study, opening, n_before)


_NO_ENSEMBLE = (
    "an ensemble needs two networks or more: no trial is tied with the best one, which was trained "
    "with one seed"
)


def _as_asked(
    study: StudyRecord,
    n_top: int | None,
    refit: str | None,
    replicates: int | None,
    ensemble: bool | None,
) -> Recipe:
    """Return the study's recipe with its final section as it is asked for."""
    if replicates is not None and replicates < 1:
        raise StudyError(option("replicates"), f" must be >= 1, got {replicates}")
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    asked = {
        "final.top": n_top,
        "final.refit": refit,
        "final.replicates": replicates,
        "final.ensemble": ensemble,
    }
    return with_overrides(recipe, asked)


def _beforehand(
    study: StudyRecord,
    openings: Sequence[TestOpeningRecord],
    recipe: Recipe,
    choice: Choice,
) -> Iterator[str]:
    """Yield what will be trained, where that is more than the trials that are tested once."""
    n_trials, n_seeds = len(choice.trained), recipe.final.n_seeds
    made = [final for _, _, final in _alike(study, openings, recipe, choice)]
    most = max((final.n_seeds for final in made), default=n_seeds)
    lacks_ensemble = bool(recipe.final.ensemble) and not any(final.ensemble for final in made)
    if made and (most < n_seeds or lacks_ensemble):
        had = f"{most} seed{'' if most == 1 else 's'}" if most < n_seeds else "no ensemble"
        yield (
            f"these trials were tested before, with {had}: what is missing is trained, and the "
            f"test set is opened once more (opening {len(openings) + 1} for this study)"
        )
    if n_trials > len(choice.tested):
        how = "trained for the test set" if recipe.final.refit == REFIT else "tested"
        yield (
            f"the ensemble is of the {len(choice.members)} tied trials of {study.name}: "
            f"{n_trials} trials are {how}"
        )
    if n_seeds > 1 and recipe.final.refit == REFIT:
        yield f"each trial is trained with {n_seeds} seeds: {n_trials * n_seeds} networks"


def _diverged(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Yield a line for each trial that diverged in the final training, with some seeds or all."""
    for trial in dict.fromkeys(c.trial.uuid for c in candidates if c.diverged):
        seeds = [c for c in candidates if c.trial.uuid == trial]
        n_lost = sum(c.diverged for c in seeds)
        which = f" with {n_lost} of {len(seeds)} seeds" if len(seeds) > 1 else ""
        left = "it has no result" if n_lost == len(seeds) else "its result is that of the others"
        yield f"{named(seeds[0].trial)} diverged in the final training{which}: {left}"


def result_of(
    database: Database,
    study: StudyRecord,
    opening: TestOpeningRecord,
    n_before: int,
    n_after: int = 0,
) -> FinalTest:
    """Return an opening with what its figures are worth."""
    evidence = evidence_of(database, opening)
    others = tuple(repository.openings_elsewhere(database, study))
    return FinalTest(study, opening, evidence, n_before, n_after, others)


def result_on_record(
    database: Database,
    study: StudyRecord,
    *,
    n_top: int | None = None,
    refit: str | None = None,
    picks: Sequence[tuple[str, int]] = (),
    replicates: int | None = None,
    ensemble: bool | None = None,
) -> FinalTest | None:
    """Return the latest result of the same trials, trained in the same way; ``None`` without one.

    A result with more seeds, or with an ensemble that was not asked for, will do where there is
    none without. Nothing is trained and the test set stays shut. A look that was cut short before
    anything was stored has no result.

    Args:
        database: Where the study is.
        study: Whose trials.
        n_top: As for ``final_test``.
        refit: As for ``final_test``.
        picks: As for ``final_test``.
        replicates: As for ``final_test``.
        ensemble: As for ``final_test``.

    Raises:
        StudyError: As ``final_test`` does.
    """
    openings = repository.openings(database, study)
    if not any(opening.runs for opening in openings):
        return None
    recipe = _as_asked(study, n_top, refit, replicates, ensemble)
    choice = choose(database, study, recipe, picks)
    will_do = []
    for n_before, opening, made in _alike(study, openings, recipe, choice):
        n_more = made.n_seeds - recipe.final.n_seeds
        extra = bool(made.ensemble) - bool(recipe.final.ensemble)
        if n_more >= 0 and extra >= 0:
            will_do.append((-n_more, -extra, n_before, opening))
    if not will_do:
        return None
    *_, n_before, opening = max(will_do, key=lambda each: each[:3])
    return result_of(database, study, opening, n_before, len(openings) - 1 - n_before)


def _alike(
    study: StudyRecord,
    openings: Sequence[TestOpeningRecord],
    recipe: Recipe,
    choice: Choice,
) -> Iterator[tuple[int, TestOpeningRecord, FinalRecipe]]:
    """Yield openings for the same trials, trained in the same way, with how many there were before.

    With each, the final section that it was made by: seeds and ensembles may differ.
    """
    training = _final_training(to_json(recipe))
    for n_before, opening in enumerate(openings):
        tested = [(run.stage, run.params) for run in opening.runs]
        if (
            len(tested) == len(choice.tested)
            and all((trial.stage, dict(trial.params)) in tested for trial in choice.tested)
            and _final_training(opening.recipe) == training
            and is_hand_picked(opening) == choice.by_hand
        ):
            stored = from_json(opening.recipe, f"the recipe of a test of {study.name}")
            yield n_before, opening, stored.final


def _final_training(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the final section of a stored recipe, without how much of it is tested."""
    how_much = {"top", "replicates", "ensemble"}
    return {key: value for key, value in recipe["final"].items() if key not in how_much}


# --------------------------------------------------------------------------- the test set opened


def _open(
    resources: Resources,
    study: StudyRecord,
    recipe: Recipe,
    stage: StageRecord | None,
    data: PreparedData,
    candidates: Sequence[Candidate],
    choice: Choice,
) -> TestOpeningRecord:
    """Record the opening, then measure: whoever looks and is killed has looked all the same."""
    new = NewTestOpening(
        data_fingerprint=data.fingerprint,
        refit=recipe.final.refit,
        recipe=to_json(recipe),
        n_test=data.n_test,
        versions=environment.versions(),
        machine=environment.machine(),
        stage=None if stage is None else stage.name,
        note=choice.note,
    )
    # Killed before anything measured was stored, and shown: the same look goes on.
    cut_short = [
        o
        for o in repository.openings(resources.database, study)
        if not o.runs
        and (o.stage, o.refit, o.recipe, o.note) == (new.stage, new.refit, new.recipe, new.note)
    ]
    opening = (
        cut_short[0] if cut_short else repository.record_opening(resources.database, study, new)
    )
    test = open_test(data, progress=resources.progress)

    @lru_cache(maxsize=1)
    def samples(trained_on: PreparedData | None) -> Array:
        if trained_on is None or trained_on.key == data.key:
            return test.x
        own = open_test(trained_on, progress=resources.progress)
        if not np.array_equal(own.y, test.y):
            raise StudyError(f"the trials of {study.name} differ in what their test samples are")
        return own.x

    runs, ensembles = Measuring(samples, test.y, data.n_classes).all(choice, candidates)
    return repository.add_test_runs(resources.database, opening, runs, ensembles)
