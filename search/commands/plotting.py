"""``plot``: figures of a study, from the database alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database, open_database
from coarsefine.db.records import StudyRecord
from coarsefine.hints import Message
from coarsefine.search.choosing import chosen, named_trial
from coarsefine.search.console import note, say, say_json
from coarsefine.search.errors import ExportError, FigureError, UsageError
from coarsefine.search.figures.kinds import KINDS, drawn, taking
from coarsefine.search.figures.rendering import caption_of, format_of, rendered
from coarsefine.search.figures.subject import AGAINST, ON, Against, On, Subject
from coarsefine.search.files import check_place, file_stem, write
from coarsefine.search.hints import spelled
from coarsefine.search.options import (
    OUTPUT,
    NoNotes,
    StorageOptions,
    StudyArgument,
    StudyFlag,
    all_of,
    one_of,
    option,
    whole,
)
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.results.reading import read_ranking

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE = "Figure"
# Endings of pictures: who types one means a file.
PICTURES = ("png", "svg", "pdf", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "ps", "eps")


@dataclass(frozen=True, slots=True)
class PlotOptions:
    """Which figures, and where they go."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY] [KIND]...",
            help="The study's name (default: the most recent one), and kinds of figures: "
            f"{', '.join(KINDS)} (default: all that fit the study).",
            show_default=False,
        ),
    ] = None
    out: Annotated[
        Path | None,
        option(
            OUTPUT,
            "--out",
            "-o",
            metavar="FILE|FOLDER",
            help="The file of one figure, by whose ending its format goes, or the folder of "
            "several (default: STUDY-KIND.png, or the folder STUDY-figures).",
        ),
    ] = None
    format: Annotated[
        str | None,
        option(
            OUTPUT,
            "--format",
            metavar="KIND",
            help="png, svg or pdf (default: by the file's ending, else png).",
        ),
    ] = None
    trial: Annotated[
        list[str] | None,
        option(
            FIGURE,
            "--trial",
            metavar="STAGE:NUMBER",
            help=f"A trial that {all_of(taking('--trial'))} show, as in fine:6; may be given "
            "several times (default: the best).",
        ),
    ] = None
    best: Annotated[
        int | None,
        option(
            FIGURE,
            "--best",
            metavar="N",
            parser=whole,
            help=f"How many of the best trials {all_of(taking('--best'))} show (default: "
            f"{all_of([str(KINDS[kind].n_best) for kind in taking('--best')])}).",
        ),
    ] = None
    against: Annotated[
        str | None,
        option(
            FIGURE,
            "--against",
            metavar="WHAT",
            help=f"What {all_of(taking('--against'))} are drawn against: epochs or updates "
            "(default: epochs).",
        ),
    ] = None
    on: Annotated[
        str | None,
        option(
            FIGURE,
            "--on",
            metavar="SAMPLES",
            help=f"Which samples {all_of(taking('--on'))} is of: validation or test (default: "
            "test where it was opened).",
        ),
    ] = None
    study: StudyFlag = None
    quiet: NoNotes = False
    json: Annotated[
        bool,
        option(
            OUTPUT,
            "--json",
            help="Print one JSON object in place of lines, see docs/cli.md (default: lines).",
        ),
    ] = False


def plot(what: PlotOptions, storage: StorageOptions) -> None:
    """Draw figures of a study: png, svg or pdf.

    Reads the database and nothing else: no training, no data files, no display. Without a kind it
    draws all that fit the study and says what it left out. Files that are there are replaced; the
    same database gives the same files.

    Examples:
        python -m search plot
        python -m search plot mnist/lambda values -o lambda.pdf
        python -m search plot mnist/lambda curves --trial fine:6 --trial coarse:0
        python -m search plot mnist/lambda confusion --trial fine:6 --on validation
    """
    with open_database(storage.url, read_only=True) as database:
        name, kinds = _asked(database, what)
        _check_options(what, kinds)
        file = what.out if what.out and _is_file(what.out, kinds, what.format) else None
        file_format = format_of(file, what.format)
        study = chosen(database, StudyArgument(name, what.study), quiet=what.quiet)
        place = _place(file_stem(database, study.name), what.out, file, kinds, file_format)
        ranking = read_ranking(database, study)
        trials = tuple(named_trial(ranking, text) for text in what.trial or ())
        subject = Subject(
            database, ranking, trials, what.best, _against(what.against), _on(what.on)
        )
        figures, left_out = _drawn(subject, kinds or list(KINDS), optional=not kinds)
    # All are drawn before the first is written.
    files = {kind: rendered(figure, file_format) for kind, figure in figures.items()}
    place.write(files)
    if what.json:
        say_json(_to_json(study, place, figures, left_out))
        return
    for kind in figures:
        say(f"{place.of(kind)}: {KINDS[kind].shows}")
    for reason in left_out.values():
        note(f"left out: {spelled(reason)}", quiet=what.quiet)


def _asked(database: Database, what: PlotOptions) -> tuple[str | None, list[str]]:
    """Return the study and the kinds that are named, in any order."""
    plain = {word: word.lower().replace("_", "-") for word in what.names or ()}
    kinds = list(dict.fromkeys(kind for kind in plain.values() if kind in KINDS))
    others = [word for word, kind in plain.items() if kind not in KINDS]
    study = others[0] if others and what.study is None else None
    wrong = others[1:] if study is not None else others
    if study is not None and not wrong and repository.find_study(database, study) is None:
        # A name that is close to a kind was meant as one.
        wrong = others if did_you_mean(plain[study], KINDS) else []
    if wrong:
        guess = did_you_mean(wrong[0], KINDS)
        raise UsageError(f"kinds of figures are {', '.join(KINDS)}; got {wrong[0]!r}{guess}")
    return study, kinds


def _check_options(what: PlotOptions, kinds: list[str]) -> None:
    if what.best is not None and what.best < 1:
        raise UsageError(f"--best must be >= 1, got {what.best}")
    if what.best is not None and what.trial:
        raise UsageError("name trials with --best or with --trial, got both")
    for flag, given in (
        ("--trial", what.trial),
        ("--best", what.best),
        ("--against", what.against),
        ("--on", what.on),
    ):
        users = taking(flag)
        if given and kinds and not set(kinds) & set(users):
            raise UsageError(f"{flag} is for {' and '.join(users)}, got {', '.join(kinds)}")


def _against(text: str | None) -> Against:
    for against in AGAINST:
        if text is None or text == against:
            return against
    raise UsageError(
        f"--against must be one of {', '.join(AGAINST)}, got {text!r}"
        f"{did_you_mean(text or '', AGAINST)}"
    )


def _on(text: str | None) -> On | None:
    for on in ON:
        if text == on:
            return on
    if text is None:
        return None
    raise UsageError(f"--on must be {one_of(ON)}, got {text!r}{did_you_mean(text, ON)}")


def _drawn(
    subject: Subject, kinds: list[str], *, optional: bool
) -> "tuple[dict[str, Figure], dict[str, Message]]":
    """Return the figures by kind, and why others were left out, which they are if ``optional``."""
    figures, left_out = drawn(subject, [KINDS[kind] for kind in kinds])
    if left_out and not optional:
        raise FigureError(next(iter(left_out.values())))
    if not figures:
        raise FigureError(
            f"nothing can be drawn of {subject.ranking.study.name} yet: no trial is complete"
        )
    return figures, left_out


# --------------------------------------------------------------------------------- where they go


@dataclass(frozen=True, slots=True)
class _Place:
    """Where figures are written.

    Attributes:
        file: Of the one figure.
        folder: Of several.
    """

    file: Path | None
    folder: Path
    file_format: str

    def of(self, kind: str) -> Path:
        """Return the file of a figure."""
        return self.file or self.folder / f"{kind}.{self.file_format}"

    def check(self) -> None:
        """Raise an ExportError unless figures can be written there."""
        if self.file is not None:
            check_place(self.file)
        elif self.folder.exists() and not self.folder.is_dir():
            raise ExportError(f"figures are written into a folder, got the file {self.folder}")
        elif not self.folder.parent.is_dir():
            raise ExportError(
                f"the folder {self.folder.parent} of {self.folder.name} does not exist; create it"
            )

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write the figures, each whole or not at all."""
        if self.file is None:
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                raise ExportError(
                    f"the folder {self.folder} cannot be made: {error.strerror or error}"
                ) from error
        for kind, contents in files.items():
            write(self.of(kind), contents)


def _is_file(out: Path, kinds: list[str], named_format: str | None) -> bool:
    """Return whether figures go to a file of that name rather than into a folder.

    A folder's name may have a dot, too. What looks like the ending of a picture is meant as one.
    """
    ending = out.suffix.lower().removeprefix(".")
    if out.is_dir():
        return False
    if not out.suffix:
        return len(kinds) == 1 and out.exists()
    if out.exists() or ending in PICTURES:
        return True
    return len(kinds) == 1 and bool(named_format or did_you_mean(ending, PICTURES))


def _place(
    name: str, out: Path | None, file: Path | None, kinds: list[str], file_format: str
) -> _Place:
    """Return where the figures go.

    Args:
        name: What files of the study begin with.
        out: As the user names it.
        file: The same, if it is a file.
        kinds: Of figures.
        file_format: Theirs.

    Raises:
        UsageError: If several are to go to one file.
        ExportError: If they cannot be written there.
    """
    if out is None and len(kinds) == 1:
        place = _Place(Path(f"{name}-{kinds[0]}.{file_format}"), Path(), file_format)
    elif out is None:
        place = _Place(None, Path(f"{name}-figures"), file_format)
    elif file is not None:
        if len(kinds) != 1:
            raise UsageError(f"--out must be a folder for several figures, got {out}; or name one")
        place = _Place(file, file.parent, file_format)
    else:
        place = _Place(None, out, file_format)
    place.check()
    return place


def _to_json(
    study: StudyRecord,
    place: _Place,
    figures: "Mapping[str, Figure]",
    left_out: dict[str, Message],
) -> dict[str, Any]:
    """Return what ``plot --json`` prints: a stable contract, see ``docs/cli.md``."""
    return {
        "study": study.name,
        "figures": [
            {"kind": kind, "file": str(place.of(kind)), "caption": caption_of(figure)}
            for kind, figure in figures.items()
        ],
        "left_out": [
            {"kind": kind, "reason": spelled(reason)} for kind, reason in left_out.items()
        ],
    }
