"""What networks make of the test samples, each by itself and all of them as one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coarsefine.db.final_records import NewTestEnsemble, NewTestRun
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.data import PreparedData
from coarsefine.models.ensembles import Ensemble, probabilities
from coarsefine.models.evaluation import Evaluator, SampleOutcomes, predictions
from coarsefine.models.losses import LOSSES
from coarsefine.models.outcomes import OutcomeCodec
from coarsefine.models.plugin import classes_of
from coarsefine.studies.results.evidence.metrics import confusion
from coarsefine.studies.running.final.choice import Choice
from coarsefine.studies.running.final.training import Candidate


class Measuring:
    """The test samples, and what is packed against their labels.

    Args:
        samples: Returns the test samples as those were normalised that a network was trained on;
            ``None`` stands for the study's own.
        labels: Of the test samples.
        n_classes: How many there are.
    """

    def __init__(
        self, samples: Callable[[PreparedData | None], Array], labels: Labels, n_classes: int
    ) -> None:
        self._samples = samples
        self._labels = labels
        self._n_classes = n_classes
        self._codec = OutcomeCodec(labels, n_classes)

    def all(
        self, choice: Choice, candidates: Sequence[Candidate]
    ) -> tuple[list[NewTestRun], list[NewTestEnsemble]]:
        """Return what is to be recorded of trials with a row of their own, and of an ensemble."""
        runs = []
        ensemble = None
        if choice.members:
            loss = candidates[0].network.loss
            ensemble = Ensemble(len(self._labels), self._n_classes, loss)
        with limited_blas(1), np.errstate(all="ignore"):
            for candidate in candidates:
                if candidate.diverged:
                    if choice.tests(candidate.trial):
                        runs.append(_run(choice, candidate))
                    continue
                classes, measured = self._one(candidate)
                if choice.tests(candidate.trial):
                    runs.append(_run(choice, candidate, **measured))
                if ensemble is not None and choice.combines(candidate.trial):
                    self._add(ensemble, candidate, classes)
        runs.sort(key=lambda run: (run.rank, run.replicate))
        return runs, [] if ensemble is None else self._ensembles(choice, candidates, ensemble)

    def _one(self, candidate: Candidate) -> tuple[Labels, dict[str, Any]]:
        """Return the classes that a network finds, and what is measured of it."""
        losses, x = None, self._samples(candidate.data)
        if candidate.predict is not None:
            classes = classes_of(candidate.predict, x, self._n_classes)
            measured: dict[str, Any] = {"test_accuracy": float(np.mean(classes == self._labels))}
        else:
            parameters = candidate.parameters
            assert parameters is not None  # noqa: S101  # it has not diverged
            evaluator = Evaluator(candidate.network, 1, parameters.weights[0].dtype.type)
            each = SampleOutcomes.unknown(1, len(self._labels))
            found = evaluator.evaluate(parameters, x, self._labels, outcomes=each)
            classes = each.predicted[0].astype(np.int64)
            # On samples unlike those it was trained on, a loss can be past all numbers.
            losses = each.losses[0] if np.isfinite(each.losses).all() else None
            squares = parameters.squared_weights(biases=candidate.network.bias_row)
            penalty = candidate.l2_strength * float(squares[0])
            measured = {
                "test_accuracy": float(found.accuracy[0]),
                "test_loss": float(found.loss[0]),
                "test_cost": float(found.loss[0]) + penalty,
            }
        measured["confusion"] = self._confusion(classes)
        measured["outcomes"] = self._codec.pack(classes, losses)
        return classes, measured

    def _add(self, ensemble: Ensemble, candidate: Candidate, classes: Labels) -> None:
        """Add the networks of a candidate, of which one alone finds ``classes``."""
        # A trainer of the user's predicts classes.
        if candidate.parameters is None:
            ensemble.add(classes, None)
            return
        spec, x = candidate.network, self._samples(candidate.data)
        for parameters in candidate.networks:
            known = None
            if LOSSES[spec.loss].probable:
                known = probabilities(spec, parameters, x)
            ensemble.add(predictions(spec, parameters, x)[0], known)

    def _ensembles(
        self, choice: Choice, candidates: Sequence[Candidate], ensemble: Ensemble
    ) -> list[NewTestEnsemble]:
        """Return what the vote reached, and the mean of probabilities where there are any."""
        if ensemble.n_networks < 2:
            return []
        voted = self._ensemble(choice, candidates, "vote", ensemble.vote())
        mean = ensemble.mean(self._labels)
        if mean is None:
            return [voted]
        return [voted, self._ensemble(choice, candidates, "mean", *mean)]

    def _ensemble(
        self,
        choice: Choice,
        candidates: Sequence[Candidate],
        method: Any,
        classes: Labels,
        losses: npt.NDArray[np.float64] | None = None,
    ) -> NewTestEnsemble:
        known = losses is not None and bool(np.isfinite(losses).all())
        trained = [c for c in candidates if not c.diverged and choice.combines(c.trial)]
        return NewTestEnsemble(
            method=method,
            members=[
                {
                    "rank": trial.rank,
                    "stage": trial.stage,
                    "params": dict(trial.params),
                    "networks": sum(len(c.networks) or 1 for c in trained if c.trial is trial),
                }
                for trial in choice.trained
                if choice.combines(trial)
            ],
            n_networks=sum(len(candidate.networks) or 1 for candidate in trained),
            test_accuracy=float(np.mean(classes == self._labels)),
            test_loss=float(losses.mean()) if losses is not None and known else None,
            confusion=self._confusion(classes),
            outcomes=self._codec.pack(classes, losses if known else None),
        )

    def _confusion(self, classes: Labels) -> list[list[int]]:
        counts: list[list[int]] = confusion(classes, self._labels, self._n_classes).tolist()
        return counts


def _run(choice: Choice, candidate: Candidate, **measured: Any) -> NewTestRun:
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
        replicate=candidate.replicate,
        selection_bias=choice.biases.get(candidate.trial.uuid),
        **measured,
    )
