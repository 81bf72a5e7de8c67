"""The same training in another framework: it agrees, and what is wrong is found."""

import json
import sys
from dataclasses import replace

import pytest

from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.data import prepare
from coarsefine.models.specs import ACTIVATIONS, BIASES, LOSSES, OPTIMIZERS, SCHEDULES
from coarsefine.models.training import train
from coarsefine.studies.checks import crosscheck as module
from coarsefine.studies.checks.crosscheck import (
    FRAMEWORKS,
    FrameworkMissingError,
    NotComparableError,
    crosscheck,
)
from coarsefine.studies.checks.frameworks import UnknownFrameworkError, begin, sklearn_side
from coarsefine.studies.checks.frameworks.sklearn_side import SklearnSide
from coarsefine.studies.checks.frameworks.torch_side import TorchSide
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.specs import to_data_spec, to_specs

# Rounding in float64 stays near 1e-15 of the weights in trainings as short as these; anything a
# person could get wrong is larger than this by far.
ROUNDING = 1e-12


@pytest.fixture
def compared(samples):
    """Cross-check a small recipe; what is said overrules it."""

    def call(against, n_steps=3, **said):
        if against == "torch":
            pytest.importorskip("torch")
        recipe = make_recipe(flags=flags(samples, **said))
        return crosscheck(recipe, prepare(to_data_spec(recipe)), against, n_steps)

    return call


def flags(samples, **said):
    """240 samples in batches of 50, so that the last one is smaller."""
    return {
        "data.name": str(samples),
        "network.hidden": (6, 5),
        "training.epochs": 3,
        "training.batch_size": 50,
        "training.lambda": 0.01,
        "training.precision": "float64",
    } | {key.replace("__", "."): value for key, value in said.items()}


def largest(check):
    both = [*check.steps, *(epoch.weights for epoch in check.epochs)]
    return max(comparison.difference for comparison in both)


CONSTANT = {"training__eta": 0.05}
EVERY_FRAMEWORK = [
    {},
    CONSTANT | {"network__activation": "sigmoid"},
    {"network__activation": "tanh", "training__optimizer": "adam"},
    CONSTANT | {"training__optimizer": "momentum", "training__momentum": 0.8},
    CONSTANT | {"training__optimizer": "nesterov", "training__drop_last": True},
    {"training__step_every": 1, "training__step_factor": 0.3, "training__shuffle": False},
    CONSTANT
    | {"network__hidden": (), "network__initialisation": "zero", "training__loss": "squared-error"},
]
TORCH_ALONE = [
    {"training__schedule": "geometric"},
    {"network__activation": "improved-sigmoid", "training__optimizer": "nesterov"},
    {"network__bias": "none", "training__optimizer": "momentum", "training__momentum": 0.0},
    {"network__bias": "input", "training__optimizer": "adam", "training__step_every": 2},
    CONSTANT | {"training__optimizer": "rmsprop", "network__activation": "leaky-relu"},
    {
        "training__optimizer": "adamw",
        "training__decoupled_decay": 0.3,
        "training__beta1": 0.8,
        "training__beta2": 0.95,
        "training__schedule": "cosine",
    },
    {"training__schedule": "exponential", "training__eta_decay": 0.4, "training__clip_norm": 0.2},
    {"training__schedule": "inverse-time", "training__label_smoothing": 0.1},
    {"training__ns": 2, "training__cycle_factor": 0.5, "training__warm_up": 3},
    {"training__loss": "hinge", "training__class_weights": "balanced"},
    {"training__loss": "binary-cross-entropy", "training__class_weights": (1.0, 2.0, 3.0, 4.0)},
    {"training__dropout": 0.3, "training__input_noise": 0.2},
    {"network__batch_norm": True, "training__dropout": 0.2, "training__clip_norm": 0.5},
    {"network__batch_norm": True, "network__bias": "none", "training__optimizer": "adamw"},
    {"network__bias_row": True, "training__optimizer": "momentum", "training__lambda": 0.1},
    {"network__bias_row": True, "training__clip_norm": 0.5, "training__lambda": 0.1},
    {"network__bias_sigma": 0.1, "training__schedule": "cosine", "training__warm_up": 4},
]


@pytest.mark.parametrize(
    ("against", "said"),
    [(name, said) for name in FRAMEWORKS for said in EVERY_FRAMEWORK]
    + [("torch", said) for said in TORCH_ALONE],
)
def test_weights_and_curves_are_the_same_to_rounding(compared, against, said):
    check = compared(against, **said)

    assert check.agrees, check.verdict
    assert largest(check) < ROUNDING
    assert [step.update for step in check.steps] == [1, 2, 3]
    assert [epoch.epoch for epoch in check.epochs] == [0, 1, 2, 3]
    assert check.judged == check.epochs[-1].weights.update
    for epoch in check.epochs:
        assert epoch.ours.validation_accuracy == epoch.theirs.validation_accuracy
        assert epoch.ours.train_cost == pytest.approx(epoch.theirs.train_cost, rel=ROUNDING)


@pytest.mark.parametrize("against", FRAMEWORKS)
def test_single_precision_agrees_within_its_own_rounding(compared, against):
    check = compared(against, training__precision="float32", network__activation="tanh")

    assert check.agrees, check.verdict
    assert ROUNDING < largest(check) < 1e-5


def test_everything_there_is_is_compared_somewhere(samples):
    made = [make_recipe(flags=flags(samples, **said)) for said in EVERY_FRAMEWORK + TORCH_ALONE]

    assert {recipe.network.activation for recipe in made} == set(ACTIVATIONS)
    assert {recipe.network.bias for recipe in made} == set(BIASES)
    assert {recipe.training.loss for recipe in made} == set(LOSSES)
    assert {recipe.training.optimizer for recipe in made} == set(OPTIMIZERS)
    assert {recipe.training.schedule for recipe in made} == set(SCHEDULES)


def test_our_side_is_the_trainer_that_searches_use(compared, samples):
    check = compared("sklearn")
    recipe = make_recipe(flags=flags(samples))
    data = prepare(to_data_spec(recipe))
    network, training, numbers = to_specs(recipe, data.n_features, data.n_classes, data.n_train)
    plan = CohortPlan(network, replace(training, train_samples=None), (numbers,), recipe.seed)
    _, rows = train(plan, initial_state(plan), data.open(), 3)

    assert [e.ours.validation_loss for e in check.epochs] == [r.validation_loss for r in rows]
    assert [e.ours.train_cost for e in check.epochs] == [r.train_cost for r in rows]


def beginning(**numbers):
    """Return a ``begin`` that tells the other side other numbers."""

    def other(against, task):
        return begin(
            against, replace(task, hyperparameters=replace(task.hyperparameters, **numbers))
        )

    return other


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize(
    ("against", "numbers"),
    [
        # ½ λ Σ W² in place of λ Σ W².
        ("sklearn", {"l2_strength": 0.005}),
        ("torch", {"l2_strength": 0.005}),
        ("sklearn", {"momentum": 0.85}),
        ("torch", {"learning_rate": 0.0499}),
    ],
)
def test_another_convention_is_found(compared, monkeypatch, against, numbers, precision):
    monkeypatch.setattr(module, "begin", beginning(**numbers))

    said = CONSTANT | {"training__optimizer": "momentum", "training__precision": precision}
    check = compared(against, **said)

    assert not check.agrees
    # The first update shows a wrong λ or η, the second a wrong momentum.
    assert check.differs_at == (2 if "momentum" in numbers else 1)
    assert f"at update {check.differs_at}" in check.verdict


def test_a_gradient_that_is_never_zeroed_is_found(compared, monkeypatch):
    from coarsefine.models.optimizers import SLOTTED, Momentum

    class Accumulating(Momentum):
        def __init__(self, column, dtype):
            self.momentum = dtype(1)

    monkeypatch.setitem(SLOTTED, "momentum", Accumulating)

    assert compared("sklearn", **CONSTANT, training__optimizer="momentum").differs_at == 2


def test_batches_in_another_order_are_found_at_the_end_of_the_epoch(compared, monkeypatch):
    # What the first updates are compared on is given to both sides in the same order.
    monkeypatch.setattr(module, "ORDER", 99)
    check = compared("sklearn")

    assert check.differs_at == 5
    assert "(end of epoch 1)" in check.verdict


def test_a_measure_that_is_wrong_is_told_from_weights_that_are(compared, monkeypatch):
    from coarsefine.studies.checks.frameworks.sklearn_side import SklearnSide

    measured = SklearnSide.measured

    def doubled(self, x, labels):
        loss, n_right = measured(self, x, labels)
        return 2 * loss, n_right

    monkeypatch.setattr(SklearnSide, "measured", doubled)
    check = compared("sklearn")

    assert check.differs_at == 0
    assert check.epochs[0].weights.agrees
    assert {"train_loss", "validation_cost"} <= set(check.epochs[0].differing)
    assert "the weights agree, train loss and train cost" in check.verdict


@pytest.mark.parametrize("against", FRAMEWORKS)
def test_a_training_that_diverges_does_so_on_both_sides(compared, against):
    check = compared(
        against, training__eta=1e6, training__loss="squared-error", training__epochs=40
    )

    assert check.agrees
    assert check.verdict.endswith("both diverge")
    assert len(check.epochs) < 40
    json.dumps(check.to_json(), allow_nan=False)


def test_where_rounding_decides_nothing_is_judged(compared, monkeypatch):
    monkeypatch.setattr(module, "MEANINGLESS", 0.0)
    check = compared("sklearn", n_steps=0)

    assert [epoch.agrees for epoch in check.epochs] == [True, None, None, None]
    assert (check.agrees, check.judged) == (True, 0)
    assert "15 updates cannot be judged" in check.verdict


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"network__activation": "improved-sigmoid"}, "has no improved-sigmoid"),
        ({"network__bias": "none"}, "has biases in all layers"),
        ({"training__optimizer": "momentum"}, "training.schedule = constant is comparable"),
    ],
)
def test_what_scikit_learn_does_otherwise_is_refused_with_the_reason(compared, said, reason):
    with pytest.raises(NotComparableError, match=reason):
        compared("sklearn", **said)


def test_an_optimizer_that_scikit_learn_has_not_is_refused(compared, monkeypatch):
    monkeypatch.delitem(sklearn_side._SOLVERS, "nesterov")

    with pytest.raises(NotComparableError, match="has no nesterov, only sgd, momentum, adam"):
        compared("sklearn", **CONSTANT, training__optimizer="nesterov")


@pytest.mark.parametrize("side", [TorchSide, SklearnSide])
def test_a_number_that_a_framework_is_not_given_is_refused(compared, monkeypatch, side):
    monkeypatch.setattr(side, "followed", side.followed - {"momentum"})
    against = "torch" if side is TorchSide else "sklearn"
    said = CONSTANT | {"training__optimizer": "momentum"}

    assert compared(against, **said, training__momentum=0.9, training__epochs=1).agrees
    with pytest.raises(NotComparableError, match=r"not given momentum, which is 0\.8 here"):
        compared(against, **said, training__momentum=0.8)


@pytest.mark.parametrize(
    ("against", "package"), [("torch", "torch"), ("sklearn", "sklearn.neural_network")]
)
def test_a_framework_that_is_missing_is_one_line_with_how_to_get_it(
    samples, monkeypatch, against, package
):
    monkeypatch.setitem(sys.modules, package, None)
    recipe = make_recipe(flags=flags(samples))

    with pytest.raises(FrameworkMissingError, match=r"pip install [a-z-]+$") as raised:
        crosscheck(recipe, prepare(to_data_spec(recipe)), against)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_status == 1


def test_a_misspelt_framework_is_guessed_at(compared):
    with pytest.raises(UnknownFrameworkError, match=r"torch or sklearn, got sklern; did you mean"):
        compared("sklern")


def test_early_stopping_is_left_out_and_said_to_be(compared):
    check = compared("sklearn", training__patience=1, training__score="best")

    assert len(check.epochs) == 4
    assert "early stopping is left out" in check.notes[-1]
