"""Searches from Python: the command line's results, its errors as exceptions, and HTML."""

import os
import signal
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coarsefine
from coarsefine import (
    Recipe,
    RecipeError,
    SpaceError,
    Study,
    StudyError,
    compare_studies,
    list_studies,
)
from coarsefine.search.library.settings import KEYS
from coarsefine.search.library.watching import Logged
from coarsefine.search.options import (
    DataOptions,
    FinalOptions,
    NetworkOptions,
    RecipeFile,
    TrainingOptions,
)

SMALL = {"epochs": 2, "hidden": 8}
ROOT = Path(__file__).parents[2]


def timeless(ranking):
    """Return what ``rank --json`` prints, but for times, which no two trainings share."""
    return {**ranking, "trials": [{**trial, "seconds": 0} for trial in ranking["trials"]]}


def coarse_study(**changes):
    study = Study.search("lambda", **{**SMALL, **changes})
    study.coarse(trials=4)
    return study


# ------------------------------------------------------------------------- as on the command line


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            ("lambda", "--coarse", "--trials", "3", "--replicates", "2", "--seed", "1"),
            lambda s: s("lambda", seed=1).coarse(trials=3, replicates=2),
        ),
        (
            ("eta", "--coarse", "--values", "1e-3,1e-1", "--lambda", "0.01"),
            lambda s: s("eta", lambda_=0.01).coarse(values=np.array([1e-3, 1e-1])),
        ),
        (
            ("lambda-eta", "--coarse", "--trials", "4", "--low", "1e-4,1e-2", "--high", "1e-1,1"),
            lambda s: s("lambda_eta").coarse(
                trials=4, low={"lambda": 1e-4, "eta": 1e-2}, high={"lambda": 1e-1, "eta": 1}
            ),
        ),
        (
            ("batch-size", "--values", "50,500", "--equal", "updates", "--together"),
            lambda s: s("batch-size").grid(values=[50, 500], equal="updates", alone=False),
        ),
        (
            # Without a name, the command line keeps searches of layers apart from those of widths.
            ("hidden", "--layers", "1,2", "--study", "digits/hidden"),
            lambda s: Study.search("hidden", epochs=2).grid(layers=[1, 2]),
        ),
        (
            ("tricks", "--one-at-a-time", "--study", "digits/tricks"),
            lambda s: s("tricks").grid(one_at_a_time=True),
        ),
    ],
)
def test_a_search_from_python_is_the_one_of_the_command_line(search, words, call, tmp_path):
    hidden = () if words[0] == "hidden" else ("--hidden", "8")
    assert search(*words, "--epochs", "2", *hidden, "--storage", "there.db").status == 0

    ranking = call(lambda name, **given: Study.search(name, **{**SMALL, **given}))

    there = search("rank", "--json", "--storage", "there.db").json
    # Commands of the command line name the database.
    there["notes"] = [note.replace(" --storage there.db", "") for note in there["notes"]]
    assert timeless(ranking.to_dict()) == timeless(there)


def test_stages_tests_and_frames_are_those_of_the_command_line(search, study):
    own = Study.search("lambda", storage="own.db", **SMALL)
    own.coarse(trials=4)
    own.fine(trials=3)
    own.test(top=2)

    there = Study(storage=study)
    mine, theirs = (s.ranking.to_pandas().drop(columns="seconds") for s in (own, there))
    search("export", "there.csv", "--storage", study)
    exported = pd.read_csv("there.csv").drop(columns="seconds")

    pd.testing.assert_frame_equal(mine, theirs, check_exact=True)
    assert mine["test_accuracy"].notna().sum() == 2
    assert list(mine.columns) == list(exported.columns)
    for name in ("lambda", "validation_accuracy", "validation_loss"):
        assert list(mine[name]) == list(exported[name])
    times = ["seconds", "evaluation_seconds"]
    pd.testing.assert_frame_equal(
        own.curves().drop(columns=times), there.curves().drop(columns=times), check_exact=True
    )


def test_a_study_of_the_command_line_goes_on_in_python_and_back(search, coarse):
    fine = Study().fine(trials=3)
    test = Study("digits/lambda").test(trials=fine[0], refit="none")

    assert timeless(fine.to_dict()) | {"trials": 0} == timeless(search("rank", "--json").json) | {
        "trials": 0
    }
    assert search("show", "--json").json["openings"][0]["trials"][0]["rank"] == 1
    assert test.times_opened == 1
    assert [stage.name for stage in fine.stages] == ["coarse", "fine"]


def test_auto_goes_on_until_nothing_differs(search):
    assert search("lambda", "--auto", "--epochs", "2", "--hidden", "8", "--json").status == 0
    there = Study().ranking

    own = Study.search("lambda", storage="own.db", **SMALL).auto()

    assert timeless(own.to_dict()) == timeless(there.to_dict())


def test_calling_a_stage_again_trains_nothing_and_more_trials_add_to_it(own_folder):
    study = coarse_study()
    first = study.ranking.to_dict()

    again = Study.search("lambda", **SMALL).coarse(trials=4).to_dict()
    more = study.coarse(trials=6)

    assert again == first
    assert len(more) == 6


def test_every_option_of_a_recipe_is_a_keyword_of_the_same_name():
    panels = (RecipeFile, DataOptions, NetworkOptions, TrainingOptions, FinalOptions)
    options = {field.name for panel in panels for field in fields(panel)}

    # A file and where data are looked for are arguments of their own; bias says both of its flags.
    assert set(KEYS) - {"trainer", "params"} == options - {"recipe", "data_dir", "bias_trick"}


def test_a_figure_a_report_and_a_list_are_there_too(study, search, own_folder):
    found = Study()

    figures = found.figures()
    file = found.report("r.html", figures=False, gradcheck=False)

    assert "values" in figures
    search("plot", "values", "-o", "there.png")
    figure, size = found.figure("values")._repr_png_()
    assert figure == (own_folder / "there.png").read_bytes()
    assert 300 < size["width"] < 1000
    assert file.read_text(encoding="utf-8").startswith("<!")
    assert list(list_studies()["study"]) == ["digits/lambda"]
    assert (list_studies()["complete"] == 7).all()


def test_a_range_test_and_a_comparison_are_those_of_the_command_line(search, own_folder):
    ended = search("eta", "--range-test", "--hidden", "8", "--storage", "there.db", "--json")
    study = Study.search("lambda", hidden=8, epochs=1)

    found = study.range_test()
    study.coarse(trials=2)
    other = Study.search("lambda", hidden=8, epochs=1, name="other", **found.settings)
    other.coarse(trials=2)
    sides = compare_studies(study, "other")

    assert (found.eta_min, found.eta_max) == (ended.json["eta_min"], ended.json["eta_max"])
    assert list(found.to_pandas()["loss"]) == ended.json["losses"]
    assert found.figure()._repr_png_()[0].startswith(b"\x89PNG")
    assert sides.to_dict() == search("compare", study.name, "other", "--json").json
    frame = sides.to_pandas()
    assert list(frame["study"]) == ["digits/lambda", "other"]
    assert list(frame["training.eta_max"]) == [0.1, found.eta_max]
    assert "training" in repr(sides)
    assert "<table>" in sides._repr_html_()


# ------------------------------------------------------------------------------------- what it is


def test_a_ranking_is_a_sequence_of_trials_that_marks_ties(study):
    ranking = Study().ranking

    assert len(ranking) == 7
    assert [trial.rank for trial in ranking] == list(range(1, 8))
    assert ranking.best == ranking[0]
    assert all(trial in ranking for trial in ranking.tied)
    assert Study().best_params == dict(ranking[0].params)
    tied = int(ranking.to_pandas()["tied"].sum())
    assert tied == len(ranking.tied)
    assert repr(ranking).count("  =  ") == tied
    assert ranking._repr_html_().count(">=</td>") == tied
    assert all(note in repr(ranking) for note in (*ranking.notes, *ranking.legend))


def test_a_recipe_says_what_is_stated_and_what_suits_the_rest(own_folder):
    (own_folder / "lab.toml").write_text("[network]\nhidden = [6]\n[training]\nepochs = 1\n")

    recipe = Recipe("lab.toml", epochs=2)
    whole = recipe.to_dict()

    assert (whole["network"]["hidden"], whole["training"]["epochs"]) == ([6], 2)
    assert whole["training"]["batch_size"] == 20
    assert recipe.replace(cycles=3).to_dict()["training"]["epochs"] is None
    assert recipe == Recipe(hidden=6, epochs=2)
    assert hash(recipe) == hash(Recipe(hidden=[6], epochs=2))
    assert recipe != recipe.replace(seed=1)
    (own_folder / "again.toml").write_text(recipe.to_toml())
    assert Recipe("again.toml") == recipe


def test_the_recipe_of_a_study_begins_another_one(own_folder):
    first = coarse_study()

    second = Study.search("lambda", first.recipe.replace(seed=1), name="other")
    second.coarse(trials=2)

    assert second.recipe == first.recipe.replace(seed=1)
    assert eval(repr(first.recipe)) == first.recipe
    assert Recipe(**first.best_params).to_dict()["training"]["lambda"] > 0


@settings(max_examples=30)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 9),
            "hidden": st.lists(st.integers(1, 9), max_size=2),
            "lambda_": st.floats(0, 1),
            "batch_size": st.integers(1, 50),
            "epochs": st.integers(1, 9),
            "bias": st.sampled_from([True, False, "input"]),
            "final_validation": st.floats(0.01, 0.5),
            "top": st.integers(1, 5),
        },
    )
)
def test_a_recipe_shows_as_what_makes_it_again(stated):
    recipe = Recipe(**stated)

    again = eval(repr(recipe))

    assert again == recipe
    assert repr(again) == repr(recipe)
    assert Recipe.of(recipe.whole()) == recipe


# ------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: Study.search("lamda"), StudyError, "did you mean lambda?"),
        (lambda: Study.search("lambda", hiden=8), TypeError, "did you mean hidden?"),
        (lambda: Recipe(learning_rate=0.1), TypeError, "did you mean eta?"),
        (lambda: Recipe(weight_decay=0.1), TypeError, "did you mean lambda_?"),
        (lambda: Recipe(dataset="mnist"), TypeError, "did you mean data?"),
        (lambda: Study.search("lambda", epochs=-1), RecipeError, "epochs"),
        (lambda: Study.search("lambda", lambda_=0.1), StudyError, "lambda_ is what a lambda"),
        (lambda: Study.search("lambda", "no.toml"), RecipeError, "found no"),
        (lambda: Study.search("lambda", jobs=0), StudyError, "jobs must be"),
        (lambda: Study.search("lambda", storage=" "), StudyError, "storage must be"),
        (Study, StudyError, "search.db"),
        (lambda: Study.search("lambda").fine(), StudyError, "call coarse() first"),
        (lambda: Study.search("lambda").ranking, StudyError, "call coarse() first"),
        (lambda: Study.search("lambda").test(), StudyError, "call coarse() first"),
        (lambda: Study.search("hidden").coarse(), StudyError, "call grid()"),
        (lambda: Study.search("lambda").grid(), StudyError, "call coarse()"),
        (lambda: Study.search("eta").coarse(trials=2.5), SpaceError, "whole number"),
        (lambda: Study.search("eta").coarse(values="0.1"), SpaceError, "must be a list"),
        (lambda: Study.search("eta").coarse(values=[0.1, -1]), SpaceError, "> 0"),
        (lambda: Study.search("eta").coarse(low=1, high=0.1), SpaceError, "low must be < high"),
        (lambda: Study.search("eta").coarse(low="1"), SpaceError, "low must be a number"),
        (lambda: Study.search("lambda-eta").coarse(low=1), SpaceError, "must be by name"),
        (lambda: Study.search("eta").coarse(sampler="gird"), SpaceError, "did you mean grid?"),
        (lambda: Study.search("eta").coarse(trails=4), TypeError, "did you mean trials?"),
        (lambda: Study.search("eta", executor="cloud"), StudyError, "executor= must be"),
        (lambda: Study.search("eta", scheduler="x", executor="inline"), StudyError, "scheduler="),
        (lambda: Study.search("eta", scheduler="gone.json").coarse(), StudyError, "gone.json"),
        (lambda: Study.search("hidden").grid(layers=["1"]), SpaceError, "layers must be whole"),
        (lambda: Study.search("hidden").grid(layers=[1], values=[4]), SpaceError, "got both"),
        (lambda: Study.search("tricks").grid(layers=[1]), StudyError, "layers= is for hidden"),
        (lambda: Study.search("lambda", data="no.npz").coarse(), StudyError, "no.npz"),
        (list_studies, StudyError, "search.db"),
        (lambda: Recipe(data=pd.DataFrame({"a": [1.0]})), RecipeError, "got a DataFrame; save it"),
        (lambda: Recipe(data=(1, 2)), RecipeError, "a data set's name or the path of a file"),
        (lambda: Recipe(3), RecipeError, "must be a TOML file or a dictionary, got 3"),
        (lambda: Recipe({"trainin": {"eta": 0.1}}), RecipeError, "did you mean training"),
        (lambda: Study.search(3), StudyError, "searches are lambda"),
        (lambda: Study.search("eta", name=3), StudyError, "name must be a text, got 3"),
        (lambda: Study(3), StudyError, "name must be a text, got 3"),
        (lambda: Study.search("eta").coarse(values=["1e-400"]), SpaceError, "too small a number"),
        (lambda: Study.search("eta").coarse(values=pd.DataFrame()), SpaceError, "got a DataFrame"),
        (lambda: Study.search("eta").coarse(trials="2"), SpaceError, "must be a whole number"),
    ],
)
def test_what_cannot_be_done_is_one_error_and_nothing_is_written_or_printed(
    call, kind, says, own_folder, capfd
):
    with pytest.raises(kind) as caught:
        call()

    assert says in str(caught.value)
    assert "--" not in str(caught.value).replace("--coarse", "")
    assert list(own_folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_errors_of_a_study_that_is_there_speak_of_keywords(coarse):
    study = Study()

    with pytest.raises(StudyError, match=r"hidden: .*there, .*asked for") as other:
        Study.search("lambda", hidden=9).coarse()
    with pytest.raises(StudyError, match=r"kinds of figures .* did you mean values\?"):
        study.figure("value")
    with pytest.raises(StudyError, match="no trial coarse:9"):
        study.figure("curves", trials=["coarse:9"])
    with pytest.raises(StudyError, match="STAGE:NUMBER"):
        study.test(trials="9")
    with pytest.raises(StudyError, match="final test"):
        study.figure("confusion", on="test")
    with pytest.raises(StudyError, match="must end in"):
        study.report("report.doc")
    with pytest.raises(StudyError, match="has no study 'other'"):
        Study("other")

    assert "choose another name with name=" in str(other.value)


def test_a_trainer_that_only_a_database_names_is_not_imported(coarse, monkeypatch):
    recipe = Study().recipe
    planted = recipe.base.model_copy(update={"trainer": "planted:train"})

    with pytest.raises(RecipeError, match="only if you name it yourself"):
        Study.search("lambda", Recipe.of(planted), name="other")


def test_a_bug_stays_what_it_is(coarse, monkeypatch):
    monkeypatch.setattr("coarsefine.studies.results.reading.rank_trials", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        _ = Study().ranking


# ---------------------------------------------------------------------------------------- stopping


def test_an_interrupted_search_carries_on_and_ends_the_same(own_folder, monkeypatch):
    asked = {"trials": 4, "replicates": 3, "fresh": True}
    whole = Study.search("lambda", name="whole", jobs=1, **SMALL).coarse(**asked).to_dict()
    before = signal.getsignal(signal.SIGINT)
    study = Study.search("lambda", jobs=1, **SMALL)
    signals = iter([signal.SIGINT])

    def interrupted(*_):
        for number in signals:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(Logged, "show", interrupted)
        with pytest.raises(KeyboardInterrupt, match="the same call carries on"):
            study.coarse(**asked)
    states = {trial.state for trial in study.ranking}
    rest = study.coarse(**asked).to_dict()

    assert signal.getsignal(signal.SIGINT) is before
    assert states & {"planned", "running"}
    assert timeless(rest)["trials"] == timeless(whole)["trials"]


def test_a_second_interrupt_ends_a_search_at_once(own_folder, monkeypatch):
    def twice(*_):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still running")

    monkeypatch.setattr(Logged, "show", twice)
    with pytest.raises(KeyboardInterrupt):
        Study.search("lambda", jobs=1, **SMALL).coarse(trials=4)


@pytest.mark.slow
def test_a_script_without_a_guard_is_run_once_by_its_workers(own_folder):
    script = own_folder / "script.py"
    script.write_text(
        "import coarsefine.studies.running.resources\n"
        "from coarsefine import Study\n"
        "coarsefine.studies.running.resources.SMALL_SECONDS = 0  # so that there are workers\n"
        "print('once')\n"
        "ranking = Study.search('lambda', epochs=2, hidden=8, jobs=2).coarse(trials=4)\n"
        "print(len(ranking))\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.stdout.split(), done.stderr) == (["once", "4"], "")


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, coarsefine; dir(coarsefine); print(*sys.modules); "
        "from coarsefine import Study, Recipe; print('then', *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    first, then = ({*words.split()} for words in done.stdout.split("then"))

    assert not first & {"numpy", "pydantic", "sqlalchemy", "coarsefine.search"}
    assert not then & {"numpy", "pandas", "matplotlib", "optuna", "sqlalchemy", "pydantic"}
    assert set(dir(coarsefine)) >= {"Study", "Recipe", "StudyError", "list_studies"}


# -------------------------------------------------------------------------------------------- HTML


class Tags(HTMLParser):
    """What a browser would take for elements."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        assert {name for name, _ in attrs} <= {"style", "value", "max"}

    def handle_data(self, data):
        self.text.append(data)


HARMLESS = {
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("br", "div", "span", "progress"),
}
EVIL = "<script>alert(1)</script>&<img src=x onerror=alert(2)>"


def test_no_text_of_a_database_or_a_recipe_becomes_markup(samples, own_folder):
    evil = EVIL.replace("/", "∕")
    path = samples(f"{evil}.npz")
    study = Study.search("lambda", data=path, name=EVIL, epochs=1, hidden=4, batch_size=30)
    ranking = study.coarse(trials=2)
    test = study.test(top=1)

    for shown in (study, ranking, test, study.recipe, Study.search("lambda", name=EVIL)):
        tags = Tags(shown._repr_html_())
        assert set(tags.found) <= HARMLESS
        if shown is not study.recipe:
            assert "<img" in "".join(tags.text)


@settings(max_examples=30)
@given(st.text(), st.text())
def test_whatever_a_recipe_says_is_shown_as_it_is(name, label):
    from coarsefine.search.library.pages import facts, sections

    for html in (
        sections(name, {"data": {"name": label}, "seed": 0}, {"seed"}),
        facts(name, [(name, [label])]),
    ):
        assert set(Tags(html).found) <= HARMLESS


def test_values_are_taken_as_pandas_numpy_and_tables_have_them(own_folder):
    ways = {
        "texts": ["1e-4", "1e-2"],
        "array": np.array([1e-4, 1e-2]),
        "series": pd.Series([1e-4, 1e-2]),
        "index": pd.Index([1e-4, 1e-2]),
    }

    for name, values in ways.items():
        study = Study.search("lambda", name=name, **SMALL)
        study.coarse(values=values)
        assert sorted(t.params["lambda"] for t in study.ranking) == [1e-4, 1e-2]
    # The trials of one stage need no name of it.
    tested = study.test(trials=[1], refit="none").to_pandas()
    assert list(tested["lambda"]) == [1e-2]


def test_a_recipe_is_a_dictionary_too_by_section_or_by_keyword():
    recipe = Recipe(eta=0.1, epochs=2, hidden=(8,))

    assert Recipe(recipe.to_dict()) == recipe == Recipe(recipe)
    assert Recipe({"training": {"eta": 0.1, "epochs": 2}, "network": {"hidden": [8]}}) == recipe
    assert Recipe({"eta": 0.1, "epochs": 2, "hidden": 8.0}) == recipe
    assert Recipe(recipe, epochs=3) == recipe.replace(epochs=3)


def test_a_trial_by_number_needs_its_stage_where_there_are_two(study):
    found = Study(storage=study)
    with pytest.raises(StudyError, match="'coarse:1' or 'fine:1'"):
        found.test(trials=[1])


@pytest.mark.parametrize(
    ("asked", "call"),
    [
        (lambda study: study.test_results(), 'run\n    Study("digits/lambda").test()'),
        (lambda study: study.figure("confusion", on="test"), ': Study("digits/lambda").test()'),
        (lambda study: study.figure("range-test"), ": range_test() with the recipe's options"),
        (lambda study: study.figure("race"), 'a search with replicates="auto": no values'),
        (lambda study: study.figure("within"), ": evaluations= or evaluate_every="),
    ],
)
def test_what_a_study_does_not_have_is_answered_with_calls_and_keywords(coarse, asked, call):
    with pytest.raises(StudyError) as error:
        asked(Study())

    assert call in str(error.value)
    assert "--" not in str(error.value)


def test_one_text_in_place_of_several_is_one_and_not_its_letters(coarse):
    study = Study()

    assert study.tag("draft", "final") == ("draft", "final")
    assert study.tag(remove="draft") == ("final",)
    assert list(list_studies(tags="final")["study"]) == [study.name]
    assert list_studies(tags="draft").empty
    space = Study.search("space", vary="eta=1e-3..1", hidden=4, epochs=1, name="space")
    assert len(space.coarse(trials=2, replicates=1)) == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (lambda study: study.annotate(7), "a note must be a text, got 7"),
        (lambda study: study.rename(7), "the name of a study must be a text, got 7"),
        (lambda study: study.tag(7), "a tag must be a text, got 7"),
        (lambda study: study.fine(prune=True), "prune must be one of none, halving, got True"),
        (lambda _: list_studies(since=7), "since= must be a date .* got 7"),
    ],
)
def test_what_must_be_a_text_and_is_none_is_refused_in_one_line(coarse, asked, message):
    with pytest.raises(StudyError, match=message):
        asked(Study())
