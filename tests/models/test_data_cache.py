"""The cache gives back what was written, or makes it again."""

import json
import os
import shutil

import numpy as np
import pytest

from coarsefine.models.data import cache, prepared
from coarsefine.models.data.block_sums import checksum
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from tests.models.data_files import npz_arrays

pytestmark = pytest.mark.usefixtures("private_cache")


def spec(path, **settings):
    return DataSpec(str(path), **({"split": SplitSpec(validation=8)} | settings))


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.npz"
    test = npz_arrays(10, seed=1)
    np.savez(path, **npz_arrays(), x_test=test["x_train"], y_test=test["y_train"])
    return path


@pytest.fixture
def another_process(monkeypatch):
    """Forget what this process has looked at."""

    def begin():
        prepared._open.clear()
        monkeypatch.setattr(cache, "_verified", set())

    return begin


def flip(path, place=-3):
    """Flip a bit, and let nothing of the file's size and time tell."""
    stat = path.stat()
    contents = bytearray(path.read_bytes())
    contents[place] ^= 4
    path.write_bytes(contents)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    "name", ["x_train.npy", "y_train.npy", "x_validation.npy", "statistics.npz", "meta.json"]
)
def test_flipped_bits_in_prepared_data_are_noticed(own, another_process, name):
    one = prepare(spec(own))
    expected = one.open().x_train.copy()
    another_process()
    flip(one.folder / name)

    again = prepare(spec(own))

    np.testing.assert_array_equal(again.open().x_train, expected)
    assert again.key == one.key
    if name != "meta.json":
        (line,) = again.warnings
        assert f"a file in the cache was damaged ({name}); it was made again" in line


@pytest.mark.parametrize("name", ["x_test.npy", "y_test.npy", "x.npy", "y.npy"])
def test_flipped_bits_in_decoded_data_are_noticed(own, another_process, name):
    one = prepare(spec(own))
    expected, test = one.open().x_train.copy(), open_test(one)
    another_process()
    (folder,) = (cache.cache_dir() / "decoded").iterdir()
    flip(folder / name)
    shutil.rmtree(one.folder)

    again = prepare(spec(own))

    np.testing.assert_array_equal(again.open().x_train, expected)
    np.testing.assert_array_equal(open_test(again).x, test.x)
    np.testing.assert_array_equal(open_test(again).y, test.y)


def test_a_worker_notices_what_was_damaged_after_planning(own, another_process):
    one = prepare(spec(own))
    expected = one.open().x_train.copy()
    another_process()
    flip(one.folder / "x_train.npy")

    np.testing.assert_array_equal(one.open().x_train, expected)


def test_entries_without_checksums_are_made_again(own, another_process):
    one = prepare(spec(own))
    meta = json.loads((one.folder / "meta.json").read_text())
    del meta["checksums"], meta["checksum"]
    (one.folder / "meta.json").write_text(json.dumps(meta))
    another_process()

    assert prepare(spec(own)).key == one.key
    assert "checksums" in json.loads((one.folder / "meta.json").read_text())


@pytest.mark.parametrize("how", ["written over", "moved over"])
def test_other_contents_of_the_same_size_and_time_are_noticed(own, tmp_path, how):
    one = prepare(spec(own))
    stat = own.stat()
    arrays = npz_arrays(seed=5)
    other = tmp_path / "other.npz"
    test = npz_arrays(10, seed=1)
    np.savez(other, **arrays, x_test=test["x_train"], y_test=test["y_train"])
    assert other.stat().st_size == stat.st_size
    if how == "moved over":
        other.rename(own)
    else:
        own.write_bytes(other.read_bytes())
    os.utime(own, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    again = prepare(spec(own))

    assert again.fingerprint != one.fingerprint


@pytest.mark.parametrize("n_bytes", [0, 1, 32_767, 32_768, 100_000, 3_000_000])
def test_a_checksum_changes_with_every_kind_of_damage(tmp_path, n_bytes):
    path = tmp_path / "file"
    contents = np.random.default_rng(n_bytes).integers(0, 256, n_bytes, dtype=np.uint8)

    def of(values):
        path.write_bytes(values.tobytes())
        return checksum(path)

    whole = of(contents)
    assert of(contents) == whole
    assert of(np.append(contents, np.uint8(0))) != whole
    if n_bytes < 2:
        return
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, two = rng.integers(0, n_bytes, 2)
        flipped, swapped, zeroed = contents.copy(), contents.copy(), contents.copy()
        flipped[one] ^= 1 << int(rng.integers(8))
        swapped[[one, two]] = contents[[two, one]]
        zeroed[one : one + 4096] = 0
        assert of(flipped) != whole
        assert (of(swapped) != whole) == (contents[one] != contents[two])
        assert (of(zeroed) != whole) == bool(contents[one : one + 4096].any())


def test_values_that_changed_places_within_a_row_or_a_column_are_noticed(tmp_path):
    path = tmp_path / "file"
    words = np.arange(4096, dtype="<u8").reshape(64, 64)
    words.tofile(path)
    whole = checksum(path)
    for swapped in ((slice(None), [1, 0]), ([1, 0], slice(None))):
        other = words.copy()
        other[swapped] = words[tuple(np.sort(s) if isinstance(s, list) else s for s in swapped)]
        other.tofile(path)
        assert checksum(path) != whole


@pytest.mark.parametrize("home", ["/nonexistent/home", ""])
def test_without_a_home_a_temporary_folder_serves(own, tmp_path, monkeypatch, home):
    for name in ("SEARCH_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    if not home:
        # As for a user that the system has no name of.
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)

    one = prepare(spec(own))

    assert any("no home folder to keep a cache in" in line for line in one.warnings)
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("most_bytes", [100, 5_000, 100_000])
def test_a_cache_without_room_is_named_with_what_to_do(private_cache, most_bytes):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        with pytest.raises(DataError) as refused:
            prepare(DataSpec("digits"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    line = str(refused.value)
    assert line.startswith(f"the cache folder {cache.cache_dir()}/")
    assert line.endswith("free some space or name another with SEARCH_CACHE_DIR")
    assert prepare(DataSpec("digits")).n_train
