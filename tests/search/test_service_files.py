"""What is handed out to run the service with is made of what this program has."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.commands_built import all_commands

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "docs/service/coarsefine.service").read_text()
CONTAINER = (ROOT / "docs/service/Containerfile").read_text()


def check_command(words):
    """Check that a command line is one of this program's."""
    name, *arguments = words
    all_commands()[name].make_context(name, list(arguments))


def test_the_unit_starts_a_command_that_there_is():
    started = shlex.split(re.search(r"^ExecStart=(.*)$", UNIT, re.M)[1])

    assert started[0] == "/opt/coarsefine/bin/coarsefine"
    check_command(started[1:])


def test_the_unit_is_one_that_systemd_reads(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    copy = tmp_path / "coarsefine.service"
    # It minds that the program is not where the unit says.
    copy.write_text(UNIT.replace("/opt/coarsefine/bin/coarsefine", sys.executable))

    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_container_is_made_of_what_there_is():
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", CONTAINER, re.M)
        for word in line.split()[:-1]
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setup = runpy.run_path(str(ROOT / "setup.py"), run_name="read")
    extras = re.search(r'"\.\[(.*)\]"', CONTAINER)[1].split(",")

    assert all((ROOT / name).exists() for name in copied)
    assert {"setup.py", "coarsefine", *setup["FLOORS"]} <= set(copied)
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= set(copied)
    assert set(extras) <= set(project["project"]["optional-dependencies"])


def test_the_container_starts_a_command_that_there_is():
    entry, command = (
        eval(re.search(rf"^{word} (\[.*\])$", CONTAINER, re.M)[1]) for word in ("ENTRYPOINT", "CMD")
    )

    assert entry == ["coarsefine"]
    check_command(command)


def test_commands_of_the_page_are_commands_that_there_are():
    page = (ROOT / "docs/service.md").read_text()
    found = re.findall(r"(?:python -m search|coarsefine) (\w+)((?: [^\s#'&`]+)*)", page)
    lines = [[name, *arguments.split()] for name, arguments in found if name in _SERVICE]

    assert {name for name, *_ in lines} == _SERVICE
    for line in lines:
        check_command(line)


_SERVICE = {"serve", "submit", "queue", "pause", "resume", "cancel"}
