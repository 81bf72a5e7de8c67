"""Our figures as files of a study's or a trial's page: drawn when they are looked at, and kept."""

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Final

from coarsefine.search.dashboard.sheets import Sheet
from coarsefine.search.errors import FigureError
from coarsefine.search.figures.kinds import KINDS, Kind
from coarsefine.search.figures.subject import Subject
from coarsefine.search.formats.csv_xlsx_parquet import csv_bytes
from coarsefine.search.tables.ranking import of_ranking
from coarsefine.studies.results.ranking import RankedTrial

KEPT: Final = 200
"""Figures that are kept, the last used ones: some 100 kB each."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a page.

    Attributes:
        name: What it is called there.
        media_type: Its type.
        of_trial: Whether it is of a trial, else of a study.
        kind: The kind of figure that it is; ``None`` for a table.
    """

    name: str
    media_type: str
    of_trial: bool
    kind: Kind | None

    def fits(self, sheet: Sheet, trial: RankedTrial | None) -> bool:
        """Return whether there is one of a study, or of a trial."""
        if trial is not None and trial.rank is None:
            return False
        if self.kind is None:
            return sheet.ranking.best is not None
        return self.kind.lacks(_subject(sheet, trial)) is None


def _subject(sheet: Sheet, trial: RankedTrial | None) -> Subject:
    trials = () if trial is None else (trial,)
    return Subject(sheet.database, sheet.ranking, trials, known_openings=sheet.openings)


FILES: Final = (
    *(
        File(f"{kind.name}.png", "image/png", False, kind)
        for kind in KINDS.values()
        if "study" in kind.in_dashboard
    ),
    File("ranking.csv", "text/csv", False, None),
    *(
        File(f"{kind.name}.png", "image/png", True, kind)
        for kind in KINDS.values()
        if "trial" in kind.in_dashboard
    ),
)
"""In the order of the page. A file's number in a page's address is its place here."""


class Pictures:
    """Draws files, one at a time, and keeps them; safe to be used by several threads."""

    def __init__(self) -> None:
        # matplotlib's settings are the whole process's while a figure is drawn.
        self._drawing = Lock()
        # matplotlib opens its fonts anew for each thread that draws, and keeps them open.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="drawing")
        self._kept: OrderedDict[tuple[str, ...], bytes | FigureError] = OrderedDict()

    def fitting(self, sheet: Sheet, trial: RankedTrial | None = None) -> list[int]:
        """Return which files there are of a study, or of a trial, by number."""
        return [
            number
            for number, file in enumerate(FILES)
            if file.of_trial == (trial is not None)
            and not isinstance(self._kept.get(_key(sheet, number, trial)), FigureError)
            and file.fits(sheet, trial)
        ]

    def contents(self, sheet: Sheet, number: int, trial: RankedTrial | None = None) -> bytes:
        """Return a file.

        Raises:
            FigureError: If the study has no such figure.
        """
        key = _key(sheet, number, trial)
        with self._drawing:
            found = self._kept.get(key)
            if found is None:
                try:
                    found = self._thread.submit(_made, sheet, FILES[number], trial).result()
                except FigureError as error:
                    found = error
                self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        if isinstance(found, FigureError):
            raise found
        return found


def _key(sheet: Sheet, number: int, trial: RankedTrial | None) -> tuple[str, ...]:
    own = "" if trial is None else str(trial.uuid)
    return sheet.ranking.study.uuid, sheet.stamp, str(number), own


def _made(sheet: Sheet, file: File, trial: RankedTrial | None) -> bytes:
    if file.kind is not None:
        from coarsefine.search.figures.rendering import rendered

        return rendered(file.kind.draw(_subject(sheet, trial)), "png")
    return csv_bytes(of_ranking(sheet.ranking))


def meta(sheet: Sheet, number: int) -> dict[str, str | None]:
    """Return what the page is told of a file."""
    file = FILES[number]
    return {
        "artifact_id": artifact_id(number, sheet.stamp),
        "filename": file.name,
        "mimetype": file.media_type,
        "encoding": None,
    }


def artifact_id(number: int, stamp: str) -> str:
    """Return the name of a file in an address; a browser may keep what it has under it for ever.

    >>> artifact_id(3, "0123456789ab")
    'c0a45f-03-0123456789ab'
    """
    return f"{_OURS}-{number:02x}-{stamp}"


def number_of(name: str) -> int | None:
    """Return which of our files is called so in an address; ``None`` if it is none of ours.

    >>> number_of("c0a45f-03-0123456789ab"), number_of("2f8d2a0e-4f5c-4f0e-9d0a-2b7c6d5e4f3a")
    (3, None)
    """
    ours, _, rest = name.partition("-")
    number, _, _ = rest.partition("-")
    try:
        found = int(number, 16) if ours == _OURS else -1
    except ValueError:
        return None
    return found if 0 <= found < len(FILES) else None


_OURS: Final = "c0a45f"  # no UUID, with which files that users add are named, begins with six
