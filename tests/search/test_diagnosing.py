"""``diagnose``: what curves show, and nothing of what is noise."""

import re
import shlex

import numpy as np
import pytest

from coarsefine.search.library import Study
from coarsefine.studies.results.notes.curves import CODES, Curve, read

SHAPES = {
    "flat": lambda e: 0.95 + 0 * e,
    "learns": lambda e: 0.95 - 0.3 * np.exp(-e / 3),
    "rises": lambda e: 0.5 + 0.4 * e / e[-1],
}


def curve(shape, *, n=30, noise=0.002, gap=0.002, losses=None, n_validation=5000, ends=None):
    rng = np.random.default_rng(3)
    epochs = np.arange(1, n + 1.0)
    accuracy = SHAPES[shape](epochs)
    validation, training = np.minimum(accuracy + rng.normal(0, noise, (2, 1, n)), 1)
    return Curve(
        epochs,
        validation,
        np.minimum(training + gap, 1),
        None if losses is None else losses(epochs)[None],
        n_validation,
        2000,
        np.full(n, fill_value=True) if ends is None else ends(n),
    )


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        (curve("flat"), ["saturated"]),
        (curve("rises"), ["still-rising"]),
        (curve("rises", n=5), ["still-rising"]),
        (curve("learns", n=100), ["saturated"]),
        (curve("learns", n=4), []),  # too short to tell
        (curve("flat", n=12, noise=0.02, n_validation=300), ["noisy-end"]),
        (curve("flat", n=12, noise=0.02, n_validation=30), []),  # of one sample more or less
        (curve("flat", gap=0.04), ["overfits", "saturated"]),
        (curve("flat", gap=0.04, n_validation=90), ["saturated"]),  # may be the samples
        (
            curve("flat", n=40, noise=0.0005, ends=lambda n: np.arange(1, n + 1) % 8 == 0),
            ["saturated"],
        ),
        (curve("rises", n=30, ends=lambda n: np.zeros(n, bool)), []),
    ],
)
def test_what_a_curve_shows_is_told_from_noise(made, codes):
    assert [note.code for note in read(made)] == codes


def test_overfitting_counts_from_its_epoch_and_a_rising_loss_is_said():
    since = curve("flat", gap=np.where(np.arange(30) < 9, 0, 0.04), losses=lambda e: (e - 8) ** 2)

    line = read(since)[0].evidence

    assert "overfits since epoch 10: " in line
    assert "validation loss rose from 0 after epoch 8 to 484" in line


def test_each_finding_ends_in_a_command_that_runs(search, own_folder):
    few = ("--train", "100", "--validation", "1000", "--epochs", "60")
    for study, words in {
        "none-complete": ("eta", "--coarse", "--low", "1e3", "--high", "1e4", "--epochs", "1"),
        "not-learnt": ("eta", "--coarse", "--low", "1e-6", "--high", "1e-5", "--epochs", "1"),
        "still-rising": ("lambda", "--coarse", "--eta", "0.003", "--epochs", "6"),
        "overfits": ("batch-size", "--values", "10", "--eta", "0.1", *few),
    }.items():
        assert search(*words, "--quiet", "--hidden", "20", "--study", study).status == 0
        found = {
            each["code"]: each for each in search("diagnose", study, "--json").json["diagnoses"]
        }
        said = search("diagnose", study).out
        command = found[study]["command"]
        assert f"    {command}\n" in said
        assert search(*shlex.split(command.partition(" -m search ")[2]), "--quiet").status == 0
        assert Study(study).diagnoses().keys() == found.keys()
        assert study not in search("diagnose", study, "--ignore", study).out.partition("\n")[2]


def test_a_code_that_is_none_is_a_line(search, study):
    answer = search("diagnose", "--ignore", "overfit")

    assert answer.status == 2
    assert answer.err.startswith("error: --ignore must be one of none-complete, not-learnt, ")
    assert answer.err.count("\n") == 1


def test_the_page_has_every_code():
    from tests.test_documents import ROOT

    page = (ROOT / "docs" / "diagnoses.md").read_text(encoding="utf-8")

    assert dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", page, re.MULTILINE)) == CODES
