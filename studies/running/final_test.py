"""The final test run: the best trials, trained once more, meet the test set.

Nothing else in the program opens it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coarsefine.db import repository
from coarsefine.db.engine import Database
from coarsefine.db.lock import StudyLock
from coarsefine.db.records import (
    NewTestOpening,
    NewTestRun,
    StageRecord,
    StudyRecord,
    TestOpeningRecord,
)
from coarsefine.hints import command, option
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.data import PreparedData
from coarsefine.models.data.sealed import open_test, prepare_final
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.evaluation import Evaluator, SampleOutcomes
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.models.plugin import classes_of
from coarsefine.studies import environment
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.runs import Prepare
from coarsefine.studies.recipes.layers import with_overrides
from coarsefine.studies.recipes.recipe import Recipe, from_json, to_json
from coarsefine.studies.results.notes.note import Note
from coarsefine.studies.results.notes.test_set import is_hand_picked, on_test
from coarsefine.studies.running.final_choice import chosen_trials, picked_by_hand
from coarsefine.studies.running.final_training import (
    REFIT,
    Candidate,
    named,
    trained_by_user,
    trained_for_it,
    trained_in_search,
)
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.studies import checked_data


@dataclass(frozen=True, slots=True)
class FinalTest:
    """An opening of the test set, and how often it had been open before.

    Attributes:
        n_before: Earlier openings for this study.
        n_after: Later openings for this study, where it is not the last one.
        others: Studies of the database for which the same test set was opened, and how often.
    """

    study: StudyRecord
    opening: TestOpeningRecord
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

    Raises:
        StudyError: If a stage is not finished, no trial is complete, or one that was picked is not.
    """
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    recipe = with_overrides(recipe, {"final.top": n_top, "final.refit": refit})
    plugins.check_named(study, recipe, by_user=trainer == recipe.trainer)
    searched = checked_data(resources, study, recipe)
    with StudyLock(resources.database, study.uuid):
        chosen = chosen_trials(resources.database, study, recipe.final.top, picks)
        note = picked_by_hand(chosen) if picks else ""
        stage: StageRecord | None = None
        data = searched
        prepare = _refitted(resources, recipe) if recipe.final.refit == REFIT else None
        if recipe.trainer is not None:
            data, candidates = trained_by_user(resources, study, recipe, chosen, prepare)
        elif prepare is not None:
            stage, data, candidates = trained_for_it(
                resources, study, recipe, chosen, prepare, note
            )
        else:
            candidates = trained_in_search(resources, study, chosen)
        diverged = [c.trial for c in candidates if c.diverged]
        if len(diverged) == len(candidates):
            raise StudyError(
                f"all {len(candidates)} trials of {study.name} diverged in the final training, so "
                "the test set stays shut; search again with a smaller ",
                option("training.eta"),
                " or ",
                option("training.eta_max"),
                ", or run\n    ",
                command("test", study.name, refit="none"),
            )
        for trial in diverged:
            resources.observer.said(
                f"{named(trial)} diverged in the final training: it has no result"
            )
        opening = _open(resources, study, recipe, stage, data, candidates, note)
        n_before = len(repository.openings(resources.database, study)) - 1
    return FinalTest(study, opening, n_before, others=_others(resources.database, study, opening))


def result_on_record(
    database: Database,
    study: StudyRecord,
    *,
    n_top: int | None = None,
    refit: str | None = None,
    picks: Sequence[tuple[str, int]] = (),
) -> FinalTest | None:
    """Return the latest result of the same trials, trained in the same way; ``None`` without one.

    Nothing is trained and the test set stays shut. A look that was cut short before anything was
    stored has no result.

    Args:
        database: Where the study is.
        study: Whose trials.
        n_top: As for ``final_test``.
        refit: As for ``final_test``.
        picks: As for ``final_test``.

    Raises:
        StudyError: As ``final_test`` does.
    """
    openings = repository.openings(database, study)
    if not any(opening.runs for opening in openings):
        return None
    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    recipe = with_overrides(recipe, {"final.top": n_top, "final.refit": refit})
    chosen = chosen_trials(database, study, recipe.final.top, picks)
    training = _final_training(to_json(recipe))
    for n_before, opening in reversed(list(enumerate(openings))):
        tested = [(run.stage, run.params) for run in opening.runs]
        if (
            len(tested) == len(chosen)
            and all((trial.stage, dict(trial.params)) in tested for trial in chosen)
            and _final_training(opening.recipe) == training
            and is_hand_picked(opening) == bool(picks)
        ):
            n_after = len(openings) - 1 - n_before
            return FinalTest(study, opening, n_before, n_after, _others(database, study, opening))
    return None


def _final_training(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the final section of a stored recipe, without how many trials are tested."""
    return {key: value for key, value in recipe["final"].items() if key != "top"}


def _others(
    database: Database, study: StudyRecord, opening: TestOpeningRecord
) -> tuple[tuple[str, int], ...]:
    """Return for which other studies the same test set was opened, and how often."""
    times: dict[int, int] = {}
    same = repository.openings(database, data_fingerprint=opening.data_fingerprint)
    for other in same:
        if other.study_id != opening.study_id:
            times[other.study_id] = times.get(other.study_id, 0) + 1
    if not times:
        return ()
    found = []
    for summary in repository.list_studies(database):
        other_study = repository.find_study(database, summary.name)
        if other_study is not None and other_study.id in times:
            found.append((other_study.name, times[other_study.id]))
    return tuple(found)


def _refitted(resources: Resources, recipe: Recipe) -> Prepare:
    """Return what makes final data of a search's: both splits joined, less a small part."""
    kept = recipe.final.validation
    assert kept is not None  # noqa: S101  # the recipe sees to it where it refits

    def prepare(spec: DataSpec) -> PreparedData:
        return prepare_final(
            spec,
            refit="train+validation",
            validation=kept,
            data_dir=resources.data_dir,
            progress=resources.progress,
        )

    return prepare


# --------------------------------------------------------------------------- the test set opened


def _open(
    resources: Resources,
    study: StudyRecord,
    recipe: Recipe,
    stage: StageRecord | None,
    data: PreparedData,
    candidates: Sequence[Candidate],
    note: str,
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
        note=note,
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
    runs = [_test_run(candidate) for candidate in candidates if candidate.diverged]
    codec = OutcomeCodec(test.y, data.n_classes)
    with limited_blas(1), np.errstate(all="ignore"):
        for candidate in candidates:
            parameters = candidate.parameters
            if candidate.predict is not None:
                classes = classes_of(candidate.predict, test.x, data.n_classes)
                runs.append(
                    _test_run(
                        candidate,
                        test_accuracy=float(np.mean(classes == test.y)),
                        confusion=_confusion(test.y, classes, data.n_classes),
                        outcomes=codec.pack(classes),
                    )
                )
            if parameters is None:
                continue
            evaluator = Evaluator(candidate.network, 1, parameters.weights[0].dtype.type)
            each = SampleOutcomes.unknown(1, len(test.y))
            measured = evaluator.evaluate(parameters, test.x, test.y, outcomes=each)
            classes = each.predicted[0].astype(np.int64)
            # On samples unlike those it was trained on, a loss can be past all numbers.
            losses = each.losses[0] if np.isfinite(each.losses).all() else None
            runs.append(
                _test_run(
                    candidate,
                    test_accuracy=float(measured.accuracy[0]),
                    test_loss=float(measured.loss[0]),
                    confusion=_confusion(test.y, classes, data.n_classes),
                    outcomes=codec.pack(classes, losses),
                )
            )
    runs.sort(key=lambda run: run.rank)
    return repository.add_test_runs(resources.database, opening, runs)


def _test_run(candidate: Candidate, **measured: Any) -> NewTestRun:
    """Return what is recorded of a candidate, with what was measured of it, if anything was."""
    return NewTestRun(
        rank=candidate.trial.rank or 0,
        stage=candidate.trial.stage,
        params=candidate.trial.params,
        trial_uuid=candidate.trial.uuid,
        validation_accuracy=candidate.trial.validation_accuracy,
        final_validation_accuracy=candidate.validation_accuracy,
        seconds=candidate.seconds,
        epochs=candidate.epochs,
        **measured,
    )


def _confusion(labels: Any, predicted: Any, n_classes: int) -> list[list[int]]:
    """Return how many samples of each class (row) were taken for each class (column)."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return [[int(value) for value in row] for row in counts]
