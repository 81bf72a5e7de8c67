"""Columns of words and gaps: encoded by the training split alone, for every sample alike."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from coarsefine.models.data.columns import Column, Encoder, fitted_encoder
from coarsefine.models.data.formats.tabular import read_table
from coarsefine.models.data.normalise import fitted, pieces
from coarsefine.models.data.prepared import prepare, prepare_final
from coarsefine.models.data.raw import SideBySide
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError

pytestmark = pytest.mark.usefixtures("private_cache")

SIZE = Column("size")
TOWN = Column("town", ("Bonn", "Köln", "Ulm"))
X = np.array([[1.0, 0], [np.nan, 2], [3.0, 2], [8.0, np.nan], [100.0, 1], [np.nan, 1]])
TRAIN = np.arange(4)


def encoded(missing):
    encoder = fitted_encoder(X, TRAIN, (SIZE, TOWN), missing)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    return dict(zip(encoder.feature_names, encoder.encoded(X, (SIZE, TOWN)).T, strict=True))


def test_median_and_most_frequent_word_come_from_the_training_rows():
    features = encoded("median")

    # The median of 1, 3 and 8; the training rows have Ulm twice, Bonn once.
    np.testing.assert_array_equal(features["size"], [1, 3, 3, 8, 100, 3])
    np.testing.assert_array_equal(features["town=Ulm"], [0, 1, 1, 1, 0, 0])


def test_an_indicator_says_where_values_were_missing():
    features = encoded("indicator")

    np.testing.assert_array_equal(features["size=(missing)"], [0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(features["town=(missing)"], [0, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(features["town=Ulm"], [0, 1, 1, 0, 0, 0])


def test_rare_and_unseen_words_share_a_feature():
    features = encoded("indicator")

    # Bonn is rare, Köln is not in the training rows.
    assert set(features) == {"size", "size=(missing)", "town=Ulm", "town=(other)", "town=(missing)"}
    np.testing.assert_array_equal(features["town=(other)"], [1, 0, 0, 0, 1, 1])


def test_words_are_found_by_what_they_say_not_by_their_place():
    encoder = fitted_encoder(X, TRAIN, (SIZE, TOWN), "median")
    others = np.array([[1.0, 0.0]])

    (row,) = encoder.encoded(others, (SIZE, Column("town", ("Ulm",))))

    assert dict(zip(encoder.feature_names, row, strict=True))["town=Ulm"] == 1


def test_a_column_without_a_value_in_the_training_split_is_refused():
    x = np.array([[np.nan], [np.nan], [1.0]])

    with pytest.raises(DataError, match="column 'size' must have values in the training split"):
        fitted_encoder(x, np.arange(2), (SIZE,), "median")


def titanic(n=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "sex": np.where(np.arange(n) % 3, "male", "female"),
            "age": rng.normal(30, 10, n).round(),
            "fare": rng.gamma(2, 10, n),
            "label": np.arange(n) % 2,
        }
    )
    frame.loc[rng.random(n) < 0.2, "age"] = np.nan
    frame.loc[rng.random(n) < 0.1, "sex"] = None
    return frame


@pytest.fixture(params=[".csv", ".parquet"])
def passengers(tmp_path, request):
    path = tmp_path / f"passengers{request.param}"
    frame = titanic()
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


def of(path, **settings):
    settings = {"split": SplitSpec("ordered", validation=40), "normalisation": "none"} | settings
    return DataSpec(str(path), **settings)


def test_a_table_with_words_and_gaps_is_refused_in_a_line_that_names_both_settings(passengers):
    with pytest.raises(DataError) as caught:
        prepare(of(passengers))

    assert "data.categorical = one-hot" in str(caught.value)
    assert "data.missing = median, indicator or drop" in str(caught.value)


def test_words_and_gaps_become_features_of_all_three_splits(passengers):
    prepared = prepare(of(passengers, categorical="one-hot", missing="indicator"))

    data, test = prepared.open(), open_test(prepared)
    names = prepared.transform().encoder.feature_names
    assert names == (
        *("sex=female", "sex=male", "sex=(missing)"),
        *("age", "age=(missing)", "fare"),
    )
    assert prepared.n_features == len(names)
    assert prepared.sample_shape == (len(names),)
    for x in (data.x_train, data.x_validation, test.x):
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(x[:, :3].sum(axis=1), 1)
        assert 0 < x[:, 4].mean() < 0.5
    known = data.x_train[data.x_train[:, 4] == 0, 3]
    for x in (data.x_train, data.x_validation, test.x):
        np.testing.assert_array_equal(x[x[:, 4] == 1, 3], np.float32(np.median(known)))


def test_what_validation_and_test_hold_changes_nothing_of_the_training_split(tmp_path):
    frame = titanic()
    frame.to_csv(tmp_path / "one.csv", index=False)
    # The training split is 120 of the first 170 samples, in their order.
    frame.loc[170:, "age"] = 1e6
    frame.loc[170:, "sex"] = "unheard of"
    frame.to_csv(tmp_path / "two.csv", index=False)
    settings = {"categorical": "one-hot", "missing": "median", "normalisation": "standardise"}

    one, two = (prepare(of(tmp_path / name, **settings)) for name in ("one.csv", "two.csv"))

    assert one.n_train == 120
    assert one.transform().encoder == two.transform().encoder
    np.testing.assert_array_equal(one.open().x_train, two.open().x_train)
    assert not np.array_equal(one.open().x_validation, two.open().x_validation)


def test_dropping_samples_with_gaps_leaves_the_others_as_they_are(passengers):
    prepared = prepare(of(passengers, categorical="one-hot", missing="drop"))

    frame = titanic()
    n = int((~frame.isna().any(axis=1)).sum())
    assert prepared.n_train + prepared.n_validation + prepared.n_test == n
    assert any("have missing values and are left out" in line for line in prepared.warnings)


def test_the_final_training_fits_anew(passengers):
    spec = of(passengers, categorical="one-hot", missing="median", normalisation="standardise")
    final = prepare_final(spec, validation=5)

    assert final.key != prepare(spec).key
    np.testing.assert_allclose(final.open().x_train.mean(axis=0), 0, atol=1e-5)
    assert open_test(final).x.shape == (final.n_test, final.n_features)


@pytest.mark.parametrize("settings", [{"categorical": "one-hot"}, {"missing": "drop"}])
@pytest.mark.parametrize("name", ["digits", "npz"])
def test_settings_of_tables_are_refused_elsewhere(tmp_path, name, settings):
    np.savez(tmp_path / "own.npz", x_train=np.zeros((9, 2)), y_train=np.arange(9) % 2)
    path = tmp_path / "own.npz" if name == "npz" else name

    with pytest.raises(DataError, match=f"{next(iter(settings))}: such options are for .csv"):
        prepare(of(path, **settings))


def test_a_table_written_in_blocks_and_encoded_in_pieces_holds_the_same_bytes(
    passengers, monkeypatch
):
    spec = of(passengers, categorical="one-hot", missing="indicator", test="none")
    whole = read_table(passengers, categorical="one-hot", missing="indicator")
    fingerprint = prepare(spec).fingerprint
    # Blocks and pieces of seven rows, the last of which are shorter.
    monkeypatch.setattr("coarsefine.models.data.decoded._BLOCK_BYTES", 8 * 3 * 7)
    monkeypatch.setattr("coarsefine.models.data.decoded._FORMAT", 0)
    monkeypatch.setattr("coarsefine.models.data.normalise._PIECE_BYTES", 8 * 7 * 7)
    monkeypatch.setattr("coarsefine.models.data.prepared._FORMAT", 0)

    prepared = prepare(spec)

    assert prepared.fingerprint == fingerprint
    x, train = np.asarray(whole.x), np.arange(160)
    encoder = fitted_encoder(x, train, whole.columns, "indicator")
    data = prepared.open()
    expected = encoder.encoded(x, whole.columns).astype(np.float32)
    np.testing.assert_array_equal(np.concatenate([data.x_train, data.x_validation]), expected)


def test_statistics_of_samples_encoded_in_pieces_are_those_of_samples_encoded_at_once():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(30, 10, 500), rng.integers(0, 3, 500)])
    rows = rng.permutation(500)[:400]
    encoder = fitted_encoder(x, rows, (SIZE, TOWN), None)
    once, view = encoder.encoded(x, (SIZE, TOWN)), encoder.view(x, (SIZE, TOWN))

    (piece,) = pieces(view, rows)
    np.testing.assert_array_equal(piece, once[rows])
    expected, got = (fitted("standardise", samples, rows, None) for samples in (once, view))
    np.testing.assert_array_equal(got.shift, expected.shift)
    np.testing.assert_array_equal(got.divisor, expected.divisor)


def test_words_of_a_large_table_are_never_encoded_all_at_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    words = {f"w{i}": rng.choice(list("abcdefghij"), 20_000) for i in range(10)}
    path = tmp_path / "words.parquet"
    pd.DataFrame(words | {"label": rng.integers(0, 2, 20_000)}).to_parquet(path)
    spec = of(path, categorical="one-hot", test="none")
    prepare(spec)
    monkeypatch.setattr("coarsefine.models.data.normalise._PIECE_BYTES", 1 << 18)
    monkeypatch.setattr("coarsefine.models.data.features._N_SAMPLED", 1000)

    tracemalloc.start()
    prepared = prepare(of(path, categorical="one-hot", test="none", normalisation="standardise"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert prepared.n_features == 100
    assert peak < 8 * 20_000 * 100 / 2


def test_rows_of_columns_side_by_side_are_those_of_the_array():
    columns = [np.arange(6, dtype=np.float32), np.arange(6.0) / 3]
    array = np.column_stack(columns)
    side = SideBySide(columns, np.dtype(np.float64))
    odd = np.arange(6) % 2 == 1

    for rows in (slice(1, 4), slice(0), odd, np.array([5, 0, 0])):
        np.testing.assert_array_equal(np.asarray(side[rows]), array[rows])
        assert side[rows].shape == array[rows].shape
    np.testing.assert_array_equal(
        np.asarray(side[odd][np.array([2, 0])][1:]), array[odd][[2, 0]][1:]
    )
