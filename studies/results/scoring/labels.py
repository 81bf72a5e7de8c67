"""The classes of a study's validation samples, kept with it: predictions are worth nothing without.

Who has the database needs no file of data to make metrics of what was predicted.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coarsefine.studies.errors import StudyError
from coarsefine.studies.results.scoring.splits import Splits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import DataSpec, TrainingData
    from coarsefine.studies.results.evidence.metrics import Majority

KEY: Final = "validation_labels"
"""What a study's data call them."""

SPLIT_LABELS: Final = "split_labels"
"""What a study's data call the classes of all samples outside the test set, where replicates are
splits of them: validation samples of each replicate follow from its split."""

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


def packed_labels(labels: "NDArray[Any]", n_classes: int, key: str = KEY) -> dict[str, str]:
    """Return labels as a study's data keep them: half a byte or so each for ten classes."""
    if len(labels) > _MOST_SAMPLES:
        return {}
    small = labels.astype("u1" if n_classes <= _ONE_BYTE else "<u2")
    return {key: base64.b64encode(zlib.compress(small.tobytes(), 9)).decode("ascii")}


def labels_of(study: "StudyRecord", replicate: int = 0) -> Labels:
    """Return the labels of a study's validation samples; of older studies, from their data.

    Args:
        study: Whose.
        replicate: Whose run's, where replicates are splits.

    Raises:
        StudyError: If neither has them.
    """
    n_classes = int(study.data["n_classes"])
    names = tuple(map(str, study.data.get("class_names", range(n_classes))))
    splits = Splits.of(study)
    if splits is not None:
        return Labels(_of_split(study, splits, replicate), names)
    data = _unpacked(study)
    if data is not None:
        return Labels(_numbers(data, n_classes), names)
    return Labels(_of_data(study).y_validation, names)


def _numbers(data: bytes, n_classes: int) -> "NDArray[np.int64]":
    import numpy as np

    return np.frombuffer(data, "u1" if n_classes <= _ONE_BYTE else "<u2").astype(np.int64)


def _of_split(study: "StudyRecord", splits: Splits, replicate: int) -> "NDArray[np.int64]":
    """Return the labels of the validation samples of a replicate that has a split of its own."""
    from coarsefine.models.data.splits import split_indices
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.recipes.specs import to_data_spec

    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    spec = splits.options.data_of(to_data_spec(recipe), replicate)
    data = _unpacked(study, SPLIT_LABELS, splits.n_split)
    if data is None:
        return _of_data(study, spec).y_validation
    labels = _numbers(data, int(study.data["n_classes"]))
    return labels[split_indices(spec.split, labels)[1]]


def majority_of(study: "StudyRecord") -> "Majority | None":
    """Return the baseline that every classifier should beat; ``None`` where it is not known."""
    if KEY not in study.data:
        return None
    from coarsefine.studies.results.evidence.metrics import majority

    # Of samples in folds, and other splits, the first has about the shares of all of them.
    labels = labels_of(study)
    return majority(labels.classes, labels.n_classes) if len(labels.classes) else None


def without_labels(data: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a study's data as programs read it: labels are for predictions."""
    return {key: value for key, value in data.items() if key not in {KEY, SPLIT_LABELS}}


def _unpacked(study: "StudyRecord", key: str = KEY, n_samples: int | None = None) -> bytes | None:
    packed = study.data.get(key)
    if packed is None:
        return None
    try:
        data = zlib.decompress(base64.b64decode(packed))
    except (ValueError, zlib.error):
        data = b""
    size = 1 if int(study.data["n_classes"]) <= _ONE_BYTE else 2
    n_samples = int(study.data.get("n_validation", 0)) if n_samples is None else n_samples
    if len(data) != size * n_samples:
        raise StudyError(
            f"the labels of study {study.name} are damaged: what its runs predicted cannot be "
            "compared with them"
        )
    return data


def _of_data(study: "StudyRecord", spec: "DataSpec | None" = None) -> "TrainingData":
    """Return the data of a study that did not keep its labels; ``spec`` names other splits."""
    from coarsefine.models.data import prepare
    from coarsefine.models.errors import ModelError
    from coarsefine.studies.recipes.recipe import from_json
    from coarsefine.studies.recipes.specs import to_data_spec

    recipe = from_json(study.recipe, f"the recipe of study {study.name}")
    try:
        data = prepare(spec or to_data_spec(recipe), download=False)
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
    return data.open()
