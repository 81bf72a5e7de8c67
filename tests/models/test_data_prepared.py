"""Prepared data: normalised by the training split alone, stored once, without the test split."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coarsefine.models.data import cache, prepared
from coarsefine.models.data.confinement import confined
from coarsefine.models.data.normalise import fitted
from coarsefine.models.data.prepared import PreparedData, TrainingData, prepare, prepare_final
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from coarsefine.models.specs import NORMALISATIONS
from tests.models.data_files import npz_arrays

pytestmark = pytest.mark.usefixtures("private_cache")

FLOATS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(2, 12), st.integers(1, 5)),
    elements=st.floats(-1e3, 1e3, width=32),
)


ROOT = Path(__file__).parents[2]


def spec(path, **settings):
    return DataSpec(str(path), **({"split": SplitSpec(validation=8)} | settings))


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.npz"
    test = npz_arrays(10, seed=1)
    np.savez(path, **npz_arrays(), x_test=test["x_train"], y_test=test["y_train"])
    return path


def test_digits_are_there_at_once():
    digits = prepare(DataSpec("digits", normalisation="scale"), download=False)

    data = digits.open()
    assert (digits.n_train, digits.n_validation, digits.n_test) == (1294, 144, 359)
    assert (digits.n_features, digits.n_classes, digits.sample_shape) == (64, 10, (8, 8))
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert digits.warnings == ()


@given(x=FLOATS, kind=st.sampled_from(NORMALISATIONS), n_train=st.integers(1, 12))
def test_statistics_come_from_the_training_rows_only(x, kind, n_train):
    rows = np.arange(min(n_train, len(x)))
    spoilt = x.copy()
    spoilt[len(rows) :] = 9e9

    one, other = (fitted(kind, values, rows, None) for values in (x, spoilt))

    np.testing.assert_array_equal(one.shift, other.shift)
    np.testing.assert_array_equal(one.divisor, other.divisor)


@given(x=FLOATS)
def test_each_normalisation_does_what_its_name_says(x):
    rows = np.arange(len(x))
    wide = x.astype(np.float64)
    results = {kind: fitted(kind, x, rows, None).applied(x, "float64") for kind in NORMALISATIONS}

    # Sums of a dozen float64 numbers up to 1e3, divided by a deviation that float32 values can
    # have at the least: a thousandth of a millionth is far above their rounding.
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_array_equal(results["none"], wide)
    if wide.min() < wide.max():
        scaled = (wide - wide.min()) / (wide.max() - wide.min())
        np.testing.assert_allclose(results["scale"], scaled, **close)
        np.testing.assert_allclose(results["centre"], scaled - scaled.mean(axis=0), **close)
        whole = results["standardise-all"]
        np.testing.assert_allclose([whole.mean(), whole.std()], [0, 1], rtol=1e-6, atol=1e-4)
    varying = wide.min(axis=0) < wide.max(axis=0)
    each = results["standardise"]
    np.testing.assert_allclose(each[:, ~varying], 0, atol=1e-9)
    np.testing.assert_allclose(each[:, varying].std(axis=0), 1, rtol=1e-6)


def test_statistics_gathered_in_pieces_are_those_of_the_whole(monkeypatch):
    x = np.random.default_rng(0).normal(1e4, 1, (1000, 3)).astype(np.float32)
    monkeypatch.setattr("coarsefine.models.data.normalise._PIECE_BYTES", 24 * 64)

    result = fitted("standardise", x, np.arange(900), None)

    wide = x[:900].astype(np.float64)
    np.testing.assert_allclose(result.shift, wide.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result.divisor, wide.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_arrays_are_contiguous_read_only_views_of_files(own, precision):
    data = prepare(spec(own, precision=precision)).open()

    for x in (data.x_train, data.x_validation):
        assert type(x) is np.ndarray
        assert (x.dtype, x.flags.c_contiguous, x.flags.writeable) == (precision, True, False)
        assert isinstance(x.base, np.memmap)
    assert data.y_train.dtype == data.y_validation.dtype == np.int64
    assert not data.y_train.flags.writeable


def test_no_test_array_is_within_reach_of_a_search(own):
    one = prepare(spec(own))

    parts = {"x_train", "y_train", "x_validation", "y_validation"}
    assert set(TrainingData.__slots__) == parts | {"sample_shape"}
    stored = {file.name for file in one.folder.iterdir()}
    expected = {"meta.json", "statistics.npz"} | {f"{name}.npy" for name in parts}
    assert stored == expected
    seen = np.concatenate([one.open().x_train, one.open().x_validation])
    test = open_test(one).x
    assert not (seen[:, None] == test[None]).all(axis=2).any()


def test_the_test_set_is_normalised_as_the_training_split_was(own):
    one = prepare(spec(own, normalisation="standardise", precision="float64"))
    raw = prepare(spec(own, normalisation="none", precision="float64"))

    train = raw.open().x_train
    expected = (open_test(raw).x - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(open_test(one).x, expected, rtol=1e-12, atol=1e-12)


def test_the_final_training_has_both_splits_less_a_small_part(own):
    search = prepare(spec(own, normalisation="none"))
    final = prepare_final(spec(own, normalisation="none"), validation=3)
    none = prepare_final(spec(own, normalisation="none"), refit="none")

    assert (final.n_train, final.n_validation) == (37, 3)
    assert none.key == search.key != final.key
    np.testing.assert_array_equal(final.open().x_validation, search.open().x_validation[:3])
    standardised = prepare_final(spec(own), validation=3)
    np.testing.assert_allclose(standardised.open().x_train.std(axis=0), 1, rtol=1e-5)
    with pytest.raises(DataError, match="refit must be"):
        prepare_final(spec(own), refit="both")
    with pytest.raises(DataError, match="got 40 to keep"):
        prepare_final(spec(own), validation=40)


def test_equal_data_has_one_key_wherever_the_file_lies(own, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copy(own, tmp_path / "elsewhere" / "other.npz")

    first, second = prepare(spec(own)), prepare(spec(copy))

    assert first.key == second.key
    assert first.fingerprint == second.fingerprint
    assert prepare(spec(own, split=SplitSpec(seed=1))).split_fingerprint != first.split_fingerprint


def test_a_draw_is_data_of_its_own_beside_the_same_validation_split(own):
    one, same, other = (
        prepare(spec(own, split=SplitSpec(validation=8, train=5, **draw)))
        for draw in ({}, {"draw": 0}, {"draw": 1})
    )

    assert one.key == same.key != other.key
    assert other.open().x_train.shape == one.open().x_train.shape
    np.testing.assert_array_equal(other.open().y_validation, one.open().y_validation)


def test_a_handle_goes_through_pickle_and_is_opened_once(own):
    handle = pickle.loads(pickle.dumps(prepare(spec(own))))

    assert isinstance(handle, PreparedData)
    assert handle.open() is handle.open()


def test_where_the_arrays_are_gone_they_are_prepared_again(own):
    one = prepare(spec(own))
    expected = one.open().x_train.copy()
    prepared._open.clear()
    shutil.rmtree(cache.cache_dir())

    np.testing.assert_array_equal(one.open().x_train, expected)


def test_data_that_changed_under_a_search_is_refused(own):
    one = prepare(spec(own))
    shutil.rmtree(cache.cache_dir())
    np.savez(own, **npz_arrays(seed=9))

    with pytest.raises(DataError, match="must be the one the search began with"):
        one.open()
    with pytest.raises(DataError, match="must be the one trained on"):
        open_test(one)


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"half")])
@pytest.mark.parametrize("name", ["x_train.npy", "meta.json"])
def test_a_damaged_cache_entry_is_made_again(own, spoil, name):
    one = prepare(spec(own))
    spoil(one.folder / name)

    again = prepare(spec(own))

    assert again == one
    assert again.open().x_train.shape == (32, 3)


PREPARE_HERE = """
import sys
from coarsefine.models.data import DataSpec, SplitSpec, prepare
print(prepare(DataSpec(sys.argv[1], SplitSpec(validation=8))).open().x_train.sum())
"""


def test_processes_may_prepare_the_same_data_at_the_same_time(own):
    command = [sys.executable, "-c", PREPARE_HERE, str(own)]

    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    results = {process.communicate()[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(results) == 1
    assert not list(cache.cache_dir().glob("*/.tmp-*"))


def test_least_recently_used_data_leaves_a_full_cache_first(own, monkeypatch):
    first, second, third = (prepare(spec(own, split=SplitSpec(seed=i))) for i in range(3))
    for age, entry in enumerate((second, third, first)):
        os.utime(entry.folder / "meta.json", (age + 1, age + 1))
    size = sum(file.stat().st_size for file in first.folder.iterdir())
    decoded = sum(f.stat().st_size for f in cache.cache_dir().glob("decoded/*/*"))
    monkeypatch.setenv("SEARCH_CACHE_LIMIT_GB", str((3.5 * size + decoded) / 1e9))

    newest = prepare(spec(own, split=SplitSpec(seed=3)))

    assert [entry.folder.exists() for entry in (first, second, third)] == [True, False, True]
    monkeypatch.setenv("SEARCH_CACHE_LIMIT_GB", "1e-9")
    last = prepare(spec(own, split=SplitSpec(seed=4)))
    assert last.folder.exists()
    assert not newest.folder.exists()


@pytest.mark.parametrize("limit", ["plenty", "0", "-1", "nan"])
def test_a_cache_limit_that_is_none_is_refused(own, monkeypatch, limit):
    monkeypatch.setenv("SEARCH_CACHE_LIMIT_GB", limit)

    with pytest.raises(DataError, match=f"SEARCH_CACHE_LIMIT_GB must be .* got '{limit}'"):
        prepare(spec(own))


def test_where_the_cache_cannot_be_written_a_temporary_folder_serves(own, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "file" / "cache"))

    one = prepare(spec(own))

    assert one.open().x_train.shape == (32, 3)
    assert any("cannot be written" in warning for warning in one.warnings)


def test_a_class_missing_from_a_split_is_said_in_words(tmp_path):
    arrays = npz_arrays(60, n_classes=3)
    arrays["y_train"] = np.sort(arrays["y_train"])
    np.savez(tmp_path / "sorted.npz", **arrays)

    one = prepare(spec(tmp_path / "sorted.npz", split=SplitSpec("ordered", validation=10)))

    assert one.warnings == ("2 classes have no sample among the 10 of the validation split: 0, 1",)


def test_confined_to_folders_nothing_else_is_opened_by_any_name_or_worker(own, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    here = Path(shutil.copy(own, inside / "here.npz"))
    link = inside / "link.npz"
    link.symlink_to(own)

    with confined([inside]):
        data = prepare(spec(here))
        for name in (own, link, inside / ".." / own.name, tmp_path / "not-there.csv"):
            with pytest.raises(DataError, match="must lie in the server's folders"):
                prepare(spec(name))
        with pytest.raises(DataError, match="must lie in"):
            prepare(spec(own.name), data_dir=tmp_path)

    # A worker that has to prepare them again is another process.
    shutil.rmtree(data.folder)
    here.unlink()
    here.symlink_to(own)
    with pytest.raises(DataError, match="must lie in"):
        pickle.loads(pickle.dumps(data)).open()
    prepare(spec(own))
