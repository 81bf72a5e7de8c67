"""``data list``, ``data get`` and ``data verify``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from coarsefine.models.data import FileCheck, get, status, verify
from coarsefine.models.data.catalogue import named
from coarsefine.search.console import print_table, say, say_json, stdout
from coarsefine.search.errors import DONE, FAILED
from coarsefine.search.options import DATA, OutputOptions, option
from coarsefine.search.progress import watching
from coarsefine.search.tables.listing import data_table, files_table


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """Where data files are."""

    data_dir: Annotated[
        Path | None,
        option(
            DATA,
            "--data-dir",
            metavar="FOLDER",
            help="Where data files are looked for, and downloaded to "
            "(default: $SEARCH_DATA_DIR, else that of coarsefine.toml, then the download "
            "cache).",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Names:
    """Some data sets."""

    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME...", help="Names of data sets, as `data list` shows them."),
    ]


def list_data(folder: FolderOptions, output: OutputOptions) -> None:
    """List the data sets that have a name, and where they are.

    Examples:
        python -m search data list
        python -m search data list --data-dir /data --json
    """
    found = status(folder.data_dir)
    if output.json:
        say_json(
            {
                "data": [
                    {
                        "name": one.info.name,
                        "train_samples": one.info.n_train,
                        "test_samples": one.info.n_test,
                        "sample_shape": list(one.info.sample_shape),
                        "classes": one.info.n_classes,
                        "download_bytes": one.info.size_bytes,
                        "state": one.state,
                        "place": None if one.place is None else str(one.place),
                    }
                    for one in found
                ]
            }
        )
        return
    console = stdout()
    print_table(console, data_table(console, found))
    say("\nOf your own: --data FILE, an .npz, .csv or .parquet file")


def get_data(names: Names, folder: FolderOptions, output: OutputOptions) -> None:
    """Download data sets that are nowhere yet, and check them.

    Examples:
        python -m search data get mnist
        python -m search data get mnist cifar10 --data-dir /data
    """
    for name in names.names:
        named(name)  # before anything is downloaded
    places = {}
    with watching(quiet=output.quiet) as watch:
        for name in names.names:
            places[name] = get(name, folder.data_dir, progress=watch)
    if output.json:
        data = [{"name": n, "place": None if p is None else str(p)} for n, p in places.items()]
        say_json({"data": data})
        return
    for name, place in places.items():
        say(f"{name}: {'inside scikit-learn' if place is None else place}")


def verify_data(names: Names, folder: FolderOptions, output: OutputOptions) -> int:
    """Compare the files of data sets with the published checksums.

    Exits 1 if a file differs or is missing. Files that differ can be used all the same, with a
    warning.

    Examples:
        python -m search data verify mnist
        python -m search data verify cifar10 --data-dir /data --json
    """
    for name in names.names:
        named(name)
    with watching(quiet=output.quiet) as watch:
        checks = {name: verify(name, folder.data_dir, progress=watch) for name in names.names}
    every = [check for one in checks.values() for check in one]
    passed = not any(check.state in {"differs", "missing"} for check in every)
    if output.json:
        say_json(
            {
                "data": [
                    {"name": name, "files": [_file_json(check) for check in one]}
                    for name, one in checks.items()
                ],
                "passed": passed,
            }
        )
    else:
        _print(checks)
    return DONE if passed else FAILED


def _file_json(check: FileCheck) -> dict[str, str | None]:
    return {
        "name": check.name,
        "state": check.state,
        "path": None if check.path is None else str(check.path),
        "expected_md5": check.expected,
        "actual_md5": check.actual,
    }


def _print(checks: dict[str, list[FileCheck]]) -> None:
    console = stdout()
    for name, files in checks.items():
        if files:
            print_table(console, files_table(console, name, files))
        else:
            say(f"{name}: inside scikit-learn, nothing to verify")
