"""The page on recipes shows recipes that are accepted."""

import re
import runpy
from pathlib import Path

from coarsefine.studies.recipes.layers import load_recipe, make_recipe
from coarsefine.studies.recipes.recipe import to_toml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "recipes.md"


def test_the_recipes_on_the_page_are_recipes(tmp_path):
    short, whole = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    paths = [tmp_path / "short.toml", tmp_path / "whole.toml"]
    for path, text in zip(paths, (short, whole), strict=True):
        path.write_text(text, encoding="utf-8")

    assert load_recipe(paths[0]).network.hidden == (50, 50)
    flags = {"data.name": "cifar10", "network.initialisation": "xavier"}
    assert load_recipe(paths[1]) == make_recipe(flags=flags)
    assert to_toml(load_recipe(paths[1])) == whole


def test_the_keys_on_the_page_are_current():
    script = runpy.run_path(str(ROOT / "scripts" / "make_recipe_docs.py"))
    text = PAGE.read_text(encoding="utf-8")

    assert text == script["page"](text), "run scripts/make_recipe_docs.py"
