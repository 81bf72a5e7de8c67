"""``space``: a search over several keys at once, from a command line and from Python."""

import re
import shlex
import shutil

import optuna
import pytest

from coarsefine.search.library import Study
from coarsefine.studies.errors import StudyError
from coarsefine.studies.running.enqueued import enqueued_point
from coarsefine.studies.spaces.narrowing import ScoredTrial, narrowed
from coarsefine.studies.spaces.varying import varied
from tests.search.conftest import QUICK, carried_out

VARY = ("--vary", "eta=1e-2..1", "--vary", "momentum=0.5..0.95:logit", "--vary", "hidden=4..16:int")
EPOCHS = QUICK[:2]
NAME = "digits/eta-momentum-width"


@pytest.fixture(scope="module")
def three(tmp_path_factory, own_cache):
    """A search over three numbers, coarse and fine."""
    folder = tmp_path_factory.mktemp("three")
    coarse = ("space", "--coarse", *VARY, *EPOCHS, "--trials", "9")
    return carried_out(folder, coarse, ("space", "--fine"))


def trials_of(search, file, name=NAME):
    return search("rank", name, "--json", "--storage", file).json


def test_three_numbers_are_covered_and_narrowed_with_as_many_trials_as_asked(search, three):
    found = trials_of(search, three)

    stages = {stage["name"]: stage for stage in found["stages"]}
    by_stage = {s: [t for t in found["trials"] if t["stage"] == s] for s in stages}
    assert {name: len(trials) for name, trials in by_stage.items()} == {"coarse": 9, "fine": 9}
    for trials in by_stage.values():
        for name in ("eta", "momentum", "width"):
            assert len({t["params"][name] for t in trials}) >= (5 if name == "width" else 9)
    assert all(type(t["params"]["width"]) is int for t in found["trials"])
    assert all(0 < t["params"]["momentum"] < 1 for t in found["trials"])
    best = by_stage["coarse"][0]
    first = next(t for t in by_stage["fine"] if t["trial"] == 0)
    # The best point is included, and not trained again.
    assert (first["params"], first["reused"]) == (best["params"], True)
    for coarse, fine in zip(
        stages["coarse"]["dimensions"], stages["fine"]["dimensions"], strict=True
    ):
        assert fine["low"] <= best["params"][fine["name"]] <= fine["high"]
        assert fine.get("scale") == coarse.get("scale")


def test_optuna_knows_the_scales_and_the_file_is_in_order(search, three):
    study = optuna.load_study(study_name=f"{NAME}/coarse", storage=f"sqlite:///{three}")

    distributions = study.trials[0].distributions
    assert distributions["eta"].log
    assert not distributions["momentum"].log
    assert isinstance(distributions["width"], optuna.distributions.IntDistribution)
    assert search("check", "--storage", three).status == 0


def test_what_was_begun_otherwise_is_said(search, three):
    other = search(
        *("space", "--coarse", "--vary", "eta=1e-3..1", "--vary", "lambda=1e-5..1e-2"),
        *("--study", NAME, *EPOCHS, "--storage", three),
    )
    again = search("space", "--coarse", *VARY, *EPOCHS, "--storage", three)

    assert other.status == 1
    assert "eta: 0.01 … 1 there, 0.001 … 1 asked for" in other.err
    assert "lambda: not varied there" in other.err
    assert again.status == 0
    assert "nothing was trained" in again.err


def test_the_report_says_how_it_is_made_again(search, three, own_folder):
    search("report", NAME, "--storage", three, "-o", "r.md", "--no-figures", "--no-gradcheck")
    text = (own_folder / "r.md").read_text(encoding="utf-8")
    lab = text[text.index("title") if "\ntitle" in text else text.index("seed = ") :]
    (own_folder / "lab.toml").write_text(lab[: lab.index("```")], encoding="utf-8")

    answer = search("run", "lab.toml", "--storage", "again.db", "--quiet")

    assert answer.status == 0, answer.err
    assert 'scale = "logit"' in lab
    first, second = trials_of(search, three), trials_of(search, "again.db", "lab")
    for each in ("stage", "trial", "params", "validation_accuracy"):
        assert [t[each] for t in first["trials"]] == [t[each] for t in second["trials"]]


def test_choices_and_steps_are_sampled_too(search, own_folder):
    line = ("--vary", "optimizer=sgd,momentum", "--vary", "eta=1e-2..1:step=0.33", *QUICK)
    random = search("space", "--coarse", *line, "--sampler", "random", "--trials", "6", "--json")
    tpe = search(
        *("space", "--coarse", "--vary", "momentum=0.1..0.9:linear", "--vary", "batch_size=16..64"),
        *(*QUICK, "--sampler", "tpe", "--trials", "7", "--json"),
    )

    params = [t["params"] for t in random.json["trials"]]
    assert {p["optimizer"] for p in params} == {"sgd", "momentum"}
    assert {p["eta"] for p in params} <= {0.01, 0.34, 0.67, 1.0}
    assert len({tuple(p.values()) for p in params}) == len(params) == 6
    assert len(tpe.json["trials"]) == 7
    assert all(16 <= t["params"]["batch_size"] <= 64 for t in tpe.json["trials"])


def test_one_line_says_what_is_missing(search, own_folder):
    for words, line in (
        (["--coarse"], "needs something to vary: --vary eta=1e-4..1e-1"),
        (["--vary", "eta=1..2"], "a search is one of --coarse, --fine, --finer and --auto"),
        (["--coarse", "--vary", "eta=1..2", "--low", "1"], "state ranges with --vary"),
        (["--coarse", "--vary", "eta=1..2", "--eta", "1"], "say which values to try with --vary"),
        (["--fine"], "there is no search.db in"),
    ):
        answer = search("space", *words)
        assert answer.status in (1, 2)
        assert line in answer.err, words


def test_python_varies_the_same(search, own_folder):
    vary = {"eta": "1e-2..1", "momentum": "0.5..0.95:logit", "hidden": "4..16:int"}
    study = Study.search("space", vary=vary, epochs=2)
    ranking = study.coarse(trials=4)
    fine = Study(study.name).fine(trials=2)

    assert study.name == NAME
    assert len(ranking) == 4
    assert len(fine) == 6
    assert study.recipe.to_dict()["training"]["optimizer"] == "momentum"
    with pytest.raises(StudyError, match="needs something to vary"):
        Study.search("space")
    with pytest.raises(StudyError, match="vary is of a space search"):
        Study.search("lambda", vary=vary)


def test_choices_are_the_same_words_in_report_record_and_diagnosis(search, own_folder):
    vary = ("--vary", "optimizer=sgd,adam", "--vary", "batch_norm=true,false")
    search("space", "--coarse", *vary, "--epochs", "1", "--hidden", "3")
    search("report", "words.html")
    text = (own_folder / "words.html").read_text()
    (own_folder / "swapped.html").write_text(text.replace(">adam<", ">sgd<"))

    assert search("audit", "words.html", "--runs", "1").status == 0
    swapped = search("audit", "swapped.html", "--runs", "1")
    assert swapped.status == 1
    assert "has optimizer sgd in the ranking, adam in the record" in swapped.out
    assert re.search(r"batch_norm (true|false)", search("diagnose").out)


def test_trials_with_different_losses_are_not_compared_by_the_loss(search, own_folder):
    search("space", "--coarse", "--vary", "loss=hinge,cross-entropy", "--epochs", "1")

    again = ("--vary", "loss=hinge,cross-entropy", "--metric", "loss", "--study", "by-loss")
    for line in (("rank", "--by", "loss"), ("space", "--coarse", *again)):
        answer = search(*line)
        assert answer.status != 0
        assert "trials with different losses cannot be compared by the loss" in answer.err
    assert search("rank").status == 0


CONDITIONAL = (
    *("--vary", "eta=1e-2..0.5", "--vary", "optimizer=sgd,momentum"),
    *("--vary", "momentum=0.5..0.95:logit:when=optimizer=momentum"),
)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory, own_cache):
    """A search over μ where the optimizer is momentum, coarse and fine."""
    folder = tmp_path_factory.mktemp("conditional")
    coarse = ("space", "--coarse", *CONDITIONAL, *EPOCHS, "--sampler", "qmc", "--trials", "8")
    return carried_out(folder, coarse, ("space", "--fine", "--sampler", "tpe", "--trials", "5"))


def test_what_a_choice_has_no_use_for_is_not_varied(search, conditional):
    name = "digits/eta-optimizer-momentum"
    found = trials_of(search, conditional, name)

    for trial in found["trials"]:
        used = trial["params"]["optimizer"] == "momentum"
        assert (trial["params"]["momentum"] is not None) == used
    assert {t["params"]["optimizer"] for t in found["trials"]} == {"sgd", "momentum"}
    study = optuna.load_study(study_name=f"{name}/coarse", storage=f"sqlite:///{conditional}")
    for trial in study.trials:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "momentum")
    assert search("check", "--storage", conditional).status == 0
    text = search("rank", name, "--storage", conditional).out
    assert re.search(r"sgd +– ", text)
    for kind in ("contour", "isolation", "parallel"):
        drawn = search("plot", kind, name, "--storage", conditional, "--out", f"{kind}.svg")
        assert drawn.status == 0, drawn.err
    report = ("report", name, "--storage", conditional, "--out", "r.md", "--no-figures")
    assert search(*report).status == 0


@pytest.mark.parametrize(("best", "is_used"), [("sgd", False), ("momentum", True)])
def test_a_finer_stage_keeps_the_choice_and_what_it_uses(best, is_used):
    dimensions = [varied(text) for text in CONDITIONAL[1::2]]
    trials = [
        ScoredTrial(
            {
                "eta": eta,
                "optimizer": optimizer,
                "momentum": momentum if optimizer == "momentum" else None,
            },
            0.9 - abs(eta - 0.1) - 0.1 * (optimizer != best),
            0.1,
        )
        for eta in (0.01, 0.05, 0.1, 0.2, 0.5)
        for optimizer, momentum in (("sgd", 0), ("momentum", 0.6), ("momentum", 0.9))
    ]

    eta, optimizer, momentum = narrowed(dimensions, trials).dimensions

    assert optimizer.values == (best,)
    assert eta.range.contains(0.1)
    assert (momentum.range is not None) == is_used
    assert not momentum.when
    assert momentum.values == (None if is_used else (None,))


def test_an_enqueued_point_states_what_it_uses():
    dimensions = [varied(text) for text in CONDITIONAL[1::2]]

    point = enqueued_point({"eta": 0.1, "optimizer": "sgd"}, dimensions)

    assert point == {"eta": 0.1, "optimizer": "sgd", "momentum": None}
    with pytest.raises(StudyError, match="used when optimizer is momentum: leave it out"):
        enqueued_point({**point, "momentum": 0.9}, dimensions)
    with pytest.raises(StudyError, match="must state momentum"):
        enqueued_point({"eta": 0.1, "optimizer": "momentum"}, dimensions)


def test_a_space_that_is_taken_is_proposed_under_a_free_name(search, conditional, own_folder):
    name, storage = "digits/eta-optimizer-momentum", ("--storage", "here.db")
    shutil.copy(conditional, own_folder / "here.db")
    asked = ("--study", name, "--seed", "7", "--trials", "2", "--epochs", "1", *storage)

    refused = search("space", "--fine", *asked)

    assert refused.status == 1
    proposed = refused.err.strip().splitlines()[-1].strip()
    words = shlex.split(proposed)[3:]
    assert words[:2] == ["space", "--coarse"]
    assert words[words.index("--study") + 1] == f"{name}-2"
    assert "momentum=0.5..0.95:logit:when=optimizer=momentum" in words
    assert search(*words).status == 0
