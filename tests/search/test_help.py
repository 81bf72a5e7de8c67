"""Help that is complete, current and there at once."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from typer.main import get_command

from coarsefine.models.data.catalogue import CATALOGUE
from coarsefine.models.specs import (
    ACTIVATIONS,
    INITIALISATIONS,
    LOSSES,
    NORMALISATIONS,
    OPTIMIZERS,
    SCHEDULES,
    SPLIT_METHODS,
)
from coarsefine.search import cli
from coarsefine.search.hints import flag_of
from coarsefine.search.options import RecipeOptions
from coarsefine.studies.planning.pruning import PRUNERS
from coarsefine.studies.planning.request import SAMPLERS
from coarsefine.studies.recipes.layers import default_recipe
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import Recipe, to_json
from coarsefine.studies.spaces.searches.registry import SEARCHES
from tests.commands_built import all_commands

ROOT = Path(__file__).parents[2]


def commands():
    for name, command in all_commands().items():
        for inner, sub in getattr(command, "commands", {None: command}).items():
            yield (name, inner) if inner else (name,), sub


COMMANDS = dict(commands())


def shown(command):
    return [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]


def test_every_search_of_the_registry_has_its_command():
    assert all((name,) in COMMANDS for name in SEARCHES)


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_every_command_shows_an_example_and_every_option(path, search, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    answer = search(*path, "--help")

    assert answer.status == 0
    assert f"python -m search {' '.join(path)}" in answer.out.split("Examples:")[1]
    for parameter in shown(COMMANDS[path]):
        for name in (*parameter.opts, *parameter.secondary_opts):
            assert name in answer.out or parameter.param_type_name == "argument"


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_every_option_tells_its_default_and_what_it_takes(path):
    for parameter in shown(COMMANDS[path]):
        required = parameter.required or parameter.name in {"coarse", "fine", "finer", "auto"}
        assert "(default: " in parameter.help or required, parameter.name
        assert parameter.metavar or parameter.is_flag


def test_every_key_of_a_recipe_has_the_flag_that_messages_name():
    names = {name for p in COMMANDS[("lambda",)].params for name in p.opts}

    assert {flag_of(key) for key in flat(to_json(default_recipe()))} <= names


def test_the_names_in_the_help_are_those_there_are():
    help_of = {name: p.help for p in COMMANDS[("lambda",)].params for name in p.opts}
    for flag, names in {
        "--data": CATALOGUE,
        "--split": SPLIT_METHODS,
        "--normalisation": NORMALISATIONS,
        "--activation": ACTIVATIONS,
        "--initialisation": INITIALISATIONS,
        "--loss": LOSSES,
        "--optimizer": OPTIMIZERS,
        "--schedule": SCHEDULES,
        "--sampler": SAMPLERS,
        "--prune": PRUNERS,
    }.items():
        words = set(re.findall(r"[a-z0-9-]+", help_of[flag]))
        assert set(names) <= words, flag


def test_the_defaults_in_the_help_are_the_recipe_s():
    help_of = {name: p.help for p in COMMANDS[("lambda",)].params for name in p.opts}
    large, small = default_recipe("mnist"), default_recipe("digits")
    for key, value in flat(to_json(large)).items():
        default = re.search(r"\(default: ([^)]*)\)", help_of[flag_of(key)])[1]
        if key in {"data.name", "training.lambda"} or value is None:
            continue
        word = flag_of(key)[2:] if value is True else f"no-{flag_of(key)[2:]}"
        if isinstance(value, str):
            word = value
        elif isinstance(value, list):
            word = ",".join(map(str, value))
        elif not isinstance(value, bool):
            assert str(float(value)) in {str(float(n)) for n in numbers(default)}, key
            other = flat(to_json(small))[key]
            assert float(other) in map(float, numbers(default)), key
            continue
        assert default.startswith(word), key


def numbers(text):
    return re.findall(r"\d[\d.]*(?:e-?\d+)?", text)


def test_recipe_options_state_nothing_unless_asked(search):
    from dataclasses import fields
    from typing import get_type_hints

    hints = get_type_hints(RecipeOptions)
    nothing = RecipeOptions(**{f.name: hints[f.name]() for f in fields(RecipeOptions)})

    assert nothing.flags() == {}
    assert isinstance(default_recipe(), Recipe)


def test_no_command_and_help_show_what_there_is(search):
    bare, asked = search(), search("--help")

    assert (bare.status, asked.status) == (2, 0)
    for name in ("lambda", "test", "rank", "list", "show", "export", "gradcheck", "params", "data"):
        assert name in asked.out


def test_the_version_is_told(search):
    answer = search("--version")

    assert answer.status == 0
    assert re.fullmatch(r"coarsefine \S+\n", answer.out)


def test_the_page_on_the_command_line_is_current():
    script = runpy.run_path(str(ROOT / "scripts" / "make_cli_docs.py"))
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

    assert text == script["page"](text), "run scripts/make_cli_docs.py"


def test_starting_imports_nothing_heavy():
    heavy = ("numpy", "pydantic", "sqlalchemy", "optuna", "pandas", "scipy", "sklearn", "rich")
    code = (
        "import sys, coarsefine.search.cli\n"
        "coarsefine.search.cli.build(['--help'])\n"
        f"print([m for m in {heavy} if m in sys.modules or 'search.commands' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, **_here())

    assert done.stdout == "[]\n"


def test_a_command_line_waits_for_its_own_command_alone():
    code = (
        "import sys, coarsefine.search.cli\n"
        "coarsefine.search.cli.build(['rank', '--json'])\n"
        "print(sorted(m for m in sys.modules if m.startswith('coarsefine.search.commands.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, **_here())

    assert done.stdout == "['coarsefine.search.commands.ranking']\n"


def test_the_modules_of_all_commands_load_no_library_that_only_some_runs_need():
    heavy = (
        *("alembic", "bottle", "dask", "distributed", "jax", "jinja2", "llvmlite", "matplotlib"),
        *("numba", "openpyxl", "optuna", "optuna_dashboard", "pandas", "pooch", "pyarrow"),
        *("requests", "rich", "scipy.optimize", "scipy.special", "scipy.stats", "sklearn"),
        *("tabulate", "torch", "waitress"),
    )
    code = (
        "import sys, coarsefine.search.cli\n"
        "coarsefine.search.cli.build()\n"
        f"print([m for m in {heavy} if m in sys.modules])\n"
        "print('coarsefine.search.commands.searches' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, **_here())

    assert done.stdout.splitlines() == ["[]", "True"]


@pytest.mark.parametrize("argv", [[], ["--help"], ["--version"], ["rnak"]])
def test_what_carries_out_no_command_loads_none(argv):
    done = _on_the_way("coarsefine.search.commands", "print('loaded')", argv)

    assert "loaded" not in done.stdout
    assert done.returncode == (0 if argv[:1] in (["--help"], ["--version"]) else 2)


def test_blas_knows_its_threads_before_numpy_is_loaded():
    """The commands that import NumPy at the top of their files, or below, come after it."""
    done = _on_the_way("numpy", "print(os.environ['OPENBLAS_NUM_THREADS'])", ["lambda", "--help"])

    assert done.stdout.startswith("1\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a word")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_the_modules_of_a_command_are_loaded_stops_it(study, name, status):
    code = f"os.kill(os.getpid(), signal.{name})"

    done = _on_the_way("sqlalchemy", code, ["rank"])

    assert (done.returncode, done.stdout, done.stderr) == (status, "", "stopped\n")


def _on_the_way(module, code, argv):
    """Carry out a command line, and ``code`` in its process just before a module is imported."""
    watched = (
        "import os, signal, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            {code}\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"sys.argv = ['search', *{argv}]\n"
        "from coarsefine.search.__main__ import main\n"
        "raise SystemExit(main())"
    )
    here = _here()
    here["env"].pop("OPENBLAS_NUM_THREADS", None)
    return subprocess.run([sys.executable, "-c", watched], check=False, **here)


def test_the_overview_lists_each_command_as_its_own_help_begins():
    whole, listed = all_commands(), get_command(cli.build(["--help"])).commands

    assert list(listed) == list(whole)
    for name, command in whole.items():
        first = " ".join(command.help.split("\n\n")[0].split())
        assert listed[name].help == first
        assert listed[name].rich_help_panel == command.rich_help_panel


@pytest.mark.parametrize("argv", [["-h"], ["rank", "-h"], ["data", "list", "-h"]])
def test_help_has_a_short_name(search, argv):
    assert search(*argv).out == search(*argv[:-1], "--help").out != ""


@pytest.mark.parametrize("name", all_commands())
def test_a_command_put_together_alone_is_the_same(name):
    alone, among = get_command(cli.build([name])).commands, all_commands()

    assert list(alone) == [name]
    # Defaults that are built for each are equal and not the same.
    assert repr(_told(alone[name])) == repr(_told(among[name]))


def _told(command):
    inner = getattr(command, "commands", {})
    return (
        command.help,
        [(p.name, p.opts, getattr(p, "help", None), p.default) for p in command.params],
        {name: _told(each) for name, each in inner.items()},
    )


def test_ranking_does_without_optuna_and_the_trainer(study):
    code = (
        "import sys\n"
        "from coarsefine.search.cli import main\n"
        "main(['rank'])\n"
        "print([m for m in ('optuna', 'pandas', 'coarsefine.models.segment') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, **_here())

    assert done.stdout.splitlines()[-1] == "[]"


def test_a_stream_that_knows_no_greek_gets_words(study):
    done = subprocess.run(
        [sys.executable, "-m", "search", "rank"], check=True, **_here(PYTHONIOENCODING="ascii")
    )

    assert "lambda" in done.stdout
    assert "+-" in done.stdout


def test_a_reader_that_goes_away_is_no_error(study):
    with subprocess.Popen(
        [sys.executable, "-m", "search", "rank", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_here()["env"],
        text=True,
    ) as process:
        process.stdout.close()
        error = process.stderr.read()

    assert "Traceback" not in error
    assert "BrokenPipe" not in error


def _here(**more):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **more}
    return {"capture_output": True, "text": True, "encoding": "utf-8", "env": env}


def test_the_help_of_plot_names_every_kind():
    from coarsefine.search.figures.kinds import KINDS

    (names,) = (p for p in dict(commands())[("plot",)].params if p.name == "names")

    listed = names.help.partition("kinds of figures: ")[2].partition(" (default")[0]
    assert listed.split(", ") == list(KINDS)


def test_every_object_that_a_command_prints_is_written_down():
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.*--json.*)$", text, re.MULTILINE)
    written = {words.removesuffix(" --json") for line in headings for words in line.split(", ")}
    printed = {
        " ".join(words)
        for words, command in commands()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    # Rankings all look alike.
    rankings = {"eta", "lambda-eta", "batch-size", "dataset-size", "hidden", "tricks", "space"}

    assert printed - rankings <= written


def test_every_command_that_prints_a_table_prints_an_object_on_demand():
    without = {
        " ".join(words)
        for words, command in commands()
        if not any("--json" in parameter.opts for parameter in command.params)
    }

    # They serve, and say where and what.
    assert without == {"dashboard", "serve"}


def test_only_training_with_a_compiled_kernel_imports_numba():
    code = (
        "import sys, coarsefine.studies.running.search, coarsefine.models.segment\n"
        "import coarsefine.studies.results.reading, coarsefine.studies.planning.kernels\n"
        "print([name for name in ('numba', 'llvmlite') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, **_here())

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("seeds", [(), ("--replicates", "1")])
def test_a_search_of_a_second_does_without_optuna(seeds, tmp_path):
    argv = ["lambda", "--coarse", "--trials", "2", "--cycles", "1", *seeds, "--quiet"]
    code = (
        "import sys\n"
        "from coarsefine.search.cli import main\n"
        f"main({argv})\n"
        "print([m for m in ('optuna', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, **_here())

    assert done.stdout.splitlines()[-1] == "[]"
    study = optuna.load_study(
        study_name="digits/lambda/coarse", storage=f"sqlite:///{tmp_path / 'search.db'}"
    )
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE"] * 2
