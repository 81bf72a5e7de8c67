"""Reader of people's own .csv and .parquet files: a label column, all others features."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.data.files import NOT_DATA, looks_like, reading
from models.data.raw import RawData, checked_features, checked_labels
from models.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_LABEL = "label"


def read_table(path: Path, label: str | None = None) -> RawData:
    """Return the data set in a .csv or .parquet file.

    Labels are whole numbers 0 … K-1, or words: then classes are the words in sorted order.

    Args:
        path: The file.
        label: Column of the labels; ``None`` is ``label``.

    Raises:
        DataError: If the file is damaged, a column is not what it should be, or a value is missing.
    """
    frame = _read_frame(path)
    columns = [str(column) for column in frame.columns]
    column = DEFAULT_LABEL if label is None else label
    _refuse_double_names(path, columns)
    frame.columns = columns
    if column not in columns:
        raise DataError(
            f"{path}: must have a label column {column!r}, got {_some(columns)}; "
            "name the column that holds the labels"
        )
    if len(frame) == 0:
        raise DataError(f"{path}: must hold samples, got none")
    for name in columns:
        # pandas names a column without a name so: most often row numbers, which are no feature.
        if name.startswith("Unnamed: ") or name == "__index_level_0__":
            raise DataError(f"{path}: columns must have names, got {name!r}; drop or name it")
    features = frame.drop(columns=column)
    if features.shape[1] == 0:
        raise DataError(f"{path}: must have feature columns beside {column!r}, got none")
    y, class_names = _labels(path, column, frame[column])
    return RawData(
        x=_features(path, features),
        y=y,
        x_test=None,
        y_test=None,
        sample_shape=(features.shape[1],),
        class_names=class_names,
    )


def _read_frame(path: Path) -> "pd.DataFrame":
    with reading(path), path.open("rb") as file:
        head = file.read(64)
    seen = looks_like(head)
    if seen in NOT_DATA:
        raise DataError(f"{path}: must be a {path.suffix} file, got {seen}")
    if path.suffix.lower() == ".parquet" and not head.startswith(b"PAR1"):
        raise DataError(f"{path}: must be a .parquet file, got {seen}")

    import pandas as pd

    try:
        with reading(path):
            if path.suffix.lower() == ".parquet":
                return pd.read_parquet(path)
            # pandas renames columns of the same name: the header has to be seen as it is.
            header = pd.read_csv(path, header=None, nrows=1, dtype=str, skipinitialspace=True)
            _refuse_double_names(path, [str(name) for name in header.iloc[0].dropna()])
            with warnings.catch_warnings():
                # Rows longer than the header: pandas would drop values, or name rows by them.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return pd.read_csv(path, low_memory=False, skipinitialspace=True, index_col=False)
    except DataError:
        raise
    except Exception as error:  # pandas and pyarrow raise some twenty kinds at a damaged file
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: damaged or no {path.suffix} file: {reason}") from error


def _refuse_double_names(path: Path, columns: list[str]) -> None:
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{path}: columns must have different names, got {twice!r} twice")


def _features(path: Path, frame: "pd.DataFrame") -> NDArray[np.float32]:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    for name in frame.columns:
        values = frame[name]
        missing = values.isna()
        if missing.any():
            row = int(np.argmax(missing.to_numpy()))
            raise DataError(
                f"{path}: features must be finite numbers, got {int(missing.sum())} missing in "
                f"column {name!r}, the first in row {row}"
            )
        if not (is_numeric_dtype(values) or is_bool_dtype(values)):
            first = next((v for v in values if not _is_number(v)), values.iloc[0])
            raise DataError(
                f"{path}: features must be numbers, got {first!r} in column {name!r}; "
                "drop the column or turn it into numbers"
            )
        if np.iscomplexobj(values.to_numpy()):
            raise DataError(f"{path}: features must be real numbers, column {name!r} has complex")
    result = np.empty(frame.shape, dtype=np.float32)
    for i, name in enumerate(frame.columns):
        result[:, i] = checked_features(f"{path}: column {name!r}", frame[name].to_numpy())
    return result


def _labels(
    path: Path, column: str, values: "pd.Series"
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    where = f"{path}: column {column!r}"
    missing = values.isna()
    if missing.any():
        row = int(np.argmax(missing.to_numpy()))
        raise DataError(
            f"{where}: every sample must have a label, got {int(missing.sum())} without, "
            f"the first in row {row}"
        )
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        y = checked_labels(where, values.to_numpy())
        return y, tuple(str(i) for i in range(int(y.max()) + 1))
    names, inverse = np.unique(values.astype(str).to_numpy(dtype=np.str_), return_inverse=True)
    return inverse.astype(np.int64), tuple(str(name) for name in names)


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _some(columns: list[str]) -> str:
    # A quoted name may go over lines, and one that was never closed over all of the file.
    shown = ", ".join(" ".join(column[:40].split()) for column in columns[:8])
    return f"{shown}, … ({len(columns)} columns)" if len(columns) > 8 else shown
