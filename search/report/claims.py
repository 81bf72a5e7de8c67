"""What a report in HTML claims: the record inside it, and whether its ranking says the same."""

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coarsefine.paths import text_of
from coarsefine.studies.errors import StudyError
from coarsefine.studies.spaces.dimensions import shown, symbol_of

if TYPE_CHECKING:
    from coarsefine.studies.checks.audit_record import AuditRecord

# Megabytes of a report.
_MOST: Final = 256
# What people read above the accuracy, whatever trials are ranked by.
_ACCURACIES: Final = ("validation ± SE", "validation accuracy")


def read_claims(path: Path) -> "tuple[AuditRecord, list[str]]":
    """Return the record of a report, and where its ranking says something else, in words.

    Raises:
        StudyError: If it is no report, or has no record.
    """
    from coarsefine.studies.checks.audit_record import from_text

    page = _Page()
    try:
        page.feed(text_of(path, "a report", _MOST))
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise StudyError(str(error)) from None
    if page.record is None:
        raise StudyError(
            f"{path}: holds no record of its training; reports of a study in HTML do, others "
            "are audited with their database"
        )
    record = from_text(page.record, str(path))
    return record, _differences(record, page)


class _Page(HTMLParser):
    """The record, and the first table of the ranking: headings, and exact cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.record: str | None = None
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self._section = ""
        self._inside = ""
        self._over = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "section":
            self._section = named.get("id") or ""
        elif tag == "data" and named.get("id") == "record":
            self.record = named.get("value")
        if self._section != "ranking" or self._over:
            return
        if tag == "th":
            self._inside = tag
            self.headings.append("")
        elif tag == "tr" and self.headings:
            self.rows.append([])
        elif tag == "td" and self.rows:
            self._inside = tag
            self.rows[-1].append("")
        elif tag == "data" and self.rows and self.rows[-1]:
            self.rows[-1][-1] = named.get("value") or ""
            self._inside = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"th", "td"}:
            self._inside = ""
        elif tag == "table" and self._section == "ranking":
            self._over = True

    def handle_data(self, data: str) -> None:
        if self._inside == "th":
            self.headings[-1] += data
        elif self._inside == "td":
            self.rows[-1][-1] += data


def _differences(record: "AuditRecord", page: _Page) -> list[str]:
    """Return where the ranking that people read says something else than the record."""
    trials = {(trial.stage, str(trial.trial)): trial for trial in record.trials}
    stages = list(dict.fromkeys(s for s, stored in record.stages.items() if not stored["final"]))
    lines = []
    for cells in page.rows:
        row = dict(zip(page.headings, cells, strict=False))
        stage = row.get("stage", stages[0] if stages else "")
        trial = trials.get((stage, row.get("trial", "")))
        if trial is None:
            lines.append(f"trial {stage}:{row.get('trial')} of the ranking is not in the record")
            continue
        claims = {symbol_of(name): value for name, value in trial.params.items()}
        accuracy = next((name for name in _ACCURACIES if name in row), None)
        if accuracy is not None:
            claims[accuracy] = trial.validation_accuracy
        lines += [
            f"trial {stage}:{trial.trial} has {heading} {row[heading]} in the ranking, "
            f"{claimed} in the record"
            for heading, claimed in claims.items()
            if heading in row and not _same(row[heading], claimed)
        ]
    return lines


def _same(cell: str, claimed: object) -> bool:
    if claimed is None:
        return True
    if isinstance(claimed, bool) or not isinstance(claimed, int | float):
        return cell.strip() == shown(claimed)
    try:
        return float(cell.replace(",", "")) == float(claimed)
    except ValueError:
        return False
