"""Tables as people have them: each file of ``tables`` is read, or one line says what it is."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from coarsefine.models.data.formats import files
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.sealed import open_test
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from coarsefine.search.hints import spelled

pytestmark = pytest.mark.usefixtures("private_cache")

TABLES = Path(__file__).parent / "tables"
IN_ORDER = SplitSpec("ordered", validation=8)
FLOWERS = ("daisy", "rose", "tulip")


def as_it_is(path, **settings):
    return DataSpec(str(path), **({"split": IN_ORDER, "normalisation": "none"} | settings))


def of(name, **settings):
    return prepare(as_it_is(TABLES / name, **settings))


def rows_of(prepared):
    """Return all samples, those of the test set last, with their labels."""
    data, test = prepared.open(), open_test(prepared)
    x = np.concatenate([data.x_train, data.x_validation, test.x])
    return x, np.concatenate([data.y_train, data.y_validation, test.y])


def plain(tmp_path):
    """Return the table that most of the files are another way to write."""
    frame = pd.read_csv(TABLES / "headerless.csv", header=None, names=["a", "b", "c", "d", "label"])
    path = tmp_path / "plain.csv"
    frame.to_csv(path, index=False)
    return path


def refused(path, **settings):
    with pytest.raises(DataError) as caught:
        prepare(as_it_is(path, **settings))
    line = str(caught.value)
    assert "\n" not in line
    return line


def write(folder, text, name="own.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


# ------------------------------------------------------------------------------ dialects, encodings


@pytest.mark.parametrize(
    ("name", "settings", "note"),
    [
        ("semicolon.csv", {}, None),
        ("semicolon-decimal-comma.csv", {"decimal": ","}, None),
        ("comment-first.csv", {}, "the first line is a comment and left out"),
        ("excel-sep-line.csv", {}, None),
        ("utf16.csv", {}, None),
        ("gz-named.csv", {}, None),
        ("headerless.csv", {"header": False, "label": "-1"}, None),
        ("headerless.csv", {"header": False, "label": "4"}, None),
        ("label-trailing-space.csv", {}, "blanks around names of columns are left out: 'label '"),
        ("label-nbsp.csv", {}, r"blanks around names of columns are left out: 'label\xa0'"),
    ],
)
def test_a_table_written_another_way_is_the_same_data(tmp_path, name, settings, note):
    expected = prepare(as_it_is(plain(tmp_path)))

    prepared = of(name, **settings)

    assert prepared.key == expected.key
    assert prepared.class_names == FLOWERS
    for one, other in zip(rows_of(prepared), rows_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    if note is None:
        assert prepared.warnings == ()
    else:
        assert any(note in warning for warning in prepared.warnings)


def test_latin1_csv_is_read_with_a_note_and_its_umlauts(tmp_path):
    prepared = of("latin1.csv")

    assert prepared.class_names == ("Gänseblümchen", "Rose", "Tülpe")
    assert any("read as Latin-1" in warning for warning in prepared.warnings)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_of_unicode_are_read(tmp_path, encoding):
    text = "Länge,label\n" + "".join(f"{i}.5,{'äöü'[i % 3]}\n" for i in range(30))

    prepared = prepare(as_it_is(write(tmp_path, text, encoding=encoding)))

    assert prepared.class_names == ("ä", "ö", "ü")
    assert rows_of(prepared)[0].max() == 29.5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_of_another_encoding_than_the_text_is_one_line(tmp_path, encoding):
    path = write(tmp_path, "a,label\n1,0\n2,1\n" * 9, encoding=encoding)
    path.write_bytes(path.read_bytes() + b"\xff\xd8\xff")

    assert "damaged or no .csv file: it is not text in UTF" in refused(path)


@pytest.mark.parametrize("separator", [";", "\t", "|", " ", "   "])
def test_separators_are_found_in_the_line_of_names(tmp_path, separator):
    rows = ["width height label", *(f"{i}.5 {-i} {i % 2}" for i in range(30))]
    path = write(tmp_path, "\n".join(rows).replace(" ", separator))

    prepared = prepare(as_it_is(path))

    assert prepared.n_features == 2
    assert rows_of(prepared)[0].max() == 29.5


def test_a_comma_in_a_name_does_not_hide_the_separator(tmp_path):
    rows = "".join(f"{i};{i * 2};{i % 2}\n" for i in range(30))
    path = write(tmp_path, f'"size, in cm";weight;label\n{rows}')

    assert prepare(as_it_is(path)).n_features == 2


def test_a_header_that_savetxt_wrote_is_one(tmp_path):
    table = np.column_stack([np.arange(30) % 2, np.arange(30) * 1.5])
    np.savetxt(tmp_path / "own.csv", table, delimiter=",", header="label,width")

    assert prepare(as_it_is(tmp_path / "own.csv")).n_features == 1


@pytest.mark.parametrize("name", ["own.csv.gz", "own.csv"])
def test_a_packed_table_is_read_under_either_name(tmp_path, name):
    contents = plain(tmp_path).read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(contents))

    assert prepare(as_it_is(tmp_path / name)).class_names == FLOWERS


def test_a_zip_of_one_table_is_read_and_an_excel_workbook_named(tmp_path):
    frame = pd.read_csv(plain(tmp_path))
    with zipfile.ZipFile(tmp_path / "zipped.csv", "w") as archive:
        archive.writestr("own.csv", frame.to_csv(index=False))
        archive.writestr("__MACOSX/own.csv", "no table")
    frame.to_excel(tmp_path / "excel.xlsx", index=False)
    (tmp_path / "excel.xlsx").rename(tmp_path / "excel.csv")

    assert prepare(as_it_is(tmp_path / "zipped.csv")).class_names == FLOWERS
    assert "is an Excel workbook; save it as CSV" in refused(tmp_path / "excel.csv")


def test_semicolon_decimal_comma_csv_names_the_setting():
    line = refused(TABLES / "semicolon-decimal-comma.csv")

    assert "decimal commas in columns a, b, c, d, as in '2,346' in line 2" in line
    assert line.endswith("read them with data.decimal = ,")


# ----------------------------------------------------------------------------- the line of names


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("headerless.csv", {}),
        ("headerless.csv", {"label": "rose"}),
        ("headerless-pixels.csv", {}),
        ("headerless-pixels.csv", {"label": "0"}),
        ("headerless-pixels.csv", {"label": "255"}),
    ],
)
def test_a_sample_is_never_taken_for_names(name, settings):
    line = refused(TABLES / name, **settings)

    assert "the first line looks like a sample" in line
    assert "data.header = false" in line


def test_headerless_pixels_csv_has_all_its_samples():
    prepared = of("headerless-pixels.csv", header=False, label="0")

    x, y = rows_of(prepared)
    lines = (TABLES / "headerless-pixels.csv").read_text().splitlines()
    expected = np.array([[float(one) for one in line.split(",")] for line in lines])
    assert len(x) == len(lines)
    np.testing.assert_array_equal(
        np.unique(np.column_stack([y, x]), axis=0), np.unique(expected, axis=0)
    )


@pytest.mark.parametrize("label", [None, "rose", "5", "-6", "1.5"])
def test_without_names_the_label_is_a_number_of_a_column(label):
    line = refused(TABLES / "headerless.csv", header=False, label=label)

    assert "must be a number from 0, the first, to 4, or -1, the last" in line


@pytest.mark.parametrize(
    "names", ["0,1,2,label", "2019,2020,2021,label", "400.5,401,401.5,species"]
)
def test_numbers_that_go_up_are_names(tmp_path, names):
    label = names.split(",")[-1]
    path = write(tmp_path, names + "\n" + "".join(f"3,{i},1,{i % 2}\n" for i in range(30)))

    assert prepare(as_it_is(path, label=label)).n_features == 3


# ---------------------------------------------------------------------------------------- labels


def test_labels_n_a_csv_has_three_classes_and_says_so():
    prepared = of("labels-n-a.csv")

    assert prepared.class_names == ("n/a", "no", "yes")
    assert any("'n/a' (40 samples) counts as a class" in line for line in prepared.warnings)


def test_labels_none_na_csv_has_three_classes_and_says_that_two_are_alike():
    prepared = of("labels-None-NA.csv")

    assert prepared.class_names == ("NA", "None", "none")
    assert any("'None' and 'none'" in line for line in prepared.warnings)


def test_na_among_numbers_is_a_missing_label_whose_line_is_named(tmp_path):
    rows = "".join(f"{i},{i % 2}\n" for i in range(30))
    path = write(tmp_path, f"a,label\n\n{rows}7,NA\n8,\n")

    assert "got 2 without, the first in line 33" in refused(path)
    assert len(rows_of(prepare(as_it_is(path, missing="drop")))[0]) == 30


def test_value_trailing_space_csv_has_six_classes_and_a_note():
    prepared = of("value-trailing-space.csv")

    assert prepared.n_classes == 6
    assert any("'daisy' and 'daisy '" in line for line in prepared.warnings)


def test_labels_from_1_csv_are_names_with_a_note():
    prepared = of("labels-from-1.csv")

    assert prepared.class_names == ("1", "2", "3")
    assert set(prepared.open().y_train) == {0, 1, 2}
    assert any("labels are 1 … 3; these are the names" in line for line in prepared.warnings)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (("-1", "1"), ("-1", "1")),
        (("1.0", "2.0"), ("1", "2")),
        (("True", "False"), ("False", "True")),
        (("TRUE", "false"), ("False", "True")),
        ((" yes", "no"), ("no", "yes")),
    ],
)
def test_two_classes_however_they_are_written(tmp_path, values, names):
    path = write(tmp_path, "a,label\n" + "".join(f"{i},{values[i % 2]}\n" for i in range(30)))

    assert prepare(as_it_is(path)).class_names == names


def test_keras_cifar_npz_has_labels_of_shape_n_1():
    prepared = of("keras-cifar.npz")

    assert prepared.sample_shape == (8, 8, 3)
    assert prepared.n_classes == 3


def test_one_hot_npz_is_taken_with_a_note():
    prepared = of("one-hot.npz")

    with np.load(TABLES / "one-hot.npz") as arrays:
        expected = arrays["y_train"].argmax(axis=1)
    counts = np.bincount(rows_of(prepared)[1])
    np.testing.assert_array_equal(counts, np.bincount(expected))
    assert any("y_train one-hot" in line for line in prepared.warnings)


def test_unicode_labels_csv_keeps_its_names():
    assert of("unicode-labels.csv").class_names == ("тюльпан", "薔薇", "🌼")


# -------------------------------------------------------------------------------------- features


def nearest_neighbour_accuracy(prepared):
    data = prepared.open()
    distance = ((data.x_validation[:, None] - data.x_train[None]) ** 2).sum(axis=2)
    return (data.y_train[distance.argmin(axis=1)] == data.y_validation).mean()


def test_timestamps_csv_keeps_its_times_apart():
    split = SplitSpec("random", validation=0.25)
    prepared = of("timestamps.csv", split=split, normalisation="standardise")

    frame = pd.read_csv(TABLES / "timestamps.csv")
    x, y = rows_of(prepared)
    assert np.unique(x[:, 0]).size == frame["time"].nunique() > 1
    order = np.argsort(x[:, 0])
    assert (np.diff(y[order]) >= 0).all()
    assert nearest_neighbour_accuracy(prepared) > 0.9
    assert prepared.open().x_train.dtype == np.float32
    assert prepared.warnings == ()


@pytest.mark.parametrize("kind", ["none", "scale"])
def test_values_that_a_normalisation_cannot_keep_apart_are_noted(kind):
    prepared = of("timestamps.csv", normalisation=kind)

    (line,) = prepared.warnings
    assert "time" in line
    assert "lost digits" in line


def test_large_offset_csv_is_as_after_subtracting_it(tmp_path):
    frame = pd.read_csv(TABLES / "large-offset.csv")
    frame["time"] -= 1e6
    frame.to_csv(tmp_path / "small.csv", index=False)
    settings = {"normalisation": "standardise"}

    one = of("large-offset.csv", **settings)
    other = prepare(as_it_is(tmp_path / "small.csv", **settings))

    # 1e6 ± 0.02 has nine digits behind the point in float64, of a deviation of 0.02.
    np.testing.assert_allclose(rows_of(one)[0], rows_of(other)[0], atol=1e-6)


def test_an_npz_keeps_digits_as_a_table_does(tmp_path):
    times = 1_700_000_000 + np.arange(40) % 4
    x = np.column_stack([times, np.linspace(0, 1, 40)])
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(40) % 2)

    prepared = prepare(as_it_is(tmp_path / "own.npz", normalisation="standardise"))

    assert np.unique(rows_of(prepared)[0][:, 0]).size == 4


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(0).normal(size=60),
        np.random.default_rng(0).normal(1013.25, 5, 60),
        2000 + np.arange(60) % 24,
        np.full(60, 0.1),
        np.where(np.arange(60) % 2, 0.1 + 0.2, 0.3),
    ],
    ids=["normal", "pressure", "years", "constant", "rounding noise"],
)
def test_columns_that_lose_nothing_are_prepared_as_float32_ever_was(tmp_path, column):
    y = np.arange(60) % 2
    np.savez(tmp_path / "wide.npz", x_train=column[:, None], y_train=y)
    np.savez(tmp_path / "narrow.npz", x_train=column[:, None].astype(np.float32), y_train=y)

    wide, narrow = (
        prepare(as_it_is(tmp_path / name, normalisation="standardise"))
        for name in ("wide.npz", "narrow.npz")
    )

    assert wide.key == narrow.key


def test_a_column_that_loses_digits_leaves_the_others_as_they_were(tmp_path):
    noise = np.random.default_rng(0).normal(size=60)
    frame = pd.DataFrame({"noise": noise, "label": np.arange(60) % 2})
    frame.to_csv(tmp_path / "one.csv", index=False)
    frame.assign(time=1.7e9 + np.arange(60)).to_csv(tmp_path / "two.csv", index=False)

    one, two = (prepare(as_it_is(tmp_path / name)) for name in ("one.csv", "two.csv"))

    np.testing.assert_array_equal(rows_of(one)[0][:, 0], rows_of(two)[0][:, 0])


def test_bigger_ints_csv_is_read_as_floats_with_a_note():
    prepared = of("bigger-ints.csv")

    x, _ = rows_of(prepared)
    np.testing.assert_allclose(x[:, 0], 1e25, rtol=1e-6)
    assert any("120 different values become 1" in line for line in prepared.warnings)


def test_decimal_parquet_is_read(tmp_path):
    frame = pd.read_parquet(TABLES / "decimal.parquet")
    numbers = frame.drop(columns="label").astype(float).assign(label=frame["label"])
    numbers.to_csv(tmp_path / "own.csv", index=False)

    assert of("decimal.parquet").key == prepare(as_it_is(tmp_path / "own.csv")).key


def test_bytes_parquet_is_one_short_line():
    line = refused(TABLES / "bytes.parquet")

    assert "got 900 bytes in column 'image' (row 0)" in line
    assert len(line) < len(str(TABLES)) + 150


# --------------------------------------------------------------------- all that is wrong, at once


def test_all_problems_of_a_table_are_one_line_with_lines_and_columns(tmp_path):
    path = write(
        tmp_path,
        'age,town,"two\nlines",label\n'
        "1,Ulm,1,a\n"
        "\n"
        ",Bonn,inf,b\n" + "3,Köln,1,\n" * 2 + "4,Ulm,?,b\n" * 9,
    )

    line = refused(path)

    assert "4 problems: " in line
    assert "every sample must have a label, got 2 without, the first in line 6" in line
    assert "got 'Ulm' in column 'town' (line 3)" in line
    assert "got 1 missing in column 'age', the first in line 5" in line
    assert "9 missing in column 'two\\nlines', the first in line 8" in line
    assert "1 that are not, the first inf in line 5" in line
    assert line.endswith(
        "data.missing = drop leaves such samples out; "
        "drop columns of words, or turn them into numbers with data.categorical = one-hot; "
        "fill gaps, or leave out samples that have some, with data.missing = median, indicator "
        "or drop"
    )


def test_a_missing_label_column_does_not_hide_other_problems(tmp_path):
    path = write(tmp_path, "age,species \n" + ",rose\n1,tulip\n" * 9)

    line = refused(path)

    assert "2 problems: must have a label column 'label', got age, species" in line
    assert "got 9 missing in column 'age', the first in line 2" in line


def test_long_cells_and_names_are_cut(tmp_path):
    path = write(tmp_path, "a,label\n" + f"{'x' * 5000},1\n2,0\n" * 9)
    names = write(tmp_path, f"{'n' * 500},b,label\n" + "1,,0\n" * 9, "names.csv")

    for line in (refused(path), refused(names, label="nothing")):
        assert "xxxxx" in line or "nnnnn" in line
        assert "x" * 61 not in line
        assert "n" * 61 not in line


# --------------------------------------------------------------------- small files that cost a lot


def deflated(name, n_bytes, path):
    """Write a zip archive whose one file unpacks to so many zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(n_bytes))
    return path


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_an_archive_is_refused_by_the_size_it_declares(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(files, "_ALWAYS_ALLOWED", 1 << 20)
    path = deflated("x_train.npy" if ending == ".npz" else "a.csv", 32 << 20, tmp_path / "a")
    with zipfile.ZipFile(path, "a") as archive:
        if ending == ".npz":
            archive.writestr("y_train.npy", b"")
    path = path.rename(tmp_path / f"own{ending}")

    assert "must unpack to at most" in refused(path)
    assert "got 33,554,432" in refused(path)


def test_a_gzip_file_is_read_no_further_than_its_size_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_ALWAYS_ALLOWED", 1 << 20)
    path = tmp_path / "own.csv"
    path.write_bytes(gzip.compress(bytes(64 << 20)))

    assert "must unpack to at most" in refused(path)


def test_a_parquet_file_is_refused_by_the_rows_it_declares(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_ALWAYS_ALLOWED", 1 << 20)
    path = tmp_path / "own.parquet"
    pd.DataFrame({"a": np.zeros(1 << 20), "label": np.arange(1 << 20) >> 19}).to_parquet(path)
    assert path.stat().st_size < 1 << 16

    assert "got 1,048,576 rows of 2 columns" in refused(path)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (20 << 20) + ",label\n1,0\n2,1\n",
        "a" * 5000 + ",label\n1,0\n2,1\n",
        "a,label\n1,0\n2," + "b" * (20 << 20) + "\n",
        "a" * (20 << 20),
    ],
    ids=["20 MB column", "5,000 characters", "20 MB class", "no line"],
)
def test_names_of_any_length_are_one_short_line(tmp_path, text):
    path = write(tmp_path, text)

    assert len(refused(path)) < len(str(path)) + 300


# What is said of each file, as a note or in place of the data; nothing of those that are as usual.
SAID = {
    "bigger-ints.csv": "column a: 120 different values become 1 as floating-point numbers",
    "bytes.parquet": "features must be numbers, got 900 bytes in column 'image'",
    "comment-first.csv": "the first line is a comment and left out",
    "decimal.parquet": None,
    "excel-sep-line.csv": None,
    "gz-named.csv": None,
    "headerless-pixels.csv": "the first line looks like a sample, not like names of columns",
    "headerless.csv": "the first line looks like a sample, not like names of columns",
    "keras-cifar.npz": None,
    "label-nbsp.csv": "blanks around names of columns are left out: 'label\\xa0'",
    "label-trailing-space.csv": "blanks around names of columns are left out: 'label '",
    "labels-None-NA.csv": "'None' (40 samples), 'NA' (40 samples) count as classes",
    "labels-from-1.csv": "labels are 1 … 3; these are the names of classes 0 … 2",
    "labels-n-a.csv": "'n/a' (40 samples) counts as a class, not as a missing label",
    "large-offset.csv": None,
    "latin1.csv": "was read as Latin-1 (Windows-1252)",
    "one-hot.npz": "y_train one-hot: the place of the 1 is the class",
    "semicolon-decimal-comma.csv": "read them with --decimal ,",
    "semicolon.csv": None,
    "six-rows.csv": None,
    "timestamps.csv": None,
    "unicode-labels.csv": None,
    "utf16.csv": None,
    "value-trailing-space.csv": "classes differ only in blanks or capital letters",
}


def test_every_table_is_read_or_said_to_be_what_it_is():
    assert set(SAID) == {path.name for path in TABLES.iterdir()}
    for name, said in SAID.items():
        split = SplitSpec("ordered", validation=1 if name == "six-rows.csv" else 8)
        try:
            lines = prepare(
                as_it_is(TABLES / name, split=split, normalisation="standardise")
            ).warnings
        except DataError as error:
            lines = (spelled(error),)
        about = [line for line in lines if "have no sample" not in line]
        assert bool(about) == bool(said), (name, about)
        assert said is None or any(said in line for line in about), (name, about)


@pytest.mark.parametrize("mark", ["_", "'", "\u00a0"])
def test_marks_between_thousands_are_no_decimal_commas(tmp_path, mark):
    rows = "".join(f"1{mark}{i * 10 + 100},{i % 2}\n" for i in range(30))

    line = refused(write(tmp_path, f"width,label\n{rows}"))

    assert "got marks between thousands in column width, as in " in line
    assert line.endswith("; take them out")


def test_commas_that_may_be_either_are_said_to_be_so(tmp_path):
    rows = "".join(f'"1,{i * 10 + 100}",{i % 2}\n' for i in range(30))

    line = refused(write(tmp_path, f"width,label\n{rows}"))

    assert "marks between thousands in column width, as in '1,100' in line 2; take them out" in line
    assert line.endswith("if they are decimal commas, read them with data.decimal = ,")


def test_a_line_of_words_among_numbers_is_not_proposed_as_categories(tmp_path):
    rows = "cm,\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(30))
    path = write(tmp_path, f"width,label\n{rows}")

    line = refused(path)
    spec = as_it_is(path, categorical="one-hot", missing="drop")

    assert "features must be numbers, as most are here, got 'cm' in line 2 of column" in line
    assert "mend such lines, or leave them out" in line
    assert "one-hot" not in line
    assert any("30 of 31 values are numbers" in note for note in prepare(spec).warnings)


@pytest.mark.parametrize("other", ["Zu\u0308rich", "Zürich\u200b", "ＺÜrich"])
def test_classes_that_look_the_same_are_noted(tmp_path, other):
    rows = "".join(f"{i},{(other, 'Zürich')[i % 2]}\n" for i in range(30))

    notes = prepare(as_it_is(write(tmp_path, f"width,label\n{rows}"))).warnings

    assert any("capital letters or how letters are encoded" in note for note in notes)


def test_the_lines_of_an_old_macintosh_are_lines(tmp_path):
    contents = plain(tmp_path).read_bytes()
    (tmp_path / "mac.csv").write_bytes(contents.replace(b"\r\n", b"\n").replace(b"\n", b"\r"))

    assert prepare(as_it_is(tmp_path / "mac.csv")).class_names == FLOWERS
