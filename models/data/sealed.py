"""The test split. Only the final test run imports this."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.decoded import decode, mapped
from coarsefine.models.data.prepared import PreparedData, prepare_split
from coarsefine.models.data.progress import Progress, Silent
from coarsefine.models.data.spec import DataSpec
from coarsefine.models.errors import DataError

RefitName = Literal["train+validation", "none"]


@dataclass(frozen=True, eq=False, slots=True)
class TestData:
    """The test set, normalised with the statistics of a training split."""

    x: NDArray[Any]
    y: NDArray[np.int64]


def prepare_final(
    spec: DataSpec,
    *,
    refit: RefitName = "train+validation",
    validation: int | float = 0.02,
    data_dir: Path | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> PreparedData:
    """Return the data of the final training.

    Args:
        spec: The data set, split and normalisation of the search.
        refit: ``train+validation``: both splits, less a small part that stays for validation,
            normalised with the statistics of what is trained on. ``none``: as the search had it.
        validation: Size of that small part: a number of samples, or a fraction of both splits.
        data_dir: Folder to look for its files in first; ``None`` is ``$SEARCH_DATA_DIR``.
        download: Whether to download files that are nowhere.
        progress: Told of downloads and of archives being unpacked, which takes seconds.

    Raises:
        DataError: As ``prepare`` does, or if nothing is left to train on.
    """
    if refit not in ("train+validation", "none"):
        raise DataError(f"refit must be train+validation or none, got {refit!r}")
    kept = validation if refit == "train+validation" else None
    return prepare_split(spec, kept, data_dir=data_dir, download=download, progress=progress)


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
