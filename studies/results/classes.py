"""What trials made of each class of the validation samples: recall, precision, confusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.columns.column import Column, Face
from coarsefine.studies.results.columns.shared import PARAMS, STAGE, STUDY, TITLE, TRIAL
from coarsefine.studies.results.predictions import outcomes_of
from coarsefine.studies.results.ranking import RankedTrial, Ranking
from coarsefine.studies.results.scoring.splits import Splits, n_folds_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Trials whose outcomes are held in memory at a time.
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Confusion:
    """Which classes a trial took for which others, on the validation samples.

    Attributes:
        counts: (K, K), samples by true class (row) and predicted class, summed over the replicates.
        names: Of the classes.
        n_seeds: How often each sample was predicted; where replicates are random splits, how many
            there are.
    """

    trial: RankedTrial
    counts: "NDArray[np.int64]"
    names: tuple[str, ...]
    n_seeds: int = 1

    @property
    def rows(self) -> "tuple[OfClass, ...]":
        """Return the figures of each class, in their order."""
        return tuple(
            OfClass(
                trial=self.trial,
                name=name,
                n_true=int(self.counts[k].sum()),
                n_predicted=int(self.counts[:, k].sum()),
                n_right=int(self.counts[k, k]),
                n_replicates=self.n_seeds,
            )
            for k, name in enumerate(self.names)
        )


@dataclass(frozen=True, slots=True)
class OfClass:
    """A class of the validation samples, as a trial predicts it.

    Attributes:
        name: Of the class.
        n_true: Samples that belong to it, counted once for each replicate.
        n_predicted: Samples that were given it, likewise.
        n_right: Both, likewise.
        n_replicates: That count a sample once each; all folds together are one.
    """

    trial: RankedTrial
    name: str
    n_true: int
    n_predicted: int
    n_right: int
    n_replicates: int

    @property
    def params(self) -> Mapping[str, Any]:
        """Return what was searched."""
        return self.trial.params

    @property
    def samples(self) -> int:
        """Return how many validation samples belong to the class."""
        return self.n_true // max(1, self.n_replicates)

    @property
    def predicted(self) -> float:
        """Return how many samples were given the class, a replicate on average."""
        return self.n_predicted / max(1, self.n_replicates)

    @property
    def recall(self) -> float | None:
        """Return the share of its samples that were recognised; ``None`` where it has none."""
        return self.n_right / self.n_true if self.n_true else None

    @property
    def precision(self) -> float | None:
        """Return the share of samples given the class that belong to it; ``None`` without any."""
        return self.n_right / self.n_predicted if self.n_predicted else None

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of both; ``None`` where the class is neither there nor given."""
        both = self.n_true + self.n_predicted
        return 2 * self.n_right / both if both else None


CLASSES: Final[tuple[Column, ...]] = (
    STUDY,
    Column(
        name="rank",
        kind="whole",
        meaning="of the trial, from 1",
        value=lambda row: row.trial.rank,
        absent=TITLE,
        paper=Face(),
    ),
    replace(STAGE, value=attrgetter("trial.stage"), absent=TITLE, paper=Face()),
    replace(TRIAL, value=attrgetter("trial.trial"), absent=TITLE, paper=Face()),
    replace(PARAMS, absent=TITLE, paper=Face()),
    Column(name="class", kind="text", meaning="the name of the class", value=lambda row: row.name),
    Column(name="samples", kind="count", meaning="validation samples that belong to the class"),
    Column(
        name="predicted",
        kind="real",
        unit="samples",
        meaning="validation samples that were given the class, a replicate on average",
    ),
    Column(
        name="recall",
        kind="percent",
        meaning="share of the class's samples that were recognised, over all replicates; empty "
        "where it has none",
        terminal=Face("recall\n%"),
    ),
    Column(
        # The precision of floats can be searched, and would have a column of that name.
        name="class_precision",
        kind="percent",
        meaning="share of the samples given the class that belong to it, over all replicates; "
        "empty where none was",
        value=lambda row: row.precision,
        terminal=Face("precision\n%"),
    ),
    Column(
        name="f1",
        kind="percent",
        meaning="harmonic mean of recall and precision; empty where the class is neither there nor "
        "predicted",
        heading="F1",
        terminal=Face("F1\n%"),
    ),
)
"""Columns of classes: a row a class of each trial."""


def confusion_of(database: Database, ranking: Ranking, trial: RankedTrial) -> Confusion:
    """Return which classes a trial took for which others.

    Raises:
        StudyError: If it is not complete, or what it predicted was not kept.
    """
    if trial.state != "complete":
        raise StudyError(
            f"only complete trials have predictions, {trial.stage}:{trial.trial} is {trial.state}"
        )
    found = confusions_of(database, ranking, [trial])
    if not found:
        raise StudyError(
            f"what {trial.stage}:{trial.trial} predicted was not kept: it was trained by an older "
            "version, or by a trainer without predict"
        )
    return found[0]


def confusions_of(
    database: Database, ranking: Ranking, trials: Sequence[RankedTrial]
) -> list[Confusion]:
    """Return the confusions of those of some trials whose replicates have all kept predictions.

    Raises:
        StudyError: If the labels of the validation samples are not known.
    """
    import numpy as np

    from coarsefine.studies.results.evidence.metrics import confusion
    from coarsefine.studies.results.scoring.labels import labels_of
    from coarsefine.studies.results.scoring.scorer import predicted

    splits = Splits.of(ranking.study)
    labels_at = cache(partial(labels_of, ranking.study))
    ids = {row.uuid: row.id for row in repository.trial_rows(database, ranking.study)}
    complete = [trial for trial in trials if trial.state == "complete"]
    found = []
    for start in range(0, len(complete), _AT_ONCE):
        some = complete[start : start + _AT_ONCE]
        kept = outcomes_of(database, [ids[trial.uuid or ""] for trial in some])
        for trial, outcomes in zip(some, kept, strict=True):
            labels = [labels_at(replicate) for replicate in outcomes]
            runs = list(map(predicted, outcomes.values(), labels))
            known = [classes for classes in runs if classes is not None]
            if not known or len(known) < max(trial.replicates, len(runs)):
                continue
            counts = sum(
                (
                    confusion(classes, own.classes, own.n_classes)
                    for classes, own in zip(known, labels, strict=True)
                ),
                np.zeros((labels[0].n_classes,) * 2, np.int64),
            )
            n_seeds = trial.replicates // n_folds_of(splits)
            found.append(Confusion(trial, counts, labels[0].names, max(1, n_seeds)))
    return found
