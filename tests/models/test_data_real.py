"""The real files, where there are any."""

import os
from pathlib import Path

import pytest

from coarsefine.models.data.checksums import verify
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.spec import DataSpec, SplitSpec

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("SEARCH_DATA_DIR" not in os.environ, reason="SEARCH_DATA_DIR is not set"),
]


def test_mnist_is_what_was_published(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path))
    if not (Path(os.environ["SEARCH_DATA_DIR"]) / "mnist").is_dir():
        pytest.skip("no MNIST in SEARCH_DATA_DIR")

    # 20,000 of the first 60,000: their mean and deviation are known from course hand-outs.
    split = SplitSpec("ordered", train=20_000, validation=10_000)
    mnist = prepare(DataSpec("mnist", split, normalisation="none"), download=False)

    x = mnist.open().x_train
    assert mnist.warnings == ()
    assert (mnist.n_features, mnist.n_test) == (784, 10_000)
    assert x.mean(dtype="float64") == pytest.approx(33.5527, abs=1e-4)
    assert x.std(dtype="float64") == pytest.approx(78.8755, abs=1e-4)
    assert {check.state for check in verify("mnist")} == {"ok"}
