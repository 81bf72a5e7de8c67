"""What docs/library.md shows is what happens."""

import doctest
from pathlib import Path

import coarsefine

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_the_page_are_true(own_folder):
    found = doctest.testfile(
        str(DOCS / "library.md"),
        module_relative=False,
        optionflags=doctest.ELLIPSIS,
    )

    assert found.attempted > 10
    assert found.failed == 0


def test_the_page_names_all_that_can_be_imported():
    page = (DOCS / "library.md").read_text(encoding="utf-8")

    assert all(f"`{name}`" in page for name in coarsefine.__all__)
