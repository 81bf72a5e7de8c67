"""The exact optimum and the largest stable learning rate, against NumPy and against training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.least_squares import largest_eigenvalue, least_squares, stable_learning_rate
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec
from coarsefine.models.training import train
from tests.models.samples import Samples, made_up


def deficient(dtype=np.float64):
    """Return samples with features that are 0, constant, or follow from others."""
    data = made_up(n_train=3000, n_validation=50, dtype=dtype)

    def worse(x):
        x = x.copy()
        x[:, 0] = 0
        x[:, 1] = 3
        x[:, 2] = x[:, 3] / 3
        # Nearly nothing, but not nothing: it must not be taken for 0.
        x[:, 4] *= 1e-5
        return x

    return Samples(worse(data.x_train), data.y_train, worse(data.x_validation), data.y_validation)


def with_one(x):
    return np.column_stack([x, np.ones(len(x))])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("made", [made_up, deficient])
def test_the_optimum_is_that_of_the_pseudo_inverse(bias, made):
    data = made()
    x = with_one(data.x_train) if bias else data.x_train
    one_hot = np.eye(4)[data.y_train]

    found = least_squares(data, 4, bias=bias)

    solution = np.linalg.pinv(x, rcond=1e-12) @ one_hot
    assert found.rank == np.linalg.matrix_rank(x, tol=1e-9)
    # The near-nothing feature's weights are near 1e5 times as large as the others.
    scale = np.abs(solution).max()
    np.testing.assert_allclose(found.parameters.weights[0][0], solution[:12].T, atol=1e-9 * scale)
    assert len(found.parameters.biases) == bias
    scores = x @ solution
    assert found.train_loss == pytest.approx(0.5 * np.square(scores - one_hot).sum() / len(x))
    assert found.train_accuracy == (scores.argmax(axis=1) == data.y_train).mean()
    x = with_one(data.x_validation) if bias else data.x_validation
    scores = x @ solution
    assert found.validation_accuracy == (scores.argmax(axis=1) == data.y_validation).mean()
    error = np.square(scores - np.eye(4)[data.y_validation]).sum()
    assert found.validation_loss == pytest.approx(0.5 * error / len(x))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("made", [made_up, deficient])
@pytest.mark.parametrize("l2_strength", [1e-6, 0.1])
def test_at_the_optimum_with_a_penalty_the_gradient_is_0(bias, made, l2_strength):
    data = made()

    found = least_squares(data, 4, bias=bias, l2_strength=l2_strength)

    weights = found.parameters.weights[0][0]
    delta = data.x_train @ weights.T + (found.parameters.biases[0][0] if bias else 0)
    delta -= np.eye(4)[data.y_train]
    gradient = delta.T @ data.x_train / len(delta) + 2 * l2_strength * weights
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    if bias:
        np.testing.assert_allclose(delta.mean(axis=0), 0, atol=1e-12)
    assert found.train_cost == pytest.approx(
        found.train_loss + l2_strength * np.square(weights).sum()
    )


def test_what_float32_rounds_off_is_no_feature_to_be_used():
    # The third of a feature is one in float64, and is off by 3e-8 of it in float32.
    narrow, wide = least_squares(deficient(np.float32), 4), least_squares(deficient(), 4)

    assert narrow.rank == wide.rank == 10
    assert narrow.train_loss == pytest.approx(wide.train_loss, rel=1e-6)


@given(
    n=st.integers(1, 60),
    d=st.integers(1, 8),
    bias=st.booleans(),
    rank=st.integers(0, 8),
    seed=st.integers(0, 1000),
)
def test_the_eigenvalue_is_numpys(n, d, bias, rank, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + rng.integers(0, 2)
    whole = with_one(x) if bias else x

    expected = np.linalg.eigvalsh(whole.T @ whole / n)[-1]

    # Where the two largest are close, an estimate that rises slowly is at most so far off.
    assert largest_eigenvalue(x, bias=bias) == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_blocks_change_no_eigenvalue_and_no_optimum(monkeypatch):
    data = made_up(n_train=5000)
    whole = largest_eigenvalue(data.x_train), least_squares(data, 4).train_loss

    monkeypatch.setattr("coarsefine.models.least_squares._BLOCK_BYTES", 8 * 12 * 7)

    parts = largest_eigenvalue(data.x_train), least_squares(data, 4).train_loss
    assert parts == pytest.approx(whole, rel=1e-12)


def test_samples_of_zeros_have_no_curvature():
    assert largest_eigenvalue(np.zeros((5, 3))) == 0
    assert stable_learning_rate(0.0, "squared-error") == np.inf


def full_batch(loss, eta, data, *, n_updates, l2_strength=0.0, bias="none"):
    network = NetworkSpec(12, (), 4, initialisation="zero", loss=loss, bias=bias)
    spec = TrainingSpec(len(data.y_train), n_updates, precision="float64", train_samples=None)
    trial = Hyperparameters(learning_rate=eta, l2_strength=l2_strength)
    plan = CohortPlan(network, spec, (trial,), seed=0)
    return [row.train_cost for row in train(plan, initial_state(plan), data, n_updates)[1]]


@pytest.mark.parametrize("l2_strength", [0.0, 0.5])
def test_training_with_squared_error_is_stable_just_up_to_that_eta(l2_strength):
    data = made_up()
    largest = stable_learning_rate(
        largest_eigenvalue(data.x_train), "squared-error", l2_strength=l2_strength
    )

    below, above = (
        full_batch("squared-error", factor * largest, data, n_updates=300, l2_strength=l2_strength)
        for factor in (0.98, 1.02)
    )

    assert below == sorted(below, reverse=True)
    # The excess along the steepest direction grows by 1.04² an update, over 300 of them.
    assert above[-1] > 100 * above[0]


@pytest.mark.parametrize("bias", [True, False])
def test_training_with_cross_entropy_goes_down_up_to_that_eta(bias):
    data = made_up()
    largest = stable_learning_rate(largest_eigenvalue(data.x_train, bias=bias), "cross-entropy")

    kind = "all" if bias else "none"
    costs = full_batch("cross-entropy", 0.99 * largest, data, n_updates=100, bias=kind)

    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("l2_strength", [0.0, 0.05])
def test_training_ends_at_the_optimum_and_never_below(bias, l2_strength):
    data = made_up()
    optimum = least_squares(data, 4, bias=bias, l2_strength=l2_strength).train_cost
    largest = stable_learning_rate(largest_eigenvalue(data.x_train, bias=bias), "squared-error")

    costs = full_batch(
        "squared-error",
        largest / 2,
        data,
        n_updates=600,
        l2_strength=l2_strength,
        bias="all" if bias else "none",
    )

    assert costs[-1] == pytest.approx(optimum, rel=1e-9)
    assert min(costs) >= optimum - 1e-12
