"""Files that are damaged, or made to harm, are one line: never a crash, never much memory."""

import bz2
import gzip
import io
import lzma
import re
import resource
import struct
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan, initial_state, state_from_bytes, state_to_bytes
from coarsefine.models.data.catalogue import CATALOGUE
from coarsefine.models.data.formats.cifar import read_cifar
from coarsefine.models.data.formats.idx import read_idx_dataset
from coarsefine.models.data.formats.npz import read_npz
from coarsefine.models.data.formats.tabular import read_table
from coarsefine.models.data.progress import Silent
from coarsefine.models.errors import DataError, ModelError
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from tests.models.data_files import (
    binary,
    cifar_batches,
    cifar_members,
    idx_contents,
    npz_arrays,
    pickled_by_python2,
    tar_bytes,
)

MANY = 10_000
SOME = 60
ROOM = 1 << 30

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@st.composite
def harmed(draw, whole):
    """Return bytes that were cut, overwritten, repeated or mixed up here and there."""
    contents = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(contents) - 1)))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(("cut", "bytes", "number", "zero", "repeat", "remove", "swap"))):
            case "cut":
                del contents[place:]
            case "bytes":
                contents[place : place + length] = draw(st.binary(min_size=1, max_size=length))
            case "number":
                order = draw(st.sampled_from(("<I", ">I", "<H", ">H", "B")))
                number = draw(st.sampled_from(NUMBERS)) & (256 ** struct.calcsize(order) - 1)
                contents[place : place + struct.calcsize(order)] = struct.pack(order, number)
            case "zero":
                contents[place : place + length] = bytes(length)
            case "repeat":
                contents[place:place] = contents[place : place + length] * draw(st.integers(1, 9))
            case "remove":
                del contents[place : place + length]
            case "swap":
                other = draw(st.integers(0, max(0, len(contents) - 1)))
                if contents:
                    contents[place], contents[other] = contents[other], contents[place]
    return bytes(contents)


@contextmanager
def little_memory():
    """Let nothing ask for more than a gigabyte beyond what there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def throw_at(read, whole, path, n):
    """Have ``read`` read ``n`` harmed versions of a file."""

    @settings(
        max_examples=n,
        suppress_health_check=list(HealthCheck),
    )
    @given(harmed(whole))
    def check(contents):
        path.write_bytes(contents)
        try:
            data = read()
        except DataError as error:
            in_one_line(error)
            return
        for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
            if x is not None:
                assert np.isfinite(x).all()
                assert len(x) == len(y) > 0
                assert 0 <= y.min() <= y.max() < len(data.class_names)

    # What a first reading imports is not what a harmed file costs.
    path.write_bytes(whole)
    with suppress(DataError):
        read()
    with little_memory():
        check()


def in_one_line(error):
    assert str(error)
    assert "\n" not in str(error)


def packed(kind, contents):
    return {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[kind](
        contents
    )


HOW_MANY = [
    pytest.param(SOME, id="some"),
    pytest.param(MANY, id="many", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("n", HOW_MANY)
@pytest.mark.parametrize("kind", ["plain", "gz"])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_idx(tmp_path, n, kind, name):
    contents = idx_contents()
    info = replace(CATALOGUE["mnist"], n_train=60, n_test=20, sample_shape=(4, 4), contents={})
    files = {each: tmp_path / each for each in contents}
    for each, path in files.items():
        path.write_bytes(packed(kind, contents[each]))

    throw_at(
        lambda: read_idx_dataset(info, files), packed(kind, contents[name]), files[name], n // 4
    )


@pytest.mark.parametrize("n", HOW_MANY)
@pytest.mark.parametrize("kind", ["python", "binary", "tar", "gz"])
def test_cifar(tmp_path, n, kind):
    batches = cifar_batches(n_batch=3, n_test=4)
    info = replace(CATALOGUE["cifar10"], n_train=15, n_test=4, sample_shape=(3, 2, 2), contents={})
    pack, ending = (binary, ".bin") if kind == "binary" else (pickled_by_python2, "")
    members = cifar_members(batches, pack, ending=ending)
    if kind in {"python", "binary"}:
        place = tmp_path / "cifar-10-batches-py"
        place.mkdir()
        for name, contents in members.items():
            (tmp_path / name).write_bytes(contents)
        path = place / f"data_batch_2{ending}"
        whole = path.read_bytes()
    else:
        whole = packed("gz" if kind == "gz" else "plain", tar_bytes(members))
        place = path = tmp_path / "cifar.tar"

    throw_at(lambda: read_cifar(info, place, Silent()), whole, path, n // 4)


@pytest.mark.parametrize("n", HOW_MANY)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, n, save):
    buffer = io.BytesIO()
    save(buffer, **npz_arrays(), x_test=np.zeros((4, 3)), y_test=np.array([0, 1, 0, 1]))
    path = tmp_path / "mine.npz"

    throw_at(lambda: read_npz(path), buffer.getvalue(), path, n // 2)


CSV = "a,b,label\n" + "".join(f"{i},{i / 7:.3f},{'ab'[i % 2]}\n" for i in range(20))
WRITTEN = {
    "plain": CSV.encode(),
    "quoted": re.sub(r"([^,\n]+)", r'"\1"', CSV).encode(),
    "marked, lines ended as Windows does": b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode(),
    "numbers as labels": re.sub(r"[ab]$", "1", CSV, flags=re.MULTILINE).encode(),
}


@pytest.mark.parametrize("n", HOW_MANY)
@pytest.mark.parametrize("how", WRITTEN)
def test_csv(tmp_path, n, how):
    path = tmp_path / "mine.csv"

    throw_at(lambda: read_table(path), WRITTEN[how], path, n // 4)


@pytest.mark.parametrize("n", HOW_MANY)
def test_parquet(tmp_path, n):
    path = tmp_path / "mine.parquet"
    pd.read_csv(io.StringIO(CSV)).to_parquet(path)

    throw_at(lambda: read_table(path), path.read_bytes(), path, n)


@pytest.mark.parametrize("n", HOW_MANY)
def test_checkpoints(n):
    network, training = NetworkSpec(4, (3,), 2), TrainingSpec(batch_size=5, n_updates=9)
    trials = (Hyperparameters(l2_strength=1e-3), Hyperparameters(l2_strength=1e-2))
    whole = state_to_bytes(initial_state(CohortPlan(network, training, trials, seed=0)))

    @settings(max_examples=n, suppress_health_check=list(HealthCheck))
    @given(harmed(whole))
    def check(contents):
        try:
            state_from_bytes(contents)
        except ModelError as error:
            in_one_line(error)

    with little_memory():
        check()


def test_a_checkpoint_that_unpacks_to_more_than_it_is_is_refused():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=np.zeros(1 << 24, np.uint8))

    with pytest.raises(ModelError, match="bytes that unpack to 16,777"):
        state_from_bytes(buffer.getvalue())
