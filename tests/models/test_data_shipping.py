"""Prepared data on another machine: found by its key, sent where it is not, and never mistaken."""

from dataclasses import replace

import numpy as np
import pytest

from coarsefine.models.data import DataSpec, prepare, prepared
from coarsefine.models.data.shipping import found_here, packed, unpacked
from coarsefine.models.errors import DataError
from tests.models.samples import made_up


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "driver"))
    monkeypatch.delenv("SEARCH_DATA_DIR", raising=False)
    prepared._open.clear()
    samples = made_up(dtype=np.float32)
    path = tmp_path / "blobs.npz"
    np.savez(
        path,
        x_train=samples.x_train,
        y_train=samples.y_train,
        x_test=samples.x_validation,
        y_test=samples.y_validation,
    )
    return prepare(DataSpec(str(path)))


@pytest.fixture
def elsewhere(data, tmp_path, monkeypatch):
    """Return the handle as it arrives on a machine that has neither the file nor the cache."""

    def move():
        monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path / "worker"))
        prepared._open.clear()
        nowhere = DataSpec(str(tmp_path / "nowhere.npz"))
        return replace(data, folder=tmp_path / "nowhere", spec=nowhere)

    return move


def arrays(data):
    prepared._open.clear()
    opened = data.open()
    return [opened.x_train, opened.y_train, opened.x_validation, opened.y_validation]


def test_data_that_were_sent_are_the_same_bit_for_bit_and_stay_there(data, elsewhere):
    there, sent = arrays(data), packed(data)

    handle = elsewhere()
    assert found_here(handle) is None
    here = unpacked(handle, sent)

    for one, other in zip(there, arrays(here), strict=True):
        np.testing.assert_array_equal(one, other)
    assert found_here(handle).folder == here.folder != data.folder
    assert not any("test" in name for name in sent.files)


def test_data_are_prepared_anew_from_their_file_where_that_is_the_same(data, elsewhere):
    handle = replace(elsewhere(), spec=data.spec, data_dir=None)

    here = found_here(handle)

    assert here.folder != data.folder
    for one, other in zip(arrays(data), arrays(here), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_that_was_changed_is_not_taken_for_the_data(data, elsewhere):
    with np.load(data.spec.name) as stored:
        changed = {name: np.array(stored[name]) for name in stored.files}
    changed["x_train"][0, 0] += 1
    np.savez(data.spec.name, **changed)

    assert found_here(replace(elsewhere(), spec=data.spec)) is None


@pytest.mark.parametrize("name", ["x_train.npy", "y_validation.npy", "meta.json"])
def test_data_that_were_harmed_on_the_way_are_refused(data, elsewhere, name):
    sent = packed(data)
    files = {file: np.array(contents) for file, contents in sent.files.items()}
    files[name][-1] ^= 1

    with pytest.raises(DataError, match="must arrive as they were sent"):
        unpacked(elsewhere(), replace(sent, files=files))


def test_data_of_another_key_are_refused(data, elsewhere):
    sent = packed(data)

    with pytest.raises(DataError, match="must arrive as they were sent"):
        unpacked(replace(elsewhere(), key="0" * 32), sent)
