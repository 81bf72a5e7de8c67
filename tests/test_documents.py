"""Documents: links that lead somewhere, an index of all pages, and examples that are true."""

import os
import re
import sys
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coarsefine.models.optimizers import Rule
from coarsefine.search.cli import main
from coarsefine.search.figures.kinds import _STUDY, Kind
from coarsefine.search.figures.subject import Subject
from coarsefine.studies.recipes.keys import KEYS, Key, Needs
from coarsefine.studies.recipes.keys.key import keys_of
from coarsefine.studies.recipes.keys.kinds import Real
from coarsefine.studies.results.columns.column import Column
from coarsefine.studies.results.columns.rankings import _any
from coarsefine.studies.spaces.search import SearchKind

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def outside_code(text):
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    links = LINK.findall(outside_code(page.read_text(encoding="utf-8")))
    files = [link.partition("#")[0] for link in links if "://" not in link]

    assert [file for file in files if file and not (page.parent / file).exists()] == []


def test_the_index_lists_every_page():
    index = ROOT / "docs" / "README.md"
    listed = {
        (index.parent / link).resolve()
        for link in LINK.findall(index.read_text(encoding="utf-8"))
        if "://" not in link
    }
    pages = {page for page in (ROOT / "docs").glob("*.md") if page != index}

    assert pages <= listed


def test_the_site_has_every_page():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = set(re.findall(r"(\w+\.md)", navigation))

    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= listed
    assert listed <= {page.name for page in (ROOT / "docs").glob("*.md")} | {
        *("start.md", "contributing.md", "changelog.md", "api.md")
    }


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif("SEARCH_DATA_DIR" not in os.environ, reason="SEARCH_DATA_DIR is not set")
def test_the_tutorial_works_as_it_is_typed(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    sheet = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "sheet.toml").write_text(sheet)
    monkeypatch.chdir(tmp_path)
    for line in re.findall(r"^    python -m search (.*)$", text, re.MULTILINE):
        assert main(line.split()) == 0, line
        said = capsys.readouterr().out
        if "--figures" in line:
            assert "7 of 10 values are tied, λ from 1e-05 to 0.004642" in said  # as the page says
    assert {"sheet.html", "table.tex", "figures"} <= {path.name for path in tmp_path.iterdir()}


def examples():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=9))
def test_the_activation_that_is_an_example_has_the_derivative_it_says(values):
    names = {"np": np, "Array": np.ndarray}
    exec(examples()[0], names)
    softsign = names["Softsign"]()

    def forward(z):
        a = z.copy()
        softsign.forward(a)
        return a

    z = np.array(values)
    delta = np.ones_like(z)
    softsign.backward(delta, forward(z))

    step = 1e-6
    differences = (forward(z + step) - forward(z - step)) / (2 * step)
    # Central differences err by the third derivative, and round at the step's size.
    assert delta == pytest.approx(differences, abs=1e-5)


def test_the_search_that_is_an_example_is_one():
    names = {}
    exec(examples()[1], names)

    assert isinstance(names["MOMENTUM"], SearchKind)
    assert names["MOMENTUM"].name == "momentum"


def test_the_optimizer_that_is_an_example_steps_as_its_paper_says():
    names = {"np": np, "Array": np.ndarray, "Rule": Rule}
    exec(examples()[2], names)
    rule = names["Adagrad"](lambda name: np.array(0.9), np.float64)
    parameter, gradients, slot = np.array([1.0, -2.0]), ([0.5, 1.0], [-1.0, 0.25]), np.zeros(2)
    expected, squares = parameter.copy(), np.zeros(2)

    for i, gradient in enumerate(map(np.array, gradients)):
        rule.begin(i)
        rule.update(parameter, gradient.copy(), [slot], np.array(0.01))
        squares = squares + gradient**2
        expected -= 0.01 * gradient / (np.sqrt(squares) + 1e-10)

    assert parameter == pytest.approx(expected)


def test_the_key_that_is_an_example_is_one():
    names = {"Annotated": Annotated, "Key": Key, "Needs": Needs, "Real": Real}
    exec("class Section:\n" + indent(examples()[3], "    "), names)

    (key,) = keys_of(names["Section"]).values()

    assert (key.flag, key.setting, key.default) == ("--margin", "margin", None)
    assert key.needs.choices[0] in KEYS[f"training.{key.needs.choice}"].choices


def test_the_column_that_is_an_example_is_one():
    (column,) = eval(examples()[4], {"Column": Column, "_any": _any})

    trials = [SimpleNamespace(seeds_compared=3)]
    assert column.face("terminal").shown_if(trials)
    assert column.values(trials)[0] == 3


def test_the_kind_of_figure_that_is_an_example_is_one(monkeypatch):
    (kind,) = eval(examples()[5], {"Kind": Kind, "_STUDY": _STUDY})
    file = SimpleNamespace(lacks=lambda subject: None, drawn=lambda subject: subject.n_best)
    monkeypatch.setitem(sys.modules, f"coarsefine.search.figures.{kind.module}", file)

    subject = Subject(None, None)
    assert (kind.name, kind.lacks(subject), kind.draw(subject)) == ("seconds", None, 1)
