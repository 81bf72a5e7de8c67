"""The shape of the source: no circles, short files, few parameters, no flags below the face."""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from coarsefine.models.kernels import reference
from coarsefine.models.specs import Hyperparameters
from coarsefine.search.cli import main

ROOT = Path(__file__).parents[1]
FLOORS = ("search", "studies", "models", "db")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
BELOW_THE_FACE = [path for path in FILES if path.relative_to(ROOT).parts[0] != "search"]

MOST_LINES = 400
MOST_ROOMS = 15
MOST_PARAMETERS = 8
# One method with all that Python users state of a search: its keywords are its documentation.
CROWDED = {"search/library/study.py:search"}
# Commands are the content of these files.
HOLD_COMMANDS = {"reproduction.py"}
FLAG = re.compile(r"(?<![\w-])--[a-z]|python -m search")
# What other programs are called with, Dask's, PostgreSQL's and MariaDB's.
OF_OTHERS = re.compile(
    r"--(nthreads|nworkers|scheduler-file|encoding|format=custom|file=|username|user|host|port"
    r"|single-transaction|result-file=|password)"
)


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("coarsefine", *parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


@pytest.fixture(scope="module")
def trees():
    """The syntax tree of each file."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imported(path, tree):
    """Return the modules of ours that a file imports, anywhere in it, but for types alone."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in MODULES} or {node.module}
    return {name for name in found if name in MODULES} - {module_of(path)}


def test_no_files_import_each_other_in_a_circle(trees):
    graph = {name: imported(path, trees[path]) for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_file_is_longer_than_a_sitting():
    long = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if path.read_text(encoding="utf-8").count("\n") > MOST_LINES
    }

    assert not long, long


def test_the_floor_of_studies_has_few_rooms():
    rooms = [path.name for path in (ROOT / "studies").iterdir() if path.name != "__pycache__"]

    assert len(rooms) <= MOST_ROOMS, rooms


COMMANDS = [ROOT / "search" / "cli.py", *sorted((ROOT / "search" / "commands").glob("*.py"))]
# What commands import in a function, for only some runs need it and it takes long to load. Whatever
# else is heavy is imported below the commands, by the function that needs it.
LATE = {
    # Each command's own modules, which help and a mistyped command do without.
    ("search/cli.py", "coarsefine.search.commands"),
    # importlib.metadata, for --version; rankings and recipes, for words on an error.
    ("search/cli.py", "coarsefine.studies.environment"),
    ("search/cli.py", "coarsefine.search.following"),
    ("search/cli.py", "coarsefine.studies.recipes.messages"),
    # filelock, and how searches are planned: only --repair changes studies.
    ("search/commands/checking.py", "coarsefine.db.checks.repair"),
    ("search/commands/checking.py", "coarsefine.studies.tidying.mending"),
    # filelock and all that carries out searches: not for a range test.
    ("search/commands/searches.py", "coarsefine.search.commands.searching"),
    # Signals that end a service are heard while this is loaded, too.
    ("search/commands/serving.py", "coarsefine.search.commands.queue_service"),
    # multiprocessing, filelock and all that carries out searches: only reports of whole labs
    # carry out parts.
    ("search/commands/reporting.py", "coarsefine.studies.reports.lab_checks"),
    ("search/commands/reporting.py", "coarsefine.studies.running.resources"),
}


def imported_late(path):
    """Yield the modules that a file imports inside functions."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    yield "." * node.level + (node.module or "")


def test_commands_import_at_the_top_of_their_files():
    late = {
        (path.relative_to(ROOT).as_posix(), module)
        for path in COMMANDS
        for module in imported_late(path)
    }

    assert late == LATE


def test_an_import_in_a_function_of_a_command_is_noticed(tmp_path):
    file = tmp_path / "command.py"
    file.write_text(
        "import os\n\ndef command():\n    if os:\n        import json\n    from . import other\n"
        "    def inner():\n        from a.b import c\n"
    )

    assert set(imported_late(file)) == {"json", ".", "a.b"}


def n_parameters(function):
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in given)


def test_no_function_takes_more_parameters_than_can_be_overseen(trees):
    crowded = {
        f"{path.relative_to(ROOT).as_posix()}:{node.name}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and n_parameters(node) > MOST_PARAMETERS
    }

    assert crowded == CROWDED


def test_no_call_spreads_a_tuple_that_is_written_there(trees):
    """Or else names of parameters are lost to save lines: say them, or give the values a name."""
    spread = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for argument in node.args
        if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple)
    ]

    assert not spread


MOST_STATIONS = 10
PLACES = frozenset(FILES)


def way_here():
    """Return the product's files that are under way now, from the command line down."""
    frame, files = sys._getframe(1), []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path in PLACES and files[-1:] != [path]:
            files.append(path)
        frame = frame.f_back
    return [path.relative_to(ROOT).as_posix() for path in reversed(files)]


def test_a_value_goes_from_the_command_line_to_the_kernel_without_climbing(tmp_path, monkeypatch):
    ways = []

    def planned(self, checked=Hyperparameters.__post_init__):
        ways.append(way_here())
        checked(self)

    def trained(stretch, train=reference.make_updates):
        ways.append(way_here())
        train(stretch)

    monkeypatch.setenv("SEARCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(Hyperparameters, "__post_init__", planned)
    monkeypatch.setattr(reference, "make_updates", trained)
    words = (
        "lambda --coarse --values 0.001,0.1 --replicates 1 --epochs 1 --hidden 4 --jobs 1 --quiet"
    )
    status = main([*words.split(), "--storage", str(tmp_path / "search.db")])

    assert status == 0
    assert {way[-1] for way in ways} >= {"studies/planning/point_runs.py", "models/training.py"}
    for way in ways:
        # With the one that follows: where the value is checked, or the kernel's.
        assert len(way) < MOST_STATIONS, way
        assert len(set(way)) == len(way), f"it comes back to a file it has left: {way}"
        floors = [FLOORS.index(path.partition("/")[0]) for path in way]
        assert floors == sorted(floors), f"it climbs: {way}"


def strings(path):
    """Yield the texts of a file, of messages and of docstrings, with their lines."""
    source = io.StringIO(path.read_text(encoding="utf-8"))
    for token in tokenize.generate_tokens(source.readline):
        if token.type == tokenize.STRING:
            yield token.start[0], token.string


def test_nothing_below_the_face_names_a_flag_or_a_command():
    named = Counter(
        f"{path.relative_to(ROOT)}:{line}"
        for path in BELOW_THE_FACE
        if path.name not in HOLD_COMMANDS
        for line, text in strings(path)
        if FLAG.search(text) and not OF_OTHERS.search(text)
    )

    assert sorted(named) == []
