"""What is ours in the pages of Optuna's dashboard."""

import json
import re
import shutil
import sqlite3
import threading

import pytest

from coarsefine.search.cli import main
from coarsefine.search.dashboard.pictures import FILES, Pictures, number_of
from coarsefine.search.dashboard.sheets import Sheets
from coarsefine.search.errors import FigureError
from tests.search.dashboard.conftest import client_of

COARSE, FINE = "digits/lambda/coarse", "digits/lambda/fine"
QUICK = ("--epochs", "2", "--hidden", "8", "--quiet")
KINDS = {
    "batch-size": ("batch-size", "--values", "50,100", "--epochs", "1", "--quiet"),
    "dataset-size": ("dataset-size", "--values", "100,200", "--replicates", "2", *QUICK),
    "hidden": ("hidden", "--values", "4,4-4", "--epochs", "1", "--quiet"),
    "lambda-eta": ("lambda-eta", "--coarse", "--trials", "4", *QUICK),
    "tricks": ("tricks", "--epochs", "1", "--quiet"),
}
"""A search of each kind that has figures of its own."""


@pytest.fixture(scope="module")
def many(tmp_path_factory, finished):
    """A database with a study of each kind."""
    folder = tmp_path_factory.mktemp("many")
    shutil.copy(finished, folder / "search.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE"):
            patch.delenv(name, raising=False)
        assert {kind: main(list(words)) for kind, words in KINDS.items()} == dict.fromkeys(KINDS, 0)
    return folder / "search.db"


def files(shown):
    return {file["filename"]: file for file in shown["artifacts"]}


def fetch(client, page, file, trial=None):
    number = client.studies()[page]
    place = f"{number}/" if trial is None else f"{number}/{trial['trial_id']}/"
    return client.get(f"/artifacts/{place}{file['artifact_id']}")


# --------------------------------------------------------------------------------------- notes


def test_a_study_says_what_was_asked_and_found(client):
    body = client.detail(COARSE)["note"]["body"]

    for heading in (
        "Result",
        "Question and recipe",
        "Search",
        "Ranking by validation",
        "Final test",
    ):
        assert f"\n## {heading}" in body
    assert "Which λ gives the highest validation accuracy" in body
    assert re.search(r"\| \*\*1\*\*.*\| \*\*\\=\*\*", body), "the best trial is tied with others"


def test_a_study_leads_to_its_other_stages(client):
    ids = client.studies()

    coarse, fine = (client.detail(name)["note"]["body"] for name in (COARSE, FINE))

    assert f"**coarse** (this page) → [fine](/dashboard/studies/{ids[FINE]})" in coarse
    assert f"[coarse](/dashboard/studies/{ids[COARSE]}) → **fine** (this page)" in fine


def test_a_trial_says_where_it_stands(client, search, finished):
    page = client.detail(FINE)
    ranked = search("rank", "--storage", finished, "--json").json["trials"]

    for shown in (*page["trials"], *page["best_trials"]):
        (own,) = [t for t in ranked if (t["stage"], t["trial"]) == ("fine", shown["number"])]
        body = shown["note"]["body"]
        assert f"**Rank {own['rank']} of 7" in body
        assert ("tied with" in body) == own["tied"]
        assert f"{100 * own['validation_accuracy']:.2f} ±" in body
        assert ("test accuracy" in body) == (own["test_accuracy"] is not None)


def test_a_trial_that_is_not_complete_says_so(search, own_folder):
    values = ("--eta", "1e30", "--schedule", "constant", "--trials", "2")
    search("lambda", "--coarse", *QUICK, *values)
    with client_of(own_folder / "search.db") as client:
        page = client.detail(COARSE)

    assert {shown["note"]["body"].split(":")[0] for shown in page["trials"]} == {
        "**Diverged, not ranked"
    }
    assert not any(files(shown) for shown in page["trials"])
    assert "No trial is complete" in page["note"]["body"]


def test_a_note_that_somebody_wrote_stays(study):
    optuna = pytest.importorskip("optuna")
    owner = optuna.load_study(study_name=COARSE, storage=f"sqlite:///{study}")
    from optuna_dashboard import save_note

    save_note(owner, "mine alone")
    with client_of(study) as client:
        assert client.detail(COARSE)["note"]["body"] == "mine alone"
        assert "## Result" in client.detail(FINE)["note"]["body"]


def test_names_are_words_and_never_tags(search, own_folder):
    name = "<img src=x onerror=alert(1)>"
    assert search("lambda", "--coarse", "--trials", "2", "--study", name, *QUICK).status == 0
    with client_of(own_folder / "search.db") as client:
        page = client.detail(f"{name}/coarse")

    assert "<img" not in page["note"]["body"].replace("\\<", "")
    assert all("<img" not in each["graph_object"] for each in page["plotly_graph_objects"])


# -------------------------------------------------------------------------------------- figures


def test_interactive_figures_show_what_the_ranking_says(client, search, finished):
    ranked = search("rank", "--storage", finished, "--json").json["trials"]
    shown = {
        p["id"]: json.loads(p["graph_object"])
        for p in client.detail(COARSE)["plotly_graph_objects"]
    }

    assert set(shown) == {"accuracy-by-lambda", "curves-of-the-best"}
    figure = shown["accuracy-by-lambda"]
    assert figure["layout"]["xaxis"]["type"] == "log"
    *stages, star = figure["data"]
    for trace in stages:
        own = {t["params"]["lambda"]: t for t in ranked if t["stage"] == trace["name"]}
        assert set(trace["x"]) == set(own)
        errors = zip(trace["error_y"]["arrayminus"], trace["error_y"]["array"], strict=True)
        for x, y, (below, above) in zip(trace["x"], trace["y"], errors, strict=True):
            low, high = own[x]["interval"]
            assert (y, y - below, y + above) == pytest.approx(
                (100 * own[x]["validation_accuracy"], 100 * low, 100 * high)
            )
    assert star["x"] == [ranked[0]["params"]["lambda"]]


def test_choices_stand_in_the_order_of_the_plan(many, search):
    trials = search("rank", "digits/tricks", "--storage", many, "--json").json["trials"]
    planned = [t["params"]["variant"] for t in sorted(trials, key=lambda t: t["trial"])]
    with client_of(many) as client:
        (figure,) = [
            json.loads(p["graph_object"])
            for p in client.detail("digits/tricks/grid")["plotly_graph_objects"]
            if p["id"] == "accuracy-by-variant"
        ]

    assert figure["layout"]["xaxis"]["categoryarray"] == planned
    assert planned[0] == "base"


def test_curves_are_those_of_the_stage_with_all_epochs(client):
    (figure,) = [
        json.loads(p["graph_object"])
        for p in client.detail(COARSE)["plotly_graph_objects"]
        if p["id"] == "curves-of-the-best"
    ]

    assert len(figure["data"]) == 4
    assert all(trace["x"] == [0, 1, 2] for trace in figure["data"])


def test_trials_under_way_show_how_far_they_are(study):
    with sqlite3.connect(study) as connection:
        # As it is while they train: there are epochs, but no result.
        connection.execute(
            "UPDATE training_trials SET state = 'running', validation_accuracy = NULL"
        )
    with client_of(study) as client:
        page = client.detail(COARSE)
    (figure,) = [json.loads(p["graph_object"]) for p in page["plotly_graph_objects"]]

    assert len(figure["data"]) == 4
    assert all(trace["name"].startswith("under way: λ") for trace in figure["data"])
    assert "not finished: 7 of 7 trials" in page["note"]["body"]


@pytest.mark.parametrize("kind", ["lambda", *KINDS])
def test_just_those_files_are_offered_that_can_be_drawn(many, kind, monkeypatch):
    from coarsefine.db.connections.engine import open_database

    # Whether a figure can be drawn is known before it is a file, which takes ten times as long.
    monkeypatch.setattr("coarsefine.search.figures.rendering.rendered", lambda *_: b"drawn")
    with open_database(str(many), read_only=True) as database:
        sheet = Sheets(database).of(f"digits/{kind}")
        pictures = Pictures()
        for trial in (None, sheet.ranking.best, sheet.ranking.trials[-1]):
            offered = pictures.fitting(sheet, trial)
            drawn = []
            for number, file in enumerate(FILES):
                if file.of_trial == (trial is not None):
                    try:
                        pictures.contents(sheet, number, trial)
                    except FigureError:
                        continue
                    drawn.append(number)
            assert [FILES[n].name for n in offered] == [FILES[n].name for n in drawn]


def test_files_are_what_the_commands_write(client, search, finished, own_folder):
    at = ("--storage", finished, "--quiet")
    assert search("plot", "values", "-o", "values.png", *at).status == 0
    assert search("plot", "curves", "--trial", "fine:0", "-o", "curves.png", *at).status == 0
    assert search("export", "ranking.csv", *at).status == 0
    page = client.detail(FINE)
    (trial,) = [shown for shown in page["trials"] if shown["number"] == 0]

    for name in ("values.png", "ranking.csv"):
        reply = fetch(client, FINE, files(page)[name])
        assert reply.status == 200
        assert reply.headers["content-type"] == files(page)[name]["mimetype"]
        assert reply.body == (own_folder / name).read_bytes()
    reply = fetch(client, FINE, files(trial)["curves.png"], trial)
    assert reply.body == (own_folder / "curves.png").read_bytes()
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["1/c0a45f-00-0", "99/c0a45f-05-0", "1/99/c0a45f-09-0", "1/c0a45f-0a-0", "1/1/c0a45f-00-0"],
)
def test_a_file_that_is_not_there_is_not_found(client, path):
    reply = client.get(f"/artifacts/{path}")

    assert (reply.status == 404) == (path != "1/c0a45f-00-0")


@pytest.mark.parametrize(
    "name", ["c0a45f-", "c0a45f-ff-0", "c0a45f--1", "", "c0a45f", "00", "c0a45f-0g-0"]
)
def test_other_names_are_none_of_ours(name):
    assert number_of(name) is None


def test_a_browser_may_keep_a_file_until_the_study_changes(study, search, monkeypatch):
    # A study that changes is read again after a multiple of what reading took; here, at once.
    monkeypatch.setattr("coarsefine.search.dashboard.sheets._PATIENCE", 0.0)
    with client_of(study) as client:
        before = files(client.detail(COARSE))["values.png"]["artifact_id"]
        assert files(client.detail(COARSE))["values.png"]["artifact_id"] == before
        assert search("lambda", "--finer", "--trials", "2", "--quiet").status == 0
        page = client.detail(COARSE)

    assert files(page)["values.png"]["artifact_id"] != before
    assert "finer" in page["note"]["body"]


def test_one_thread_draws_for_all(client, monkeypatch):
    # Each thread that draws would open all fonts anew, and keep them open.
    threads = []
    monkeypatch.setattr(
        "coarsefine.search.dashboard.pictures._made",
        lambda *_: threads.append(threading.get_ident()) or b"drawn",
    )
    asking = [
        threading.Thread(target=client.get, args=(f"/artifacts/1/c0a45f-{number:02x}-0",))
        for number in range(3)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(timeout=60)

    assert len(threads) == 3
    assert len(set(threads)) == 1


# ------------------------------------------------------------------------------ and nothing else


def test_studies_of_others_stay_as_they_are(study):
    optuna = pytest.importorskip("optuna")
    other = optuna.create_study(study_name="other", storage=f"sqlite:///{study}")
    other.add_trial(optuna.trial.create_trial(value=1.0, user_attrs={"uuid": "0"}))
    named = optuna.create_study(study_name="named", storage=f"sqlite:///{study}")
    named.set_user_attr("study", "digits/lambda")
    named.set_user_attr("uuid", "0")
    with client_of(study) as client:
        for name in ("other", "named"):
            page = client.detail(name)
            assert page["note"]["body"] == ""
            assert page["artifacts"] == page["plotly_graph_objects"] == []
            assert all(shown["note"]["body"] == "" for shown in page["trials"])


def test_attributes_that_others_gave_their_trials_are_no_mistake_of_ours(study, capsys):
    optuna = pytest.importorskip("optuna")
    ours = optuna.load_study(study_name=COARSE, storage=f"sqlite:///{study}")
    ids = []
    for value in (["x"], {"a": 1}, None, 1.5):
        trial = ours.ask()
        trial.set_user_attr("uuid", value)
        ids.append(trial._trial_id)
    confusion = [file.name for file in FILES].index("confusion.png")
    with client_of(study) as client:
        capsys.readouterr()
        assert len(client.detail(COARSE)["trials"]) == 8
        for trial_id in ids:
            assert client.get(f"/artifacts/1/{trial_id}/c0a45f-{confusion:02x}-0").status == 404

    assert capsys.readouterr() == ("", "")


def test_a_page_is_there_even_if_what_is_ours_cannot_be_read(study):
    with sqlite3.connect(study) as connection:
        (recipe,) = connection.execute("SELECT recipe FROM training_studies").fetchone()
        newer = json.dumps(json.loads(recipe) | {"newer": {"key": 1}})
        connection.execute("UPDATE training_studies SET recipe = ?", (newer,))
    with client_of(study) as client:
        page = client.detail(COARSE)

    assert len(page["trials"]) == 4
    assert page["note"]["body"].startswith("> **Note:**")


def test_a_mistake_of_ours_is_told_to_the_terminal_and_leaves_the_page(client, monkeypatch, capsys):
    monkeypatch.setattr("coarsefine.search.dashboard.overlay.study_note", lambda *_: 1 / 0)

    page = client.detail(COARSE)

    assert len(page["trials"]) == 4
    assert page["note"]["body"] == ""
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_trials_keep_all_that_optuna_knows(client, finished):
    optuna = pytest.importorskip("optuna")
    theirs = optuna.load_study(study_name=COARSE, storage=f"sqlite:///{finished}").trials
    shown = client.detail(COARSE)["trials"]

    assert [t["values"] for t in shown] == [[t.value] for t in theirs]
    assert [
        {point["step"]: point["value"] for point in t["intermediate_values"]} for t in shown
    ] == [t.intermediate_values for t in theirs]


def test_looking_at_a_head_gives_no_body(client):
    confusion = [file.name for file in FILES].index("confusion.png")
    for path in ("/api/studies/1", "/api/meta", f"/artifacts/1/c0a45f-{confusion:02x}-0"):
        reply = client.ask("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")
        assert int(reply.headers["content-length"]) > 0
