"""Recipes: layers, defaults, files, messages, steps and specs."""

import doctest
import json

import numpy as np
import pytest

from coarsefine.models.schedules import learning_rates
from coarsefine.models.specs import Hyperparameters
from coarsefine.search.hints import spelled
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.labs.files import lab_of, lab_text
from coarsefine.studies.recipes import messages as recipe_errors
from coarsefine.studies.recipes.keys import KEYS
from coarsefine.studies.recipes.layers import (
    Asked,
    default_recipe,
    final_recipe,
    load_recipe,
    make_recipe,
    with_overrides,
)
from coarsefine.studies.recipes.lengths import resolve
from coarsefine.studies.recipes.recipe import Recipe, differences, from_json, to_json, to_toml
from coarsefine.studies.recipes.specs import recipe_key, searched_field, to_data_spec, to_specs

RECIPES = {
    "default": {},
    "cifar": {"data.name": "cifar10", "final.cycles": 3, "training.ns": 900},
    "constant": {"training.eta": 0.001, "network.hidden": (), "data.split": "canonical"},
    "step": {"training.schedule": "step", "data.train": 10_000, "data.validation": 500},
    "adam": {"training.optimizer": "adam", "training.epochs": 3, "training.patience": 4},
    "window": {
        "training.patience": 9,
        "training.stop_rule": "window",
        "training.evaluations": 5,
        "training.diverged_at": 3.0,
    },
    "geometric": {"training.schedule": "geometric", "training.eta_min": 1e-6},
    "uniform": {"network.initialisation": "uniform", "network.sigma": 0.5},
    "normal": {"network.sigma": 1e-3, "final.refit": "none", "data.split": "ordered"},
    "file": {"data.name": 'C:\\my "own" 数据.csv', "data.label": "digit", "seed": 2**40},
}


def keyed(first: Recipe, second: Recipe) -> dict[str, tuple[object, object]]:
    return {key: (a, b) for key, a, b in differences(first, second)}


@pytest.mark.parametrize("flags", RECIPES.values(), ids=RECIPES)
def test_a_recipe_survives_toml_and_json(flags, tmp_path):
    recipe = make_recipe(flags=flags)
    path = tmp_path / "recipe.toml"
    path.write_text(to_toml(recipe), encoding="utf-8")

    assert load_recipe(path) == recipe
    assert from_json(to_json(recipe)) == recipe


def test_examples_in_docstrings_are_true():
    assert doctest.testmod(recipe_errors).failed == 0


def test_the_default_on_cifar_is_the_labs():
    recipe = default_recipe("cifar10")

    steps = resolve(recipe, 45_000)

    assert (steps.updates_per_epoch, steps.half_cycle, steps.n_updates) == (450, 900, 3600)
    assert (steps.n_epochs, steps.n_cycles, steps.ends_on_whole_cycle) == (8, 2, True)
    assert steps.lines == (
        "45,000 samples / batch 100 = 450 updates an epoch",
        "n_s 900, 2 cycles = 3,600 updates = 8 epochs",
    )
    assert steps.warnings == ()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_recipes_and_labs_are_read_as_editors_write_them(encoding, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes("# λ\r\n[training]\r\nlambda = 0.25\r\n".encode(encoding))

    assert to_json(load_recipe(path))["training"]["lambda"] == 0.25
    assert "lambda = 0.25" in lab_text(str(path))[2]


def test_recipes_in_another_encoding_are_one_line_with_the_line_of_the_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes("seed = 1\n# für dich\n".encode("latin-1"))

    for read in (load_recipe, lambda path: lab_text(str(path))):
        with pytest.raises(RecipeError, match="must be a text file in UTF-8, line 2 is not"):
            read(path)


def test_a_number_that_would_become_0_is_refused_in_recipes_and_labs(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nlambda = 1e-400\n", encoding="utf-8")

    with pytest.raises(RecipeError, match=r"recipe.toml: 1e-400 is too small a number"):
        load_recipe(path)
    with pytest.raises(RecipeError, match=r"here: 1e-400 is too small a number"):
        lab_of("lab", "here", path.read_text(encoding="utf-8"))
    path.write_text("[training]\nlambda = 0e-400\n", encoding="utf-8")
    assert to_json(load_recipe(path))["training"]["lambda"] == 0


def test_small_data_sets_have_smaller_batches_unless_stated_otherwise(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nbatch_size = 50\n")

    assert default_recipe("digits").training.batch_size == 20
    assert default_recipe("own.csv").data.validation == 0.25
    assert default_recipe("mnist").training.batch_size == 100
    assert load_recipe(path).training.batch_size == 50
    assert make_recipe(path, {"training.batch_size": 10}).training.batch_size == 10
    assert make_recipe(path, {"data.name": "mnist"}).data.validation == 0.1


def test_an_eta_makes_the_schedule_constant_and_counts_epochs():
    recipe = with_overrides(default_recipe("cifar10"), {"training.eta": 0.05})

    assert keyed(default_recipe("cifar10"), recipe) == {
        "training.schedule": ("cyclical", "constant"),
        "training.eta": (None, 0.05),
        "training.eta_min": (1e-5, None),
        "training.eta_max": (0.1, None),
        "training.epochs": (None, 10),
        "training.cycles": (2, None),
    }


def test_a_flag_about_something_else_leaves_what_a_file_implies(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\neta = 0.3\n[network]\nsigma = 0.5\n")

    recipe = make_recipe(path, {"training.batch_size": 5, "network.hidden": (3,)})

    assert keyed(load_recipe(path), recipe) == {
        "training.batch_size": (20, 5),
        "network.hidden": ([50], [3]),
    }


def test_a_length_in_updates_unsays_the_others_and_ends_within_an_epoch():
    recipe = with_overrides(default_recipe(), {"training.updates": 1038, "data.train": 500})
    steps = resolve(recipe, 500)
    _, training, _ = to_specs(recipe, 64, 10, 500)
    epochs = with_overrides(recipe, {"training.epochs": 4})

    assert (recipe.training.epochs, recipe.training.cycles) == (None, None)
    assert (steps.n_updates, steps.n_epochs, training.n_updates) == (1038, 42, 1038)
    assert steps.lines[1].startswith("1,038 updates = 41.5 epochs")
    assert (epochs.training.epochs, epochs.training.updates) == (4, None)


def test_stating_epochs_unsays_cycles_and_the_other_way_round():
    by_epochs = with_overrides(default_recipe(), {"training.epochs": 4})
    by_cycles = with_overrides(by_epochs, {"training.cycles": 3})

    assert (by_epochs.training.epochs, by_epochs.training.cycles) == (4, None)
    assert (by_cycles.training.epochs, by_cycles.training.cycles) == (None, 3)


def test_another_optimizer_brings_its_own_learning_rate_unless_one_is_stated():
    def eta_max(**training: object) -> float | None:
        flags = {f"training.{key}": value for key, value in training.items()}
        return make_recipe(flags=flags).training.eta_max

    assert eta_max() == 0.1
    assert eta_max(optimizer="momentum") == 0.02
    assert eta_max(momentum=0.5) == 0.02
    assert eta_max(optimizer="adam") == 0.001
    assert eta_max(optimizer="adam", eta_max=0.01) == 0.01


def test_the_spread_of_first_weights_has_a_default_of_its_own_for_each_distribution():
    normal = make_recipe(flags={"network.sigma": 0.5})
    uniform = with_overrides(normal, {"network.initialisation": "uniform"})

    assert (normal.network.initialisation, normal.network.sigma) == ("normal", 0.5)
    assert (uniform.network.initialisation, uniform.network.sigma) == ("uniform", 1.0)
    narrow = with_overrides(uniform, {"network.sigma": 0.2, "network.initialisation": "uniform"})
    assert narrow.network.sigma == 0.2
    assert with_overrides(narrow, {"network.sigma": 0.1}).network.initialisation == "uniform"
    assert with_overrides(narrow, {"network.initialisation": "xavier"}).network.sigma is None


def test_a_bias_is_named_or_said_as_true_or_false(tmp_path):
    path = tmp_path / "recipe.toml"

    def bias(value: str) -> str:
        path.write_text(f"[network]\nbias = {value}\n")
        return load_recipe(path).network.bias

    assert [bias(value) for value in ("true", "false", "'input'")] == ["all", "none", "input"]
    stored = to_json(default_recipe())
    stored["network"]["bias"] = True
    assert from_json(stored) == default_recipe()
    assert make_recipe(flags={"network.bias": False}).network.bias == "none"
    with pytest.raises(RecipeError, match="bias must be one of all, input, none, got 1"):
        bias("1")


def test_a_run_keeps_the_key_it_had_when_biases_were_everywhere_or_nowhere():
    # Written by the program that knew true and false alone.
    assert key_of({}).startswith("65779fd2058cb4aa")
    assert key_of({"network.bias": False}).startswith("62878b5eb576c537")
    linear = {"network.hidden": ()}
    assert key_of({**linear, "network.bias": "input"}) == key_of(linear)
    assert len({key_of({"network.bias": bias}) for bias in ("all", "input", "none")}) == 3


def test_early_stopping_has_a_rule_where_there_is_patience_only():
    plain, patient = default_recipe(), make_recipe(flags={"training.patience": 5})

    assert plain.training.stop_rule is None
    assert patient.training.stop_rule == "best"
    window = with_overrides(patient, {"training.stop_rule": "window", "training.evaluations": 5})
    _, training, _ = to_specs(window, 64, 10, 1000)
    assert (training.stop_rule, training.evaluations, training.patience) == ("window", 5, 5)


def test_flags_that_repeat_a_recipe_make_no_difference():
    recipe = default_recipe()

    same = with_overrides(recipe, {"training.cycles": 8, "network.hidden": (50,), "seed": None})

    assert differences(recipe, same) == []


def test_a_recipe_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        default_recipe().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[training]\netaa = 1",
            "training.etaa is not a key of a recipe; did you mean training.eta?",
        ),
        ("eta = 1", "eta is not a key of a recipe by itself; write it below [training]"),
        ("epochs = 5", "epochs is not a key of a recipe by itself; write it below [training]"),
        ("hidden = [5]", "hidden is not a key of a recipe by itself; write it below [network]"),
        ("lr = 1", "lr is not a key of a recipe; did you mean eta below [training]?"),
        ("batchsize = 1", "did you mean batch_size below [training]?"),
        ("sed = 1", "sed is not a key of a recipe; did you mean seed?"),
        ("[trainin]\neta = 1", "trainin is not a key of a recipe; did you mean training?"),
        ("[training]\nl2_strength = 1", "did you mean training.lambda?"),
        ("[training]\nqqq = 1", "training.qqq is not a key of a recipe"),
        ("training = 3", "training must be a section, got 3"),
        ("[training]\nlambda = 'x'", "training.lambda must be a number, got 'x'"),
        ("[training]\nlambda = -1", "training.lambda must be >= 0, got -1"),
        ("[training]\neta = nan", "training.eta must be finite, got nan"),
        ("[training]\neta = 0", "training.eta must be > 0, got 0"),
        ("[training]\nbatch_size = 2.5", "training.batch_size must be a whole number, got 2.5"),
        ("[training]\nbatch_size = true", "training.batch_size must be a whole number, got true"),
        ("[training]\nshuffle = 1", "training.shuffle must be true or false, got 1"),
        ("[training]\nschedule = 'cyclic'", "got 'cyclic'; did you mean cyclical?"),
        ("[network]\nactivation = 'rulu'", "network.activation must be one of relu, leaky-relu"),
        ("[network]\nhidden = 50", "network.hidden must be a list, got 50"),
        ("[network]\nhidden = [50, 0]", "network.hidden must be >= 1, got 0"),
        ("[data]\nvalidation = 1.5", "data.validation must be a number of samples >= 1 or a"),
        ("[training]\nepochs = 48\ncycles = 3", "either training.epochs or training.cycles"),
        ("[training]\neta = 1\nschedule = 'cyclical'", "training.eta needs training.schedule"),
        ("[training]\nns = 9\nschedule = 'constant'", "training.ns needs training.schedule cycl"),
        ("[training]\neta_min = 1", "training.eta_min must be <= training.eta_max, got 1 and 0.1"),
        ("[training]\noptimizer = 'adam'\nmomentum = 0.9", "momentum needs training.optimizer"),
        ("[training]\nstop_rule = 'window'", "training.stop_rule needs training.patience"),
        (
            "[training]\nstop_rule = 'window'\npatience = 1",
            "training.patience must be >= 2 with training.stop_rule window, got 1",
        ),
        ("[training]\ndiverged_at = 1", "training.diverged_at must be > 1, got 1"),
        ("[final]\ncycles = 3\n[training]\nepochs = 3\nschedule = 'step'", "final.cycles needs"),
        ("[data]\nsplit = 'canonical'\nvalidation = 0.1", "data.validation needs data.split"),
        ("[data", "must be TOML"),
    ],
)
def test_a_broken_recipe_is_one_line_with_file_key_and_reason(text, reason, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(RecipeError) as error:
        load_recipe(path)

    assert reason in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_status == 2


def test_a_recipe_that_is_no_text_file_is_refused(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(tmp_path / "binary.toml")
    with pytest.raises(RecipeError, match="got the folder"):
        load_recipe(tmp_path)
    with pytest.raises(RecipeError, match="found no"):
        load_recipe(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"training.eta": -0.1}, "--eta must be > 0, got -0.1"),
        ({"training.batch_size": 0}, "--batch-size must be >= 1, got 0"),
        ({"data.validation": 0.0}, "--validation must be a number of samples"),
        ({"training.epochs": 4, "training.cycles": 2}, "either --epochs or --cycles, got 4 and 2"),
        ({"training.epochs": 4, "training.updates": 9}, "--epochs or --updates, got 4 and 9"),
        ({"training.eta": 1.0, "training.schedule": "cyclical"}, "--eta needs --schedule constant"),
        ({"training.eta_min": 1.0}, "--eta-min must be <= training.eta_max, got 1 and 0.1"),
        ({"final.epochs": 0}, "--final-epochs must be >= 1"),
        ({"data.name": ""}, "--data must be a text, got ''"),
        ({"seed": -1}, "--seed must be >= 0, got -1"),
    ],
)
def test_a_bad_flag_is_named_as_a_flag(flags, reason):
    for stated in (lambda: make_recipe(flags=flags), lambda: with_overrides(Recipe(), flags)):
        with pytest.raises(RecipeError) as error:
            stated()
        assert reason in spelled(error.value)


def test_a_training_that_stops_within_a_cycle_says_so():
    recipe = make_recipe(flags={"data.name": "cifar10", "training.ns": 900, "training.epochs": 18})

    steps = resolve(recipe, 45_000)

    assert steps.n_cycles == 4.5
    assert not steps.ends_on_whole_cycle
    assert "ends after 4.5 cycles" in steps.warnings[0]
    assert "cycles 4 or 5" in steps.warnings[0]
    assert steps.lines[1] == "18 epochs = 8,100 updates = 4.5 cycles of n_s 900"


@pytest.mark.parametrize(("drop_last", "per_epoch", "n_epochs"), [(False, 54, 32), (True, 53, 32)])
def test_the_last_batch_counts_unless_dropped(drop_last, per_epoch, n_epochs):
    recipe = make_recipe(flags={"training.drop_last": drop_last})

    steps = resolve(recipe, 1078)

    assert (steps.updates_per_epoch, steps.n_epochs) == (per_epoch, n_epochs)
    assert steps.half_cycle == 2 * 53
    assert steps.n_updates == 16 * 106


def test_a_geometric_rise_takes_the_whole_training():
    flags = {"training.schedule": "geometric", "training.eta_max": 10.0, "training.epochs": 2}
    recipe = make_recipe(flags=flags)

    _, training, numbers = to_specs(recipe, 64, 10, 1078)
    etas = learning_rates("geometric", 0, training.n_updates, [numbers], 54)[:, 0]

    assert training.n_updates == 108
    assert (etas[0], etas[-1]) == (pytest.approx(1e-5), pytest.approx(10.0))
    np.testing.assert_allclose(etas[1:] / etas[:-1], 1e6 ** (1 / 107))
    assert searched_field(recipe, "eta_max") == "eta_max"
    constant = with_overrides(recipe, {"training.eta": 0.1})
    assert (constant.training.schedule, constant.training.epochs) == ("constant", 2)
    cyclical = with_overrides(recipe, {"training.cycles": 2})
    assert (cyclical.training.schedule, cyclical.training.eta_max) == ("cyclical", 10.0)


def test_steps_are_counted_in_epochs_and_become_updates():
    recipe = make_recipe(flags={"training.step_every": 4, "data.name": "mnist"})

    _, training, numbers = to_specs(recipe, 784, 10, 50_000)

    assert (training.schedule, training.n_updates) == ("step", 5000)
    assert (numbers.step_every, numbers.step_factor) == (2000, 0.1)


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(RecipeError, match="<= the training set's 10 samples, got 30"):
        resolve(make_recipe(flags={"training.batch_size": 30}), 10)


def test_the_default_batch_size_shrinks_to_the_training_set_with_a_note():
    steps = resolve(default_recipe(), 10)
    _, training, _ = to_specs(default_recipe(), 4, 2, 10)

    assert (steps.batch_size, training.batch_size, steps.updates_per_epoch) == (10, 10, 1)
    (line,) = steps.warnings
    assert "the default batch size, 20, is larger than the training set" in line


def test_specs_say_what_the_recipe_says():
    flags = {"data.name": "cifar10", "training.lambda": 0.01, "network.hidden": (50, 30)}
    recipe = make_recipe(flags=flags)

    network, training, numbers = to_specs(recipe, 3072, 10, 45_000)

    assert network.widths == (3072, 50, 30, 10)
    assert training.n_epochs(45_000) == 8
    assert numbers == Hyperparameters(l2_strength=0.01, eta_min=1e-5, eta_max=0.1, half_cycle=900)


def test_the_split_follows_the_seed():
    spec = to_data_spec(make_recipe(flags={"seed": 7, "training.precision": "float64"}))

    assert (spec.split.seed, spec.split.validation, spec.split.stratified) == (7, 0.25, True)
    assert spec.precision == "float64"
    canonical = to_data_spec(make_recipe(flags={"data.split": "canonical"}))
    assert (canonical.split.method, canonical.split.stratified) == ("canonical", False)


def test_the_final_training_has_the_length_its_section_asks_for():
    recipe = make_recipe(flags={"data.name": "cifar10", "final.cycles": 3})

    assert resolve(final_recipe(recipe), 49_000).n_updates == 5880
    assert final_recipe(default_recipe()) == default_recipe()


def test_searching_what_plays_no_part_is_refused():
    cyclical = default_recipe()

    assert searched_field(cyclical, "lambda") == "l2_strength"
    assert searched_field(cyclical, "eta_max") == "eta_max"
    with pytest.raises(RecipeError) as of_eta:
        searched_field(cyclical, "eta")
    with pytest.raises(RecipeError) as of_momentum:
        searched_field(cyclical, "momentum")
    assert (
        "eta needs --schedule constant, step, exponential or inverse-time, got cyclical"
        in spelled(of_eta.value)
    )
    assert "momentum needs --optimizer" in spelled(of_momentum.value)


def key_of(flags: dict[str, object], **changed: object) -> str:
    network, training, numbers = to_specs(make_recipe(flags=flags), 64, 10, 1000)
    given = {"data_key": "abc", "seed": 0, "replicate": 0} | changed
    return recipe_key(network, training, numbers, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "flags",
    [
        {"final.top": 5, "final.validation": 0.1},
        {"training.epochs": 32},  # eight cycles of 2 · 50 updates up and as many down
        {"training.ns": 100},
        {"data.label": "digit"},  # what it leads to is in the key of the data
    ],
)
def test_what_does_not_decide_a_run_does_not_change_its_key(flags):
    assert key_of(flags) == key_of({})


@pytest.mark.parametrize(
    "flags",
    [
        {"training.lambda": 1e-3},
        {"training.eta_max": 0.2},
        {"training.cycles": 3},
        {"network.hidden": (51,)},
        {"network.activation": "tanh"},
        {"network.initialisation": "uniform"},
        {"network.initialisation": "glorot-uniform"},
        {"training.shuffle": False},
        {"training.precision": "float64"},
        {"training.running": True},
        {"training.evaluations": 5},
        {"training.patience": 5},
        {"training.diverged_at": 3.0},
    ],
)
def test_what_decides_a_run_changes_its_key(flags):
    assert key_of(flags) != key_of({})


@pytest.mark.parametrize("initialisation", ["normal", "uniform"])
def test_the_spread_of_first_weights_decides_a_run(initialisation):
    keys = {
        key_of({"network.initialisation": initialisation, "network.sigma": sigma})
        for sigma in (0.1, 0.2)
    }

    assert len(keys) == 2


def test_the_rule_of_early_stopping_decides_a_run():
    keys = {key_of({"training.patience": 5, "training.stop_rule": r}) for r in ("best", "window")}

    assert len(keys) == 2
    assert key_of({"training.patience": 5}) in keys


def test_data_seed_and_replicate_decide_a_run():
    keys = {key_of({}), key_of({}, data_key="x"), key_of({}, seed=1), key_of({}, replicate=1)}

    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)


def test_numbers_without_a_part_do_not_change_the_key():
    network, training, numbers = to_specs(default_recipe(), 64, 10, 1000)
    other = Hyperparameters(
        l2_strength=numbers.l2_strength,
        eta_min=numbers.eta_min,
        eta_max=numbers.eta_max,
        half_cycle=numbers.half_cycle,
        learning_rate=0.7,
        momentum=0.3,
    )

    def key(hyperparameters: Hyperparameters) -> str:
        return recipe_key(network, training, hyperparameters, data_key="", seed=0, replicate=0)

    assert key(numbers) == key(other)


def test_no_message_rounds_a_number_away():
    with pytest.raises(RecipeError, match=r"must be < 1, got 1$"):
        make_recipe(flags={"training.momentum": 1.0})
    with pytest.raises(RecipeError, match=r"must be <= 1, got 1\.0000001$"):
        make_recipe(flags={"training.step_factor": 1.0000001})


def test_widths_and_sizes_are_read_as_typed_on_a_command_line():
    parse_hidden, parse_size = (KEYS[key].kind.typed for key in ("network.hidden", "data.train"))
    assert [parse_hidden(text) for text in ("50", "50, 30", "none", "")] == [
        (50,),
        (50, 30),
        (),
        (),
    ]
    assert [parse_size(text) for text in ("5000", "0.1", "1e-2")] == [5000, 0.1, 0.01]
    assert type(parse_size("5000")) is int
    for text in ("50;30", "50,", "a"):
        with pytest.raises(RecipeError) as refusal:
            parse_hidden(text)
        assert spelled(refusal.value).startswith("--hidden must be whole numbers")
    for text in ("0", "1.5", "-1", "many", "1.0", "nan"):
        with pytest.raises(RecipeError, match="sizes are a number"):
            parse_size(text)


def test_numbers_are_taken_where_they_are_exact():
    stated = {
        "seed": np.int64(3),
        "network.hidden": [np.int64(4), 5.0],
        "training.cycles": 1.0,
        "training.batch_size": np.int32(8),
        "training.eta_max": np.float32(0.5),
        "data.train": np.int64(50),
        "data.validation": 20.0,
    }

    recipe = make_recipe(None, stated)

    assert recipe.network.hidden == (4, 5)
    assert (recipe.training.cycles, recipe.training.batch_size, recipe.seed) == (1, 8, 3)
    assert (recipe.data.train, recipe.data.validation) == (50, 20)
    json.dumps(to_json(recipe))


@pytest.mark.parametrize(
    "stated",
    [
        {"training.cycles": 1.5},
        {"training.cycles": True},
        {"training.cycles": "1"},
        {"data.train": 1.0},
        {"network.hidden": [4.5]},
    ],
)
def test_numbers_that_are_not_whole_are_refused(stated):
    with pytest.raises(RecipeError, match="must be a"):
        make_recipe(None, stated)


def test_recipes_without_settings_of_tables_are_stored_as_they_ever_were():
    stored = to_json(make_recipe(None, {"data.name": "own.csv"}))["data"]

    assert not {"header", "decimal", "categorical", "missing"} & set(stored)
    flags = {"data.missing": "median", "data.categorical": "one-hot", "data.header": False}
    recipe = make_recipe(None, {"data.name": "own.csv"} | flags)
    assert from_json(to_json(recipe)) == recipe
    assert (
        to_json(recipe)["data"] | {"missing": "median", "header": False} == to_json(recipe)["data"]
    )


@pytest.mark.parametrize(
    ("flags", "implied", "said"),
    [
        ({"training.momentum": 0.9}, {}, ["optimizer from sgd to momentum"]),
        ({"training.eta": 0.1}, {}, ["schedule from cyclical to constant"]),
        ({"training.eta": 0.1}, {"training.schedule": "constant"}, []),
        ({"network.sigma": 0.1}, {}, ["initialisation from he to normal"]),
        ({"training.momentum": 0.9, "training.optimizer": "nesterov"}, {}, []),
        ({"training.eta_min": 1e-3, "training.eta": None}, {}, []),
        (
            {"training.step_every": 3, "training.eta": 0.1, "training.momentum": 0.5},
            {},
            ["schedule from cyclical to step", "optimizer from sgd to momentum"],
        ),
    ],
)
def test_a_value_that_changes_a_choice_is_named(flags, implied, said):
    lines = [str(line) for line in Asked(None, flags).changed_choices(implied)]

    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert line.endswith(f" changes the {words}")


def test_a_file_that_states_the_choice_leaves_nothing_to_be_changed(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\noptimizer = 'nesterov'\n", encoding="utf-8")

    assert Asked(path, {"training.momentum": 0.5}).changed_choices({}) == []
