"""The classes of a study's validation samples, kept with it: predictions are worth nothing without.

Who has the database needs no file of data to make metrics of what was predicted.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coarsefine.db.records import StudyRecord
    from coarsefine.studies.results.evidence.metrics import Majority

KEY: Final = "validation_labels"
"""What a study's data call them."""

# Of more classes a label takes two bytes; labels of more samples are read from the data.
_ONE_BYTE: Final = 256
_MOST_SAMPLES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Labels:
    """The true classes of the validation samples.

    Attributes:
        classes: (N,), in 0 … K-1.
        names: Of the K classes.
    """

    classes: "NDArray[np.int64]"
    names: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        """Return K."""
        return len(self.names)


def packed_labels(labels: "NDArray[Any]", n_classes: int) -> dict[str, str]:
    """Return labels as a study's data keep them: half a byte or so each for ten classes."""
    if len(labels) > _MOST_SAMPLES:
        return {}
    small = labels.astype("u1" if n_classes <= _ONE_BYTE else "<u2")
    return {KEY: base64.b64encode(zlib.compress(small.tobytes(), 9)).decode("ascii")}


def labels_of(study: "StudyRecord") -> Labels:
    """Return the labels of a study's validation samples; of older studies, from their data.

    Raises:
        StudyError: If neither has them.
    """
    import numpy as np

    n_classes = int(study.data["n_classes"])
    names = tuple(map(str, study.data.get("class_names", range(n_classes))))
    data = _unpacked(study)
    if data is not None:
        found = np.frombuffer(data, "u1" if n_classes <= _ONE_BYTE else "<u2")
        return Labels(found.astype(np.int64), names)
    return Labels(_of_data(study), names)


def majority_of(study: "StudyRecord") -> "Majority | None":
    """Return the baseline that every classifier should beat; ``None`` where it is not known."""
    if KEY not in study.data:
        return None
    from coarsefine.studies.results.evidence.metrics import majority

    labels = labels_of(study)
    return majority(labels.classes, labels.n_classes) if len(labels.classes) else None


def without_labels(data: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a study's data as programs read it: labels are for predictions."""
    return {key: value for key, value in data.items() if key != KEY}


def _unpacked(study: "StudyRecord") -> bytes | None:
    packed = study.data.get(KEY)
    if packed is None:
        return None
    try:
        data = zlib.decompress(base64.b64decode(packed))
    except (ValueError, zlib.error):
        data = b""
    size = 1 if int(study.data["n_classes"]) <= _ONE_BYTE else 2
    if len(data) != size * int(study.data.get("n_validation", 0)):
        raise StudyError(
            f"the labels of study {study.name} are damaged: what its runs predicted cannot be "
            "compared with them"
        )
    return data


def _of_data(study: "StudyRecord") -> "NDArray[np.int64]":
    """Return the labels of a study that was begun before they were kept."""
    import numpy as np

    from coarsefine.models.data import prepare
    from coarsefine.models.errors import ModelError
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.recipes.specs import to_data_spec

    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    try:
        data = prepare(to_data_spec(recipe), download=False)
    except (ModelError, OSError) as error:
        raise StudyError(
            f"the labels of study {study.name} must be known, it was begun before they were kept, "
            f"and its data are not there: {error}"
        ) from error
    if data.fingerprint != study.data_fingerprint:
        raise StudyError(
            f"the labels of study {study.name} must be known, it was begun before they were kept, "
            "and its data have changed since"
        )
    return np.asarray(data.open().y_validation, np.int64)
