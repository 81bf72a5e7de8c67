"""Reading MNIST's files, wherever they lie and however they are packed."""

import gzip

import numpy as np
import pytest

from coarsefine.models.data.formats.idx import read_idx
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from tests.models.data_files import (
    PACKERS,
    idx_bytes,
    idx_contents,
    small_mnist,
    write_idx,
)

pytestmark = pytest.mark.usefixtures("private_cache")

AS_THEY_ARE = DataSpec("mnist", SplitSpec("ordered", validation=20), normalisation="none")


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
def test_files_are_found_by_any_usual_name(tmp_path, monkeypatch, packing, spelling, place):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path / "data" / place, contents, packing, spelling)

    prepared = prepare(AS_THEY_ARE, data_dir=tmp_path / "data")

    x = np.frombuffer(contents["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(60, 16)
    y = np.frombuffer(contents["train-labels-idx1-ubyte"], np.uint8, offset=8)
    data = prepared.open()
    np.testing.assert_array_equal(np.concatenate([data.x_train, data.x_validation]), x)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_validation]), y)
    assert prepared.warnings == ()
    assert (prepared.n_train, prepared.n_validation, prepared.n_test) == (40, 20, 20)


def test_changed_files_are_used_with_a_warning_and_decoded_again(tmp_path, monkeypatch):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path, contents)
    before = prepare(AS_THEY_ARE, data_dir=tmp_path)
    changed = contents["train-images-idx3-ubyte"][:-1] + b"\x07"
    write_idx(tmp_path, contents | {"train-images-idx3-ubyte": changed})

    after = prepare(AS_THEY_ARE, data_dir=tmp_path)

    assert before.fingerprint != after.fingerprint
    (warning,) = after.warnings
    assert "train-images-idx3-ubyte.gz" in warning
    assert "differs from what was published" in warning


def test_files_of_another_data_set_are_refused(tmp_path, monkeypatch):
    fashion = idx_contents(seed=5)
    small_mnist(monkeypatch, idx_contents())
    small_mnist(monkeypatch, fashion, name="fashion-mnist")
    write_idx(tmp_path, fashion)

    with pytest.raises(DataError, match="is a file of fashion-mnist"):
        prepare(AS_THEY_ARE, data_dir=tmp_path)


LABELS = np.arange(20, dtype=np.uint8)
WHOLE = idx_bytes(LABELS)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (b"PK\x03\x04abcdefgh", "starts with 50 4b 03 04"),
        (idx_bytes(LABELS.reshape(4, 5)), "idx file of 1 dimensions"),
        (WHOLE[:6], "header ends early"),
        (WHOLE[:-3], "must hold 20 values, got 17"),
        (idx_bytes(LABELS[:19]), "must hold 20 values, got 19"),
        (WHOLE + b"\x00", "at most 28 bytes, got more"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "damaged or incomplete"),
        (gzip.compress(WHOLE, mtime=0)[:-8] + b"\x00" * 8, "damaged or incomplete"),
        (gzip.compress(WHOLE, mtime=0)[:20] + b"\xff\xff", "damaged or incomplete"),
        (gzip.compress(bytes(10_000_000)), "idx file of 1 dimensions"),
        (gzip.compress(WHOLE + bytes(10_000_000)), "at most 28 bytes, got more"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, contents, words):
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(contents)

    with pytest.raises(DataError, match=words) as caught:
        read_idx(path, (20,))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_beyond_the_classes_are_refused(tmp_path, monkeypatch):
    contents = idx_contents()
    labels = contents["t10k-labels-idx1-ubyte"]
    contents["t10k-labels-idx1-ubyte"] = labels[:-1] + b"\x0a"
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path, contents)

    with pytest.raises(DataError, match=r"t10k-labels.* 0 … 9 for 10 classes, got 10"):
        prepare(AS_THEY_ARE, data_dir=tmp_path)
