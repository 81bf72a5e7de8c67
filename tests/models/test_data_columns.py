"""Columns of words and gaps: encoded by the training split alone, for every sample alike."""

import json

import numpy as np
import pandas as pd
import pytest

from coarsefine.models.data.columns import Column, Encoder, fitted_encoder
from coarsefine.models.data.prepared import prepare, prepare_final
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
