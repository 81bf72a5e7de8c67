"""Tables of what there is: studies, data sets and their files, facts of a study."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coarsefine.search.console import written
from coarsefine.search.tables.column import TextColumn, fitting
from coarsefine.search.words import percent, size
from coarsefine.studies.states import UNFINISHED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coarsefine.db.records import StudySummary
    from coarsefine.models.data import DatasetStatus, FileCheck


def studies_table(console: "Console", label: str, studies: "Sequence[StudySummary]") -> "Table":
    """Return a line a study."""

    def trials(study: "StudySummary") -> str:
        n_trials = sum(study.trials.values())
        n_left = sum(study.trials.get(state, 0) for state in UNFINISHED)
        if n_left:
            return f"{n_trials - n_left} of {n_trials}"
        ended = [f"{study.trials[s]} {s}" for s in sorted(study.trials) if s != "complete"]
        return ", ".join([f"{n_trials}", *ended])

    columns: list[TextColumn[StudySummary]] = [
        TextColumn("study", lambda s: s.name, right=False, fold=True),
        TextColumn("data", lambda s: s.data_name, right=False, spare=3),
        TextColumn("stages", lambda s: ", ".join(s.stages), right=False, spare=2),
        TextColumn("trials", trials),
        TextColumn("best\nvalidation\naccuracy %", lambda s: percent(s.best_accuracy)),
        TextColumn("test set\nopened", lambda s: str(s.test_openings)),
        TextColumn(
            "changed (UTC)", lambda s: f"{s.updated_at:%Y-%m-%d %H:%M}", right=False, spare=1
        ),
    ]
    if any(study.tags for study in studies):
        columns.append(TextColumn("tags", lambda s: ", ".join(s.tags), right=False, spare=4))
    if any(study.note for study in studies):
        columns.append(TextColumn("note", lambda s: shortened(s.note), right=False, spare=5))
    return fitting(console, label, columns, studies)


def shortened(note: str, most: int = 60) -> str:
    """Return a note on one line."""
    line = " ".join(note.split())
    return line if len(line) <= most else f"{line[:most]}…"


def facts_table(facts: Sequence[tuple[str, Sequence[str]]]) -> "Table":
    """Return names and what belongs to them, which may take several lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, lines in facts:
        for i, line in enumerate(lines):
            table.add_row(Text("" if i else name, style="bold"), Text(written(line)))
    return table


def data_table(console: "Console", found: "Sequence[DatasetStatus]") -> "Table":
    """Return a line a data set."""

    def where(one: "DatasetStatus") -> str:
        return str(one.place) if one.place is not None else one.state

    columns: list[TextColumn[DatasetStatus]] = [
        TextColumn("name", lambda s: s.info.name, right=False),
        TextColumn("training", lambda s: f"{s.info.n_train:,}"),
        TextColumn("test", lambda s: f"{s.info.n_test:,}"),
        TextColumn("sample", lambda s: "×".join(map(str, s.info.sample_shape))),
        TextColumn("classes", lambda s: str(s.info.n_classes), spare=2),
        TextColumn(
            "download", lambda s: size(s.info.size_bytes) if s.info.size_bytes else "–", spare=1
        ),
        TextColumn("where", where, right=False, fold=True),
    ]
    return fitting(console, "", columns, found)


def files_table(console: "Console", title: str, files: "Sequence[FileCheck]") -> "Table":
    """Return how each file compares with the published one."""
    columns: list[TextColumn[FileCheck]] = [
        TextColumn("file", lambda f: f.name, right=False),
        TextColumn("state", lambda f: f.state, right=False),
        TextColumn("MD5", lambda f: f.actual or "–", right=False),
        TextColumn("published", lambda f: f.expected or "–", right=False, spare=1),
    ]
    return fitting(console, title, columns, files)
