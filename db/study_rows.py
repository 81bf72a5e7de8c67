"""All rows of one study, read in order and written again: in the same database or another.

Values are taken as they are stored, so that what is copied has the same bits. Rows get new ids;
they are found again by what is unique of them beside their id.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from coarsefine.db import curve_tables, tables
from coarsefine.db.optuna.rows import ids_of_stages, optunas_tables, owned
from coarsefine.db.records import new_uuid
from coarsefine.db.repository.common import chunks

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A table with rows of a study.

    Attributes:
        owners: Columns with the id of the row that one belongs to, and the table of that.
        links: Columns with ids of other rows of the study, if there are any.
        key: What is unique of a row beside its id; nothing where no other row points to it.
        at_once: Rows of how many owners are read together; of large rows few.
    """

    name: str
    owners: Mapping[str, str]
    links: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    at_once: int | None = None

    @property
    def table(self) -> sa.TableClause:
        """Return the table with values as they are stored."""
        return _RAW[self.name]

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return [column.name for column in self.table.c]

    @property
    def ids(self) -> frozenset[str]:
        """Return the columns that are numbered anew."""
        numbered = {"id", "reused_from", *self.owners, *self.links}
        return frozenset(numbered.intersection(self.columns))


def _raw(table: sa.Table) -> sa.TableClause:
    def plain(kind: Any) -> Any:
        return kind.impl_instance if isinstance(kind, TypeDecorator) else kind

    return sa.table(table.name, *(sa.column(c.name, plain(c.type)) for c in table.c))


_RAW: Final = {name: _raw(table) for name, table in tables.Study.metadata.tables.items()}
_STUDY: Final = tables.Study.__tablename__
_STAGE: Final = tables.Stage.__tablename__
_TRIAL: Final = tables.Trial.__tablename__
_COHORT: Final = tables.Cohort.__tablename__
_RUN: Final = tables.Run.__tablename__
_OPENING: Final = tables.Opening.__tablename__
_TESTED: Final = tables.FinalRun.__tablename__

KINDS: Final = (
    Kind(_STUDY, {}, key=("uuid",)),
    Kind(_STAGE, {"study_id": _STUDY}, key=("uuid",)),
    Kind(_TRIAL, {"stage_id": _STAGE}, key=("uuid",)),
    Kind(_COHORT, {"stage_id": _STAGE}, key=("uuid",)),
    Kind(_RUN, {"trial_id": _TRIAL}, {"cohort_id": _COHORT}, key=("trial_id", "replicate")),
    *(
        Kind(mapped.__tablename__, {"run_id": _RUN}, at_once=200)
        for mapped in (curve_tables.Epoch, curve_tables.RunMetrics, curve_tables.Evaluation)
    ),
    Kind(tables.Checkpoint.__tablename__, {"cohort_id": _COHORT}, at_once=8),
    Kind(_OPENING, {"study_id": _STUDY}, key=("uuid",)),
    Kind(
        _TESTED,
        {"opening_id": _OPENING},
        {"trial_id": _TRIAL},
        key=("opening_id", "rank", "replicate"),
    ),
    Kind(tables.FinalEnsemble.__tablename__, {"opening_id": _OPENING}),
    Kind(
        tables.SampleOutcomes.__tablename__, {"run_id": _RUN, "test_run_id": _TESTED}, at_once=200
    ),
)
UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def walk(session: Session, study_id: int) -> Iterator[tuple[Kind, list[Row]]]:
    """Yield all rows of a study, table by table, in an order that they can be written in."""
    for kind, by_study in walk_all(session, [study_id]):
        yield kind, by_study[study_id]


def walk_all(
    session: Session, study_ids: Sequence[int]
) -> Iterator[tuple[Kind, dict[int, list[Row]]]]:
    """Yield the rows of several studies, by study: those of each as ``walk`` has them.

    Rows of many studies are read by one statement, as many as ``Kind.at_once`` allows.
    """
    # By table and study: the ids of its rows.
    ids: dict[str, dict[int, list[int]]] = {}
    for kind in KINDS:
        found: dict[int, list[Row]] = {}
        for column, owner in kind.owners.items():
            for owners in _together(ids[owner], kind.at_once or 500):
                rows = found if not kind.at_once else {}
                for row in _rows(session, kind, kind.table.c[column].in_(list(owners))):
                    rows.setdefault(owners[row[column]], []).append(row)
                if kind.at_once and rows:
                    yield kind, rows
        if not kind.owners:
            for some in chunks(list(study_ids)):
                rows_of = _rows(session, kind, kind.table.c.id.in_(some))
                found |= {row["id"]: [row] for row in rows_of}
        if kind.key:
            for own in found.values():
                own.sort(key=lambda row: row["id"])
            ids[kind.name] = {study: [row["id"] for row in own] for study, own in found.items()}
        if found:
            yield kind, found


def _together(ids: Mapping[int, Sequence[int]], most: int) -> Iterator[dict[int, int]]:
    """Yield the studies of up to ``most`` ids each time; parts of a study begin at its first."""
    some: dict[int, int] = {}
    for study, own in ids.items():
        for part in chunks(own, most):
            if len(some) + len(part) > most:
                yield some
                some = {}
            some |= dict.fromkeys(part, study)
    if some:
        yield some


def _rows(session: Session, kind: Kind, condition: sa.ColumnElement[bool]) -> list[Row]:
    columns = kind.table.c
    order = [
        columns[name] for name in ("id", "run_id", "cohort_id", "epoch", "step") if name in columns
    ]
    statement = sa.select(kind.table).where(condition).order_by(*order)
    return [dict(row) for row in session.execute(statement).mappings()]


Columns = Mapping[str, Sequence[str]]

DRIVER: Final = ("driver_host", "driver_pid", "driver_since")
_OF_PLACE: Final = {_STUDY: frozenset({"name", *DRIVER}), _STAGE: frozenset({"optuna_name"})}


def compared_columns() -> Columns:
    """Return the columns that a study has wherever it is copied to, by table."""
    return {
        kind.name: [
            name
            for name in kind.columns
            if name not in kind.ids | _OF_PLACE.get(kind.name, frozenset())
        ]
        for kind in KINDS
    }


class Digest:
    """A SHA-256 of some columns of rows, in the order that ``walk`` yields them.

    Args:
        columns: By table; others do not count.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._whole = hashlib.sha256()

    def add(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Count rows of a table in."""
        for row in rows:
            for name in self._columns.get(kind.name, ()):
                value = row.get(name)
                self._whole.update(value if isinstance(value, bytes) else repr(value).encode())
                self._whole.update(b"\0")

    def hexdigest(self) -> str:
        """Return it in hexadecimal digits."""
        return self._whole.hexdigest()


def digests(session: Session, study_ids: Sequence[int], columns: Columns) -> dict[int, str]:
    """Return a SHA-256 of some columns of all rows of each study, by its id."""
    whole = {study: Digest(columns) for study in study_ids}
    for kind, by_study in walk_all(session, study_ids):
        for study, rows in by_study.items():
            whole[study].add(kind, rows)
    return {study: each.hexdigest() for study, each in whole.items()}


def digest(session: Session, study_id: int, columns: Columns) -> str:
    """Return a SHA-256 of some columns of all rows of a study."""
    return digests(session, [study_id], columns)[study_id]


@dataclass
class StudyCopy:
    """A study that is being written once more.

    Attributes:
        name: What the copy is called.
        anew: Whether it is another study, with UUIDs of its own, or the same one elsewhere.
        run_for: Runs of the target, by id of the source's run that has the same results.
        dropped: Ids of the source's cohorts that are not written: all their runs are in
            ``run_for``, and become runs that were taken over.
    """

    source: Session
    target: Session
    name: str
    anew: bool = True
    run_for: Mapping[int, int] = field(default_factory=dict)
    dropped: Collection[int] = ()
    uuids: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, dict[int, int]] = field(default_factory=dict)

    def write(self, study_id: int, **changed: Any) -> str:
        """Write all of a study, Optuna's side too, and return its UUID.

        Args:
            study_id: In the source.
            changed: Columns of the study's row that are to have other values, as they are stored.
        """
        stages: dict[str, str] = {}
        for kind, all_rows in walk(self.source, study_id):
            rows = self._kept(kind, all_rows)
            if not rows:
                continue
            if kind.name == _STUDY:
                rows[0] |= {"name": self.name, **dict.fromkeys(DRIVER), **changed}
            if kind.key == ("uuid",) and self.anew:
                self.uuids |= {row["uuid"]: new_uuid() for row in rows}
            made = [self._made(kind, row) for row in rows]
            self.target.execute(sa.insert(kind.table), made)
            if kind.name == _STAGE:
                named = zip(rows, made, strict=True)
                stages = {a["uuid"]: b["optuna_name"] for a, b in named if b["optuna_name"]}
            if kind.key:
                numbered = (kind.table, "id", kind.key, rows, made)
                self._ids[kind.name] = _numbered(self.target, *numbered)
            if kind.name == _RUN:
                self._link_reused(rows)
            if kind.name == _STUDY:
                uuid = str(made[0]["uuid"])
        theirs = {each: (optunas, self.name) for each, optunas in stages.items()}
        copy_optunas(self.source, self.target, theirs, self.translated)
        return uuid

    def _kept(self, kind: Kind, rows: list[Row]) -> list[Row]:
        """Return the rows without those of cohorts that are not written."""
        cohort = {_COHORT: "id", tables.Checkpoint.__tablename__: "cohort_id"}.get(kind.name)
        if cohort is None or not self.dropped:
            return rows
        left = [row for row in rows if row[cohort] not in self.dropped]
        if kind.name == _COHORT:
            positions: Counter[int] = Counter()
            for row in left:
                row["position"] = positions[row["stage_id"]]
                positions[row["stage_id"]] += 1
        return left

    def translated(self, value: Any) -> Any:
        """Return a stored text with the UUIDs of the copy in place of those of the study."""
        if not (self.uuids and isinstance(value, str)):
            return value
        return UUID.sub(lambda found: self.uuids.get(found[0], found[0]), value)

    def _made(self, kind: Kind, row: Row) -> Row:
        made = {name: self.translated(value) for name, value in row.items() if name != "id"}
        for column, other in {**kind.owners, **kind.links}.items():
            if made[column] is not None:
                made[column] = self._ids.get(other, {}).get(made[column])
        if kind.name == _RUN:
            made["reused_from"] = None
            if made["cohort_id"] is None:
                made["slot"] = None
        if kind.name == _STAGE and made["optuna_name"] is not None:
            made["optuna_name"] = f"{self.name}/{made['name']}"
        return made

    def _link_reused(self, rows: Sequence[Row]) -> None:
        runs = _RAW[_RUN]
        mine = self._ids[_RUN]
        for row in rows:
            target = mine.get(row["reused_from"])
            if target is None and (row["reused_from"] or row["cohort_id"] in self.dropped):
                elsewhere = row["reused_from"] if self.source is self.target else None
                target = self.run_for.get(row["id"], elsewhere)
            if target is not None:
                own = sa.update(runs).where(runs.c.id == mine[row["id"]])
                self.target.execute(own.values(reused_from=target))


def copy_optunas(
    source: Session,
    into: Session,
    stages: Mapping[str, tuple[str, str]],
    translated: Callable[[Any], Any] | None = None,
) -> None:
    """Write Optuna's studies of stages once more.

    Args:
        source: Where they are read.
        into: Where they are written.
        stages: By UUID of the stage that is copied: the name of Optuna's copy, and of our study.
        translated: Makes stored values those of the copy.
    """
    theirs = optunas_tables(source)
    there = optunas_tables(into)
    if theirs is None or there is None or not stages:
        return
    ids = ids_of_stages(source, theirs, list(stages))
    names = {study_id: stages[uuid] for uuid, study_id in ids.items()}
    new_ids: dict[str, dict[int, int]] = {"study_id": {}, "trial_id": {}}
    for one in theirs.sorted_tables:
        condition = owned(one, theirs, list(names))
        if condition is None or one.name not in there.tables:
            continue
        target = there.tables[one.name]
        (number,) = one.primary_key.columns.keys()
        rows = source.execute(sa.select(one).where(condition).order_by(one.c[number]))
        found = [dict(row) for row in rows.mappings()]
        made = []
        for row in found:
            new = {name: row[name] for name in row if name != number and name in target.c}
            for column, known in new_ids.items():
                if column in new:
                    new[column] = known[new[column]]
            if one.name == "studies":
                new["study_name"] = names[row["study_id"]][0]
            if one.name == "study_user_attributes" and new["key"] == "study":
                new["value_json"] = json.dumps(names[row["study_id"]][1])
            if translated is not None:
                new = {name: translated(value) for name, value in new.items()}
            made.append(new)
        for some in chunks(made):
            into.execute(target.insert(), some)
        if one.name == "studies":
            new_ids["study_id"] = _numbered(into, target, "study_id", ("study_name",), found, made)
        if one.name == "trials":
            key = ("study_id", "number")
            new_ids["trial_id"] = _numbered(into, target, "trial_id", key, found, made)


def _numbered(
    session: Session,
    table: sa.FromClause,
    number: str,
    key: tuple[str, ...],
    rows: Sequence[Row],
    made: Sequence[Row],
) -> dict[int, int]:
    """Return the ids of rows that were written, by those that they were made from.

    Args:
        session: Where they were written.
        table: Likewise.
        number: The column of ids.
        key: What is unique of a row beside it.
        rows: What they were made from.
        made: What was written.
    """
    columns = [table.c[name] for name in key]
    ids: dict[tuple[Any, ...], int] = {}
    for some in chunks(list({row[key[0]] for row in made})):
        found = session.execute(sa.select(table.c[number], *columns).where(columns[0].in_(some)))
        ids |= {tuple(row[1:]): row[0] for row in found}
    return {
        row[number]: ids[tuple(new[name] for name in key)]
        for row, new in zip(rows, made, strict=True)
    }
