"""``save`` and ``predict``: a model leaves the database, and predicts as it did in training."""

import csv
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from coarsefine.models.data.sealed import open_test
from coarsefine.models.evaluation import predictions
from coarsefine.models.plain_numpy import lines_of
from coarsefine.models.saved import model_from_bytes
from coarsefine.search.library import Model, Study
from coarsefine.studies.errors import StudyError
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.recipes.specs import to_data_spec
from tests.search.conftest import carried_out

TABLE_RECIPE = ("--label", "kind", "--categorical", "one-hot", "--missing", "indicator")


def mixed_rows(n=120, seed=0):
    """Rows of a table with words, gaps, numbers that float32 rounds, and labels that are words."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        kind = ("ant", "bee", "wasp")[i % 3]
        yield {
            "size": "" if i % 11 == 0 else f"{rng.normal(i % 3, 0.2):.9f}",
            "time": f"{1.7e9 + i % 3 + rng.normal(0, 0.1):.6f}",
            "colour": "" if i % 13 == 0 else ("red", "green, dark", "rare")[i % 3 if i > 1 else 2],
            "kind": kind,
        }


def written(file, rows):
    rows = list(rows)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


@pytest.fixture(scope="module")
def tables(tmp_path_factory, own_cache):
    """A folder with a study of a table, and its model."""
    folder = tmp_path_factory.mktemp("tables")
    data = written(folder / "insects.csv", mixed_rows())
    recipe = ("--data", str(data), *TABLE_RECIPE, "--epochs", "3", "--hidden", "4,3")
    carried_out(folder, ("lambda", "--coarse", "--trials", "3", *recipe))
    return folder


def test_a_saved_model_predicts_what_the_final_test_did(search, study, own_folder):
    answer = search("save", "model.npz")

    # What `test` has trained is taken: it is not trained anew.
    assert "final" not in answer.err
    assert "the test set was opened 1 time for it" in answer.out
    model = Model.load("model.npz")
    with sqlite3.connect(study) as connection:
        accuracy, stored = connection.execute(
            "SELECT test_accuracy, recipe FROM training_test_runs JOIN training_test_openings o"
            " ON o.id = opening_id WHERE rank = 1"
        ).fetchone()
    data = Study("digits/lambda").kept.place.prepared(
        to_data_spec(from_json(json.loads(stored), "")), None
    )
    decoded = load_digits()
    x = decoded.data
    assert model.about["test_set"] == {"openings": 1, "openings_of_these_trials": 1}
    assert model.about["data"]["fingerprint"] == data.fingerprint
    # Of all samples, the test samples are those that stay when the others are taken out.
    from coarsefine.models.data.decoded import decode, mapped
    from coarsefine.models.data.progress import Silent

    place = decode(data.spec, None, download=False, progress=Silent())
    raw, labels = mapped(place.folder / "x_test.npy"), np.load(place.folder / "y_test.npy")
    assert np.mean(model.predict(raw) == labels) == accuracy
    assert model.predict(x).dtype == np.int64
    assert model.predict(x.reshape(-1, 8, 8)[:9]).tolist() == model.predict(x[:9]).tolist()


def test_weights_of_the_search_predict_its_validation_samples(search, coarse, own_folder):
    model = Study().model("coarse:1", refit="none")

    data = Study().kept.place.prepared(to_data_spec(Study().recipe.whole()), None)
    arrays = data.open()
    (network,) = model.saved.networks
    found = predictions(network.spec, network.parameters, arrays.x_validation)[0]
    trial = next(t for t in Study().ranking if t.trial == 1)
    assert np.mean(found == arrays.y_validation) == trial.validation_accuracy
    assert model.about["trials"][0]["search_validation_accuracy"] == trial.validation_accuracy


def test_weights_that_are_not_stored_are_trained_again_to_the_same_bits(search, coarse, own_folder):
    kept = Study().model("coarse:2", refit="none").saved.to_bytes()
    with sqlite3.connect(coarse) as connection:
        connection.execute("DELETE FROM training_checkpoints")

    answer = search("save", "again.npz", "--trial", "coarse:2", "--refit", "none")

    assert "are not stored: it is trained once more" in answer.err
    assert (own_folder / "again.npz").read_bytes() == kept


def test_other_weights_than_were_stored_are_not_passed_off_as_them(search, coarse):
    with sqlite3.connect(coarse) as connection:
        connection.execute("DELETE FROM training_checkpoints")
        connection.execute("UPDATE training_runs SET validation_accuracy = 0.5")

    answer = search("save", "again.npz", "--trial", "coarse:2", "--refit", "none")

    assert answer.status == 1
    assert "has another validation accuracy than is stored" in answer.err


@pytest.mark.parametrize("which", [(), ("--ensemble",)])
def test_a_few_lines_of_numpy_do_without_the_package(search, coarse, own_folder, which):
    search("save", "model.npz", *which)
    lines = search("save", "model.npz", "--show", *which).out
    np.save("new.npy", load_digits().data[:400])
    model = Model.load("model.npz")

    assert len(lines.splitlines()) <= 15
    assert "coarsefine" not in lines
    # -S: no package but NumPy, whose folder alone is on the path.
    folder = own_folder / "bare"
    folder.mkdir()
    (folder / "numpy").symlink_to(np.__path__[0])
    libraries = (own_folder / "bare").parent / "bare" / "numpy.libs"
    source = np.__path__[0] + ".libs"
    libraries.symlink_to(source)
    code = f"import sys; sys.path.insert(0, {str(folder)!r})\n{lines}"
    printed = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    predicted = search("predict", "model.npz", "new.npy").out.splitlines()[1:]
    assert printed.splitlines() == [line.partition(",")[0] for line in predicted]
    assert printed.splitlines() == [str(each) for each in model.predict("new.npy")]


def plain_outputs(model, folder):
    """Return what the lines of NumPy compute, run in a folder with the file of the model."""
    (folder / "model.npz").write_bytes(model.saved.to_bytes())
    names = {}
    exec("\n".join(lines_of(model.saved, "model.npz")), names)
    names["model"].close()
    return names["p"]


@pytest.mark.parametrize(
    "recipe",
    [
        ("--activation", "tanh", "--precision", "float64", "--batch-norm"),
        ("--activation", "sigmoid", "--hidden", "5,4", "--bias-trick"),
        ("--activation", "improved-sigmoid", "--loss", "squared-error", "--no-bias"),
        ("--activation", "leaky-relu", "--loss", "binary-cross-entropy", "--slope", "0.2"),
        ("--hidden", "none", "--normalisation", "centre"),
    ],
    ids=lambda recipe: recipe[1],
)
def test_lines_of_numpy_compute_what_the_model_does(search, samples, own_folder, recipe):
    samples()
    search("eta", "--coarse", "--trials", "2", "--epochs", "1", "--data", "mine.npz", *recipe)
    x = np.random.default_rng(1).normal(size=(50, 4))
    np.save("new.npy", x)

    model = Study().model()

    # Both round to the precision; products may be summed in another order.
    assert plain_outputs(model, own_folder) == pytest.approx(model.probabilities(x), abs=1e-5)


def test_scores_of_the_hinge_loss_are_not_called_probabilities(search, samples, own_folder):
    samples()
    recipe = ("--epochs", "1", "--data", "mine.npz", "--loss", "hinge")
    search("lambda", "--coarse", "--trials", "2", *recipe)
    np.save("new.npy", np.ones((2, 4)))

    assert search("save", "model.npz").status == 0
    lines = search("predict", "model.npz", "new.npy", "--probabilities").out.splitlines()
    assert lines[0].startswith("prediction,score,score(")
    answer = search("save", "model.npz", "--ensemble")
    assert answer.status == 1
    assert "scores, not probabilities" in answer.err
    assert "python -m search test mine/lambda --ensemble" in answer.err


def test_an_ensemble_saves_the_networks_that_cycles_end_with_as_the_test_has_them(
    search, samples, own_folder
):
    samples()
    recipe = ("--data", "mine.npz", "--snapshots", "--ns", "3", "--cycles", "3")
    search("lambda", "--coarse", "--trials", "1", *recipe)

    tested = json.loads(search("test", "--ensemble", "--json").out)

    networks = Study().model(ensemble=True).saved.networks
    assert len(networks) == tested["ensembles"][0]["networks"] == 3
    assert search("save", "model.npz", "--ensemble").out.count("3 networks as one") == 1
    assert len(Study().model().saved.networks) == 1


def test_words_gaps_and_labels_become_what_they_were_in_training(search, tables, own_folder):
    storage = ("--storage", tables / "search.db")
    assert search("save", "model.npz", "--refit", "none", *storage).status == 0
    model = Model.load("model.npz")
    data = Study(storage=tables / "search.db").kept.place.prepared(
        to_data_spec(Study(storage=tables / "search.db").recipe.whole()), None
    )

    # All samples, shuffled, without labels, with the columns in another order.
    rows = list(mixed_rows())
    new = [{k: row[k] for k in ("colour", "size", "time")} for row in rows]
    written(own_folder / "new.csv", new)
    from coarsefine.models.data.new_samples import read_samples

    read = read_samples(own_folder / "new.csv", model.saved.layout, model.saved.transform.encoder)
    seen = {row.tobytes() for row in model.saved.inputs(read)}
    arrays = data.open()
    assert all(row.tobytes() in seen for row in np.asarray(arrays.x_train))
    assert all(row.tobytes() in seen for row in np.asarray(arrays.x_validation))
    assert all(row.tobytes() in seen for row in np.asarray(open_test(data).x))
    predicted = search("predict", "model.npz", "new.csv").out.splitlines()
    assert predicted[0] == "prediction,probability"
    assert set(model.predict("new.csv")) <= {"ant", "bee", "wasp"}
    assert [line.split(",")[0] for line in predicted[1:]] == list(model.predict("new.csv"))
    frame = pd.read_csv(tables / "insects.csv")
    assert list(model.predict(frame)) == list(model.predict("new.csv"))
    assert plain_outputs(model, own_folder) == pytest.approx(
        model.probabilities("new.csv"), abs=1e-5
    )


def test_the_lines_of_numpy_read_decimal_commas_and_every_missing_value(tables, own_folder):
    model = Study(storage=tables / "search.db").model()
    rows = [dict.fromkeys(("size", "colour"), "n/a") | {"time": "1700000001.25"}, *mixed_rows(4)]
    written(
        own_folder / "points.csv", [{k: r[k] for k in ("size", "time", "colour")} for r in rows]
    )
    text = "\n".join(
        ";".join(row[k].replace(".", ",") for k in ("size", "time", "colour")) for row in rows
    )
    (own_folder / "new.csv").write_text(f"size;time;colour\n{text}\n")
    commas = Model(replace(model.saved, layout=replace(model.saved.layout, decimal=",")))

    assert plain_outputs(commas, own_folder) == pytest.approx(
        model.probabilities("points.csv"), abs=1e-5
    )


def test_what_no_training_sample_had_is_said(search, tables, own_folder):
    model = Study(storage=tables / "search.db").model()
    model.save("model.npz")
    rows = list(mixed_rows(6))
    written(own_folder / "words.csv", [row | {"colour": "blue"} for row in rows])
    written(own_folder / "gaps.csv", [row | {"time": ""} for row in rows])
    written(own_folder / "less.csv", [{"size": row["size"]} for row in rows])
    written(own_folder / "text.csv", [row | {"time": "noon"} for row in rows])

    noted = search("predict", "model.npz", "words.csv")
    assert noted.status == 0
    assert "words that no training sample has: blue" in noted.err
    assert len(search("predict", "model.npz", "gaps.csv").out.splitlines()) == 7
    assert "missing: time, colour" in search("predict", "model.npz", "less.csv").err
    assert (
        "column 'time' must hold numbers, got words"
        in search("predict", "model.npz", "text.csv").err
    )
    with pytest.raises(StudyError, match="needs a table with the columns"):
        model.predict(np.zeros((3, 3)))


def test_what_cannot_be_a_model_is_refused_in_a_line(search, coarse, own_folder):
    model = Study().model(refit="none")
    contents = model.saved.to_bytes()
    (own_folder / "cut.npz").write_bytes(contents[:-40])
    (own_folder / "text.npz").write_text("weights")
    np.savez("arrays.npz", x=np.zeros(3))

    for name in ("cut.npz", "text.npz", "arrays.npz", "gone.npz"):
        answer = search("predict", name, "new.npy")
        assert (answer.status, answer.out) == (1, "")
        assert answer.err.startswith(f"error: {name}: ")
    assert model_from_bytes(contents, "it").to_bytes() == contents
    assert search("save", "model.txt").status == 2
    assert search("save").status == 2
    assert search("save", "m.npz", "--trial", "6").status == 2
    with pytest.raises(
        StudyError, match=r"must have the shape \(N, 64\) or \(N, 8, 8\), got \(2, 3\)"
    ):
        model.predict(np.zeros((2, 3)))


def test_a_hostile_model_costs_nothing_and_predicts_nothing(search, coarse, own_folder):
    saved = Study().model(refit="none").saved
    np.savez_compressed("bomb.npz", **{"1/W1": np.zeros((4000, 4000)), "model": np.zeros(1)})
    (network,) = saved.networks
    odd = replace(network, spec=replace(network.spec, activation="__import__"))
    (own_folder / "odd.npz").write_bytes(replace(saved, networks=(odd,)).to_bytes())
    network.parameters.weights[0][:] = np.nan
    (own_folder / "nan.npz").write_bytes(saved.to_bytes())
    np.save("new.npy", np.zeros((2, 64)))

    for name, reason in {
        "bomb": "unpacks to more than it is",
        "odd": "this program has no",
        "nan": "the outputs for sample 0 (0 is the first) are not finite",
    }.items():
        answer = search("predict", f"{name}.npz", "new.npy", "--json")
        assert (answer.status, answer.out) == (1, "")
        assert reason in answer.err


def test_a_custom_trainers_networks_stay_its_own(search, own_folder):
    (own_folder / "mine.py").write_text(
        "def train(params, data, seed, report):\n    return {'validation_accuracy': 0.5}\n"
    )
    (own_folder / "own.toml").write_text('trainer = "mine:train"\n[data]\nname = "digits"\n')
    search("lambda", "--coarse", "--trials", "2", "--recipe", "own.toml", "--executor", "inline")

    answer = search("save", "model.npz")

    assert answer.status == 1
    assert "whose networks are its own" in answer.err


def test_samples_of_another_scale_are_warned_of_in_python(coarse):
    model = Study().model(refit="none")

    with pytest.warns(UserWarning, match="scale the samples as those were"):
        model.predict(np.full((1, 64), 1e-3))
