"""Figures as notebooks show them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What a page takes for an inch.
_SCREEN_DPI = 96


def displayed(figure: "Figure") -> "Figure":
    """Return a figure that notebooks show, whether or not pyplot was imported."""
    from coarsefine.search.figures.rendering import rendered

    def picture() -> tuple[bytes, dict[str, int]]:
        # At the size it has on paper, not a screen wide.
        width, height = figure.get_size_inches() * _SCREEN_DPI
        return rendered(figure, "png"), {"width": round(width), "height": round(height)}

    figure._repr_png_ = picture  # type: ignore[attr-defined]
    return figure
