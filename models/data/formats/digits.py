"""The embedded data set: scikit-learn's handwritten digits."""

import numpy as np

from coarsefine.models.data.catalogue import DatasetInfo
from coarsefine.models.data.labels import checked_labels
from coarsefine.models.data.raw import RawData


def read_digits(info: DatasetInfo) -> RawData:
    """Return the 1,797 digits; they have no test set of their own."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return RawData(
        x=np.ascontiguousarray(digits.data, dtype=np.uint8),
        y=checked_labels(info.name, digits.target, info.n_classes),
        x_test=None,
        y_test=None,
        sample_shape=info.sample_shape,
        class_names=info.class_names,
        value_range=info.value_range,
    )
