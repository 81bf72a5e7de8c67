"""An audit: some runs of a study, drawn at random, are trained again and must give the same bits.

What it says of the others is that of any random sample: how many invented ones could have been
missed.
"""

import random
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import comb, sqrt
from statistics import fmean
from typing import Any, Final, Literal

from coarsefine.hints import option
from coarsefine.models.cohort import Finished
from coarsefine.models.data import PreparedData
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.errors import ModelError
from coarsefine.models.training import EpochRow
from coarsefine.studies import environment
from coarsefine.studies.checks.audit_record import AuditRecord, RunClaim, TrialClaim, digest_of
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning import trainers as plugins
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.planning.point_runs import PlannedRun, Prepare
from coarsefine.studies.planning.run_options import RunOptions
from coarsefine.studies.planning.runs import plan_runs
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.layers import final_recipe, with_overrides
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.recipes.specs import to_data_spec
from coarsefine.studies.running.final.training import refitted
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.retraining import Again, Retrained, retrained, seconds_again
from coarsefine.studies.spaces.dimensions import from_json as dimensions_from
from coarsefine.studies.spaces.dimensions import from_params

Verdict = Literal["identical", "rounding", "differs"]
CONFIDENCE: Final = 0.95
# Another processor rounds differently, and training makes more of it from epoch to epoch: a run
# agrees with its claim where the accuracy differs by no more than two runs with the same true one.
_STANDARD_ERRORS: Final = 3.0
_SHARES: Final = (0.01, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Checked:
    """A run that was trained again, and what came of it.

    Attributes:
        drawn: Whether it was drawn, or trained because of one that was.
        verdict: ``rounding``: other bits, as on another processor or with other versions.
        found: Validation accuracy of the training; ``None`` if there is none.
        reason: What differs, in words.
    """

    claim: RunClaim
    drawn: bool
    verdict: Verdict
    found: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Escape:
    """How likely it is that so many invented runs were all missed by the draw."""

    share: float
    runs: int
    probability: float


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        n_runs: That could have been drawn.
        seed: Of the draw: with the same seed, the same runs are drawn.
        unlike: In what this machine and its versions differ from those of the study, in words.
        inconsistent: Claims that contradict each other, in words: no training is needed to see it.
    """

    record: AuditRecord
    n_runs: int
    seed: int
    checked: tuple[Checked, ...]
    seconds: float
    unlike: tuple[str, ...] = ()
    inconsistent: tuple[str, ...] = ()

    @property
    def drawn(self) -> tuple[Checked, ...]:
        """Return those that were drawn."""
        return tuple(each for each in self.checked if each.drawn)

    @property
    def passed(self) -> bool:
        """Return whether nothing differs by more than rounding."""
        return not self.inconsistent and all(each.verdict != "differs" for each in self.checked)

    @property
    def bound(self) -> int:
        """Return how many runs could be invented without the draw having met one, at 95 %."""
        n, k = len(self.drawn), 0
        while (
            k < self.n_runs - len(self.checked) and missed(self.n_runs, n, k + 1) > 1 - CONFIDENCE
        ):
            k += 1
        return k

    @property
    def escapes(self) -> tuple[Escape, ...]:
        """Return how likely the draw was to miss all of some invented runs."""
        counts = {max(1, round(share * self.n_runs)): share for share in reversed(_SHARES)}
        return tuple(
            Escape(k / self.n_runs, k, missed(self.n_runs, len(self.drawn), k))
            for k in sorted(counts)
        )


def missed(n_runs: int, n_drawn: int, n_invented: int) -> float:
    """Return the probability that a draw without replacement misses all invented runs.

    >>> round(missed(40, 5, 4), 3), missed(40, 40, 1)
    (0.573, 0.0)
    """
    return comb(n_runs - n_invented, n_drawn) / comb(n_runs, n_drawn)


def audit(
    resources: Resources,
    record: AuditRecord,
    *,
    n_runs: int = 5,
    seed: int | None = None,
    trainer: str | None = None,
) -> Audit:
    """Draw runs of a study, train them again in this process, and compare.

    Cohorts are trained whole, because the shapes of arrays decide the last bits: other runs of
    theirs are compared, too.

    Args:
        resources: With what; nothing is stored.
        record: What the study claims.
        n_runs: How many are drawn, >= 1; all if there are no more.
        seed: Of the draw; ``None`` for one that nobody could foresee.
        trainer: A trainer that the user names: the study's own is called only then.

    Raises:
        StudyError: If no run is there to be trained, or the data are others.
        StoppedByRequest: If the observer asked to stop.
    """
    if n_runs < 1:
        raise StudyError(option("runs"), f" must be >= 1, got {n_runs}")
    if not record.runs:
        raise StudyError(f"study {record.study} has no training run that has ended")
    recipe = from_json(dict(record.recipe), f"the recipe of study {record.study}")
    if recipe.trainer is not None and trainer != recipe.trainer:
        raise StudyError(
            f"study {record.study} is trained by {recipe.trainer}, which is imported only if you "
            "name it yourself: add ",
            option("recipe", "FILE"),
            ", the recipe it was begun with",
        )
    seed = secrets.randbelow(2**32) if seed is None else seed
    drawn = random.Random(seed).sample(record.runs, min(n_runs, len(record.runs)))  # noqa: S311
    work = _Work.of(resources, record, recipe)
    checked: list[Checked] = []
    seconds = 0.0
    for cohort in dict.fromkeys(run.cohort for run in drawn):
        found, took = work.cohort(cohort, [run for run in record.runs if run.cohort == cohort])
        chosen = {id(run) for run in drawn}
        checked += [replace(each, drawn=id(each.claim) in chosen) for each in found]
        seconds += took
    return Audit(
        record=record,
        n_runs=len(record.runs),
        seed=seed,
        checked=tuple(checked),
        seconds=seconds,
        unlike=work.unlike,
        inconsistent=tuple(_inconsistent(record)),
    )


def _inconsistent(record: AuditRecord) -> list[str]:
    """Return trials whose mean is not that of their runs."""
    runs: dict[tuple[str, int], list[float]] = defaultdict(list)
    for run in record.runs:
        if run.validation_accuracy is not None and run.state == "complete":
            runs[run.stage, run.trial].append(run.validation_accuracy)
    lines = []
    for trial in record.trials:
        values = runs.get((trial.stage, trial.trial), [])
        claimed = trial.validation_accuracy
        if claimed is None or len(values) != trial.replicates:
            continue
        if abs(fmean(values) - claimed) > 1e-12:
            lines.append(
                f"trial {trial.stage}:{trial.trial} has a validation accuracy of "
                f"{100 * claimed:.2f} %, its runs have {100 * fmean(values):.2f} % on average"
            )
    return lines


@dataclass(slots=True)
class _Work:
    """What the runs of a record are trained by."""

    resources: Resources
    record: AuditRecord
    recipe: Recipe
    unlike: tuple[str, ...]
    trials: dict[tuple[str, int], TrialClaim]
    prepared: dict[Any, PreparedData] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Resources, record: AuditRecord, recipe: Recipe) -> "_Work":
        """Return it, with the data checked.

        Raises:
            StudyError: If they are others.
        """
        data = resources.prepare(recipe)
        if data.fingerprint != record.data_fingerprint:
            raise StudyError(
                f"study {record.study} was begun with other data (fingerprint "
                f"{record.data_fingerprint[:12]}, now {data.fingerprint[:12]}): no run can be "
                "trained again"
            )
        trials = {(trial.stage, trial.trial): trial for trial in record.trials}
        return cls(resources, record, recipe, tuple(_unlike(record)), trials)

    def cohort(self, name: str, claims: Sequence[RunClaim]) -> tuple[list[Checked], float]:
        """Return what training a cohort again says of its runs, and how long it took."""
        planned = {id(claim): self._planned(claim) for claim in claims}
        contradicted = [
            Checked(claim, drawn=False, verdict="differs", reason=reason)
            for claim in claims
            if (reason := self._contradiction(claim, planned[id(claim)]))
        ]
        known = {id(each.claim) for each in contradicted}
        left = [claim for claim in claims if id(claim) not in known]
        if not left:
            return contradicted, 0.0
        first = planned[id(left[0])]
        assert not isinstance(first, str)  # noqa: S101  # that is a contradiction
        claim = self.record.cohorts[name]
        again = Again.of(name, claim.plan, claim.blas_threads, claim.stopped)
        about = seconds_again(again, first.data, first.plugin)
        takes = f", about {max(1, round(about))} s" if about < float("inf") else ""
        n = len(again.plan["trials"])
        together = f" with the {n - 1} it was trained with" if n > 1 else ""
        self.resources.observer.said(f"training {left[0].name} again{together}{takes}")
        found = retrained(again, first.data, self.resources.observer, self.recipe.trainer)
        return contradicted + [self._compared(each, found) for each in left], found.seconds

    def _planned(self, claim: RunClaim) -> PlannedRun | str:
        """Return the run that the trial's row stands for; or why there is none, in words."""
        stored = self.record.stages.get(claim.stage)
        if stored is None:
            return "its stage is not in the record"
        try:
            options = RunOptions.of(stored["options"])
            options = replace(options, replicates=claim.replicate // options.n_runs(1) + 1)
            dimensions = dimensions_from(stored["options"]["dimensions"])
            stage = Stage(claim.stage, dimensions, "", 0, options)
            recipe, prepare = self._recipe(stored["final"])
            point = from_params(self.trials[claim.stage, claim.trial].params)
            data = prepare(to_data_spec(recipe))
            return plan_runs(recipe, data, stage, [point], prepare).runs[claim.replicate][0]
        except (StudyError, ModelError) as error:
            return f"its row cannot be trained: {error}"

    def _recipe(self, final: dict[str, Any] | None) -> tuple[Recipe, Prepare]:
        """Return the recipe of a stage, and what makes its data."""
        if final is None:
            return self.recipe, self._remembered(self.resources.prepared, "search")
        stated = {f"final.{key}": value for key, value in final.items()}
        recipe = with_overrides(self.recipe, stated)
        return final_recipe(recipe), self._remembered(refitted(self.resources, recipe), str(final))

    def _remembered(self, prepare: Prepare, what: str) -> Prepare:
        def remembered(spec: DataSpec) -> PreparedData:
            if (what, spec) not in self.prepared:
                self.prepared[what, spec] = prepare(spec)
            return self.prepared[what, spec]

        return remembered

    def _contradiction(self, claim: RunClaim, planned: PlannedRun | str) -> str:
        """Return in what a run's plan is not what the row of its trial says; nothing if it is."""
        if isinstance(planned, str):
            return planned
        cohort = self.record.cohorts[claim.cohort]
        plan = plan_from_json(dict(cohort.plan))
        if not 0 <= claim.slot < len(plan.trials):
            return "its cohort has no such place"
        stored = cohort.plan.get(plugins.TRAINER)
        name = None if stored is None else stored["params"]
        same = (
            plan.network == planned.network
            and plan.training == planned.training
            and plan.trials[claim.slot] == planned.hyperparameters
            and (plan.seed, plan.replicate) == (self.recipe.seed, claim.replicate)
            and name == (None if planned.plugin is None else planned.plugin.params)
        )
        if not same:
            return "it was planned with other settings than its row and the recipe say"
        return "" if planned.key == claim.key else "its key is not that of its settings"

    def _compared(self, claim: RunClaim, again: Retrained) -> Checked:
        rows = [row for row in again.rows if row.slot == claim.slot]
        done = None if again.state is None else again.state.finished.get(claim.slot)
        found = None
        if done is not None and done.outcome in {"complete", "pruned"}:
            found = _scored(rows, done)
        state = None if done is None else done.outcome
        if state != claim.state:
            return self._other(claim, found, f"it is {claim.state} on record, and now {state}")
        if digest_of(rows) == claim.curve and found == claim.validation_accuracy:
            return Checked(claim, drawn=False, verdict="identical", found=found)
        return self._other(claim, found, "")

    def _other(self, claim: RunClaim, found: float | None, reason: str) -> Checked:
        """Return the verdict on a run that gave other bits."""
        claimed = claim.validation_accuracy
        if reason:
            return Checked(claim, False, "differs", found, reason)
        if found is None or claimed is None:
            verdict: Verdict = "rounding" if self.unlike and found == claimed else "differs"
            return Checked(claim, False, verdict, found, "its curve is another one")
        reason = (
            "its accuracy is the same, its curve another one"
            if found == claimed
            else f"{100 * claimed:.2f} % on record, and now {100 * found:.2f} %"
        )
        n = self.n_validation
        mean = (claimed + found) / 2
        allowed = _STANDARD_ERRORS * sqrt(max(2 * mean * (1 - mean) / n, 1 / n**2))
        near = bool(self.unlike) and abs(found - claimed) <= allowed
        return Checked(claim, False, "rounding" if near else "differs", found, reason)

    @property
    def n_validation(self) -> int:
        """Return how many validation samples accuracies are measured on."""
        return min(data.n_validation for data in self.prepared.values())


def _scored(rows: Sequence[EpochRow], done: Finished) -> float | None:
    if done.restored is not None:
        return done.restored.validation_accuracy
    scored = (row.validation_accuracy for row in rows if row.epoch == done.scored_epoch)
    return next(scored, None)


def _unlike(record: AuditRecord) -> list[str]:
    """Return in what this machine and its versions differ from those of the study."""
    here: dict[str, Any] = {**environment.versions(), **environment.machine()}
    # Older records do not say which kernels multiplied: processors of one name may have others.
    there = {"blas": "not on record", **record.versions, **record.machine}
    return [
        f"{name} {there[name]} there, {here.get(name)} here"
        for name in ("processor", "blas", "numpy", "coarsefine")
        if name in there and there[name] != here.get(name)
    ]
