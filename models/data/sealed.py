"""The test split. Only the final test run imports this."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.decoded import decode, mapped
from coarsefine.models.data.prepared import PreparedData
from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.errors import DataError


@dataclass(frozen=True, eq=False, slots=True)
class TestData:
    """The test set, normalised with the statistics of a training split."""

    x: NDArray[Any]
    y: NDArray[np.int64]


def open_test(prepared: PreparedData, *, progress: Progress | None = None) -> TestData:
    """Return the test set, normalised with the statistics of ``prepared``'s training split.

    Raises:
        DataError: If the data set is not here, or not the one that was prepared.
    """
    decoded = decode(
        prepared.spec,
        prepared.data_dir,
        download=True,
        progress=progress or Silent(),
        needed=("x_test", "y_test"),
    )
    if decoded.fingerprint != prepared.fingerprint:
        raise DataError(
            f"the data set {prepared.name} must be the one trained on (fingerprint "
            f"{prepared.fingerprint[:12]}), got {decoded.fingerprint[:12]}"
        )
    x = prepared.transform().applied(
        mapped(decoded.folder / "x_test.npy"), decoded.columns, prepared.precision
    )
    y: NDArray[np.int64] = np.load(decoded.folder / "y_test.npy", allow_pickle=False)
    x.flags.writeable = False
    y.flags.writeable = False
    return TestData(x, y)
