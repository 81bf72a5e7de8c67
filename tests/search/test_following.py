"""What is proposed can be typed: every ``next:`` line, every conflict, and the README in order."""

import importlib.util
import re
import shlex
import sqlite3
from pathlib import Path

import pytest

from coarsefine.studies.spaces.searches.registry import SEARCHES

README = Path(__file__).parents[2] / "README.md"
TYPED = re.compile(r"^ *(?:next: )?python -m search (.+)$", re.MULTILINE)
# Short trainings: what is searched, and by which command, is what matters here.
QUICK = ("--epochs", "1")


def readme_lines():
    """Return the README's command lines for the digits, in order."""
    text = README.read_text(encoding="utf-8")
    story = re.findall(r"^    \$ python -m search (.+?)(?: {2,}#.*)?$", text, re.MULTILINE)
    table = text.split("## What can be searched")[1].split("\n## ")[0]
    lines = []
    for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE):
        words = re.findall(r"`(.+?)`", row)
        names = [word for word in words if not word.startswith("--")]
        stages = [word for word in words if word.startswith("--")]
        for name in names:
            if " --" in name and stages:  # `lambda-eta --coarse`, `--fine`
                lines += [name]
                stages = [f"{name.split()[0]} {stage}" for stage in stages]
                lines += stages
            else:
                lines += [f"{name} {stage}" for stage in stages] or [name]
    return [*story, *lines]


# Placeholders, a server, and labs on data that are not part of the program.
LEFT_OUT = ("compare STUDY STUDY", "dashboard", "predict ", "presets", "run ")


@pytest.mark.slow
def test_the_readme_works_in_its_own_order_and_so_does_every_next_line(search, own_folder):
    lines = readme_lines()
    assert {"lambda --coarse", "test", "report", "hidden --layers 1,2,10", "lambda-eta --fine"} <= {
        *lines
    }
    typed = []

    def type_in(line):
        words = shlex.split(line)
        begins = words[0] in SEARCHES and not {"--fine", "--finer", "--study"} & {*words}
        quick = QUICK if begins and "--epochs" not in words else ()
        answer = search(*words, *quick)
        typed.append(line)
        assert answer.status == 0, (line, answer.err)
        return TYPED.findall(answer.out)

    without_torch = importlib.util.find_spec("torch") is None
    for line in lines:
        if line.startswith(LEFT_OUT) or (without_torch and line == "crosscheck"):
            continue
        waiting = type_in(line)
        while waiting:
            following = waiting.pop()
            if following not in typed and not following.startswith("predict "):
                waiting += type_in(following)

    assert len(typed) > len(lines)


CONFLICTS = [
    ("hidden --values 10", "hidden --values 20"),
    ("tricks", "tricks --one-at-a-time --study digits/tricks"),
    ("hidden", "hidden --layers 1,2,10 --study digits/hidden"),
    ("lambda --coarse --trials 3", "lambda --coarse --trials 3 --eta 0.1"),
    ("lambda --coarse --trials 3", "lambda --coarse --trials 3 --study=digits/lambda --seed 7"),
    ("lambda --coarse --trials 3", "lambda --coarse --low 1e-3"),
    ("lambda --coarse --trials 3", "lambda --coarse --sampler random"),
    ("lambda --coarse --trials 3", "lambda --fine --trials 2 --hidden 7"),
    ("lambda --coarse --trials 3 --replicates 2", "lambda --auto --trials 3 --replicates 1"),
    ("lambda --coarse --trials 3", "eta --coarse --trials 3 --study digits/lambda"),
    ("lambda --coarse --values 0.1,0.2", "lambda --coarse --trials 3"),
    ("batch-size --values 20,50", "batch-size --values 20,50 --equal updates"),
]


# The others are conflicts of the same kinds.
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(*lines, marks=() if number % 3 == 0 else pytest.mark.slow)
        for number, lines in enumerate(CONFLICTS)
    ],
)
def test_every_conflict_ends_in_a_command_that_runs(search, own_folder, first, second):
    storage = ("--storage", "a b.db")
    assert search(*first.split(), *QUICK, *storage).status == 0

    refused = search(*second.split(), *QUICK, *storage)

    assert refused.status == 1
    (command,) = TYPED.findall(refused.err)
    words = shlex.split(command)
    assert words[words.index("--study") + 1].endswith("-2")
    answer = search(*words)
    assert answer.status == 0, answer.err
    # It has begun that study: typed again, it goes on with it.
    assert search(*words).status == 0


LAB = """
[training]
epochs = 1
[[part]]
name = "a"
search = { vary.lambda.values = [0.0, 0.1] }
"""


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_lab_whose_studies_were_begun_otherwise_is_offered_a_free_name(
    search, own_folder, command
):
    (own_folder / "lab.toml").write_text(LAB, encoding="utf-8")
    assert search("run", "lab.toml", "--quiet").status == 0
    for epochs in ("2", "3"):
        (own_folder / "lab.toml").write_text(LAB.replace("1\n", f"{epochs}\n", 1), encoding="utf-8")

        refused = search(command, "lab.toml", "--part", "a")

        assert refused.status == 1
        (line,) = TYPED.findall(refused.err)
        assert line == f"{command} lab.toml --part a --study lab-{epochs}"
        assert search(*shlex.split(line), "--quiet").status == 0
        if command == "submit":
            # What waits in the queue asks for this name; the next file gets another one.
            (own_folder / "lab.toml").write_text(LAB.replace("1\n", "9\n", 1), encoding="utf-8")
            refused = search("submit", "lab.toml", "--study", "lab-2")
            assert TYPED.findall(refused.err) == ["submit lab.toml --study lab-2-2"]
            return


@pytest.mark.parametrize("line", ["rank", "show"])
def test_networks_that_have_not_learnt_are_followed_by_the_range_test_of_their_recipe(
    search, own_folder, line
):
    options = ("--eta", "1e-9", "--hidden", "9,8", "--momentum", "0.5", "--no-bias", "--seed", "3")
    answer = search("lambda", "--coarse", "--trials", "2", *QUICK, *options)

    (command,) = TYPED.findall(answer.out)
    assert TYPED.findall(search(line).out) == [command]
    assert command.startswith("eta --range-test ")
    assert "the networks have learnt little" in answer.out
    assert "--replicates" not in answer.out
    (following,) = TYPED.findall(search(*shlex.split(command)).out)
    assert search(*shlex.split(following), *QUICK).status == 0
    recipe = search("show", "--json").json["recipe"]
    assert recipe["seed"] == 3
    assert recipe["network"]["hidden"] == [9, 8]
    assert recipe["network"]["bias"] == "none"
    assert recipe["training"]["momentum"] == 0.5


def test_where_no_trial_is_complete_and_no_option_helps_there_is_no_next_command(
    search, own_folder
):
    (own_folder / "lab.toml").write_text(
        LAB.replace("epochs = 1", 'epochs = 1\nschedule = "constant"\neta = 1e9'), encoding="utf-8"
    )
    search("run", "lab.toml", "--quiet")

    for line in ("rank", "show"):
        answer = search(line)
        assert answer.status == 0
        assert "next:" not in answer.out
    assert "no trial was completed: 2 diverged; try a smaller --eta" in search("rank").out


def test_a_study_name_that_is_proposed_is_free(search, own_folder):
    line = ("lambda", "--coarse", "--trials", "2", *QUICK)
    assert search(*line, "--study", "digits/lambda-2").status == 0
    assert search(*line, "--eta", "900").status == 0

    for words in ("rank digits/lambda", "show digits/lambda"):
        (command,) = TYPED.findall(search(*words.split()).out)
        assert "--study digits/lambda-3" in command


def test_the_free_name_is_one_that_no_study_has(search, own_folder):
    for seed in ("0", "1", "2"):
        line = ("lambda", "--coarse", "--trials", "2", *QUICK, "--seed", seed)
        answer = search(*line)
        if answer.status:
            (command,) = TYPED.findall(answer.err)
            assert search(*shlex.split(command)).status == 0

    assert [one["study"] for one in search("list", "--json").json["studies"]] == [
        *("digits/lambda-3", "digits/lambda-2", "digits/lambda")
    ]


def test_layers_of_a_study_that_was_begun_so_are_carried_on_with(search, own_folder):
    # As versions before have named it.
    line = ("hidden", "--layers", "1,2", *QUICK)
    assert search(*line, "--study", "digits/hidden").status == 0

    assert search(*line).status == 0
    assert [one["study"] for one in search("list", "--json").json["studies"]] == ["digits/hidden"]


def test_a_range_test_proposes_its_own_recipe(search, own_folder):
    options = ("--hidden", "20,10", "--no-bias", "--batch-size", "30", "--epochs", "1")
    assert search("lambda", "--coarse", "--trials", "2", *QUICK).status == 0

    (command,) = TYPED.findall(search("eta", "--range-test", *options).out)

    words = shlex.split(command)
    assert "--study digits/lambda-2" in command
    assert " ".join(options[:5]) in command
    assert search(*words).status == 0
    network = search("show", "digits/lambda-2", "--json").json["recipe"]["network"]
    assert network["hidden"] == [20, 10]
    assert network["bias"] == "none"


@pytest.mark.parametrize(
    ("line", "smaller"),
    [
        ("lambda --coarse --trials 2 --eta 900 --hidden 9,8 --bias-trick", "--eta 90"),
        ("lambda --coarse --trials 2 --eta-min 800 --eta-max 900", "--eta-max 90"),
        ("eta --coarse --trials 2 --low 500 --high 900", "--high 50"),
        pytest.param(
            *("hidden --values 9 --eta 900", "--values 9 --eta 90"), marks=pytest.mark.slow
        ),
        ("lambda-eta --coarse --trials 4 --low 1e-4,500 --high 0.1,900", "--high 0.1,50"),
        pytest.param(
            "lambda --coarse --trials 2 --low 0.01 --high 0.1 --eta 900",
            "--low 0.01 --high 0.1",
            marks=pytest.mark.slow,
        ),
        (
            "lambda --coarse --trials 3 --eta 900 --sampler qmc --replicates 2 --prune halving",
            "--trials 3 --sampler qmc --replicates 2 --prune halving",
        ),
        ("batch-size --values 20,50 --eta 900 --equal updates", "--equal updates"),
    ],
)
def test_after_searches_that_diverged_a_smaller_eta_is_proposed(search, own_folder, line, smaller):
    answer = search(*line.split(), "--epochs", "2")

    (command,) = TYPED.findall(answer.out)
    assert smaller in command
    assert TYPED.findall(search("rank").out) == [command]
    assert search(*shlex.split(command)).status == 0
    first, second = (
        search("show", name, "--json").json
        for name in (f"digits/{line.split()[0]}", f"digits/{line.split()[0]}-2")
    )
    assert first["recipe"]["network"] == second["recipe"]["network"]
    assert second["recipe"]["training"]["epochs"] == 2
    assert second["recipe"]["training"]["schedule"] == first["recipe"]["training"]["schedule"]
    n = len(first["trials"])
    assert len(second["trials"]) == n
    assert re.search(rf"digits/\S+ .* {n}, {n} diverged", search("list").out)


def test_where_values_are_tied_the_test_follows_rather_than_finer_values(search, own_folder):
    options = ("--trials", "3", "--low", "1e-7", "--high", "1e-5", "--epochs", "2")
    answer = search("lambda", "--coarse", *options)

    assert "resolution reached" in answer.out
    for printed in (answer.out, search("rank").out, search("show").out):
        assert TYPED.findall(printed)[0].startswith("test")


def test_a_labs_study_that_waits_is_gone_on_with_by_its_file_and_its_name(search, own_folder):
    (own_folder / "labs").mkdir()
    (own_folder / "labs" / "mine.toml").write_text(LAB, encoding="utf-8")
    search("run", "labs/mine.toml", "--study", "other", "--quiet")
    with sqlite3.connect("search.db") as database:
        database.execute("UPDATE training_trials SET state = 'planned'")

    (command,) = TYPED.findall(search("rank").out)

    assert command == "run labs/mine.toml --part a --study other"
    assert search(*shlex.split(command)).status == 0


def test_a_finished_stage_that_is_asked_again_says_that_nothing_was_trained(search, own_folder):
    line = ("lambda", "--coarse", "--trials", "2", *QUICK)
    said = "coarse: all 2 trials are there; nothing was trained"

    assert said not in search(*line).err
    assert said in search(*line).err
    assert said not in search(*line[:3], "3", *QUICK).err


def test_where_there_is_no_test_set_the_report_is_proposed_wherever_one_looks(search):
    words = ("lambda", "--coarse", "--trials", "2", "--epochs", "1", "--hidden", "4")
    said = search(*words, "--test", "none", "--quiet")
    search("lambda", "--fine", "--trials", "2", "--quiet")

    assert said.status == 0
    for command in ("rank", "show"):
        last = search(command, "digits/lambda").out.splitlines()[-1]
        assert last == "next: python -m search report digits/lambda"


def test_another_study_in_place_of_a_fine_stage_keeps_what_the_first_one_states(search, own_folder):
    stated = ("--hidden", "9,8", "--bias-trick", "--seed", "3", "--epochs", "1")
    search("lambda", "--coarse", "--trials", "2", "--study", "mine", *stated)

    answer = search("lambda", "--fine", "--epochs", "2", "--trials", "2")

    assert "training.epochs: 1 there, 2 asked for" in answer.err
    (command,) = TYPED.findall(answer.err)
    assert command.endswith("--study mine-2")
    assert search(*shlex.split(command), "--trials", "2", "-q").status == 0
    first, second = (search("show", name, "--json").json["recipe"] for name in ("mine", "mine-2"))
    assert second.pop("training") == first.pop("training") | {"epochs": 2}
    assert first == second
