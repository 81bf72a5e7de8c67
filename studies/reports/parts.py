"""What a report is made of: plain values that know nothing of pages, files or figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coarsefine.studies.results.columns.column import Kind as ColumnKind

Tone = Literal["plain", "note", "warning"]
Kind = ColumnKind | Literal["measured", "error"]
"""What a column holds, as in other tables.

``measured`` is a share and its standard error, which may be ``None``; ``error`` a small positive
number.
"""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Items:
    """A list, an entry a sentence."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what belongs to them."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and what its cells are."""

    heading: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its numbers are exact, to be rounded where they are shown.

    Attributes:
        caption: What it shows.
        rows: A cell a column; ``None`` is what is not known.
        strong: Positions of the rows that stand out.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    strong: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"rows must have a cell a column, got {len(row)} for {len(self.columns)}"
                )


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied as they stand; ``label`` says what they are."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The place of a figure; it stays empty where the study has none.

    Attributes:
        kind: Of figure.
        place: Tells it from others of its kind in the same report.
        study: Whose it is, where the report is of several; of a cross-check the part of the lab.
        trial: What it shows; the best trials unless named.
        of: What it shows, in words.
    """

    kind: str
    place: str = ""
    study: str = ""
    trial: tuple[str, int] | None = None
    of: str = ""

    @property
    def name(self) -> str:
        """Return what it is called in the report, and its file."""
        return "-".join(filter(None, (self.place, self.kind)))


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a part of a section."""

    text: str


Block = Paragraph | Items | Facts | Table | Code | Picture | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter; ``name`` is one word to refer to it by."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that is to be said of a study, or of the studies of a lab.

    Attributes:
        study: Its name, or the lab's.
        title: What was searched, on what.
        finished: Whether no trial is left to be trained.
        n_openings: How many times the test set was opened for it.
        record: What an audit reads, as letters and digits; nothing where there is none.
        typed: What in it is not from the record, in words.
    """

    study: str
    title: str
    finished: bool
    n_openings: int
    sections: tuple[Section, ...]
    record: str = ""
    typed: tuple[str, ...] = ()

    def section(self, name: str) -> Section:
        """Return a section by its name."""
        return next(section for section in self.sections if section.name == name)

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks, from top to bottom."""
        for section in self.sections:
            yield from section.blocks

    def pictures(self) -> Iterator[Picture]:
        """Yield the places of all figures, each once, from top to bottom."""
        names = set[str]()
        for block in self.blocks():
            if isinstance(block, Picture) and block.name not in names:
                names.add(block.name)
                yield block

    def tables(self) -> Iterator[Table]:
        """Yield all tables, from top to bottom."""
        for block in self.blocks():
            if isinstance(block, Table):
                yield block


def notes_of(lines: Sequence[str], tone: Tone = "note") -> tuple[Paragraph, ...]:
    """Return a paragraph a line."""
    return tuple(Paragraph(line, tone) for line in lines)
