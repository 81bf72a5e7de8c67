"""The exact optimum of a recipe's linear network."""

import pytest

from coarsefine.studies.checks.reference_lines import reference_lines
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.recipes.layers import make_recipe


def test_training_comes_close_to_the_optimum_and_never_below_it(bench):
    flags = {
        **bench.flags,
        "network.hidden": (),
        "training.loss": "squared-error",
        "training.eta": 0.01,
        "training.epochs": 60,
    }
    recipe = make_recipe(None, flags)
    lines = reference_lines(recipe, bench.means().prepare(recipe))

    bench.flags = flags
    bench.flags["training.momentum"] = 0.9
    from coarsefine.studies.planning.request import StageRequest

    study = bench.coarse(StageRequest(values=(0.0,))).study
    trial = bench.ranking(study).best

    assert lines.train_accuracy == pytest.approx(trial.train_accuracy, abs=0.05)
    assert lines.validation_loss <= trial.validation_loss * 1.2
    assert 0 < lines.largest_eta < 2


@pytest.mark.parametrize(
    "flags", [{"network.hidden": (6,)}, {"network.hidden": (), "training.loss": "cross-entropy"}]
)
def test_other_networks_have_no_such_optimum(bench, flags):
    recipe = make_recipe(None, {**bench.flags, **flags})

    with pytest.raises(RecipeError, match="without hidden layers and with loss squared-error"):
        reference_lines(recipe, bench.means().prepare(recipe))
