"""Reading CIFAR-10: every packing the same data, no bytes ever run."""

import gzip
import lzma
import pickle
import tarfile

import numpy as np
import pytest

from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from tests.models.data_files import (
    PACKERS,
    binary,
    cifar_batches,
    cifar_members,
    pickled,
    pickled_by_python2,
    small_cifar,
    tar_bytes,
    write_members,
)

pytestmark = pytest.mark.usefixtures("private_cache")

CANONICAL = DataSpec("cifar10", SplitSpec("canonical"), normalisation="none")
PYTHON = "cifar-10-python.tar"


def put_archive(folder, members, name=PYTHON, packing=".gz"):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}{packing}").write_bytes(PACKERS[packing](tar_bytes(members)))
    return folder


@pytest.fixture
def batches(monkeypatch):
    small_cifar(monkeypatch)
    return cifar_batches()


def test_every_packing_gives_the_same_fingerprint_and_arrays(tmp_path, batches):
    members = {pack: cifar_members(batches, pack) for pack in (pickled, pickled_by_python2)}
    binaries = cifar_members(batches, binary, "cifar-10-batches-bin", ".bin")
    folders = [
        put_archive(tmp_path / f"{pack.__name__}{packing}", members[pack], packing=packing)
        for pack in members
        for packing in PACKERS
    ]
    folders.append(put_archive(tmp_path / "binary", binaries, "cifar-10-binary.tar"))
    for name, files in (("unpacked", members[pickled]), ("unpacked-binary", binaries)):
        write_members(tmp_path / name, files)
        folders.append(tmp_path / name)
    folders.append(tmp_path / "unpacked" / "cifar-10-batches-py")

    prepared = [prepare(CANONICAL, data_dir=folder) for folder in folders]

    assert len({one.fingerprint for one in prepared}) == 1
    assert len({one.key for one in prepared}) == 1
    data = prepared[0].open()
    np.testing.assert_array_equal(data.x_train, batches["data_batch_1"][0])
    np.testing.assert_array_equal(data.y_train, batches["data_batch_1"][1])
    np.testing.assert_array_equal(data.x_validation, batches["data_batch_2"][0])


def test_an_array_in_column_order_is_read_as_what_it_was(tmp_path, batches):
    x, y = batches["data_batch_1"]
    members = cifar_members(batches)
    members["cifar-10-batches-py/data_batch_1"] = pickled(np.asfortranarray(x), y)

    prepared = prepare(CANONICAL, data_dir=put_archive(tmp_path, members))

    np.testing.assert_array_equal(prepared.open().x_train, x)


class Harm:
    """Pickles as a call of whatever it is given."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def bomb():
    return Harm(np.zeros, ((1 << 40,),))


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (
            pickle.dumps(Harm(exec, ("raise SystemExit",)), 2),
            "asks for (__builtin__|builtins).exec",
        ),
        (pickle.dumps(bomb(), 2), "asks for numpy.*zeros"),
        (b"\x80\x02cnumpy\ndtype\n(U\x01OtR.", "calls dtype in a way"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "calls ndarray in a way"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "no CIFAR batch"),
        (b"\x80\x02cnumpy\ndtype\nU\x01ab.", "no CIFAR batch"),
        (b"\x80\x02U\x01aQ.", "outside of itself"),
        (b"\x80\x02" + b"\x8a\xff", "no CIFAR batch"),
        (b"\x80\x02]q\x00.", "must be a dictionary, got list"),
        (pickle.dumps({}, 2), "got nothing"),
        (pickle.dumps({"data": 1, "labels": []}, 2), "got data, labels"),
        (pickled(np.zeros((20, 11), np.uint8), range(20)), "N×12 unsigned bytes"),
        (pickled(np.zeros((20, 12), np.int16), [0] * 20), "calls dtype in a way"),
        (pickled(np.zeros((19, 12), np.uint8), [0] * 20), "20 images and labels, got 19 and 20"),
        (pickled(np.zeros((20, 12), np.uint8), [0] * 21), "20 images and labels, got 20 and 21"),
        (pickled(np.zeros((20, 12), np.uint8), [10] * 20), "0 … 9 for 10 classes, got 10"),
        (pickled(np.zeros((20, 12), np.uint8), [-1] * 20), "got -1"),
        (pickled(np.zeros((20, 12), np.uint8), [1 << 80] * 20), "labels must be 0 … K-1"),
        (b"<html>", "must be a pickle, got a web page"),
        (b"", "must be a pickle, got an empty file"),
        (bytes(200_000), "at most .* bytes, got 200,000"),
    ],
)
def test_a_batch_that_is_none_is_one_line_that_names_it(tmp_path, batches, contents, words):
    members = cifar_members(batches) | {"cifar-10-batches-py/data_batch_2": contents}
    put_archive(tmp_path, members)

    with pytest.raises(DataError, match=words) as caught:
        prepare(CANONICAL, data_dir=tmp_path)

    assert "data_batch_2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_that_are_no_numbers_are_refused(tmp_path, batches):
    batch = {"labels": ["a"] * 20, "data": batches["data_batch_1"][0]}
    members = cifar_members(batches)
    members["cifar-10-batches-py/data_batch_1"] = pickle.dumps(batch, 2)

    with pytest.raises(DataError, match="data_batch_1: labels must be whole numbers"):
        prepare(CANONICAL, data_dir=put_archive(tmp_path, members))


def link(name, target):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def test_links_and_names_that_point_out_of_the_archive_are_passed_over(tmp_path, batches):
    lures = {
        "link": link("x/data_batch_1", "/etc/passwd"),
        "/cifar-10-batches-py/data_batch_1": b"absolute",
        "../data_batch_1": b"above",
        "cifar-10-batches-py/readme.html": b"beside",
    }

    prepared = prepare(CANONICAL, data_dir=put_archive(tmp_path, lures | cifar_members(batches)))

    np.testing.assert_array_equal(prepared.open().x_train, batches["data_batch_1"][0])


def test_a_batch_that_is_there_twice_is_refused(tmp_path, batches):
    members = cifar_members(batches) | {"again/data_batch_3": b"other"}

    with pytest.raises(DataError, match="data_batch_3: must be there once, got it twice"):
        prepare(CANONICAL, data_dir=put_archive(tmp_path, members))


def test_an_archive_without_a_batch_names_it(tmp_path, batches):
    members = cifar_members(batches)
    del members["cifar-10-batches-py/data_batch_4"]

    with pytest.raises(DataError, match=r"got none of data_batch_4"):
        prepare(CANONICAL, data_dir=put_archive(tmp_path, members))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda packed: packed[: len(packed) // 2], "damaged or incomplete"),
        (lambda packed: packed[:40] + b"spoilt" + packed[46:], "damaged or incomplete"),
        (lambda packed: b"<html>" + packed, "a web page"),
        (lambda packed: b"", "an empty file"),
        (lambda packed: b"no archive at all" * 100, "damaged or incomplete"),
        (lambda packed: gzip.compress(tar_bytes({"readme": bytes(20_000_000)}), 1), "at most"),
    ],
)
def test_a_damaged_archive_is_one_line_that_names_it(tmp_path, batches, spoil, words):
    packed = lzma.compress(tar_bytes(cifar_members(batches)))
    path = tmp_path / f"{PYTHON}.xz"
    path.write_bytes(spoil(packed))

    with pytest.raises(DataError, match=words) as caught:
        prepare(CANONICAL, data_dir=tmp_path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_batches_must_be_whole_records(tmp_path, batches):
    members = cifar_members(batches, binary, "cifar-10-batches-bin", ".bin")
    members["cifar-10-batches-bin/data_batch_1.bin"] += b"\x00"
    write_members(tmp_path, members)

    with pytest.raises(DataError, match=r"records of 1 [+] 12 bytes, got 20 and 1 bytes"):
        prepare(CANONICAL, data_dir=tmp_path)
