"""Small files in the layouts that data sets come in, and catalogue entries to match."""

import bz2
import gzip
import hashlib
import io
import lzma
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from coarsefine.models.data.catalogue import CATALOGUE
from coarsefine.models.data.formats.cifar import BATCHES

PACKERS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def pictures(n, shape, n_classes=10, seed=0):
    """Return random bytes and labels that go round the classes."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
    return x, (np.arange(n) % n_classes).astype(np.uint8)


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def idx_contents(n_train=60, n_test=20, side=4, seed=0):
    """Return the unpacked contents of the four files of a small MNIST, by name."""
    contents = {}
    for part, n, part_seed in (("train", n_train, seed), ("t10k", n_test, seed + 1)):
        x, y = pictures(n, (side, side), seed=part_seed)
        contents[f"{part}-images-idx3-ubyte"] = idx_bytes(x)
        contents[f"{part}-labels-idx1-ubyte"] = idx_bytes(y)
    return contents


def small_mnist(monkeypatch, contents, n_train=60, n_test=20, side=4, name="mnist"):
    """Make the catalogue describe the small MNIST of these contents."""
    info = replace(
        CATALOGUE[name],
        n_train=n_train,
        n_test=n_test,
        sample_shape=(side, side),
        contents={file: md5(data) for file, data in contents.items()},
    )
    monkeypatch.setitem(CATALOGUE, name, info)
    return info


def write_idx(folder, contents, packing=".gz", spelling="-idx"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        path = folder / f"{name.replace('-idx', spelling)}{packing}"
        path.write_bytes(PACKERS[packing](data))


def small_cifar(monkeypatch, n_batch=20, n_test=30):
    """Make the catalogue describe a CIFAR-10 of 2×2 pixels and small batches."""
    info = replace(
        CATALOGUE["cifar10"],
        n_train=5 * n_batch,
        n_test=n_test,
        sample_shape=(3, 2, 2),
        canonical=(n_batch, n_batch),
        contents={},
    )
    monkeypatch.setitem(CATALOGUE, "cifar10", info)
    return info


def cifar_batches(n_batch=20, n_test=30, n_features=12):
    """Return ``(data, labels)`` of each batch, by name."""
    sizes = dict.fromkeys(BATCHES, n_batch) | {"test_batch": n_test}
    return {name: pictures(n, (n_features,), seed=i) for i, (name, n) in enumerate(sizes.items())}


def pickled(data, labels, **others):
    """Return a batch as Python 3 pickles it by protocol 2."""
    batch = {"batch_label": "a batch", "labels": [int(y) for y in labels], "data": data, **others}
    return pickle.dumps(batch, protocol=2)


def pickled_by_python2(data, labels):
    """Return a batch as the published ones are: byte strings, keys included."""

    def string(text):
        return b"U" + bytes([len(text)]) + text

    def integer(n):
        return b"J" + int(n).to_bytes(4, "little", signed=True)

    raw = data.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t"
        + string(b"b")
        + b"tR(K\x01("
        + integer(data.shape[0])
        + integer(data.shape[1])
        + b"tcnumpy\ndtype\n("
        + string(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + string(b"|")
        + b"NNN"
        + integer(-1)
        + integer(-1)
        + b"K\x00tb\x89T"
        + len(raw).to_bytes(4, "little")
        + raw
        + b"tb"
    )
    listed = b"](" + b"".join(b"K" + bytes([int(y)]) for y in labels) + b"e"
    return b"\x80\x02}(" + string(b"labels") + listed + string(b"data") + array + b"u."


def binary(data, labels):
    return np.concatenate([labels[:, None].astype(np.uint8), data], axis=1).tobytes()


def cifar_members(batches, pack=pickled, folder="cifar-10-batches-py", ending=""):
    return {f"{folder}/{name}{ending}": pack(x, y) for name, (x, y) in batches.items()}


def tar_bytes(members):
    """Return an archive of ``members``: contents by name, or ready ``TarInfo`` without any."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, contents in members.items():
            member = contents
            if isinstance(contents, bytes):
                member = tarfile.TarInfo(name)
                member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents if isinstance(contents, bytes) else b""))
    return buffer.getvalue()


def write_members(folder: Path, members):
    for name, contents in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents)


def npz_arrays(n=40, n_features=3, n_classes=2, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.normal(size=(n, n_features)).astype(np.float32),
        "y_train": np.arange(n) % n_classes,
    }


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
