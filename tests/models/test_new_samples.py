"""New samples of a saved model are read as the data set was, or refused."""

import numpy as np
import pandas as pd
import pytest

from coarsefine.models.data.columns import Encoder, FittedColumn
from coarsefine.models.data.new_samples import Layout, from_array, from_frame, read_samples
from coarsefine.models.errors import DataError

IMAGES = Layout(names=(), n_inputs=12, sample_shape=(3, 2, 2))


def worded(*words, other=False):
    """Return layout and encoder of a table with a column of words."""
    column = FittedColumn("code", words, other=other, fill=None, indicator=False)
    return Layout(names=("code",), n_inputs=1), Encoder((column,))


def test_images_whose_colours_lie_elsewhere_are_refused():
    x = np.arange(24.0).reshape(2, 3, 2, 2)

    assert np.array_equal(from_array(x, IMAGES, None).x, x.reshape(2, 12))
    assert np.array_equal(from_array(x.reshape(2, 12), IMAGES, None).x, x.reshape(2, 12))
    for other in (x.transpose(0, 2, 3, 1), x[0], x.reshape(4, 6), x[0, 0, 0, 0]):
        with pytest.raises(DataError, match=r"shape \(N, 12\) or \(N, 3, 2, 2\)"):
            from_array(other, IMAGES, None)
    with pytest.raises(DataError, match="must hold samples, got none"):
        from_array(x[:0], IMAGES, None)


@pytest.mark.parametrize("words", [("01234", "1.50"), ("True", "False"), ("7", "1e3")])
def test_words_that_look_like_numbers_are_read_as_they_were_written(tmp_path, words):
    layout, encoder = worded(*words, "x")
    file = tmp_path / "new.csv"
    file.write_text("code,other\n" + "".join(f"{word},1\n" for word in words))

    read = read_samples(file, layout, encoder)

    assert encoder.encoded(read.x, read.columns).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert not read.notes


def test_numbers_and_truths_of_a_frame_are_words_where_the_model_has_words():
    layout, encoder = worded("True", "3")

    for value, features in ((True, [1, 0]), (3, [0, 1]), (3.0, [0, 1])):
        read = from_frame(pd.DataFrame({"code": [value]}), layout, encoder)
        assert encoder.encoded(read.x, read.columns).tolist() == [features]


def test_a_column_of_which_no_word_is_known_is_told_where_rare_words_are_too():
    layout, encoder = worded("red", other=True)

    (told,) = from_frame(pd.DataFrame({"code": ["blue"]}), layout, encoder).notes
    assert "no training sample has: blue; they count as rare ones" in told
    assert not from_frame(pd.DataFrame({"code": ["blue", "red"]}), layout, encoder).notes


@pytest.mark.parametrize(
    ("scale", "said"), [(1, False), (0.3, False), (255, True), (1 / 255, True)]
)
def test_samples_of_another_scale_are_told(scale, said):
    layout = Layout(names=(), n_inputs=2, largest=16.0)
    x = scale * np.array([[0.0, 16.0], [3.0, 4.0]])

    for read in (from_array(x, layout, None), from_frame(pd.DataFrame(x), layout, None)):
        assert [line.partition(", that of")[2][:21] for line in read.notes] == (
            [" the training data 16"] if said else []
        )
