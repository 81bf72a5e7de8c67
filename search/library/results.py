"""What a study found, to be looked at, read by programs and taken on as a data frame."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.library.pages import console, html, text
from search.library.words import in_python

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from studies.comparison import Compared
    from studies.final_test import FinalTest
    from studies.ranking import RankedTrial, StageSummary
    from studies.reading import Ranking as Found


class Ranking(Sequence["RankedTrial"]):
    """The trials of a study, best first; a picture of one moment, which does not change.

    A sequence of trials, shown as the table of the command line: ``=`` marks those that cannot be
    told from the best.
    """

    def __init__(self, found: "Found", compared: "Sequence[Compared] | None" = None) -> None:
        self._found, self._compared = found, compared

    @property
    def found(self) -> "Found":
        """Return the ranking as the rest of the program has it."""
        return self._found

    @property
    def study(self) -> str:
        """Return the study's name."""
        return self._found.study.name

    @property
    def best(self) -> "RankedTrial | None":
        """Return the trial of rank 1; ``None`` if none is complete."""
        return self._found.best

    @property
    def tied(self) -> "tuple[RankedTrial, ...]":
        """Return the trials that cannot be told from the best, itself among them."""
        return tuple(trial for trial in self._found.trials if trial.tied)

    @property
    def stages(self) -> "tuple[StageSummary, ...]":
        """Return what each stage searched, and why there."""
        return self._found.stages

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the ranking should not be read without, a sentence each."""
        return tuple(in_python(note) for note in self._found.notes)

    @property
    def legend(self) -> tuple[str, ...]:
        """Return what its intervals and marks claim, a sentence each."""
        from studies.notes import legend

        return tuple(in_python(line) for line in legend(self._found))

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a trial, exact: the columns of ``docs/tables.md``."""
        from search.export import frame

        return frame(self._found)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``rank --json`` prints, see ``docs/cli.md``."""
        return self._found.to_json()

    def __len__(self) -> int:
        return len(self._found.trials)

    def __getitem__(self, place: Any) -> Any:
        return self._found.trials[place]

    def __iter__(self) -> "Iterator[RankedTrial]":
        return iter(self._found.trials)

    def __repr__(self) -> str:
        return text(self._table(), ["", *self._below()])

    def _repr_html_(self) -> str:
        return html(self._table(), self._below())

    def _table(self) -> "Table":
        from search.commands.ranking import MOST_ROWS
        from search.tables import ranking_table

        if self._compared is not None:
            from search.comparison_tables import comparison_table

            return comparison_table(console(), self._found, self._compared[:MOST_ROWS])
        shown = replace(self._found, trials=self._found.trials[:MOST_ROWS])
        return ranking_table(console(), shown)

    def _below(self) -> list[str]:
        from search.commands.ranking import MOST_ROWS, stage_lines

        n_more = len(self) - MOST_ROWS
        more = [f"and {n_more:,} more: to_pandas() has them all"] if n_more > 0 else []
        lines: list[str] = []
        if self._compared is not None:
            from search.comparison_tables import comparison_lines

            lines = comparison_lines(self._found, self._compared)
        notes = [f"note: {note}" for note in self.notes]
        return [*more, *self.legend, *map(in_python, lines), *stage_lines(self._found), *notes]


class TestResult:
    """What the final test found: the test set was opened for it, and that is on record."""

    __test__ = False  # pytest: not a test

    def __init__(self, found: "FinalTest", table: "pd.DataFrame") -> None:
        self._found, self._frame = found, table

    @property
    def study(self) -> str:
        """Return the study's name."""
        return self._found.study.name

    @property
    def times_opened(self) -> int:
        """Return how often the test set was opened for this study, this time included."""
        return self._found.n_before + 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what makes the figures worth less than they look, a sentence each."""
        from studies.final_notes import final_notes

        found = (*final_notes(self._found.study, self._found.opening), *self._found.notes)
        return tuple(in_python(note) for note in found)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a tested trial: the columns of ``docs/tables.md``."""
        return self._frame.reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``test --json`` prints, see ``docs/cli.md``."""
        from search.commands.testing import to_json

        return to_json(self._found)

    def __repr__(self) -> str:
        return text(self._table(), ["", *self._below()])

    def _repr_html_(self) -> str:
        return html(self._table(), self._below())

    def _table(self) -> "Table":
        from search.tables import test_table

        return test_table(console(), self._found.study, self._found.opening)

    def _below(self) -> list[str]:
        from search.words import counted

        samples, times = self._found.opening.n_test, self.times_opened
        line = (
            f"95 % intervals: of {counted(samples, 'test sample')}; opened "
            f"{counted(times, 'time')} for this study"
        )
        return [line, *(f"note: {note}" for note in self.notes)]
