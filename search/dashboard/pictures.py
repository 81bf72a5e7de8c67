"""Our figures as files of a study's or a trial's page: drawn when they are looked at, and kept."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from coarsefine.search.dashboard.sheets import Sheet
from coarsefine.search.errors import FigureError
from coarsefine.studies.results.ranking import RankedTrial, Ranking

KEPT: Final = 200
"""Figures that are kept, the last used ones: some 100 kB each."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a page.

    Attributes:
        name: What it is called there.
        kind: Its type.
        of_trial: Whether it is of a trial, else of a study.
        fits: Whether there may be one: what is cheap to say. Drawing has the last word.
    """

    name: str
    kind: str
    of_trial: bool
    fits: Callable[[Sheet, RankedTrial | None], bool]

    @property
    def figure(self) -> str:
        """Return the kind of figure that it is."""
        return self.name.rpartition(".")[0]


def _numbers(ranking: Ranking) -> list[str]:
    """Return the parameters that are numbers, with several values."""
    names = dict.fromkeys(name for trial in ranking.trials for name in trial.params)
    values = {name: [trial.params.get(name) for trial in ranking.trials] for name in names}
    return [
        name
        for name, each in values.items()
        if {type(v) for v in each} <= {int, float} and len(set(each)) > 1
    ]


def _over(name: str) -> Callable[[Sheet, RankedTrial | None], bool]:
    def fits(sheet: Sheet, _trial: RankedTrial | None) -> bool:
        return _has_best(sheet, None) and all(
            set(trial.params) == {name} for trial in sheet.ranking.trials
        )

    return fits


def _has_best(sheet: Sheet, _trial: RankedTrial | None) -> bool:
    return sheet.ranking.best is not None


def _is_over_numbers(sheet: Sheet, _trial: RankedTrial | None) -> bool:
    return _has_best(sheet, None) and bool(_numbers(sheet.ranking))


def _is_over_two_numbers(sheet: Sheet, _trial: RankedTrial | None) -> bool:
    ranking = sheet.ranking
    two = all(len(trial.params) == 2 for trial in ranking.trials)
    return _has_best(sheet, None) and two and len(_numbers(ranking)) == 2


def _is_over_choices(sheet: Sheet, _trial: RankedTrial | None) -> bool:
    from coarsefine.studies.spaces.dimensions import PARAMETERS

    ranking = sheet.ranking
    if not _has_best(sheet, None) or len(ranking.trials) > _MOST_BARS:
        return False
    return any(
        name not in PARAMETERS or not PARAMETERS[name].numeric for name in ranking.trials[0].params
    )


_MOST_BARS: Final = 60


def _was_tested(sheet: Sheet, trial: RankedTrial | None) -> bool:
    if not sheet.openings:
        return False
    return any(
        run.confusion is not None
        and (trial is None or (run.stage, run.params) == (trial.stage, dict(trial.params)))
        for run in sheet.openings[-1].runs
    )


def _was_trained(_sheet: Sheet, trial: RankedTrial | None) -> bool:
    return trial is not None and trial.rank is not None


def _has_images(sheet: Sheet, trial: RankedTrial | None) -> bool:
    if trial is None:
        trial = sheet.ranking.best
    shape = tuple(sheet.ranking.study.data.get("sample_shape", ()))
    # A trainer of the user's own leaves no weights that we can read.
    ours = not sheet.ranking.study.recipe.get("trainer")
    return ours and trial is not None and trial.rank is not None and _is_image(shape)


def _is_image(shape: tuple[int, ...]) -> bool:
    if len(shape) == 3 and 3 in shape[::2]:
        return True
    return len([n for n in shape if n > 1]) == 2


PNG: Final = "image/png"

FILES: Final = (
    File("values.png", PNG, False, _is_over_numbers),
    File("heatmap.png", PNG, False, _is_over_two_numbers),
    File("trade-off.png", PNG, False, _over("batch_size")),
    File("sizes.png", PNG, False, _over("train")),
    File("bars.png", PNG, False, _is_over_choices),
    File("curves.png", PNG, False, _has_best),
    File("weights.png", PNG, False, _has_images),
    File("confusion.png", PNG, False, _was_tested),
    File("ranking.csv", "text/csv", False, _has_best),
    File("curves.png", PNG, True, _was_trained),
    File("weights.png", PNG, True, _has_images),
    File("confusion.png", PNG, True, _was_tested),
)
"""In the order of the page. A file's number in a page's address is its place here."""


class Pictures:
    """Draws files, one at a time, and keeps them; safe to be used by several threads."""

    def __init__(self) -> None:
        # matplotlib's settings are the whole process's while a figure is drawn.
        self._drawing = Lock()
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
                    found = _made(sheet, FILES[number], trial)
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
    if file.kind == PNG:
        from coarsefine.search.figures.kinds import KINDS, Subject
        from coarsefine.search.figures.rendering import rendered

        trials = () if trial is None else (trial,)
        return rendered(
            KINDS[file.figure].draw(Subject(sheet.database, sheet.ranking, trials)), "png"
        )
    from coarsefine.search.export import export

    return export(sheet.ranking, "csv")


def meta(sheet: Sheet, number: int) -> dict[str, str | None]:
    """Return what the page is told of a file."""
    file = FILES[number]
    return {
        "artifact_id": artifact_id(number, sheet.stamp),
        "filename": file.name,
        "mimetype": file.kind,
        "encoding": None,
    }


def artifact_id(number: int, stamp: str) -> str:
    """Return the name of a file in an address; a browser may keep what it has under it for ever.

    >>> artifact_id(3, "0123456789ab")
    'c0a45e-03-0123456789ab'
    """
    return f"{_OURS}-{number:02x}-{stamp}"


def number_of(name: str) -> int | None:
    """Return which of our files is called so in an address; ``None`` if it is none of ours.

    >>> number_of("c0a45e-03-0123456789ab"), number_of("2f8d2a0e-4f5c-4f0e-9d0a-2b7c6d5e4f3a")
    (3, None)
    """
    ours, _, rest = name.partition("-")
    number, _, _ = rest.partition("-")
    try:
        found = int(number, 16) if ours == _OURS else -1
    except ValueError:
        return None
    return found if 0 <= found < len(FILES) else None


_OURS: Final = "c0a45e"  # no UUID, with which files that users add are named, begins with six
