"""What docs/library.md and docs/models.md show is what happens."""

import doctest
from pathlib import Path

import pytest

import coarsefine

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "fewest"), [("library.md", 11), ("models.md", 8), ("spaces.md", 4)]
)
def test_the_examples_of_the_page_are_true(own_folder, page, fewest):
    found = doctest.testfile(
        str(DOCS / page),
        module_relative=False,
        optionflags=doctest.ELLIPSIS,
    )

    assert found.attempted >= fewest
    assert found.failed == 0


def test_the_page_names_all_that_can_be_imported():
    page = (DOCS / "library.md").read_text(encoding="utf-8")

    assert all(f"`{name}`" in page for name in coarsefine.__all__)
