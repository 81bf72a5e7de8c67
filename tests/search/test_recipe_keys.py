"""A key of a recipe is everywhere it should be, or its row says where it is not."""

import itertools
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import typer

from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.range_test import range_test
from coarsefine.models.specs import (
    OPTIMIZERS,
    WHOLE_SCHEDULES,
    Hyperparameters,
    NetworkSpec,
    TrainingSpec,
)
from coarsefine.models.training import train
from coarsefine.search.hints import flag_of
from coarsefine.search.library.settings import KEYS as SETTINGS
from coarsefine.search.library.settings import Settings
from coarsefine.search.options.completion import completion_of
from coarsefine.studies.checks.range_test import COUNTING
from coarsefine.studies.recipes.keys import KEYS, kinds
from coarsefine.studies.recipes.keys.key import ABSENT
from coarsefine.studies.recipes.layers import load_recipe, make_recipe
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import Recipe, from_json, to_json, to_toml
from coarsefine.studies.recipes.specs import recipe_key, to_specs
from coarsefine.studies.spaces.dimensions import OWN, PARAMETERS, VARIANT
from tests.commands_built import all_commands
from tests.models.samples import made_up

ROOT = Path(__file__).parents[2]
EVERY_KEY = pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.key)
OPTIONS = {
    name: parameter for parameter in all_commands()["lambda"].params for name in parameter.opts
}
# Specs hold these, too; they follow from the data and the length of the training.
DERIVED = {"n_features", "n_classes", "n_updates", "train_samples"}
SAMPLES = {
    "data.name": "other.csv",
    "data.label": "digit",
    "data.classes": (("a",), ("b", "c")),
    "network.hidden": (7, 5),
    "seed": 3,
    "trainer": "my_lab.net:train",
    "params": {"width": 3},
}


def sample(key):
    """Return a value that is not the default."""
    if key.key in SAMPLES:
        return SAMPLES[key.key]
    if key.choices:
        return next(choice for choice in reversed(key.choices) if choice != key.default)
    if isinstance(key.kind, kinds.Switch):
        return key.default is False or key.unnamed is False
    if isinstance(key.kind, kinds.Real):
        return 20.0 if key.kind.above == 1 else 0.0125
    if isinstance(key.kind, kinds.Size):
        return 0.125
    assert isinstance(key.kind, kinds.Whole), f"which value is one of {key.key}?"
    return 6


def stated(key):
    """Return flags that state a key's sample, and what it needs to play a part."""
    flags = {key.key: sample(key)}
    if key.needs is not None:
        flags[f"{key.section}.{key.needs.choice}"] = key.needs.choices[0]
    if key.key == "training.stop_rule":
        flags["training.patience"] = 4
    return flags | ({"trainer": SAMPLES["trainer"]} if key.key == "params" else {})


def test_stating_what_keys_without_a_value_mean_is_stating_nothing():
    newer = [key for key in KEYS.values() if key.stored_if_used and key.unnamed is not None]
    usual = {key.key: key.unnamed for key in newer if key.unnamed is not ABSENT and not key.needs}

    assert make_recipe(None, usual) == make_recipe()
    assert [key.key for key in newer if key.unnamed is ABSENT and key.kind == kinds.Switch()] == []
    assert usual.keys() >= {"data.header", "data.decimal", "final.replicates", "final.ensemble"}


def test_the_recipe_has_these_keys_and_no_others():
    whole = flat(json.loads(json.dumps(Recipe().model_dump(mode="json", by_alias=True))))

    assert list(whole) == [key for key in KEYS if key != "params"]
    assert Recipe().params == KEYS["params"].default


@EVERY_KEY
def test_a_recipe_file_keeps_every_key(key, tmp_path):
    path = tmp_path / "recipe.toml"
    recipe = make_recipe(flags=stated(key))

    path.write_text(to_toml(recipe), encoding="utf-8")

    assert load_recipe(path) == from_json(to_json(recipe)) == recipe
    section = getattr(recipe, key.section) if key.section else recipe
    assert getattr(section, key.attribute) == sample(key) != key.default


@EVERY_KEY
def test_a_key_is_an_option_or_says_why_not(key):
    assert flag_of(key.key) == key.flag
    if key.not_an_option:
        assert key.flag not in OPTIONS
        assert len(key.not_an_option.split()) > 3
    else:
        assert OPTIONS[key.flag].name == key.setting
        assert OPTIONS[key.flag].help == key.help


@EVERY_KEY
def test_a_key_is_a_keyword_of_python(key):
    assert SETTINGS[key.setting] == key.key
    assert key.setting in Settings.__annotations__, "declare it in search/library/settings.py"


def test_there_is_no_keyword_without_a_key():
    assert set(Settings.__annotations__) == {key.setting for key in KEYS.values()}


@EVERY_KEY
def test_a_key_with_choices_is_completed(key):
    context = typer.Context(all_commands()["lambda"])
    complete = completion_of(key.setting)
    # Its option is two flags: the third choice has an option of its own.
    if not key.choices or key.key == "network.bias":
        assert (complete is None) == (key.key != "data.name")
    else:
        assert tuple(word for word, _ in complete(context, "")) == key.choices


@EVERY_KEY
def test_a_key_is_searched_or_says_why_not(key):
    if key.not_searched:
        assert PARAMETERS.get(key.name, PARAMETERS[VARIANT]).key != key.key
        assert len(key.not_searched.split()) > 3
    else:
        parameter = PARAMETERS[key.name]
        assert (parameter.key, parameter.kind) == (key.key, key.kind)
        assert parameter.checked(sample(key)) == sample(key)
        assert parameter.numeric == isinstance(key.kind, kinds.Real | kinds.Whole | kinds.Size)


def test_no_two_keys_share_a_name_where_one_has_to_tell_them_apart():
    searched = [key.name for key in KEYS.values() if not key.not_searched]

    for names in (searched, [key.setting for key in KEYS.values()]):
        assert len(names) == len(set(names))
    assert not any(name.startswith(OWN) for name in searched)


def test_what_the_trainer_is_told_comes_from_a_key():
    attributes = {key.attribute for key in KEYS.values() if key.section in {"network", "training"}}
    told = {field.name for spec in (NetworkSpec, TrainingSpec) for field in fields(spec)}

    assert told - DERIVED <= attributes
    assert {field.name for field in fields(Hyperparameters)} == {
        key.field for key in KEYS.values() if key.field
    }


@pytest.mark.parametrize(
    "key",
    # What trials are ranked by changes no training.
    [
        key
        for key in KEYS.values()
        if key.section in {"network", "training"} and key.key != "training.metric"
    ],
    ids=lambda key: key.key,
)
def test_a_run_is_named_by_every_key_that_plays_a_part(key):
    needed = {k: v for k, v in stated(key).items() if k != key.key}

    assert name_of(needed | {key.key: sample(key)}) != name_of(needed)


@pytest.mark.parametrize(
    "key", [key for key in KEYS.values() if key.needs and key.field], ids=lambda key: key.key
)
def test_a_run_is_not_named_by_a_key_that_plays_no_part(key):
    needs, section = key.needs, f"{key.section}."
    others = set(KEYS[section + needs.choice].choices) - set(needs.choices)
    # What cycles would be is counted in updates of the whole training where η only rises.
    for other in others - (set(WHOLE_SCHEDULES) if key.key == "training.ns" else set()):
        recipe = make_recipe(flags={section + needs.choice: other})
        network, training, numbers = to_specs(recipe, 4, 2, 1000)
        changed = {field.name: getattr(numbers, field.name) for field in fields(numbers)}
        changed[key.field] = changed[key.field] * 0.5 if key.field != "half_cycle" else 3
        if key.field == "step_every":
            changed[key.field] = 3
        names = {
            recipe_key(network, training, each, data_key="d", seed=0, replicate=0)
            for each in (numbers, Hyperparameters(**changed))
        }
        assert len(names) == 1, other


EVERY_NUMBER = pytest.mark.parametrize(
    "key", [key for key in KEYS.values() if key.field], ids=lambda key: key.key
)


@EVERY_NUMBER
def test_a_number_changes_what_is_trained(key):
    data = made_up(dtype=np.float32)

    def weights(**more):
        plan = plan_of(key, **more)
        return train(plan, initial_state(plan), data, 8)[0].finished[0].parameters

    usual, other = weights(), weights(**{key.key: sample(key)})

    assert not np.array_equal(usual.weights[0], other.weights[0]), (
        f"{key.field} has no part in models/kernels/reference.py"
    )


@EVERY_NUMBER
def test_a_number_that_is_not_of_schedules_changes_the_range_test(key):
    data = made_up(dtype=np.float32)

    def losses(**more):
        return range_test(plan_of(key, **more), data, 1e-3, 1e-1, 40).losses

    same = np.array_equal(losses(), losses(**{key.key: sample(key)}))

    assert same == (key.field not in COUNTING), f"{key.field} in models/range_test.py"


def plan_of(key, **more):
    """Return a plan for ``made_up`` samples in which a key plays a part."""
    needed = {name: value for name, value in stated(key).items() if name != key.key}
    flags = {"training.batch_size": 20, "training.epochs": 8} | needed | more
    network, training, numbers = to_specs(make_recipe(flags=flags), 12, 4, 150)
    return CohortPlan(network, training, (numbers,), seed=0)


def name_of(flags):
    specs = to_specs(make_recipe(flags=flags), 4, 2, 1000)
    return recipe_key(*specs, data_key="d", seed=0, replicate=0)


@EVERY_KEY
def test_a_key_is_on_the_page_about_recipes_and_its_option_on_that_about_commands(key):
    recipes, commands = (
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("recipes.md", "cli.md")
    )

    assert f"| `{key.key}` |" in recipes
    assert bool(key.not_an_option) != (key.flag in commands)


def test_what_others_call_a_key_leads_to_one_key():
    words = list(itertools.chain.from_iterable(key.other_names for key in KEYS.values()))

    assert len(words) == len(set(words))


def test_the_help_of_eta_names_what_each_optimizer_usually_takes():
    for optimizer in OPTIMIZERS:
        usual = make_recipe(flags={"training.optimizer": optimizer}).training.eta_max
        words = f"{usual:g}" if optimizer == "sgd" else f"{optimizer} {usual:g}"
        assert words in KEYS["training.eta"].help
        assert words in KEYS["training.eta_max"].help
