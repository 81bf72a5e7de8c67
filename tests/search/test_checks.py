"""Gradients checked, parameters counted, data sets listed, got and verified."""

import gzip
import re

import numpy as np
import pytest

from coarsefine.models import gradient_check
from coarsefine.models.losses import LOSSES, CrossEntropy
from coarsefine.models.specs import ACTIVATIONS
from tests.search.conftest import QUICK


def test_gradients_are_right_and_each_tensor_is_named_once(search):
    answer = search("gradcheck", "--hidden", "7,5", "--json")

    assert answer.status == 0
    assert list(answer.json) == ["parameters", "passed", "checks"]
    assert answer.json["passed"] is True
    names = [parameter["name"] for parameter in answer.json["parameters"]]
    assert names == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for parameter in answer.json["parameters"]:
        assert set(parameter) == {"name", "max_absolute_error", "max_relative_error"}
        assert parameter["max_relative_error"] <= 1e-6
    assert [check["lambda"] for check in answer.json["checks"]] == [0, 0.1]


def test_the_gradient_table_shows_both_errors(search):
    out = search("gradcheck", "--activation", "tanh", "--loss", "squared-error", "--lambda", "1")

    assert "64-50-10 tanh, squared-error, λ 1: digits, 10 samples" in out.out
    assert out.out.count("W1 ") == 1
    assert out.out.splitlines()[-1].startswith("passed: relative errors are at most ")


def test_all_kinds_of_networks_are_checked_and_drawn(search, own_folder):
    few = ("--features", "3", "--samples", "2", "--figure", "all.pdf")
    checks = search("gradcheck", "--all", *few, "--json").json

    kinds = {(len(c["widths"]), c["activation"], c["loss"], c["lambda"]) for c in checks["checks"]}
    assert len(kinds) == len(checks["checks"]) == (2 * len(ACTIVATIONS) + 1) * len(LOSSES) * 2
    assert (own_folder / "all.pdf").read_bytes().startswith(b"%PDF")


def test_the_network_itself_is_checked_when_asked(search, own_folder):
    rng = np.random.default_rng(0)
    np.savez(own_folder / "wide.npz", x_train=rng.normal(size=(30, 120)), y_train=np.arange(30) % 3)
    words = ("gradcheck", "--data", "wide.npz", "--hidden", "none", "--samples", "4")

    first, whole = (
        " ".join(search(*words, *more).out.split()) for more in ((), ("--features", "all"))
    )

    assert first.startswith(
        "20-3, cross-entropy, λ 0: wide, 4 samples, the first 20 of 120 features"
    )
    assert whole.startswith("120-3, cross-entropy, λ 0: wide, 4 samples max")


def test_what_regularises_is_checked_with_it(search):
    few = ("--features", "5", "--samples", "6", "--hidden", "6")
    more = ("--batch-norm", "--dropout", "0.4", "--class-weights", "balanced")

    answer = search("gradcheck", *few, *more, "--label-smoothing", "0.1", "--json")

    assert answer.status == 0
    names = [each["name"] for each in answer.json["parameters"]]
    assert names == ["W1", "b1", "g1", "W2", "b2"]


def test_a_wrong_gradient_is_reported_and_the_command_fails(search, monkeypatch):
    class Wrong(CrossEntropy):
        def backward(self, scores, one_hot):
            super().backward(scores, one_hot)
            scores *= 1.01

    monkeypatch.setitem(gradient_check.LOSSES, "cross-entropy", Wrong())
    assert LOSSES is gradient_check.LOSSES

    table, found = search("gradcheck"), search("gradcheck", "--json")

    assert (table.status, found.status) == (1, 1)
    assert found.json["passed"] is False
    assert table.out.splitlines()[-1].startswith("failed: relative error ")


@pytest.mark.parametrize(
    ("line", "total", "arithmetic"),
    [
        ("--data mnist --hidden none", 7850, ["784 x 10 + 10"]),
        ("--features 784 --hidden 64 --classes 10", 50890, ["784 x 64 + 64", "64 x 10 + 10"]),
        ("--data mnist --hidden 64 --bias-trick", 50880, ["784 x 64 + 64", "64 x 10"]),
        ("--data cifar10 --hidden 50", 154160, ["3072 x 50 + 50", "50 x 10 + 10"]),
    ],
)
def test_parameters_are_counted_without_reading_data(search, line, total, arithmetic):
    counted = search("params", *line.split(), "--json").json

    assert list(counted) == ["layers", "total", "total_bias_trick"]
    assert counted["total"] == total
    assert [layer["arithmetic"] for layer in counted["layers"]] == arithmetic


def test_the_layer_table_shows_the_arithmetic(search):
    out = search("params", "--features", "784", "--classes", "128", "--hidden", "none").out

    assert re.search(r"784 x 128 \+ 128 +100,480  ", out)
    assert "(784 + 1) x 128" in out


def test_parameters_of_a_file_are_counted_by_its_shape(search, samples):
    samples()

    assert search("params", "--data", "mine.npz", "--hidden", "2", "--json").json["total"] == 19


def test_data_sets_are_listed(search):
    answer = search("data", "list", "--json")

    states = {one["name"]: one["state"] for one in answer.json["data"]}
    assert states["digits"] == "embedded"
    assert states["mnist"] == "to download"
    assert "60,000" in search("data", "list").out


def test_embedded_data_is_there_and_needs_no_check(search):
    assert search("data", "get", "digits").out == "digits: inside scikit-learn\n"
    assert search("data", "verify", "digits").status == 0


def test_missing_and_differing_files_are_named_and_fail(search, own_folder):
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    missing = search("data", "verify", "mnist", "--json")
    (own_folder / "mnist").mkdir()
    for name in names:
        path = own_folder / "mnist" / f"{name}-ubyte.gz"
        path.write_bytes(gzip.compress(b"nothing of the kind"))
    differs = search("data", "verify", "mnist", "--data-dir", own_folder)

    assert (missing.status, differs.status) == (1, 1)
    states = [file["state"] for file in missing.json["data"][0]["files"]]
    assert states == 4 * ["missing"]
    assert missing.json["passed"] is False
    assert differs.out.count("differs") == 4


def test_data_that_cannot_be_downloaded_says_where_to_put_it(search, monkeypatch):
    import requests

    def offline(*_, **__):
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "get", offline)
    monkeypatch.setattr("requests.Session.get", offline)

    for line in ("data get mnist", f"lambda --coarse --data mnist {' '.join(QUICK)}"):
        answer = search(*line.split())
        assert (answer.status, answer.out) == (1, "")
        assert "mnist is not there: put train-images-idx3-ubyte.gz" in answer.err
        assert answer.err.endswith("no connection)\n")
