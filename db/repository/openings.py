"""Openings of the test set: each is on record, and repeats show."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from statistics import fmean

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import StorageError
from coarsefine.db.final_records import (
    NewTestEnsemble,
    NewTestOpening,
    NewTestRun,
    TestEnsembleRecord,
)
from coarsefine.db.records import StudyRecord, TestOpeningRecord, TestRunRecord, new_uuid
from coarsefine.db.repository.common import now, study_id, table, touch
from coarsefine.db.repository.outcomes import write_test_outcomes
from coarsefine.db.tables import FinalEnsemble, FinalRun, Opening, Stage, Study, Trial


def record_opening(
    db: Database, study: StudyRecord, opening: NewTestOpening, runs: Sequence[NewTestRun] = ()
) -> TestOpeningRecord:
    """Record an opening with its runs, and return it.

    To have it on record even if the process dies while it looks at the test set, record the
    opening first, without runs, and hand them in with ``add_test_runs``.
    """
    with db.write() as session:
        owner = study_id(session, study)
        key = session.execute(
            sa.insert(table(Opening)).values(
                uuid=new_uuid(),
                study_id=owner,
                opened_at=now(),
                data_fingerprint=opening.data_fingerprint,
                stage=opening.stage,
                refit=opening.refit,
                recipe=dict(opening.recipe),
                n_test=int(opening.n_test),
                versions=dict(opening.versions),
                machine=dict(opening.machine),
                note=opening.note,
            )
        ).inserted_primary_key[0]  # type: ignore[attr-defined]
        _add_runs(session, owner, key, runs)
        touch(session, owner)
        return _read(session, Opening.id == key)[0]


def add_test_runs(
    db: Database,
    opening: TestOpeningRecord,
    runs: Sequence[NewTestRun],
    ensembles: Sequence[NewTestEnsemble] = (),
) -> TestOpeningRecord:
    """Add runs and ensembles of them to an opening, and return it."""
    with db.write() as session:
        found = session.execute(
            sa.select(Opening.id, Opening.study_id).where(Opening.uuid == opening.uuid)
        ).one_or_none()
        if found is None:
            raise StorageError(f"test opening {opening.uuid} is no longer in {db.label}")
        _add_runs(session, found.study_id, found.id, runs)
        _add_ensembles(session, found.id, ensembles)
        touch(session, found.study_id)
        return _read(session, Opening.id == found.id)[0]


def openings(
    db: Database, study: StudyRecord | None = None, *, data_fingerprint: str | None = None
) -> list[TestOpeningRecord]:
    """Return openings in order of time: of one study, of one data set, or all."""
    with db.session() as session:
        conditions: list[sa.ColumnElement[bool]] = []
        if study is not None:
            conditions.append(Opening.study_id == study_id(session, study))
        if data_fingerprint is not None:
            conditions.append(Opening.data_fingerprint == data_fingerprint)
        return _read(session, *conditions)


def openings_elsewhere(db: Database, study: StudyRecord) -> list[tuple[str, int]]:
    """Return for which other studies the study's test set was opened, and how often.

    Studies that were deleted count; an opening that a copy of its study shares counts once.
    """
    same = openings(db, data_fingerprint=study.data_fingerprint)
    counted = {opening.opened_at for opening in same if opening.study_id == study.id}
    times: dict[str, int] = defaultdict(int)
    for opening in same:
        if opening.opened_at not in counted:
            counted.add(opening.opened_at)
            times[opening.study_name or "a study of an older version"] += 1
    return list(times.items())


def _add_runs(session: Session, study: int, opening: int, runs: Sequence[NewTestRun]) -> None:
    if not runs:
        return
    trials = sa.select(Trial.uuid, Trial.id).join(Stage, Trial.stage_id == Stage.id)
    mine = trials.where(
        Stage.study_id == study,
        Trial.uuid.in_([run.trial_uuid for run in runs if run.trial_uuid]),
    )
    trial_ids = {row.uuid: row.id for row in session.execute(mine)}
    session.execute(
        sa.insert(table(FinalRun)),
        [
            {
                "opening_id": opening,
                "rank": run.rank,
                "trial_id": trial_ids[run.trial_uuid] if run.trial_uuid else None,
                "stage": run.stage,
                "params": dict(run.params),
                "validation_accuracy": run.validation_accuracy,
                "final_validation_accuracy": run.final_validation_accuracy,
                "test_accuracy": run.test_accuracy,
                "test_loss": run.test_loss,
                "confusion": None if run.confusion is None else [list(r) for r in run.confusion],
                "seconds": run.seconds,
                "epochs": run.epochs,
                "replicate": run.replicate,
                "selection_bias": run.selection_bias,
                "test_cost": run.test_cost,
            }
            for run in runs
        ],
    )
    places = sa.select(FinalRun.rank, FinalRun.replicate, FinalRun.id).where(
        FinalRun.opening_id == opening
    )
    ids = {(row.rank, row.replicate): row.id for row in session.execute(places)}
    outcomes = {
        ids[run.rank, run.replicate]: run.outcomes for run in runs if run.outcomes is not None
    }
    write_test_outcomes(session, outcomes)


def _add_ensembles(session: Session, opening: int, ensembles: Sequence[NewTestEnsemble]) -> None:
    if not ensembles:
        return
    rows = [
        {
            "opening_id": opening,
            "method": each.method,
            "members": list(each.members),
            "n_networks": each.n_networks,
            "test_accuracy": each.test_accuracy,
            "test_loss": each.test_loss,
            "confusion": [list(row) for row in each.confusion],
            "outcomes": each.outcomes,
        }
        for each in ensembles
    ]
    session.execute(sa.insert(table(FinalEnsemble)), rows)


def _read(session: Session, *conditions: sa.ColumnElement[bool]) -> list[TestOpeningRecord]:
    columns = [column for column in table(Opening).c if column.name != "study_name"]
    called = sa.func.coalesce(
        Study.trashed_name + " (in the trash)", Study.name, Opening.study_name + " (deleted)"
    )
    found = session.execute(
        sa.select(*columns, called.label("study_name"))
        .join(table(Study), Opening.study_id == Study.id, isouter=True)
        .where(*conditions)
        .order_by(Opening.opened_at, Opening.id)
    ).all()
    runs: dict[int, list[TestRunRecord]] = defaultdict(list)
    for row in session.execute(
        sa.select(table(FinalRun))
        .join(table(Opening), FinalRun.opening_id == Opening.id)
        .where(*conditions)
        .order_by(FinalRun.rank, FinalRun.replicate)
    ):
        runs[row.opening_id].append(TestRunRecord(*row))
    ensembles: dict[int, list[TestEnsembleRecord]] = defaultdict(list)
    for row in session.execute(
        sa.select(table(FinalEnsemble))
        .join(table(Opening), FinalEnsemble.opening_id == Opening.id)
        .where(*conditions)
        .order_by(FinalEnsemble.id)
    ):
        ensembles[row.opening_id].append(TestEnsembleRecord(*row))
    return [
        TestOpeningRecord(
            **row._asdict(),
            runs=tuple(
                _together(list(seeds)) for _, seeds in groupby(runs[row.id], attrgetter("rank"))
            ),
            ensembles=tuple(ensembles[row.id]),
        )
        for row in found
    ]


def _together(seeds: Sequence[TestRunRecord]) -> TestRunRecord:
    """Return one run for all seeds of a trial: means, as far as they are known."""
    if len(seeds) == 1:
        return seeds[0]
    confusions = [seed.confusion for seed in seeds if seed.confusion is not None]
    times = [seed.seconds for seed in seeds if seed.seconds is not None]
    return replace(
        seeds[0],
        final_validation_accuracy=_mean([seed.final_validation_accuracy for seed in seeds]),
        test_accuracy=_mean([seed.test_accuracy for seed in seeds]),
        test_loss=_mean([seed.test_loss for seed in seeds]),
        test_cost=_mean([seed.test_cost for seed in seeds]),
        confusion=[
            [sum(cells) for cells in zip(*rows, strict=True)]
            for rows in zip(*confusions, strict=True)
        ]
        or None,
        seconds=math.fsum(times) if times else None,
        epochs=max((seed.epochs for seed in seeds if seed.epochs is not None), default=None),
        replicates=tuple(seeds),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
