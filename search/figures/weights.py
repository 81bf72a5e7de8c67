"""What networks look for: the first layer's weights as images."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from coarsefine.db.errors import StorageError
from coarsefine.models.data.images import is_image
from coarsefine.search.errors import FigureError, require
from coarsefine.search.figures.style import (
    GREY,
    WIDTH,
    class_labels,
    fitted,
    house_style,
    new_sheet,
)
from coarsefine.search.figures.trials import described
from coarsefine.search.words import counted, percent
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from coarsefine.search.figures.subject import Subject
    from coarsefine.studies.results.curves.first_layer import FirstLayer
    from coarsefine.studies.results.ranking import Ranking

Image = npt.NDArray[np.float64]

MOST_FILTERS: Final = 64
MOST_TRIALS: Final = 6
_COLUMNS: Final = 8
_CLASS_COLUMNS: Final = 5
_GREY, _COLOURS = 2, 3


def lacks(subject: "Subject") -> str | None:
    """Return why a study has no such figure, if so."""
    ranking, trainer = subject.ranking, subject.ranking.study.recipe.get("trainer")
    if trainer:
        return f"weights are {trainer}'s own, which trains this study"
    chosen = subject.chosen()
    if not chosen or any(trial.rank is None for trial in chosen):
        return "weights needs a complete trial, or the name of another one"
    return _no_images(ranking)


def drawn(subject: "Subject") -> Figure:
    """Return the first layer's weights of some trials as images.

    Raises:
        FigureError: If the data are no images, or the weights are not there any more.
    """
    from coarsefine.studies.results.curves.first_layer import read_first_layer

    # Checkpoints are large: none is read to be refused.
    require(lacks(subject))
    ranking = subject.ranking
    try:
        layers = [read_first_layer(subject.database, ranking, trial) for trial in subject.chosen()]
    except (StudyError, StorageError) as error:
        raise FigureError(f"weights: {error}") from error
    return weights(ranking, layers)


def weights(ranking: "Ranking", layers: "Sequence[FirstLayer]") -> Figure:
    """Return the first layer's weights of some trials as images, each scaled by itself.

    Networks without hidden layers have an image a class, others one a unit, the first 64.

    Args:
        ranking: That the trials are of; its data must be images.
        layers: As ``coarsefine.studies.results.curves.first_layer.read_first_layer`` returns them.

    Raises:
        FigureError: If the data are no images.
    """
    study = ranking.study
    require(_no_images(ranking))
    shape = _sample_shape(ranking)
    if len(layers) > MOST_TRIALS:
        raise FigureError(f"weights shows {MOST_TRIALS} trials or fewer, got {len(layers)}")
    linear = all(layer.linear for layer in layers)
    columns = _CLASS_COLUMNS if linear else _COLUMNS
    if len(layers) > 1:
        # Trials are compared row by row.
        columns *= 2
    with house_style():
        sheets = [_images(layer, shape) for layer in layers]
        cell = WIDTH / columns
        rows = [-(-len(images) // columns) for images in sheets]
        named = linear and len(study.data.get("class_names", ())) == len(sheets[0])
        heights = [n * cell * (1.15 if named else 1.0) + 0.25 for n in rows]
        what = "weights of each class as an image" if linear else "first layer's weights as images"
        sheet = new_sheet(study, what, heights=heights, share_x=False)
        for panel, layer, images in zip(sheet.panels, layers, sheets, strict=True):
            names, numbered = class_labels(study.data["class_names"] if named else ())
            _draw(panel, images, columns, names)
            panel.set_title(_title(ranking, layer), loc="left", size=7.5, color=GREY, pad=3)
        n_units = max(len(layer.weights) for layer in layers)
        return sheet.finished(
            notes=(
                "black is an image's own least weight and white its greatest"
                if len(shape) == 2 or 1 in shape
                else "red, green and blue from an image's own least weight to its greatest",
                f"the first {MOST_FILTERS} of {n_units} units"
                if n_units > MOST_FILTERS and not linear
                else "",
                numbered,
            )
        )


def _no_images(ranking: "Ranking") -> str | None:
    shape = _sample_shape(ranking)
    if not is_image(shape):
        words = f"of shape {'×'.join(map(str, shape))}" if shape else "of unknown shape"
        return f"weights needs samples that are images, these are {words}"
    return None


def _sample_shape(ranking: "Ranking") -> tuple[int, ...]:
    return tuple(int(n) for n in ranking.study.data.get("sample_shape", ()))


def as_image(row: npt.NDArray[np.floating], shape: tuple[int, ...]) -> Image:
    """Return one unit's weights as an image from 0 to 1: (height, width), or with 3 colours.

    Args:
        row: A weight a feature, in the order of the samples: CIFAR-10's are all red values row by
            row, then the green and the blue ones.
        shape: Of a sample.
    """
    image = np.asarray(row, dtype=np.float64).reshape(shape)
    if image.ndim == _COLOURS:
        if shape[0] in {1, _COLOURS}:
            image = image.transpose(1, 2, 0)
        if image.shape[2] == 1:
            image = image[:, :, 0]
    low, high = image.min(), image.max()
    # A unit whose weights are all the same has nothing to show.
    return (image - low) / (high - low) if high > low else np.full_like(image, 0.5)


def _images(layer: "FirstLayer", shape: tuple[int, ...]) -> list[Image]:
    most = len(layer.weights) if layer.linear else MOST_FILTERS
    return [as_image(row, shape) for row in layer.weights[:most]]


def _draw(panel: Axes, images: Sequence[Image], columns: int, names: Sequence[str]) -> None:
    """Draw images side by side, in rows, with what they are called above them."""
    height, width = images[0].shape[:2]
    gap, head = 0.08 * width, (0.28 * height if names else 0.0)
    for position, image in enumerate(images):
        row, column = divmod(position, columns)
        left, top = column * (width + gap), row * (height + gap + head) + head
        panel.imshow(
            image,
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=(left, left + width, top + height, top),
            interpolation="nearest",
            gid=f"image-{position}",
        )
        if names:
            panel.text(
                left + width / 2,
                top - 0.04 * height,
                fitted(str(names[position]), 0.98 * WIDTH / columns, 6),
                ha="center",
                va="bottom",
                size=6,
            )
    n_rows = math.ceil(len(images) / columns)
    panel.set_xlim(0, columns * (width + gap) - gap)
    panel.set_ylim(n_rows * (height + gap + head) - gap, 0)
    panel.set_aspect("equal")
    panel.axis("off")


def _title(ranking: "Ranking", layer: "FirstLayer") -> str:
    trial = layer.trial
    score = trial.state if trial.rank is None else f"{percent(trial.validation_accuracy)} %"
    where = f"({trial.name}, after {counted(layer.epoch, 'epoch')})"
    return f"{described(ranking, trial)} {where}: {score} validation accuracy"
