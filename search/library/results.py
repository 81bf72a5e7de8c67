"""What a study found, to be looked at, read by programs and taken on as a data frame."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from coarsefine.search.formats.csv_xlsx_parquet import frame_of
from coarsefine.search.hints import typed
from coarsefine.search.library.displaying import displayed
from coarsefine.search.library.hints import as_study_errors, spelled
from coarsefine.search.library.pages import Shown
from coarsefine.search.tables.ranking import MOST_ROWS, of_ranking, ranking_table
from coarsefine.search.tables.stages import stage_lines
from coarsefine.studies.results.columns.column import of_one_kind
from coarsefine.studies.results.notes.marks import legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

    from coarsefine.studies.checks.range_test import Found as RangeFound
    from coarsefine.studies.results.comparing.grids import Compared
    from coarsefine.studies.results.comparing.side_by_side import SideBySide
    from coarsefine.studies.results.ranking import RankedTrial, StageSummary
    from coarsefine.studies.results.ranking import Ranking as Found
    from coarsefine.studies.running.final.test import FinalTest


class Ranking(Shown, Sequence["RankedTrial"]):
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
        """Return the best and those that are tied with it; nothing where there are none."""
        return tuple(trial for trial in self._found.trials if trial.tied)

    @property
    def stages(self) -> "tuple[StageSummary, ...]":
        """Return what each stage searched, and why there."""
        return self._found.stages

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the ranking should not be read without, a sentence each."""
        return tuple(spelled(note) for note in self._found.notes)

    @property
    def legend(self) -> tuple[str, ...]:
        """Return what its intervals and marks claim, a sentence each."""
        return tuple(spelled(line) for line in legend(self._found))

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a trial, exact: the columns of ``docs/tables.md``."""
        return frame_of(of_ranking(self._found))

    def to_dict(self) -> dict[str, Any]:
        """Return what ``rank --json`` prints, see ``docs/cli.md``."""
        return self._found.to_json(typed)

    def __len__(self) -> int:
        return len(self._found.trials)

    @overload
    def __getitem__(self, place: int) -> "RankedTrial": ...

    @overload
    def __getitem__(self, place: slice) -> "tuple[RankedTrial, ...]": ...

    def __getitem__(self, place: int | slice) -> "RankedTrial | tuple[RankedTrial, ...]":
        return self._found.trials[place]

    def __iter__(self) -> "Iterator[RankedTrial]":
        return iter(self._found.trials)

    def _table(self, on: "Console") -> "Table":
        if self._compared is not None:
            from coarsefine.search.tables.comparison import comparison_table

            return comparison_table(on, self._found, self._compared[:MOST_ROWS])
        shown = replace(self._found, trials=self._found.trials[:MOST_ROWS])
        return ranking_table(on, shown)

    def _below(self) -> list[str]:
        n_more = len(self) - MOST_ROWS
        more = [f"and {n_more:,} more: to_pandas() has them all"] if n_more > 0 else []
        lines: list[str] = []
        if self._compared is not None:
            from coarsefine.search.tables.comparison import comparison_lines

            lines = comparison_lines(self._found, self._compared)
        notes = [f"note: {note}" for note in self.notes]
        return [*more, *self.legend, *map(spelled, lines), *stage_lines(self._found), *notes]


class TestResult(Shown):
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
        return self._found.n_openings

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what makes the figures worth less than they look, a sentence each."""
        from coarsefine.studies.results.notes.final_training import final_notes

        found = (*final_notes(self._found.study, self._found.opening), *self._found.notes)
        return tuple(spelled(note) for note in found)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a tested trial: the columns of ``docs/tables.md``."""
        return self._frame.reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``test --json`` prints, see ``docs/cli.md``."""
        from coarsefine.search.tables.final_test import final_test_json

        return final_test_json(self._found)

    def _table(self, on: "Console") -> "Table":
        from coarsefine.search.tables.final_test import test_table

        return test_table(on, self._found)

    def _below(self) -> list[str]:
        from coarsefine.search.tables.final_test import ensemble_lines, ensemble_texts, test_lines

        ensembles = [*ensemble_texts(self._found), *ensemble_lines(self._found)]
        return [*test_lines(self._found), *ensembles, *(f"note: {note}" for note in self.notes)]


class Comparison(Shown):
    """Studies side by side: what their recipes differ in, what each found, and what a test says."""

    def __init__(self, found: "SideBySide") -> None:
        self._found = found

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the comparison should not be read without, a sentence each."""
        return tuple(spelled(note) for note in (*self._found.before, *self._found.notes))

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Return what the test says of each two studies, a sentence each."""
        return tuple(spelled(line) for line in self._found.verdicts)

    def pairs(self) -> "pd.DataFrame":
        """Return a row for each two studies, with the verdict on them, see ``docs/library.md``."""
        import pandas as pd

        from coarsefine.search.tables.comparing import pair_json

        rows = [pair_json(self._found, pair) for pair in self._found.pairs]
        for row in rows:
            ends, networks = row.pop("interval") or (None, None), row.pop("mcnemar") or {}
            row |= dict(zip(("interval_low", "interval_high"), ends, strict=True))
            row["p_mcnemar"] = networks.get("p")
        whole = dict.fromkeys(("seeds", "samples", "seeds_needed", "samples_needed"), "Int64")
        truths = dict.fromkeys(("by_at_least", "seeds_assumed"), "boolean")
        real = ("difference", "interval_low", "interval_high", "standard_error", "df", "p")
        more = ("p_holm", "seed_variance", "sample_variance", "p_mcnemar")
        return pd.DataFrame(rows).astype(whole | truths | dict.fromkeys((*real, *more), "float64"))

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row a study, see ``docs/library.md``."""
        import pandas as pd

        sides = self.to_dict()["studies"]
        best, tested = ([side[part] or {} for side in sides] for part in ("best", "test"))
        cells: dict[str, Sequence[Any]] = {
            "study": [side["study"] for side in sides],
            **{
                key: of_one_kind([side["settings"][key] for side in sides])
                for key in self._found.keys
            },
            "trials": [side["trials"] for side in sides],
            "best_stage": [each.get("stage") for each in best],
            "best_trial": [each.get("trial") for each in best],
        }
        measured = {
            "validation_accuracy": [each.get("validation_accuracy") for each in best],
            **_ends("validation_", [each.get("interval") for each in best]),
            "test_accuracy": [each.get("accuracy") for each in tested],
            **_ends("test_", [each.get("interval") for each in tested]),
        }
        cells |= {**measured, "test_openings": [side["test_openings"] for side in sides]}
        types = {"best_trial": "Int64", **dict.fromkeys(measured, "float64")}
        return pd.DataFrame(cells).astype(types)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``compare --json`` prints, see ``docs/cli.md``."""
        from coarsefine.search.tables.comparing import to_json

        return to_json(self._found, typed)

    def _table(self, on: "Console") -> "Table":
        from coarsefine.search.tables.comparing import comparing_table

        return comparing_table(on, self._found)

    def _below(self) -> list[str]:
        before = [spelled(line) for line in self._found.before]
        notes = [f"note: {spelled(line)}" for line in self._found.notes]
        return [*before, *self.verdicts, *notes]


def _ends(prefix: str, intervals: "Sequence[Sequence[float] | None]") -> dict[str, list[Any]]:
    """Return the columns of the ends of intervals."""
    return {
        f"{prefix}interval_{name}": [interval and interval[place] for interval in intervals]
        for place, name in enumerate(("low", "high"))
    }


class RangeTest:
    """What one training with a rising η shows, and which ends of a cycle it suggests."""

    def __init__(self, found: "RangeFound", name: str, about: str) -> None:
        self._found, self._name, self._about = found, name, about

    @property
    def eta_min(self) -> float | None:
        """Return the suggested lower end of a cycle; ``None`` if the loss never fell."""
        return self._found.eta_min

    @property
    def eta_max(self) -> float | None:
        """Return the suggested upper end; ``None`` if the loss never fell."""
        return self._found.eta_max

    @property
    def broke_at(self) -> float | None:
        """Return the η at which training broke down; ``None`` if it did not."""
        return self._found.broke_at

    @property
    def settings(self) -> dict[str, float]:
        """Return the ends as settings of a recipe.

        Raises:
            StudyError: If the loss did not fall at any η.
        """
        from coarsefine.studies.checks.range_test import ends_of

        with as_study_errors():
            return dict(zip(("eta_min", "eta_max"), ends_of(self._found), strict=True))

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row an update: ``eta``, and ``loss``, ``smoothed_loss``, ``accuracy`` there."""
        import pandas as pd

        found = self._found
        return pd.DataFrame(
            {
                "eta": found.etas,
                "loss": found.losses,
                "smoothed_loss": found.smoothed,
                "accuracy": found.accuracies,
            },
            dtype="float64",
        )

    def figure(self) -> "Figure":
        """Return loss and accuracy over η; a notebook shows it."""
        from coarsefine.search.figures.range_test import range_test

        return displayed(range_test(self._found, self._name, self._about))

    def __repr__(self) -> str:
        ends = f"eta_min={self.eta_min}, eta_max={self.eta_max}, broke_at={self.broke_at}"
        return f"{type(self).__name__}({ends})"
