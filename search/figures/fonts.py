"""Which letters figures can show: those of matplotlib's own font, and of fonts of the system."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

# The font that comes with matplotlib: it has λ, η, superscripts and most alphabets.
FAMILY: Final = "DejaVu Sans"

# Asked first for letters that it lacks: made for text, and of many letters.
_USUAL: Final = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Noto Emoji",
    "Segoe UI Symbol",
    "Apple Symbols",
    "Symbola",
)
# Their glyphs are boxes, or nothing, whatever the letter.
_NO_FONTS: Final = ("lastresort", "blank", "notdef")
# Joiners and variants of letters: left out where no font has them, and nobody misses them.
IGNORABLE: Final = frozenset({"\u200d", *map(chr, range(0xFE00, 0xFE10))})
_NORMAL, _BOLD = 400, 700
_WEIGHTS: Final = {
    "400": _NORMAL,
    "normal": _NORMAL,
    "regular": _NORMAL,
    "700": _BOLD,
    "bold": _BOLD,
}


def has(letter: str) -> bool:
    """Return whether figures can show a letter."""
    return letter.isprintable() and (_is_of(FAMILY, letter) or _fallback(letter) is not None)


def fallbacks(text: str) -> list[str]:
    """Return the families of the system that a text needs beside matplotlib's own."""
    letters = {letter for letter in text if not _is_of(FAMILY, letter)}
    return sorted({family for letter in letters if (family := _fallback(letter)) is not None})


def font_for(text: str, weight: str = "normal") -> FT2Font:
    """Return the font that a text is drawn in, to measure it."""
    wanted = _BOLD if weight == "bold" else _NORMAL
    families = [_files(family) for family in (FAMILY, *fallbacks(text))]
    return get_font([files.get(wanted, files[_NORMAL]) for files in families])


def give_fonts(figure: Figure) -> None:
    """Let each text of a figure that needs it be drawn with fonts of the system."""
    for text in _texts(figure):
        if families := fallbacks(text.get_text()):
            text.set_fontfamily([FAMILY, *families])
            # Matplotlib would say on each drawing that there is no bold one.
            if not all(_BOLD in _files(family) for family in families):
                text.set_fontweight("normal")


def give_tick_fonts(axis: Axis, names: Sequence[str]) -> None:
    """Let names at the ticks of an axis be drawn with fonts of the system, where they need it."""
    if families := fallbacks("".join(names)):
        axis.set_tick_params(labelfontfamily=[FAMILY, *families])


def _texts(figure: Figure) -> Iterator[Text]:
    yield from figure.texts
    legends = [*figure.legends]
    for panel in figure.axes:
        yield from (*panel.texts, panel.title, panel.xaxis.label, panel.yaxis.label)
        if (legend := panel.get_legend()) is not None:
            legends.append(legend)
    for legend in legends:
        yield from legend.get_texts()


@cache
def _fallback(letter: str) -> str | None:
    """Return the family that has a letter which matplotlib's own lacks."""
    return next((family for family in _families() if _is_of(family, letter)), None)


@cache
def _families() -> tuple[str, ...]:
    there = {entry.name for entry in fontManager.ttflist} - {FAMILY}
    usual = [family for family in _USUAL if family in there]
    others = sorted(there.difference(usual))
    return tuple(
        family
        for family in (*usual, *others)
        if not any(name in family.lower().replace(" ", "") for name in _NO_FONTS)
        and _NORMAL in _files(family)
    )


@cache
def _is_of(family: str, letter: str) -> bool:
    """Return whether a family draws a letter, in text and in titles."""
    try:
        return all(_draws(file, letter) for file in _files(family).values())
    except (ValueError, RuntimeError, OSError, NotImplementedError):
        return False  # it is gone, damaged, or made of pixels


def _draws(file: str, letter: str) -> bool:
    font = get_font(file)
    if not font.get_char_index(ord(letter)):
        return False
    font.set_size(10, 72)
    font.load_char(ord(letter))
    # A font of coloured pictures has the letter, and an empty outline of it.
    return letter.isspace() or len(font.get_path()[0]) > 0


@cache
def _files(family: str) -> dict[int, str]:
    """Return the upright files of a family by weight, of normal and bold."""
    upright = [
        (_WEIGHTS.get(str(entry.weight)), entry.fname)
        for entry in reversed(fontManager.ttflist)
        if (entry.name, entry.style, entry.stretch) == (family, "normal", "normal")
    ]
    return {weight: file for weight, file in upright if weight is not None}
