"""No test depends on how fast it runs: one profile for Hypothesis, and no short waits."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
MINUTE = 60
# Waiting is what these test: a command that takes too long, and a process that does not answer.
SHORT_ON_PURPOSE = {("faults/test_zygote.py", 1.5), ("faults/test_zygote.py", 0.01)}
WAITING = {"wait", "join", "communicate"}


@pytest.fixture(scope="module")
def calls():
    """Each call in the tests with its file."""
    return [
        (path.relative_to(TESTS).as_posix(), node)
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def name_of(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def seconds(call):
    """Yield the numbers that are given to a call as what it may wait."""
    waits = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
    if name_of(call) in WAITING and not is_pause(call):
        waits += call.args
    for value in waits:
        if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            yield value.value


def is_pause(call):
    """Return whether a thread waits for ``over`` between two looks, which nothing depends on."""
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "over"


def test_how_examples_are_drawn_is_said_once(calls):
    stated = {
        (file, keyword.arg)
        for file, call in calls
        for keyword in call.keywords
        if name_of(call) == "settings" and keyword.arg in {"deadline", "database", "derandomize"}
    }

    assert {file for file, _ in stated} <= {"conftest.py"}


@pytest.mark.parametrize("name", ["repeatable", "random"])
def test_no_example_has_a_deadline(name):
    profile = settings.get_profile(name)

    assert profile.deadline is None
    assert HealthCheck.too_slow in profile.suppress_health_check
    assert profile.derandomize == (name == "repeatable")
    assert (profile.database is not None) == (name == "random")


def test_what_only_keeps_a_test_from_hanging_waits_a_minute(calls):
    short = {(file, wait) for file, call in calls for wait in seconds(call) if wait < MINUTE}

    assert short == SHORT_ON_PURPOSE
