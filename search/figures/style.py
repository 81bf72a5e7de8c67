"""How figures look: colours, marks and type that survive print in grey and a narrow column.

No global state of matplotlib is changed: figures are made and rendered under the same settings,
whatever the user's own are, and without pyplot, so that none ever needs a display.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coarsefine.search.figures import fonts
from coarsefine.studies.results.scoring.splits import validated_on

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord

# Inches. A figure this wide is printed as it is in a text of one column; in one of two columns
# (3.4 inches) its smallest letters are 5 points high.
WIDTH: Final = 4.8

# Okabe and Ito (2008): told apart with any colour vision.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT = "#555555", "#B8B8B8"
# From dark blue to yellow, by lightness: grey print keeps the order.
COLOUR_MAP: Final = "cividis"

# Said of each panel: ticks are made when a figure is drawn, under whatever settings there are then.
TICKS: Final[dict[str, Any]] = {"labelsize": 7.5, "width": 0.7, "length": 3}

_SETTINGS: Final[dict[str, Any]] = {
    "font.family": [fonts.FAMILY],
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.dpi": 120,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.borderaxespad": 0.0,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.5,
    # The same figure is the same file: names inside it follow from what it shows.
    "svg.hashsalt": "coarsefine",
    # Letters as outlines: an SVG looks alike where the font is missing.
    "svg.fonttype": "path",
    # TrueType, which publishers ask for.
    "pdf.fonttype": 42,
    "path.simplify": True,
}


class Mark(NamedTuple):
    """A colour with a shape and a line of its own, so that it is known without the colour."""

    colour: str
    shape: str
    line: str | tuple[float, tuple[float, ...]]


MARKS: Final = (
    Mark(BLUE, "o", "-"),
    Mark(VERMILLION, "s", (0, (5, 1.5))),
    Mark(GREEN, "D", (0, (1, 1))),
    Mark(PURPLE, "^", (0, (5, 1.5, 1, 1.5))),
    Mark(ORANGE, "v", (0, (3, 1, 1, 1, 1, 1))),
    Mark(SKY, "P", (0, (8, 2))),
    Mark(BLACK, "X", (0, (2, 2))),
)


def mark(position: int) -> Mark:
    """Return the mark of the stage or trial at a position; they begin again after the last."""
    return MARKS[position % len(MARKS)]


@contextmanager
def house_style() -> Iterator[None]:
    """Make or render figures under the settings of this module alone."""
    # What the user set is back afterwards.
    with mpl.rc_context():
        style.use(["default", _SETTINGS])
        yield


# ---------------------------------------------------------------------------------------- texts


# Titles and notes are filled word by word, and many figures of a report have the same ones.
@lru_cache(4096)
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Return how wide a text is when it is drawn, in inches; ``size`` is in points."""
    shown = text.replace(r"\$", "$")
    font = fonts.font_for(shown, weight)
    font.set_size(size, 72)
    font.set_text(shown)
    width, _ = font.get_width_height()
    return float(width) / 64 / 72


def wrapped(text: str, inches: float, size: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, as it is drawn, that are no wider than so many inches."""
    lines: list[str] = []
    for word in plain(text).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(joined, size, weight) <= inches:
            lines[-1] = joined
            continue
        lines.append(word)
        while width_of(lines[-1], size, weight) > inches:
            # A name without blanks is broken where it must be.
            whole = lines[-1]
            n = next(
                n
                for n in range(len(whole) - 1, 0, -1)
                if n == 1 or width_of(whole[:n], size, weight) <= inches
            )
            lines[-1:] = [whole[:n], whole[n:]]
    return lines


def fitted(text: str, inches: float, size: float) -> str:
    """Return a text as it is drawn, its middle left out if it is wider than so many inches."""
    whole = plain(text)
    most = len(text)
    while width_of(whole, size) > inches and most > 1:
        most -= 1
        whole = plain(shortened(text, most))
    return whole


def plain(text: str) -> str:
    r"""Return a text that is drawn as it stands: no formula, and ``?`` for what no font has.

    >>> plain("λ², \uffff$")
    'λ², ?\\$'
    """
    drawn = "".join(c if fonts.has(c) else "?" for c in _drawable(text))
    return drawn.replace("$", r"\$")


def class_labels(names: Sequence[str]) -> tuple[list[str], str]:
    """Return what classes are called in a figure, and a note if some are called by number.

    Names with letters that no font of the system has cannot be shown.

    >>> class_labels(["rose", "\uffff"])
    (['rose', 'class 1'], 'class 1: no font of this system has all letters of this name')
    """
    labels = [
        name if all(map(fonts.has, _drawable(name))) else f"class {i}"
        for i, name in enumerate(names)
    ]
    numbered = [label for label, name in zip(labels, names, strict=True) if label != name]
    if not numbered:
        return labels, ""
    listed = ", ".join(numbered[:6]) + (", …" if len(numbered) > 6 else "")
    whose = "this name" if len(numbered) == 1 else "these names"
    return labels, f"{listed}: no font of this system has all letters of {whose}"


def _drawable(text: str) -> str:
    return "".join(c for c in text if c not in fonts.IGNORABLE or fonts.has(c))


def shortened(text: str, most: int) -> str:
    """Return a text with its middle left out if it is longer than so many letters.

    >>> shortened("abcdefghij", 7), shortened("abc", 7)
    ('abc…hij', 'abc')
    """
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def capitalised(text: str) -> str:
    """Return a sentence's beginning in upper case."""
    return text[:1].upper() + text[1:]


# --------------------------------------------------------------------------------------- figures

# Inches that a line of title, subtitle, legend and note takes, and the air around them.
_TITLE, _SUBTITLE, _ROW, _NOTE, _AIR = 0.165, 0.14, 0.155, 0.125, 0.06
# Points of their letters.
_TITLE_SIZE, _SUBTITLE_SIZE, _SMALL_SIZE = 9.0, 7.5, 7.0
_LEFT = 0.012
# Inches of a legend's mark and the room between two columns.
_HANDLE = 0.42


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure with its panels, to be drawn on and then finished.

    Attributes:
        panels: From top to bottom, or as they were asked for.
        name: Of the study that it is of, or of the data.
        what: What is shown, in a few words.
        about: Of which data, with which seed.
    """

    figure: Figure
    panels: tuple[Axes, ...]
    name: str
    what: str
    about: str

    @property
    def first(self) -> Axes:
        """Return the panel at the top."""
        return self.panels[0]

    def finished(self, legend: Sequence[Artist] = (), notes: Sequence[str] = ()) -> Figure:
        """Return the figure with titles above the panels, and legend and notes under them.

        It grows by what these need: panels keep the height they were asked for.

        Args:
            legend: Entries, each with its label.
            notes: What must be known to read the figure; empty ones are left out.
        """
        figure = self.figure
        width, height = figure.get_size_inches()
        room = width * (1 - 2 * _LEFT)
        title = wrapped(f"{shortened(self.name, 80)}: {self.what}", room, _TITLE_SIZE, "bold")
        subtitle = wrapped(self.about, room, _SUBTITLE_SIZE)
        said = "; ".join(note for note in notes if note)
        note_lines = wrapped(capitalised(said), room, _SMALL_SIZE)
        columns = _columns([str(artist.get_label()) for artist in legend], room)
        n_rows = -(-len(legend) // columns)
        head = _AIR + len(title) * _TITLE + len(subtitle) * _SUBTITLE
        foot = n_rows * _ROW + len(note_lines) * _NOTE
        foot += _AIR * (bool(n_rows) + bool(note_lines))
        total = height + head + foot
        figure.set_size_inches(width, total)
        engine = figure.get_layout_engine()
        assert engine is not None  # noqa: S101  # made with one
        engine.set(rect=(0, foot / total, 1, 1 - (head + foot) / total))  # type: ignore[call-arg]
        top = 1 - _AIR / total
        figure.text(
            _LEFT, top, "\n".join(title), va="top", size=_TITLE_SIZE, weight="bold", gid="title"
        )
        top -= len(title) * _TITLE / total
        figure.text(
            _LEFT,
            top,
            "\n".join(subtitle),
            va="top",
            size=_SUBTITLE_SIZE,
            color=GREY,
            gid="subtitle",
        )
        if note_lines:
            figure.text(
                _LEFT,
                _AIR / total,
                "\n".join(note_lines),
                va="bottom",
                size=_SMALL_SIZE,
                color=GREY,
                gid="note",
            )
        if legend:
            figure.legend(
                handles=list(legend),
                loc="lower left",
                bbox_to_anchor=(_LEFT, (foot - n_rows * _ROW) / total),
                ncols=columns,
                columnspacing=1.4,
                handletextpad=0.5,
                labelspacing=0.35,
                borderpad=0,
            )
        caption = [f"{self.name}: {self.what}", capitalised(self.about)]
        fonts.give_fonts(figure)
        figure.set_label(". ".join([*caption, *([capitalised(said)] if said else [])]) + ".")
        return figure


def _columns(labels: Sequence[str], inches: float) -> int:
    """Return how many columns of a legend fit, at most three."""
    for n in (3, 2):
        # Matplotlib fills one column after the other, the first ones fuller by one.
        columns = np.array_split([width_of(label, _SMALL_SIZE) for label in labels], n)
        if len(labels) >= n and sum(max(each) + _HANDLE for each in columns) <= inches:
            return n
    return 1


def new_sheet(
    study: "StudyRecord | str",
    what: str,
    *,
    heights: Sequence[float] = (2.6,),
    width: float = WIDTH,
    share_x: bool = True,
    about: str = "",
) -> Sheet:
    """Return a figure with a panel for each height, to be drawn on.

    Args:
        study: Whose name, data, seed and numbers of samples will be above the panels; or a name,
            where there is no study.
        what: What is shown, in a few words.
        heights: Of the panels with the words at their axes, in inches, from top to bottom.
        width: Of the figure, in inches.
        share_x: Whether all panels have the same horizontal axis.
        about: Of which data, with which seed, if that is not what the study says.
    """
    figure = new_figure(width, sum(heights))
    grid = figure.subplots(
        len(heights), 1, sharex=share_x, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for panel in grid[:, 0]:
        panel.tick_params(**TICKS)
    panels = tuple(grid[:, 0])
    if isinstance(study, str):
        return Sheet(figure, panels, study, what, about)
    return Sheet(figure, panels, study.name, what, about or origin(study))


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure whose panels will be laid out so that no words overlap."""
    figure = Figure(figsize=(width, height), layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None  # noqa: S101  # made with one
    engine.set(w_pad=0.04, h_pad=0.03, hspace=0.03, wspace=0.03)  # type: ignore[call-arg]
    return figure


def origin(study: "StudyRecord", *, sizes: bool = True) -> str:
    """Return what a study was trained on, from its record; also on how many samples."""
    data = study.data
    said = f"{shortened(study.data_name, 40)}, seed {study.seed}"
    if sizes and "n_train" in data and "n_validation" in data:
        said += f"; {data['n_train']:,} training and {validated_on(study)}"
    return said


def light_grid(panel: Axes, axis: Literal["x", "y", "both"] = "y") -> None:
    """Draw thin lines across a panel."""
    panel.grid(visible=True, axis=axis, color="#E4E4E4", linewidth=0.6)
