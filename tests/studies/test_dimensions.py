"""What can be searched: names, values, and the way in and out of the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.spaces.dimensions import (
    PARAMETERS,
    VARIANT,
    Dimension,
    from_json,
    from_params,
    parameter,
    shown,
    to_json,
    to_params,
)
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.searches.registry import SEARCHES
from coarsefine.studies.spaces.seen import same_point

# A data set is another study; how its file is read comes with it, and the seed is the study's.
HOW_A_FILE_IS_READ = {"data.label", "data.header", "data.decimal"}
WHAT_BECOMES_OF_ITS_COLUMNS = {"data.categorical", "data.missing"}
WHAT_TRIALS_ARE_RANKED_BY = {"training.metric"}
# All trials of a study have the same splits.
WHAT_A_REPLICATE_IS = {"data.folds", "data.redraw"}
NOT_SEARCHED = (
    {"data.name", "data.test", "data.classes", "training.class_weights", "training.snapshots"}
    # Curves have a column of that name.
    | {"training.updates"}
    | HOW_A_FILE_IS_READ
    | WHAT_A_REPLICATE_IS
    | WHAT_BECOMES_OF_ITS_COLUMNS
    | WHAT_TRIALS_ARE_RANKED_BY
)


def recipe_keys():
    return {
        f"{section}.{info.alias or field}"
        for section in ("data", "network", "training")
        for field, info in Recipe.model_fields[section].annotation.model_fields.items()
    }


def test_every_key_of_a_recipe_can_be_searched_but_those_that_say_why_not():
    known = {p.key for p in PARAMETERS.values()} - {VARIANT}

    assert known == recipe_keys() - NOT_SEARCHED


@pytest.mark.parametrize("name", ["batch_size", "batch-size", "training.batch_size"])
def test_a_parameter_is_found_by_name_and_by_key(name):
    assert parameter(name).key == "training.batch_size"


def test_a_parameter_that_is_not_there_is_guessed():
    with pytest.raises(SpaceError, match="did you mean momentum"):
        parameter("momentun")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eta", "0"),
        ("eta", "inf"),
        ("lambda", "-1"),
        ("batch_size", "0"),
        ("batch_size", "1.5"),
        ("train", "1.5"),
        ("hidden", "50,x"),
        ("eta", "much"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(name, text):
    with pytest.raises(SpaceError, match=r"values of|hidden layers must"):
        parameter(name).parse(text)


@given(st.lists(st.integers(1, 10**6), max_size=5).map(tuple))
def test_hidden_layers_are_written_as_they_are_read(widths):
    assert parameter("hidden").parse(shown(widths)) == widths


@pytest.mark.parametrize("kind", SEARCHES.values(), ids=lambda kind: kind.name)
def test_dimensions_come_back_from_the_database_as_they_went_in(kind):
    assert from_json(to_json(kind.dimensions)) == kind.dimensions


def test_a_point_comes_back_from_the_database_as_it_went_in():
    point = {"hidden": (59, 59), "eta": 0.1, "activation": "relu", "shuffle": True}

    assert from_params(to_params(point)) == point
    assert same_point(point, from_params(to_params(point)))
    assert not same_point(point, {**point, "shuffle": 1})


def test_a_dimension_needs_a_range_or_values_and_choices_have_no_range():
    eta = parameter("eta")
    with pytest.raises(SpaceError, match="either a range or values"):
        Dimension(eta)
    with pytest.raises(SpaceError, match="no range"):
        Dimension(parameter("activation"), LogRange(1, 2))
    with pytest.raises(SpaceError, match="twice"):
        Dimension(eta, values=(0.1, 0.1 * (1 + 1e-12)))


def test_a_grid_of_whole_numbers_has_whole_numbers_each_once():
    grid = Dimension(parameter("batch_size"), LogRange(1, 8)).grid(4)

    assert grid == (1, 2, 4, 8)
