"""Looks at what studies, stages and trials hold as JSON: recipes, options, versions, parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from coarsefine.db.checks.report import Check
from coarsefine.db.column_types import LONG_TEXT, json_of
from coarsefine.db.connections.messages import first_line
from coarsefine.db.errors import StorageError
from coarsefine.db.tables import Stage, Study, Trial

Fault = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Faults:
    """Functions that return what is wrong with what is stored; ``None`` if it is in order.

    Attributes:
        recipe: Of a study's recipe.
        options: Of those of a stage that searches.
        params: Of a trial's parameters, given what its stage varies.
    """

    recipe: Fault
    options: Fault
    params: Callable[..., str | None]


def check_stored(session: Session, check: Check, faults: Faults | None) -> None:
    """Look for JSON that cannot be read, or does not say what this program wrote there."""
    if faults is None:
        check.left_out = True
        return
    columns = (Study.recipe, Study.data, Study.versions, Study.machine)
    for name, *texts in session.execute(
        sa.select(Study.name, *map(_as_text, columns)).order_by(Study.id)
    ):
        check.looked_at += 1
        for column, text in zip(columns, texts, strict=True):
            fault = faults.recipe if column is Study.recipe else None
            _object(check, f"study {name}: {column.key}", text, fault)
    varied = _check_stages(session, check, faults)
    trials = sa.select(Trial.stage_id, Trial.position, _as_text(Trial.params)).order_by(Trial.id)
    for stage, position, text in session.execute(trials.execution_options(yield_per=1000)):
        check.looked_at += 1
        if stage in varied:
            where, dimensions = varied[stage]
            fault = partial(faults.params, dimensions=dimensions)
            _object(check, f"{where}: trial {position}", text, fault)


def _check_stages(
    session: Session, check: Check, faults: Faults
) -> dict[int, tuple[str, Sequence[Mapping[str, Any]]]]:
    """Return where stages that search are, and what they vary, by id; without those at fault."""
    varied: dict[int, tuple[str, Sequence[Mapping[str, Any]]]] = {}
    stages = (
        sa.select(
            Stage.id,
            Study.name,
            Stage.name,
            Stage.optuna_name,
            Stage.parameter,
            _as_text(Stage.options),
        )
        .join(Study, Stage.study_id == Study.id)
        .order_by(Stage.id)
    )
    for number, study, stage, optuna_name, parameter, text in session.execute(stages):
        check.looked_at += 1
        where = f"{study}/{stage}"
        searches = optuna_name is not None
        options = _object(check, f"{where}: options", text, faults.options if searches else None)
        if options is not None and searches:
            # Of before there were several dimensions, there is one, in columns.
            dimensions = options.get("dimensions", [{"name": parameter}])
            varied[number] = where, dimensions
    return varied


def _as_text(column: InstrumentedAttribute[Any]) -> Any:
    """Return a column of JSON as the text that it is: one that is damaged hides no other."""
    return sa.type_coerce(column, LONG_TEXT)


def _object(
    check: Check, where: str, text: str, fault: Fault | None = None
) -> Mapping[str, Any] | None:
    """Return the object that a text states; note what is wrong with it, and return ``None``."""
    try:
        found = json_of(text)
    except StorageError as error:
        check.wrong(f"{where}: {first_line(error).partition(';')[0]}")
        return None
    wrong = None if isinstance(found, dict) else "it is not an object"
    if wrong is None and fault is not None:
        wrong = fault(found)
    if wrong is not None:
        check.wrong(f"{where}: {first_line(wrong)}")
        return None
    return dict(found)
