"""Lab files and presets: what is run, what is refused, and what is not done twice."""

import pytest

from coarsefine.db import repository
from coarsefine.search.following import _lab_of
from coarsefine.search.report.comments import _blocks
from coarsefine.studies.errors import RecipeError
from coarsefine.studies.labs.files import presets, read_lab
from coarsefine.studies.recipes.recipe import to_json
from coarsefine.studies.reports.parts import Code, Items, Paragraph

LAB = """
title = "A lab"
notes = "Two paragraphs.\\n\\nOf notes."

[network]
hidden = [8]

[training]
schedule = "constant"
eta = 0.1
epochs = 2

[[part]]
name = "gradients"
does = "gradcheck"

[[part]]
name = "parameters"
does = "params"
networks = [[8], [8, 8]]

[[part]]
name = "settings"
lab = [{ at = "small", validation_accuracy = 0.5, test_accuracy = 0.4 }]
explains = "They differ."
curves = true
[part.search]
test = true
[part.search.variants]
small = { training.eta = 0.01 }
"large" = { training.eta = 0.2 }

[[part]]
name = "eta"
search = { vary.eta = { low = 1e-3, high = 1 }, trials = 6, fine_trials = 3 }

[quick.recipe]
training.epochs = 1
"""


@pytest.fixture
def lab(own_folder):
    path = own_folder / "lab.toml"
    path.write_text(LAB, encoding="utf-8")
    return path


def part(answer, name):
    return next(part for part in answer.json["parts"] if part["part"] == name)


def test_a_lab_runs_part_by_part_and_shows_the_labs_own_figures(search, lab):
    answer = search("run", lab, "--quiet")

    assert answer.status == 0
    assert "A lab" in answer.out
    assert "passed: relative errors are at most" in answer.out
    assert "64-8-8-10" in answer.out
    assert "the lab's figures and ours" in answer.out
    assert "They differ." in answer.out
    assert "fine: η" in answer.out
    assert answer.out.endswith(" report " + str(lab) + "\n")


def test_a_lab_run_again_trains_nothing_and_opens_no_test_set(search, lab):
    first = search("run", lab, "--json")
    second = search("run", lab, "--json")

    assert part(first, "settings")["test"] == part(second, "settings")["test"]
    assert part(second, "settings")["test"]["opened"] == 1
    assert "shown, not opened again" in second.err
    assert part(first, "eta")["ranking"] == part(second, "eta")["ranking"]


def test_a_lab_that_was_killed_while_it_measured_measures_when_it_is_run_again(
    search, lab, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(repository, "add_test_runs", killed)
        assert search("run", lab, "--part", "settings", "--quiet").status == 130

    again = search("run", lab, "--part", "settings", "--json")

    assert part(again, "settings")["test"]["opened"] == 1
    assert len(part(again, "settings")["test"]["trials"]) == 2


def test_a_quick_look_has_studies_of_its_own(search, lab):
    search("run", lab, "--part", "eta", "--quick", "--quiet")
    search("run", lab, "--part", "eta", "--quiet")

    names = {study["study"] for study in search("list", "--json").json["studies"]}
    assert {"lab/eta", "lab-quick/eta"} <= names


def test_a_quick_look_is_marked_as_one(search, lab):
    answer = search("run", lab, "--part", "settings", "--quick", "--quiet")

    assert "settings (a quick look)\n" in answer.out
    assert "the lab's figures, and ours of a quick look, which are not to be compared" in answer.out
    assert "of the whole lab, not of this quick look: They differ." in answer.out
    assert "quick look" not in search("run", lab, "--part", "settings", "--quiet").out


def test_parts_keep_their_own_sizes_in_a_quick_look(own_folder):
    path = own_folder / "sizes.toml"
    path.write_text(
        """
[training]
epochs = 30
[[part]]
name = "heart"
recipe = { "data.train" = 100, "training.epochs" = 3 }
search.vary.lambda.values = [0.0]
[[part]]
name = "all"
search.vary.lambda.values = [0.0]
[[part]]
name = "own"
recipe = { "data.train" = 100 }
quick.recipe = { "data.train" = 50 }
search.vary.lambda.values = [0.0]
[quick]
recipe = { "data.train" = 450, "training.epochs" = 5 }
""",
        encoding="utf-8",
    )
    lab = read_lab(str(path), quick=True)

    sizes = {part.name: lab.recipe(part) for part in lab.parts}
    assert [recipe.data.train for recipe in sizes.values()] == [100, 450, 50]
    assert [recipe.training.epochs for recipe in sizes.values()] == [3, 5, 5]
    overfit, *_ = (part for part in read_lab("cifar-two-layer").parts if part.name == "overfit")
    quick = read_lab("cifar-two-layer", quick=True)
    assert quick.recipe(overfit).data.train == 100


def test_a_lab_of_thousands_of_trials_is_asked_about(search, own_folder):
    path = own_folder / "many.toml"
    path.write_text(
        "[search]\nvary.lambda.low = 1e-5\nvary.lambda.high = 1.0\ntrials = 6000\n",
        encoding="utf-8",
    )

    answer = search("run", path)

    assert answer.status == 2
    assert "6,000 trials take long to plan" in answer.err
    assert "--yes" in answer.err
    assert not (own_folder / "search.db").exists()


def test_a_lab_keeps_sampler_and_number_of_trials_from_coarse_to_fine(search, own_folder):
    path = own_folder / "three.toml"
    path.write_text(
        """
[training]
epochs = 1
schedule = "constant"
optimizer = "momentum"
[search]
sampler = "qmc"
trials = 4
fine_trials = 5
stages = 2
vary.lambda = { low = 1e-5, high = 1e-1 }
vary.eta = { low = 1e-3, high = 1e-1 }
vary.momentum = { low = 0.1, high = 0.9 }
""",
        encoding="utf-8",
    )

    trials = search("run", path, "--json").json["parts"][0]["ranking"]["trials"]

    fine = [trial["params"] for trial in trials if trial["stage"] == "fine"]
    assert len(fine) == 5
    for name in ("lambda", "eta", "momentum"):
        assert len({params[name] for params in fine}) == 5  # a grid has two values of each
    assert all(0 < params["momentum"] < 1 for params in fine)


def test_a_file_with_one_search_needs_no_parts(search, own_folder):
    path = own_folder / "one.toml"
    path.write_text(
        '[training]\nepochs = 1\noptimizer = "momentum"\n[search]\n'
        'vary."network.activation".values = ["relu", "tanh"]\n'
        "vary.momentum.values = [0.5, 0.9]\n",
        encoding="utf-8",
    )

    answer = search("run", path, "--json")

    trials = answer.json["parts"][0]["ranking"]["trials"]
    tried = {(trial["params"]["activation"], trial["params"]["momentum"]) for trial in trials}
    assert tried == {("relu", 0.5), ("relu", 0.9), ("tanh", 0.5), ("tanh", 0.9)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[search]\nvary.eta = 1\n", r"lab.toml: search.vary"),
        (
            "[search]\nvary.etta.values = [0.1]\n",
            r"not a key that can be searched; did you mean eta",
        ),
        ("[search]\nkind = 'lamda'\n", r"search.kind must be one of .*did you mean lambda"),
        ("[search]\nvary.eta = { low = 0.1 }\n", r"either low and high, or values"),
        ("title = 'x'\n", r"either one search or several part"),
        ("[searches]\n", r"searches is not a key of a recipe; did you mean search"),
        ("[search]\nstages = 3\nvary.batch_size.values = [1, 2]\n", r"needs a range to narrow"),
        ("[[part]]\nname = 'a'\n", r"part a needs part.search"),
        ("[[part]]\nname='a'\ndoes='params'\n[[part]]\nname='a'\ndoes='params'\n", "a twice"),
        ("[training]\nepoch = 3\n[search]\nkind = 'lambda'\n", r"did you mean training.epochs"),
        ("[search]\nkind = 'eta'\nsampler = 'sobol'\n", r"sampler must be one of"),
        ("x = [", r"must be TOML"),
    ],
)
def test_a_lab_that_is_none_is_refused_with_file_key_and_reason(own_folder, text, reason):
    path = own_folder / "lab.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(RecipeError, match=rf"lab\.toml.*{reason}|{reason}") as refused:
        read_lab(str(path))
    assert "lab.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_preset_that_is_not_there_is_guessed(search):
    answer = search("run", "cifar-liner")

    assert answer.status == 2
    assert "did you mean cifar-linear?" in answer.err


def test_a_part_that_is_not_there_is_guessed_before_anything_is_written(search, lab, own_folder):
    answer = search("run", lab, "--part", "etta")

    assert answer.status == 2
    assert "did you mean eta?" in answer.err
    assert not (own_folder / "search.db").exists()


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_lab_whose_recipes_are_whole(name, quick):
    lab = read_lab(name, quick=quick)

    assert lab.table.source
    assert lab.table.asks
    for one in lab.parts:
        assert to_json(lab.recipe(one))["data"]["name"] in {"mnist", "fashion-mnist", "cifar10"}


def test_presets_are_listed(search):
    listed = [lab["name"] for lab in search("presets", "--json").json["presets"]]

    assert listed == presets()
    for name in listed:
        assert name in search("presets").out


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ("cifar-linear/settings", ("cifar-linear", "--part", "settings")),
        ("mine-quick/eta", ("mine.toml", "--part", "eta", "--quick")),
        ("one", ("one.toml",)),
    ],
)
def test_a_labs_study_is_gone_on_with_by_running_the_lab(study, words):
    assert _lab_of(study, "") == words


@pytest.fixture
def reported(search, lab, own_folder):
    """The report of a lab that was run, as text, and its comments."""
    assert search("run", lab, "--quiet").status == 0
    (own_folder / "notes.md").write_text(
        "# settings\n\nThe large one *jumps*.\n\n- once\n- twice,\n  again\n", encoding="utf-8"
    )
    answer = search("report", lab, "lab.md", "--notes", "notes.md", "--quiet")
    assert answer.status == 0
    return (own_folder / "lab.md").read_text(encoding="utf-8")


def test_a_lab_has_one_report_with_every_part_setting_and_comment(reported, own_folder):
    for chapter in ("The lab", "Gradients", "Parameters", "Settings", "Eta"):
        assert f"## {chapter}\n" in reported
    assert "Parameters of 64-8-8-10" in reported
    for setting in ("small", "large"):
        assert f"### Training of {setting}" in reported
    assert (own_folder / "lab-figures" / "settings-1-curves.png").exists()
    assert (own_folder / "lab-figures" / "settings-2-curves.png").exists()
    assert "The lab's figures and ours:" in reported
    assert "| small | 50" in reported.replace("\\", "")
    assert "They differ." in reported
    assert "### Final test" in reported
    assert "### Comments\n\nThe large one \\*jumps\\*.\n\n- once\n- twice, again" in reported
    assert "python -m search run lab.toml --storage again.db" in reported


def test_comments_under_no_section_are_refused_with_a_guess(search, lab, own_folder):
    (own_folder / "notes.md").write_text("# setings\n\nText.\n", encoding="utf-8")
    search("run", lab, "--part", "settings", "--quiet")

    answer = search("report", lab, "--notes", "notes.md", "--no-figures", "--no-gradcheck")

    assert answer.status == 2
    assert "got 'setings'; did you mean settings?" in answer.err
    assert not (own_folder / "lab-report.html").exists()


def test_a_file_of_comments_that_is_not_there_is_begun(search, lab, own_folder):
    search("run", lab, "--part", "settings", "--quiet")

    answer = search("report", lab, "--notes", "n.md", "--no-figures", "--no-gradcheck")

    headings = [line for line in (own_folder / "n.md").read_text().splitlines() if line[:1] == "#"]
    assert headings == ["# lab", "# gradients", "# parameters", "# settings", "# eta", "# again"]
    assert "parts of this lab are not finished, and the report says so" in answer.err
    page = (own_folder / "lab-report.html").read_text(encoding="utf-8")
    assert "These parts were not run yet: eta." in page
    assert "Comments" not in page


def test_comments_are_paragraphs_lists_and_code():
    lines = ["One", "two.", "", "1. a", "2. b", "```", "# no heading", "```", "end"]

    found = list(_blocks(lines))

    assert found == [
        Paragraph("One two."),
        Items(("a", "b")),
        Code("code", "# no heading\n"),
        Paragraph("end"),
    ]
