"""A column of a table: what it holds, and how each face of the program shows it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final, Literal

from coarsefine.studies.spaces.dimensions import shown, symbol_of

Type = Literal["text", "whole", "real", "truth"]
Kind = (
    Literal["text", "whole", "count", "percent", "loss", "seconds", "value", "real", "truth"]
    | Literal["interval", "losses"]
)
"""What a column holds, which decides its type, its unit and how people read it.

``count`` is a whole number that people read with commas; ``percent`` a share in [0, 1]; ``value``
a searched value; ``interval`` two shares, ``losses`` two losses.
"""

LOSS: Final = "nats or squared error"  # of a cross-entropy, or of half the mean squared error
_TYPES: Final[dict[Kind, tuple[Type, str]]] = {
    "text": ("text", ""),
    "whole": ("whole", ""),
    "count": ("whole", ""),
    "percent": ("real", "share"),
    "loss": ("real", LOSS),
    "seconds": ("real", "s"),
    "value": ("real", ""),
    "real": ("real", ""),
    "truth": ("truth", ""),
    "interval": ("real", "share"),
    "losses": ("real", LOSS),
}


Row = Any  # a ``RankedTrial`` of a ranking, an ``EpochRecord`` of a curve, a ``TestedTrial``
Condition = Callable[[Sequence[Row]], bool]
FaceName = Literal["terminal", "report", "paper"]


@dataclass(frozen=True, slots=True)
class Face:
    """How a column is shown by one face of the program: the terminal, reports, or rounded exports.

    Attributes:
        heading: What people read above it. In a terminal, line breaks are kept; in exports
            ``{epoch}`` is the one that trials were measured after.
        place: The columns are shown in the order of this number, or else as they are listed;
            0 for the column's.
        spare: Where a table is too wide, columns with the highest number are left out first;
            0 never.
        shown_if: Returns whether some trials have anything to show there; ``None`` for always.
        absent: Why it is not shown. Exports show it to those who name it.
    """

    heading: str = ""
    place: int = 0
    spare: int = 0
    shown_if: Condition | None = None
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; a row of ``COLUMNS`` is all that a column of rankings takes.

    Attributes:
        name: What programs call it.
        kind: What it holds.
        meaning: In a few words; what an empty cell says, too.
        value: Returns its value from a row, such as a ``RankedTrial``, whose attribute ``name`` it
            is unless said otherwise. ``None`` is what is not known.
        of_table: It has the same value in each row, which ``value`` returns from what the table is
            of, such as a ``Ranking``.
        type: Of its values, unless ``kind`` says it.
        unit: Unless ``kind`` says it.
        error: Returns its standard error, which people read with it, from a row and what the table
            is of.
        of_score: It is in the unit of what trials are ranked by.
        evidence: It says what the score is worth: tables of grids show it, too.
        mark: What people read where it is true; nothing where it is not.
        ends: The two columns of an interval, of which people read the whole.
        heading: For people, in lines; ``terminal``, ``report`` and ``paper`` may have others.
        place, spare, shown_if: As in ``Face``, for all faces that do not say otherwise.
        absent: As in ``Face``, for all faces that are not told how to show it.
        paper: How rounded exports show it: md, tex and html.
        not_in_json: Why the trials in JSON do not have it.
        not_in_tables: Why exact exports and data frames have it elsewhere.
    """

    name: str
    kind: Kind
    meaning: str
    value: Callable[[Row], Any] | None = None
    of_table: bool = False
    type: Type | None = None
    unit: str | None = None
    error: Callable[[Row, Any], float | None] | None = None
    of_score: bool = False
    evidence: bool = False
    mark: str = ""
    ends: tuple[str, str] | None = None
    heading: str = ""
    place: int = 100
    spare: int = 0
    shown_if: Condition | None = None
    absent: str = ""
    terminal: Face | None = None
    report: Face | None = None
    paper: Face | None = None
    not_in_json: str = ""
    not_in_tables: str = ""

    def face(self, name: FaceName) -> Face:
        """Return how it is shown by one face of the program."""
        own: Face = getattr(self, name) or Face(absent=self.absent)
        heading = own.heading or self.heading or self.name.replace("_", " ")
        return replace(
            own,
            heading=heading if name == "terminal" else heading.replace("\n", " "),
            place=own.place or self.place,
            spare=own.spare or self.spare,
            shown_if=own.shown_if or self.shown_if,
        )

    @property
    def stored_type(self) -> Type:
        """Return the type of its values in exact tables."""
        return self.type or _TYPES[self.kind][0]

    @property
    def stored_unit(self) -> str:
        """Return the unit of its values in exact tables; empty where there is none."""
        return _TYPES[self.kind][1] if self.unit is None else self.unit

    @property
    def of(self) -> Callable[[Row], Any]:
        """Return what takes its value from a row."""
        return self.value or attrgetter(self.name)

    def values(self, rows: Sequence[Any], table: Any = None) -> Sequence[Any]:
        """Return its exact values; numbers that are not finite are not known."""
        if self.of_table:
            return [self.of(table)] * len(rows)
        return self.exact(list(map(self.of, rows)))

    def exact(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return its values without numbers that are not finite."""
        return all_finite(values) if self.stored_type == "real" else values


# What JSON takes as it is.
_PLAIN: Final = (int, str, list, dict)


def finite(value: Any) -> Any:
    """Return a value as JSON has it; ``None`` for a number that is not finite."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, tuple):
        return list(value)
    # NumPy's scalars are no numbers of JSON's.
    return float(value) if math.isfinite(value) else None


def all_finite(values: Sequence[Any]) -> Sequence[Any]:
    """Return values as ``finite`` does, all at once where that is sure to change none of them."""
    kinds = set(map(type, values))
    if kinds <= _AS_THEY_ARE and math.isfinite(sum(filter(None, values))):
        return values
    return list(map(finite, values))


# A sum that is finite has finite terms.
_AS_THEY_ARE: Final = {float, int, bool, type(None)}


def searched(name: str, values: Iterable[Any]) -> Column:
    """Return the column of a parameter that was searched, by the kind of its values."""
    kinds = {type(each) for each in values if each is not None}
    types: dict[frozenset[type], Type] = {
        frozenset({int}): "whole",
        frozenset({float}): "real",
        frozenset({int, float}): "real",
        frozenset({bool}): "truth",
    }
    return Column(
        name=name,
        kind="value",
        meaning="what was searched",
        value=lambda row: row.params.get(name),
        type=types.get(frozenset(kinds), "text"),
        heading=symbol_of(name),
    )


def of_one_kind(values: Sequence[Any]) -> Sequence[Any]:
    """Return a column whose values are of one kind: numbers, or else texts."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) <= 1 and not kinds & {list, tuple}:
        return values
    to = float if kinds == {int, float} else shown
    return [None if value is None else to(value) for value in values]


def read_by(
    face: FaceName, columns: Sequence[Column], rows: Sequence[Row]
) -> list[tuple[Column, Face]]:
    """Return the columns that a face of the program shows, in the order of reading.

    Args:
        face: Which.
        columns: All that there are.
        rows: What decides about columns that have something to show only sometimes.
    """
    faces = [(column, column.face(face)) for column in columns]
    kept = [
        (column, own)
        for column, own in faces
        if not own.absent and (own.shown_if is None or own.shown_if(rows))
    ]
    return sorted(kept, key=lambda each: each[1].place)


def exact_cells(
    columns: Sequence[Column], rows: Sequence[Row], table: Any
) -> tuple[dict[str, Sequence[Any]], dict[str, Column]]:
    """Return the cells of an exact table by column, and what the columns are.

    Args:
        columns: That the table may have; ``params`` stands for what was searched.
        rows: A row each.
        table: What it is of, such as a ``Ranking``.
    """
    cells: dict[str, Sequence[Any]] = {}
    known: dict[str, Column] = {}
    for column in columns:
        if column.name == "params":
            for name in dict.fromkeys(name for row in rows for name in row.params):
                values = of_one_kind([finite(row.params.get(name)) for row in rows])
                cells[name], known[name] = values, searched(name, values)
        elif not column.not_in_tables:
            cells[column.name], known[column.name] = column.values(rows, table), column
    return cells, known
