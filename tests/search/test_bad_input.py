"""What goes wrong costs one line, the right exit status, and no file."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

# (command line, exit status, a part of what is said)
WRONG = [
    ("lambda", 2, "one of --coarse, --fine, --finer and --auto, got none"),
    ("lambda --coarse --fine", 2, "got --coarse and --fine"),
    ("lamda --coarse", 2, "Did you mean 'lambda'"),
    ("lambda --corse", 2, "did you mean --coarse?"),
    ("lambda --coarse --lr 0.1", 2, "did you mean --eta?"),
    ("lambda --coarse --learning-rate=0.1", 2, "did you mean --eta?"),
    ("eta --coarse --weight-decay 0.1", 2, "did you mean --lambda?"),
    ("gradcheck --reg 0.1", 2, "did you mean --lambda?"),
    ("gradcheck --lr 0.1", 2, "No such option: --lr\nhelp"),
    ("lambda --coarse --init he", 2, "did you mean --initialisation?"),
    ("lambda --coarse --lambda 0.1", 2, "--lambda is what this search varies"),
    ("lambda --coarse extra", 2, "extra"),
    ("lambda --coarse --epochs", 2, "--epochs"),
    ("lambda --coarse --epochs two", 2, "--epochs must be a whole number, got 'two'"),
    ("lambda --coarse --eta-max much", 2, "--eta-max must be a number, got 'much'"),
    ("lambda --coarse --eta nan", 2, "--eta must be finite, got nan"),
    ("lambda --coarse --eta 0", 2, "--eta must be > 0, got 0"),
    ("lambda --coarse --batch-size 0", 2, "--batch-size must be >= 1, got 0"),
    ("lambda --coarse --batch-size 9999", 2, "must be <= the training set's 1,078 samples"),
    ("lambda --coarse --momentum 1", 2, "--momentum must be < 1, got 1"),
    ("lambda --coarse --epochs 2 --cycles 2", 2, "either --epochs or --cycles"),
    ("lambda --coarse --hidden 50,x", 2, "--hidden must be whole numbers"),
    ("lambda --coarse --activation sigmiod", 2, "did you mean sigmoid?"),
    ("lambda --coarse --optimizer adm", 2, "did you mean adam?"),
    ("lambda --coarse --seed -1", 2, "--seed must be >= 0, got -1"),
    ("lambda --coarse --validation 1.5", 2, "a fraction between 0 and 1"),
    ("lambda --coarse --train 5000", 1, "ask for 1,438 or fewer"),
    ("lambda --coarse --low 0", 2, "low must be finite and > 0, got 0"),
    ("lambda --coarse --low 1 --high 1e-3", 2, "low must be < high"),
    ("lambda --coarse --values 1e-3,x", 2, "got 'x'"),
    ("lambda --coarse --values 1e-3,-1", 2, "must be finite and >= 0"),
    ("lambda --coarse --values 1e-3 --trials 3", 2, "got both"),
    ("lambda --coarse --values 0,01", 2, "write 0.01 for a decimal number"),
    ("lambda --coarse --values 0,5,0,05", 2, "write 0.05 for a decimal number"),
    ("eta --coarse --values 0,1", 2, "write 0.1 for a decimal number"),
    ("lambda --coarse --low 1,05", 2, "write 1.05 for a decimal number"),
    ("lambda-eta --coarse --low 0,01", 2, "write 0.01 for a decimal number"),
    ("dataset-size --values 0,25,0,5", 2, "write 0.25 for a decimal number"),
    ("lambda --coarse --values 0.01;0.1", 2, "numbers separated by commas"),
    ("lambda --coarse --values 1e-400", 2, "1e-400 is too small a number"),
    ("lambda --coarse --low 1e-400", 2, "1e-400 is too small a number"),
    ("eta --coarse --lambda 1e-400", 2, "--lambda cannot be used: 1e-400 is too small a number"),
    ("lambda --coarse --executor dask --scheduler tcp://a:b@127.0.0.1:1", 2, "has no login"),
    ("lambda --coarse --data https://ann:s3cret@host/d.csv", 1, "https://ann:***@host/d.csv"),
    ("lambda --coarse --recipe https://ann:s3cret@host/d.toml", 2, "ann:***@host/d.toml"),
    ("report a b.html c", 2, "report takes a study and a file, got a b.html c"),
    ("report a.html -o b.html", 2, "a report is one file, got a.html and -o b.html"),
    ("lambda --coarse --trials 1000000", 2, "trials must be 1 … 100,000, got 1,000,000"),
    ("lambda --fine --study nope", 1, "python -m search lambda --coarse"),
    ("lambda --coarse --trials 0", 2, "trials must be 1 … 100,000, got 0"),
    ("lambda --coarse --replicates 0", 2, "replicates must be 1 … 100,000, got 0"),
    ("lambda --coarse --sampler gird", 2, "did you mean grid?"),
    ("lambda --coarse --prune halvin", 2, "did you mean halving?"),
    ("lambda --coarse --no-bias --bias-trick", 2, "got --bias-trick and --no-bias"),
    ("lambda --coarse --jobs 0", 2, "--jobs must be >= 1, got 0"),
    ("lambda --coarse --data minst", 1, "did you mean mnist?"),
    ("lambda --coarse --data nowhere.npz", 1, "existing file, got nowhere.npz"),
    ("lambda --coarse --data folder", 1, "got the folder"),
    ("lambda --coarse --data nan.npz", 1, "nan.npz: x_train: features must be finite"),
    ("lambda --coarse --data labels.npz", 1, "labels.npz: y_train: labels must be"),
    ("lambda --coarse --data shapes.npz", 1, "shapes.npz"),
    ("lambda --coarse --data cut.npz", 1, "cut.npz: damaged"),
    ("lambda --coarse --data-dir nowhere", 1, "must exist, got nowhere"),
    ("lambda --coarse --recipe nowhere.toml", 2, "found no nowhere.toml"),
    ("lambda --coarse --recipe folder", 2, "got the folder folder"),
    ("lambda --coarse --recipe broken.toml", 2, "broken.toml must be TOML"),
    (
        "lambda --coarse --recipe key.toml",
        2,
        "key.toml: training.batchsize is not a key of a recipe; did you mean training.batch_size?",
    ),
    ("lambda --coarse --storage folder", 1, "storage must be a file, got the folder folder"),
    ("lambda --coarse --storage nowhere/x.db", 1, "folder nowhere of x.db does not exist"),
    ("lambda --coarse --storage text.db", 1, "text.db is not an SQLite database"),
    ("lambda --coarse --storage other.db", 1, "other.db belongs to another program"),
    ("lambda --fine", 1, "python -m search lambda --coarse"),
    ("rank", 1, "no studies in search.db"),
    ("rank --storage text.db", 1, "text.db is not an SQLite database"),
    ("test --top x", 2, "--top must be a whole number"),
    ("test --trial coarse", 2, "--trial must be STAGE:NUMBER, as in coarse:4; got 'coarse'"),
    ("test --trial coarse:0,x:y", 2, "got 'x:y'"),
    ("test --trial coarse:0 --top 2", 2, "name what to test with --top or with --trial"),
    ("export", 2, "export needs a file"),
    ("export ranking.doc", 2, "ranking.doc"),
    ("export --format xlxs", 2, "did you mean xlsx?"),
    ("export --format xlsx", 2, "xlsx cannot be printed"),
    ("export one two three", 2, "a study and a file"),
    ("export digits/lambda nowhere/x.csv", 1, "folder nowhere of x.csv does not exist"),
    ("export digits/lambda folder --format csv", 1, "got the folder folder"),
    ("gradcheck --samples 0", 2, "--samples must be >= 1, got 0"),
    ("gradcheck --hidden x", 2, "--hidden must be whole numbers"),
    ("gradcheck --lambda -1", 2, "--lambda must be >= 0, got -1"),
    ("params --features 0 --classes 10", 1, "must be >= 1, got 0"),
    ("data get minst", 1, "did you mean mnist?"),
    ("data verify minst", 1, "did you mean mnist?"),
    ("data lst", 2, "Did you mean 'list'"),
    ("data get", 2, "NAME"),
]


@pytest.fixture
def bad_files(own_folder, samples):
    (own_folder / "folder").mkdir()
    (own_folder / "text.db").write_text("not a database, but something that must not be lost")
    with sqlite3.connect(own_folder / "other.db") as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
    connection.close()
    (own_folder / "broken.toml").write_text("[training\n")
    (own_folder / "key.toml").write_text("[training]\nbatchsize = 3\n")
    path = samples("nan.npz", x_train=np.full((90, 4), np.nan))
    samples("labels.npz", y_train=np.arange(90) % 3 - 1)
    samples("shapes.npz", x_test=np.zeros((30, 5)))
    (own_folder / "cut.npz").write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize(("line", "status", "part"), WRONG, ids=[case[0] for case in WRONG])
def test_bad_input_is_one_line_the_right_status_and_no_file(
    search, bad_files, own_folder, line, status, part
):
    before = {path: path.read_bytes() for path in own_folder.rglob("*") if path.is_file()}

    answer = search(*line.split())

    assert answer.status == status
    assert answer.out == ""
    assert part in answer.err
    assert sum(line.startswith("error: ") for line in answer.err.splitlines()) == 1
    assert "Traceback" not in answer.err
    after = {path: path.read_bytes() for path in own_folder.rglob("*") if path.is_file()}
    assert after == before


def test_an_unknown_study_gets_a_suggestion(search, study):
    for command in ("rank", "show", "test"):
        answer = search(command, "digit/lambda")
        assert (answer.status, answer.out) == (1, "")
        assert "did you mean digits/lambda?" in answer.err


def test_nothing_is_wrong_with_a_study_that_looks_like_markup(search):
    name = "[red]a[/b] [bold"

    answer = search("lambda", "--coarse", "--study", name, "--epochs", "1", "--trials", "2")

    assert answer.status == 0
    assert answer.out.startswith(f"{name}: digits")
    assert name in search("list").out
    assert search("rank", name, "--json").json["study"] == name


def test_bugs_keep_their_traceback(search, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("coarsefine.search.commands.datasets.status", broken)

    with pytest.raises(ZeroDivisionError):
        search("data", "list")


def test_a_storage_in_the_environment_is_used(search, monkeypatch, own_folder):
    monkeypatch.setenv("SEARCH_STORAGE", "elsewhere.db")

    answer = search("lambda", "--coarse", "--epochs", "1", "--trials", "2", "--json")

    assert len(json.loads(answer.out)["trials"]) == 2
    assert (own_folder / "elsewhere.db").exists()
    assert not (own_folder / "search.db").exists()


TABLES = Path(__file__).parents[1] / "models" / "tables"

IN_A_LINE = [
    ("headerless.csv", "if it is one, use --no-header and --label NUMBER"),
    ("headerless-pixels.csv --label 0", "if it is one, use --no-header and --label NUMBER"),
    ("semicolon-decimal-comma.csv", "read them with --decimal ,"),
    ("bytes.parquet", "got 900 bytes in column 'image'"),
    ("words.csv", "turn them into numbers with --categorical one-hot"),
    ("words.csv --categorical one-hot", "with --missing median, indicator or drop"),
    ("pipe.csv", "must be a regular file, got the pipe or device"),
    ("~nobody.csv", "existing file, got ~nobody.csv"),
    ("one.csv --missing mean", "--missing must be one of median, indicator, drop, got 'mean'"),
]


@pytest.mark.parametrize(("line", "part"), IN_A_LINE, ids=[line for line, _ in IN_A_LINE])
def test_a_table_that_needs_a_setting_is_one_line_that_names_it(search, own_folder, line, part):
    for file in TABLES.iterdir():
        shutil.copy(file, own_folder)
    rows = "male,30,0\nfemale,,1\n" * 20
    (own_folder / "words.csv").write_text(f"sex,age,label\n{rows}")
    os.mkfifo(own_folder / "pipe.csv")

    answer = search("lambda", "--coarse", "--data", *line.split())

    assert answer.status in {1, 2}
    assert part in answer.err
    assert sum(line.startswith("error: ") for line in answer.err.splitlines()) == 1


READ = [
    "headerless.csv --no-header --label -1",
    "semicolon-decimal-comma.csv --decimal ,",
    "words.csv --categorical one-hot --missing indicator",
    "six-rows.csv",
    "~plain.csv",
]


@pytest.mark.parametrize("line", READ)
def test_a_table_is_searched_and_tested_with_its_setting(search, own_folder, line):
    for file in TABLES.iterdir():
        shutil.copy(file, own_folder)
    rows = "male,30,0\nfemale,,1\n" * 20
    (own_folder / "words.csv").write_text(f"sex,age,label\n{rows}")
    shutil.copy(TABLES / "labels-from-1.csv", own_folder / "~plain.csv")

    answer = search("lambda", "--coarse", "--trials", "2", "--epochs", "1", "--data", *line.split())

    assert answer.status == 0
    assert search("test", "--top", "1").status == 0
    if line == "six-rows.csv":
        assert "the default batch size, 20, is larger than the training set" in answer.err


@pytest.mark.parametrize(
    "line",
    [
        *("rank", "list", "show", "compare a b", "export x.csv", "plot", "report", "check", "test"),
        *("dashboard", "queue", "cancel 1", "lambda --fine", "eta --finer", "lambda-eta --fine"),
        *("submit cifar-linear", "submit --again 1", "backup copy.db"),
    ],
)
def test_in_the_wrong_folder_every_command_says_so(search, own_folder, line):
    for storage, name, folder in (
        ((), "search.db", own_folder),
        (("--storage", "../other.db"), "other.db", own_folder.parent),
    ):
        answer = search(*line.split(), *storage)

        assert answer.status == 1
        (place,) = re.findall(r"there is no (\S+) in (.+?); change the folder", answer.err)
        assert place[0] == name
        assert Path(place[1]).resolve() == folder.resolve()
        assert "change the folder or name it with --storage" in answer.err
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("lambda --fine --storage a.db", "lambda --coarse --storage a.db"),
        ("rank --storage=./a.db", "lambda --coarse --storage ./a.db"),
        ("rank", "lambda --coarse"),
    ],
)
def test_a_command_that_an_error_proposes_names_the_database_that_was_named(
    search, own_folder, line, command
):
    answer = search(*line.split())

    assert answer.status == 1
    assert answer.err.rstrip().endswith(f"run `python -m search {command}`")


def test_a_command_of_a_note_names_the_database_that_was_named(search, study):
    study.rename("a b.db")

    answer = search("lambda", "--finer", "--study", "missing", "--storage", "a b.db")

    assert answer.err.endswith("--study missing --storage 'a b.db'\n")


CHANGED = [
    ("trials SET params = '{\"eta\": 1}' WHERE id = 2", "must name lambda, got ['eta']"),
    ("trials SET params = '[1]' WHERE id = 2", "trial 1: it is not an object"),
    ('trials SET params = \'{"lambda": "x"}\' WHERE id = 2', "lambda must be a number, got 'x'"),
    ("studies SET recipe = '{\"data\": 3}'", "recipe: its recipe: data must be a section, got 3"),
    ("studies SET versions = '3'", "versions: it is not an object"),
    ("studies SET data = '{'", "data: a row of the database holds no JSON"),
    ('stages SET options = \'{"replicates": "x"}\' WHERE id = 1', "replicates is 'x'"),
    ('stages SET options = \'{"dimensions": [{"name": 1}]}\' WHERE id = 1', "options: "),
]


@pytest.mark.parametrize(("changed", "problem"), CHANGED)
def test_rows_that_another_program_changed_are_one_line_and_check_names_them(
    search, study, changed, problem
):
    with contextlib.closing(sqlite3.connect(study)) as database:
        database.execute(f"UPDATE training_{changed}")
        database.commit()

    for line in ("rank", *(["lambda --fine --trials 4"] if "eta" in changed else [])):
        answer = search(*line.split(), "--quiet")
        assert (answer.status, answer.err.count("\n")) == (1, 1)
    looked = search("check")
    assert looked.status == 1
    assert problem in looked.out
