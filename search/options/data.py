"""The options that say which samples."""

from pathlib import Path
from typing import Annotated, Any

from coarsefine.search.options.declaring import DATA, option
from coarsefine.search.options.keys import KeyOptions, key_option, with_keys

DataDir = Annotated[
    Path | None,
    option(
        DATA,
        "--data-dir",
        metavar="FOLDER",
        help="Where data files are looked for before any is downloaded "
        "(default: $SEARCH_DATA_DIR, else that of coarsefine.toml, then the download "
        "cache).",
    ),
]


@with_keys("data", before={"label": "data_dir"})
class DataOptions(KeyOptions):
    """Which samples."""

    data: Annotated[str | None, key_option("data.name")] = None
    data_dir: DataDir = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's data."""
        name = None if self.data is None else absolute(self.data)
        return KeyOptions.flags(self) | {"data.name": name}


def absolute(data: str) -> str:
    """Return a data set's name as it is, and the path of a file that is here as an absolute one.

    So the study finds it from any folder. What is not here may be in the data folder.
    """
    from coarsefine.models.data.catalogue import CATALOGUE
    from coarsefine.paths import expanded

    path = expanded(data)
    if data in CATALOGUE or not data or not path.exists():
        return data
    return str(path.absolute())
