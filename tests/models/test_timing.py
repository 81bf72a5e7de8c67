"""What training costs, timed: where a kernel compiles at first, updates are timed after it."""

from dataclasses import replace
from types import SimpleNamespace

from coarsefine.models import timing
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec

PLAN = CohortPlan(
    network=NetworkSpec(n_features=4, hidden=(3,), n_classes=2),
    training=TrainingSpec(batch_size=1, n_updates=1000),
    trials=(Hyperparameters(),),
    seed=0,
)


def test_what_a_kernel_takes_to_compile_does_not_cut_short_what_is_timed(monkeypatch):
    calls = []

    def epoch(plan, samples, n_updates):
        compiling = 0.0 if calls else 5.0
        calls.append(n_updates)
        seconds = compiling + 1e-4 * n_updates
        return [SimpleNamespace(epoch=1, seconds=seconds, evaluation_seconds=0.0)]

    monkeypatch.setattr(timing, "_epoch", epoch)
    samples = SimpleNamespace(y_train=range(1000), y_validation=range(100))
    handle = SimpleNamespace(open=lambda: samples)

    cost = timing.timed(replace(PLAN, kernel="dense-3"), handle, 0.02)

    assert 150 < calls[-1] <= 200
    assert round(cost.update, 6) == 1e-4
