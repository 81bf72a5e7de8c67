"""Audits in Python: runs of a study, drawn at random and trained again."""

from typing import TYPE_CHECKING, Any

from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.kept import Kept
from coarsefine.search.library.pages import Shown
from coarsefine.search.library.watching import watched
from coarsefine.search.tables.audit import audit_json, audit_table
from coarsefine.studies.results.notes.auditing import about, conclusions

if TYPE_CHECKING:
    from coarsefine.studies.checks.audit import Audit as Found


class Audit(Shown):
    """What an audit found: shown as the table of the command line."""

    def __init__(self, found: "Found") -> None:
        self._found = found

    @property
    def passed(self) -> bool:
        """Return whether nothing differs by more than rounding."""
        return self._found.passed

    @property
    def bound(self) -> int:
        """Return how many runs could be invented without the draw having met one, at 95 %."""
        return self._found.bound

    def to_dict(self) -> dict[str, Any]:
        """Return what ``audit --json`` prints, see ``docs/cli.md``."""
        return audit_json(self._found)

    def _table(self, on: Any) -> Any:
        return audit_table(on, self._found)

    def _below(self) -> list[str]:
        return [*conclusions(self._found), *about(self._found)]


class Audits:
    """A study whose runs can be trained again, to be compared with the record."""

    _kept: Kept

    def audit(self, *, runs: int = 5, seed: int | None = None) -> Audit:
        """Return what training some runs again says of all; nothing is stored.

        Args:
            runs: How many are drawn, >= 1.
            seed: Of the draw; ``None`` for one that nobody can foresee.

        Raises:
            StudyError: If no run has ended, or the data are others.
        """
        from coarsefine.studies.checks.audit import audit
        from coarsefine.studies.checks.audit_record import record_of

        kept = self._kept
        with (
            as_study_errors(),
            watched(progress=kept.place.progress) as watch,
            kept.training(watch) as (resources, study),
        ):
            record = record_of(resources.database, study)
            trainer = None if kept.recipe is None else kept.recipe.trainer
            found = audit(resources, record, n_runs=runs, seed=seed, trainer=trainer)
        return Audit(found)
