"""Some classes of a data set, with or without a test set, and pixels on fixed scales."""

import numpy as np
import pytest

from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError

pytestmark = pytest.mark.usefixtures("private_cache")

ORDERED = SplitSpec("ordered", validation=5)


@pytest.fixture
def path(tmp_path):
    """30 samples of 0, 1, 2, … in turn, each of its number; 6 of them for the test."""
    y = np.arange(36) % 4
    x = np.repeat(np.arange(36, dtype=np.uint8)[:, None], 3, axis=1)
    path = tmp_path / "four.npz"
    np.savez(path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    return path


def prepared(path, **settings):
    return prepare(DataSpec(str(path), **{"split": ORDERED, "normalisation": "none"} | settings))


def numbers(x):
    return x[:, 0].astype(int).tolist()


def test_classes_are_chosen_and_joined_in_all_parts(path):
    data = prepared(path, classes=(("3",), ("0", "1")))

    opened, test = data.open(), open_test(data)
    assert data.class_names == ("3", "0+1")
    kept = [n for n in range(30) if n % 4 != 2]
    assert numbers(opened.x_train) + numbers(opened.x_validation) == kept
    assert opened.y_train.tolist() == [int(n % 4 != 3) for n in kept[:-5]]
    assert numbers(test.x) == [31, 32, 33, 35]
    assert test.y.tolist() == [0, 1, 1, 0]


def test_without_a_test_set_the_test_samples_validate_canonically(path):
    data = prepared(path, test="none", split=SplitSpec("canonical", train=20))

    opened = data.open()
    assert (data.n_train, data.n_validation, data.n_test) == (20, 6, 0)
    assert numbers(opened.x_train) == list(range(20))
    assert numbers(opened.x_validation) == list(range(30, 36))
    both = prepared(path, test="none", split=SplitSpec("canonical"), classes=(("0",), ("3",)))
    assert numbers(both.open().x_validation) == [31, 32, 35]


def test_a_file_without_a_test_part_keeps_all_its_samples(tmp_path):
    path = tmp_path / "plain.npz"
    np.savez(path, x_train=np.arange(40.0).reshape(20, 2), y_train=np.arange(20) % 2)

    whole, less = prepared(path, test="none"), prepared(path)

    assert (whole.n_train + whole.n_validation, whole.n_test) == (20, 0)
    assert (less.n_train + less.n_validation, less.n_test) == (16, 4)
    assert whole.fingerprint != less.fingerprint


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((("0",), ("7",)), "has no class '7'; its classes are 0, 1, 2, 3"),
        ((("0",), ("0", "1")), "each class must be named once, got '0' twice"),
        ((("0", "1"),), "classes must be two or more, got 1"),
    ],
)
def test_classes_that_cannot_be_are_one_line(path, classes, message):
    with pytest.raises(DataError, match=message):
        prepared(path, classes=classes)


def test_pixels_are_put_on_the_scales_that_courses_use(path):
    raw = np.arange(30)

    for kind, expected in (("symmetric", raw / 127.5 - 1), ("shifted", raw / 255 - 0.5)):
        data = prepared(path, normalisation=kind, precision="float64").open()
        found = np.concatenate([data.x_train, data.x_validation])[:, 0]
        np.testing.assert_allclose(found, expected, atol=1e-15)
