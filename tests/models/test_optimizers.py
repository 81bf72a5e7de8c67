"""Running scales: decay without a pass over the weights."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from coarsefine.models.updaters import running_scales

DECAYS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=200),
    elements=st.floats(-1, 1, allow_subnormal=False),
    fill=st.floats(0.9, 1),
)


@given(decay=DECAYS)
def test_scales_and_what_is_settled_make_up_the_whole_decay(decay):
    scales, settled = running_scales(decay)

    weights = np.ones(decay.shape[1])
    for i in range(len(decay)):
        expected = decay[: i + 1].prod(axis=0)
        stored = weights * scales[i]
        # Each factor rounds at 1e-16 relative, and there are at most 200.
        np.testing.assert_allclose(stored, expected, rtol=1e-12, atol=1e-300)
        if settled[i]:
            weights = stored


@given(decay=DECAYS)
def test_weights_are_settled_just_when_a_scale_gets_small(decay):
    scales, settled = running_scales(decay)

    np.testing.assert_array_equal(settled, (scales < 1e-3).any(axis=1))


def test_a_decay_that_settles_at_every_update_is_worked_out_in_no_time():
    # 100,000 updates, each settled: looked at one by one, not with all that follow.
    scales, settled = running_scales(np.zeros((100_000, 8)))

    assert settled.all()
    assert not scales.any()
