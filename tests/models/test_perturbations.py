"""Flips, shifts, noise and dropout: shared by trials, and of the images that they say."""

import numpy as np
import pytest

from coarsefine.models.cohort import CohortPlan
from coarsefine.models.errors import ModelError
from coarsefine.models.perturbations import Perturbations, perturbations_of
from coarsefine.models.specs import Hyperparameters, NetworkSpec, TrainingSpec

PLAIN = (Hyperparameters(),)


def perturbations(shape, trials=PLAIN, **training):
    spec = NetworkSpec(int(np.prod(shape)), (40, 30), 3)
    return Perturbations(CohortPlan(spec, TrainingSpec(10, 10, **training), trials, 3), 0, shape)


@pytest.mark.parametrize("shape", [(5, 6), (3, 5, 6), (5, 6, 3)])
def test_a_shift_and_a_flip_move_all_colours_alike_and_repeat_the_edge(shape):
    images = np.arange(np.prod(shape)).reshape(shape).astype(np.float32)
    x = np.repeat(images.ravel()[None], 200, axis=0)

    perturbations(shape, flips=True, shifts=2).change(x)

    axes = (0, 1) if shape[-1] == 3 or len(shape) == 2 else (1, 2)
    pads = [(2, 2) if axis in axes else (0, 0) for axis in range(len(shape))]
    expected = set()
    for flipped in (images, np.flip(images, axes[1])):
        wide = np.pad(flipped, pads, mode="edge")
        for down in range(5):
            for right in range(5):
                cut = [slice(None)] * len(shape)
                cut[axes[0]] = slice(down, down + 5)
                cut[axes[1]] = slice(right, right + 6)
                expected.add(wide[tuple(cut)].tobytes())
    seen = {row.tobytes() for row in x}
    assert seen <= expected
    # Of 50 images 200 draws leave out 0.9 on average.
    assert len(seen) > 40


def test_samples_that_are_no_images_are_not_flipped():
    with pytest.raises(ModelError, match="need samples that are images, these are of shape 64"):
        perturbations((64,), flips=True)
    plan = CohortPlan(NetworkSpec(4, (), 2), TrainingSpec(1, 1, shifts=1), PLAIN, 0)
    with pytest.raises(ModelError, match="of unknown shape"):
        perturbations_of(plan, 0, ())


def test_units_are_left_out_at_the_rate_of_the_trial_and_the_same_ones_in_any_cohort():
    trials = tuple(Hyperparameters(dropout=rate) for rate in (0.0, 0.25, 0.5))
    together = perturbations((4, 4), trials).masks(trials, 500)
    alone = perturbations((4, 4), trials[2:]).masks(trials[2:], 500)

    for mask, only, width in zip(together, alone, (40, 30), strict=True):
        assert mask.shape == (3, width, 500)
        assert only.shape == (1, width, 500)
        np.testing.assert_array_equal(mask[2], only[0])
        assert (mask[0] == 1).all()
        assert set(np.unique(mask[2])) == {0, 2}
        # Who is left out at a low rate is left out at a higher one.
        assert not mask[2][mask[1] == 0].any()
        # 15,000 units or more: a standard error of the rate of 0.004 at the most.
        assert (mask[1] == 0).mean() == pytest.approx(0.25, abs=0.015)
    assert perturbations((4, 4)).masks(PLAIN, 500) is None


def test_noise_has_the_deviation_that_is_asked_for_and_is_drawn_anew():
    blurred = perturbations((20, 20), input_noise=0.5)
    first, second = np.zeros((2, 100, 400))
    blurred.change(first)
    blurred.change(second)

    assert first.std() == pytest.approx(0.5, rel=0.02)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(0, abs=0.02)
