"""People's own .npz, .csv and .parquet files, good and bad."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from coarsefine.models.data.formats.npz import read_npz
from coarsefine.models.data.formats.tabular import read_table
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from tests.models.data_files import npz_arrays

pytestmark = pytest.mark.usefixtures("private_cache")

IN_ORDER = SplitSpec("ordered", validation=8)


def as_it_is(path, **settings):
    return DataSpec(str(path), **({"split": IN_ORDER, "normalisation": "none"} | settings))


def put_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def all_rows(prepared):
    data = prepared.open()
    return np.concatenate([data.x_train, data.x_validation])


def test_an_npz_with_a_test_part_keeps_it_for_the_test(tmp_path):
    arrays = npz_arrays()
    test = npz_arrays(10, seed=1)
    path = put_npz(tmp_path / "own.npz", **arrays, x_test=test["x_train"], y_test=test["y_train"])

    prepared = prepare(as_it_is(path))

    np.testing.assert_array_equal(all_rows(prepared), arrays["x_train"])
    np.testing.assert_array_equal(open_test(prepared).x, test["x_train"])
    assert (prepared.name, prepared.n_classes, prepared.class_names) == ("own", 2, ("0", "1"))


@pytest.mark.parametrize("spelling", ["val", "validation"])
def test_an_npz_with_a_validation_part_splits_canonically_as_it_says(tmp_path, spelling):
    arrays, own = npz_arrays(), npz_arrays(12, seed=1)
    path = put_npz(
        tmp_path / "own.npz",
        **arrays,
        **{f"x_{spelling}": own["x_train"], f"y_{spelling}": own["y_train"]},
        x_test=own["x_train"],
        y_test=own["y_train"],
    )

    canonical = prepare(as_it_is(path, split=SplitSpec("canonical")))
    joined = prepare(as_it_is(path))

    np.testing.assert_array_equal(canonical.open().x_train, arrays["x_train"])
    np.testing.assert_array_equal(canonical.open().x_validation, own["x_train"])
    assert canonical.warnings == ()
    assert joined.n_train + joined.n_validation == 52
    assert any("validation part of its own" in warning for warning in joined.warnings)


def test_images_are_flattened_and_their_shape_kept(tmp_path):
    x = np.arange(40 * 2 * 3, dtype=np.uint8).reshape(40, 2, 3)
    path = put_npz(tmp_path / "own.npz", x_train=x, y_train=np.arange(40) % 2)

    prepared = prepare(as_it_is(path, normalisation="scale"))

    assert (prepared.n_features, prepared.sample_shape) == (6, (2, 3))
    assert 0 < prepared.open().x_train.max() <= 1


def test_without_a_test_part_a_fifth_is_set_aside_whatever_the_seed(tmp_path):
    path = put_npz(tmp_path / "own.npz", **npz_arrays(100))

    first, second = (
        prepare(as_it_is(path, split=SplitSpec(validation=10, seed=seed))) for seed in (0, 1)
    )

    assert first.n_test == 20
    assert first.key != second.key
    np.testing.assert_array_equal(open_test(first).x, open_test(second).x)
    np.testing.assert_array_equal(
        np.unique(all_rows(first), axis=0), np.unique(all_rows(second), axis=0)
    )


GOOD = npz_arrays()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y_train": GOOD["y_train"]}, "x_train is missing, got y_train"),
        ({"x": GOOD["x_train"], "y": GOOD["y_train"]}, "x_train is missing, got x, y"),
        (GOOD | {"x_test": GOOD["x_train"]}, "y_test is missing"),
        (GOOD | {"y_val": GOOD["y_train"]}, "x_validation is missing"),
        (GOOD | {"x_val": 1, "x_validation": 1}, "one of x_validation and x_val, got both"),
        (GOOD | {"y_train": GOOD["y_train"][:-1]}, "as many samples, got 40 and 39"),
        (GOOD | {"y_train": np.ones((40, 40))}, r"labels must be one whole number .* \(40, 40\)"),
        (GOOD | {"y_train": GOOD["y_train"] + 0.5}, "whole numbers, got 0.5 in row 0"),
        (GOOD | {"y_train": np.full(40, np.nan)}, "whole numbers, got nan"),
        (GOOD | {"y_train": GOOD["y_train"] * 2}, r"0 … 1 for 2 classes, got 2"),
        (GOOD | {"y_train": GOOD["y_train"] - 1}, "got -1"),
        (GOOD | {"y_train": np.zeros(40, int)}, "at least 2 classes, got 1"),
        (GOOD | {"y_train": np.full(40, "a")}, "must hold numbers, got <U1"),
        (GOOD | {"x_train": np.full((40, 3), np.nan)}, "120 that are not, the first nan at 0, 0"),
        (GOOD | {"x_train": np.full((40, 3), 1e300)}, "finite float32 numbers"),
        (GOOD | {"x_train": np.full((40, 3), 1j)}, "must hold numbers, got complex128"),
        (GOOD | {"x_train": np.zeros(40)}, r"samples × features, got shape \(40,\)"),
        (GOOD | {"x_train": np.zeros((40, 0))}, r"samples and features, got shape \(40, 0\)"),
        ({"x_train": np.zeros((0, 3)), "y_train": np.zeros(0)}, "must hold samples"),
        (
            GOOD | {"x_test": np.zeros((5, 4)), "y_test": np.zeros(5)},
            r"shape of x_train's, \(3,\), got \(4,\)",
        ),
        ({name: values[:4] for name, values in GOOD.items()}, "at least 5 samples, got 4"),
    ],
)
def test_an_npz_that_is_no_data_set_is_one_line(tmp_path, arrays, words):
    path = put_npz(tmp_path / "own.npz", **arrays)

    with pytest.raises(DataError, match=words) as caught:
        prepare(as_it_is(path))

    assert "\n" not in str(caught.value)


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def zipped(name, contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, contents)
        archive.writestr("y_train.npy", contents)
    return buffer.getvalue()


def header_only(shape):
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def with_a_name_that_is_no_text(contents):
    """Return an archive whose first name in the directory at its end is said to be in UTF-8."""
    spoilt, at = bytearray(contents), contents.index(b"PK\x01\x02")
    spoilt[at + 9] |= 0x08
    spoilt[at + 46] = 0x80
    return bytes(spoilt)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "an empty file"),
        (b"<html>", "a web page"),
        (with_a_name_that_is_no_text(npz_bytes(**GOOD)), "damaged or no .npz file: 'utf-8' codec"),
        (npz_bytes(**GOOD)[:-30], "damaged or no .npz"),
        (npz_bytes(**GOOD)[:300] + b"spoilt" + npz_bytes(**GOOD)[306:], "damaged"),
        (b"PK\x03\x04" + bytes(100), "damaged or no .npz"),
        (zipped("x_train.npy", b"no array"), "no NumPy array"),
        (zipped("x_train.npy", header_only((1 << 40, 1 << 10))), "needs 4,503,599,627,370,496 byt"),
        (zipped("x_train.npy", header_only((-4, -4))), "damaged"),
        (npz_bytes(**GOOD | {"x_train": np.array([{}])}), "must hold numbers, got object"),
    ],
)
def test_a_damaged_npz_is_one_line_that_names_it(tmp_path, contents, words):
    path = tmp_path / "own.npz"
    path.write_bytes(contents)

    with pytest.raises(DataError, match=words) as caught:
        prepare(as_it_is(path))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def table(n=50):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "width": rng.normal(size=n),
            "label": np.arange(n) % 2,
            "petals": rng.integers(0, 9, n),
            "tall": rng.random(n) > 0.5,
        }
    )


def put(frame, folder, ending):
    path = Path(folder) / f"own{ending}"
    if ending == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_its_feature_columns_and_its_labels(tmp_path, ending):
    frame = table()
    path = put(frame, tmp_path, ending)

    prepared = prepare(as_it_is(path))

    data, test = prepared.open(), open_test(prepared)
    rows = np.concatenate([data.x_train, data.x_validation, test.x])
    expected = frame.drop(columns="label").to_numpy(np.float32)
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected, axis=0))
    assert (prepared.n_features, prepared.n_classes, prepared.n_test) == (3, 2, 10)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_labels_may_be_words_in_a_column_of_any_name(tmp_path, ending):
    frame = table().rename(columns={"label": "species"})
    frame["species"] = np.where(frame["species"] == 1, "iris", "aster")
    path = put(frame, tmp_path, ending)

    prepared = prepare(as_it_is(path, label="species"))

    assert prepared.class_names == ("aster", "iris")
    assert set(prepared.open().y_train) == {0, 1}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.rename(columns={"label": "y"}), "label column 'label', got width, y, petals"),
        (lambda f: f[["label"]], "feature columns beside 'label', got none"),
        (lambda f: f.iloc[:0], "must hold samples, got none"),
        (
            lambda f: f.assign(width=f["width"].where(f.index != 3)),
            "missing in column 'width'.*(line 5|row 3)",
        ),
        (lambda f: f.assign(width=np.inf), "column 'width': features must be finite"),
        (lambda f: f.assign(width="tall"), "must be numbers, got 'tall' in column 'width'"),
        (lambda f: f.assign(label=f["label"].where(f.index != 7)), "must have a label, got 1 with"),
        (lambda f: f.assign(label=f["label"] + 0.5), "whole numbers, got 0.5"),
        (lambda f: f.assign(label=f["label"] * 2), "0 … 1 for 2 classes, got 2"),
        (lambda f: f.assign(label="same"), "at least 2 classes, got 1"),
        (lambda f: f.rename(columns={"width": "Unnamed: 0"}), "columns must have names"),
    ],
)
def test_a_table_that_is_no_data_set_is_one_line(tmp_path, ending, change, words):
    path = put(change(table()), tmp_path, ending)

    with pytest.raises(DataError, match=words) as caught:
        prepare(as_it_is(path))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "contents", "words"),
    [
        ("own.csv", b"", "an empty file"),
        ("own.csv", b"<!doctype html>\n<p>", "a web page"),
        ("own.csv", b"a,label\n1,0\n1,2,3,4\n", "damaged or no .csv file"),
        ("own.csv", b"a,label\n\xff\xfe\x00,1\n", "damaged or no .csv file"),
        (
            "own.csv",
            b"a,label\n1,2,0\n3,4,1\n",
            "damaged or no .csv file: line 2 has 3 values, the first",
        ),
        ("own.csv", b"a,a,label\n1,2,0\n", "must have different names, got 'a' twice"),
        ("own.parquet", b"a,label\n1,0\n", "must be a .parquet file, got a file that starts"),
        ("own.parquet", b"PAR1" + bytes(50), "damaged or no .parquet file"),
        ("own.parquet", b"PAR1", "damaged or no .parquet file"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_it(tmp_path, name, contents, words):
    path = tmp_path / name
    path.write_bytes(contents)

    with pytest.raises(DataError, match=words) as caught:
        prepare(as_it_is(path))

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_label_column_is_refused_where_there_are_no_columns(tmp_path):
    path = put_npz(tmp_path / "own.npz", **GOOD)

    for name in (str(path), "digits"):
        with pytest.raises(DataError, match=r"label column is for \.csv and .parquet"):
            prepare(as_it_is(name, label="species"))


def test_arrays_of_other_names_are_left_out_and_named(tmp_path, private_cache):
    path = tmp_path / "own.npz"
    x, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    np.savez(path, x_train=x, y_train=y, x_tset=x, y_tset=y)

    (line,) = read_npz(path).warnings

    assert "arrays of other names are left out: x_tset, y_tset" in line


def test_a_name_that_goes_over_lines_is_told_in_one(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('"a\nb",c\n1,2\n', encoding="utf-8")

    with pytest.raises(DataError, match=r"got a b, c; name") as refused:
        read_table(path)

    assert "\n" not in str(refused.value)
