"""The page on reliability names tests that are there and figures that are so."""

import re

from tests.faults.__main__ import TIMES
from tests.faults.scenarios import KINDS, MIGRATION, SCENARIOS
from tests.faults.zygote import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")


def test_tests_that_it_names_are_there():
    named = set(re.findall(r"`(tests/[\w/.]+)`", PAGE))

    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_moments_that_it_counts_are_tried():
    everywhere = sum(TIMES[kind] for kind in KINDS if kind != MIGRATION)

    assert f"{len(SCENARIOS) * everywhere + TIMES[MIGRATION]} seeded moments" in PAGE
    assert "twelve" in PAGE
    assert len(SCENARIOS) == 12


def test_every_room_of_faults_is_on_it():
    rooms = {path.name for path in (ROOT / "tests/faults").glob("test_*.py")}

    # These look after the page and after the harness.
    rooms -= {"test_reliability_docs.py", "test_zygote.py"}
    assert [room for room in sorted(rooms) if room not in PAGE] == []
