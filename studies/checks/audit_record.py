"""What a study claims of its training runs, as far as training them again can tell."""

import base64
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.records import CohortRecord, EpochRecord, RunRecord, StageRecord, StudyRecord
from coarsefine.nesting import is_deeper
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.stages import Stage, searched_stages

_FORMAT: Final = 1
_MOST_BYTES: Final = 64 << 20
_DEEPEST: Final = 30
# States of runs that another training can confirm.
ENDED: Final = frozenset({"complete", "diverged", "pruned"})
# What is measured after an epoch; times are no claims, and curves may be older than Σ W² in them.
MEASURES: Final = tuple(
    name
    for name in EpochRecord._fields[1:]
    if not name.endswith("seconds") and name != "squared_weights"
)


@dataclass(frozen=True, slots=True)
class CohortClaim:
    """Runs that were trained as one.

    Attributes:
        plan: As stored.
        stopped: The epoch at which trials were stopped early, by slot.
    """

    plan: Mapping[str, Any]
    blas_threads: int
    stopped: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class RunClaim:
    """A training run, and what is claimed of it.

    Attributes:
        trial: Its number in the stage.
        cohort: Names the cohort that it was trained in, at ``slot``.
        curve: SHA-256 of all that was measured after its epochs, but times.
    """

    stage: str
    trial: int
    replicate: int
    cohort: str
    slot: int
    key: str
    state: str
    epochs: int
    validation_accuracy: float | None
    curve: str

    @property
    def name(self) -> str:
        """Return what people call it."""
        seed = f", seed {self.replicate + 1}" if self.replicate else ""
        return f"{self.stage}:{self.trial}{seed}"


@dataclass(frozen=True, slots=True)
class TrialClaim:
    """A trial: what it stands for, and the mean that it is ranked by."""

    stage: str
    trial: int
    params: Mapping[str, Any]
    replicates: int
    validation_accuracy: float | None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """All that is claimed of a study's training.

    Attributes:
        stages: Each as stored: dimensions and options, and the recipe's final section where it
            trains the best trials once more.
        left_out: Runs that ended and cannot be trained again, because the study that trained them
            was deleted.
    """

    study: str
    recipe: Mapping[str, Any]
    data_fingerprint: str
    versions: Mapping[str, Any]
    machine: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, Any]]
    cohorts: Mapping[str, CohortClaim]
    trials: tuple[TrialClaim, ...]
    runs: tuple[RunClaim, ...]
    left_out: int = 0

    def to_text(self) -> str:
        """Return it as letters and digits: the same text for the same record."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, ensure_ascii=False)
        return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def from_text(text: str, where: str) -> AuditRecord:
    """Return the record that ``to_text`` wrote.

    Args:
        text: What it wrote.
        where: The file, for messages.

    Raises:
        StudyError: If it is anything else.
    """
    try:
        unpacked = zlib.decompressobj().decompress(base64.b64decode(text), _MOST_BYTES + 1)
        if len(unpacked) > _MOST_BYTES:
            raise ValueError("it is too large")
        stored = json.loads(unpacked)
        if is_deeper(stored, _DEEPEST) or stored.pop("format") != _FORMAT:
            raise ValueError("it is of another version of the program")
        cohorts = {
            str(name): CohortClaim(
                dict(each["plan"]),
                int(each["blas_threads"]),
                {int(slot): int(epoch) for slot, epoch in each["stopped"].items()},
            )
            for name, each in stored.pop("cohorts").items()
        }
        trials = tuple(TrialClaim(**each) for each in stored.pop("trials"))
        runs = tuple(RunClaim(**each) for each in stored.pop("runs"))
        record = AuditRecord(**stored, cohorts=cohorts, trials=trials, runs=runs)
        named = {(trial.stage, trial.trial) for trial in trials}
        for run in runs:
            if run.cohort not in cohorts or (run.stage, run.trial) not in named:
                raise ValueError("a run is of no trial or cohort")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise StudyError(f"{where}: its record of the training is damaged: {reason}") from error
    return record


def record_of(database: Database, study: StudyRecord) -> AuditRecord:
    """Return what a study in the database claims.

    Runs that are not trained yet, or that failed, are left out.
    """
    stages = repository.stages(database, study)
    cohorts: dict[str, CohortClaim] = {}
    trials: list[TrialClaim] = []
    runs: list[RunClaim] = []
    n_left_out = 0
    for stage in stages:
        plan = repository.load_plan(database, stage)
        numbers = {t.id: t.position if t.number is None else t.number for t in plan.trials}
        trials += [
            TrialClaim(stage.name, numbers[t.id], t.params, t.replicates, t.validation_accuracy)
            for t in plan.trials
        ]
        ended = [run for run in plan.runs if run.state in ENDED]
        curves = _curves(database, ended)
        own = {cohort.id: cohort for cohort in plan.cohorts}
        for run in ended:
            found = _trained(database, run, own, cohorts)
            if found is None:
                n_left_out += 1
                continue
            name, slot = found
            runs.append(
                RunClaim(
                    stage=stage.name,
                    trial=numbers[run.trial_id],
                    replicate=run.replicate,
                    cohort=name,
                    slot=slot,
                    key=run.recipe_key,
                    state=run.state,
                    epochs=run.epochs,
                    validation_accuracy=run.validation_accuracy,
                    curve=curves[run.id],
                )
            )
    return AuditRecord(
        study=study.name,
        recipe=study.recipe,
        data_fingerprint=study.data_fingerprint,
        versions=study.versions,
        machine=study.machine,
        stages=_stages(database, study, stages),
        cohorts=cohorts,
        trials=tuple(trials),
        runs=tuple(runs),
        left_out=n_left_out,
    )


def _stages(
    database: Database, study: StudyRecord, stages: Sequence[StageRecord]
) -> dict[str, dict[str, Any]]:
    """Return what each stage varies and how it trains, as ``Stage`` stores it."""
    searched = searched_stages(database, study)
    dimensions = Stage.of(searched[0]).options["dimensions"] if searched else []
    found: dict[str, dict[str, Any]] = {}
    for stage in stages:
        if stage.optuna_name is None:
            replicates = int(stage.options.get("replicates", 1))
            options: dict[str, Any] = {"dimensions": dimensions, "replicates": replicates}
            found[stage.name] = {"options": options, "final": stage.options["final"]}
        else:
            found[stage.name] = {"options": Stage.of(stage).options, "final": None}
    return found


def _trained(
    database: Database,
    run: RunRecord,
    own: Mapping[int, CohortRecord],
    cohorts: dict[str, CohortClaim],
) -> tuple[str, int] | None:
    """Return where a run was trained, which is added to ``cohorts``.

    Args:
        database: That it is in.
        run: Of a stage.
        own: The cohorts of that stage, by id.
        cohorts: Those that are known already, by UUID.
    """
    source, known = run, None if run.cohort_id is None else own.get(run.cohort_id)
    if known is None:
        try:
            source, known = repository.trained_run(database, run)
        except StorageError:
            return None  # the study that it was taken over from was deleted
    cohort = known
    if "network" not in cohort.plan or source.slot is None:
        return None
    if cohort.uuid not in cohorts:
        together = repository.cohort_runs(database, cohort)
        stopped = {r.slot: r.epochs for r in together if r.state == "pruned" and r.slot is not None}
        cohorts[cohort.uuid] = CohortClaim(cohort.plan, cohort.blas_threads, stopped)
    return cohort.uuid, source.slot


def _curves(database: Database, runs: Sequence[RunRecord]) -> dict[int, str]:
    rows: dict[int, list[EpochRecord]] = defaultdict(list)
    for row in repository.epoch_rows(database, run_ids=[run.id for run in runs]):
        rows[row.run_id].append(row)
    return {run.id: digest_of(rows[run.id]) for run in runs}


def digest_of(rows: Iterable[Any]) -> str:
    """Return the SHA-256 of what was measured after each epoch, in order; times left out.

    Numbers that are not finite are as good as none: they are stored so.
    """
    digest = hashlib.sha256()
    for row in rows:
        values = (_plain(getattr(row, name)) for name in MEASURES)
        digest.update(("\t".join(values) + "\n").encode())
    return digest.hexdigest()


def _plain(value: Any) -> str:
    if value is None or value != value or value in (float("inf"), -float("inf")):  # noqa: PLR0124
        return "-"
    return repr(value if isinstance(value, int) else float(value))
