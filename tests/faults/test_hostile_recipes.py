"""Recipe and lab files, whatever is in them, are read or refused in words; never a crash."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coarsefine.studies import labs
from coarsefine.studies.errors import StudyError
from coarsefine.studies.labs.files import read_lab
from coarsefine.studies.recipes.layers import default_recipe, load_recipe, make_recipe
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import from_json, to_json, to_toml

MANY = [
    pytest.param(60, id="some"),
    pytest.param(10_000, id="many", marks=pytest.mark.slow),
]

KEYS = sorted(flat(to_json(default_recipe())))
WORDS = sorted({str(value) for value in flat(to_json(default_recipe())).values()})
PRESETS = [path.read_text() for path in sorted(Path(labs.__file__).parent.glob("presets/*.toml"))]

SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 2, 10, 10**9]),
    st.floats(),
    st.booleans(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def accepted(read):
    """Return what ``read`` makes of it, ``None`` if it refuses in words."""
    try:
        return read()
    except StudyError as error:
        assert_words(error)
        return None


def assert_words(error):
    assert str(error).strip()
    assert error.exit_status in {1, 2}


def often(n):
    return settings(max_examples=n, suppress_health_check=list(HealthCheck))


def toml(value):
    """Return a value as TOML has it; JSON but for numbers that are none, and tables."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(k)} = {toml(v)}' for k, v in value.items())} }}"
    return json.dumps(value)


@pytest.mark.parametrize("n", MANY)
def test_files_of_known_keys_and_any_values(tmp_path, n):
    path = tmp_path / "recipe.toml"

    @often(n)
    @given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=5))
    def check(stated):
        path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in stated.items()))
        recipe = accepted(lambda: load_recipe(path))
        if recipe is not None:
            # What was understood is understood again.
            assert from_json(json.loads(json.dumps(to_json(recipe), allow_nan=False))) == recipe
            path.write_text(to_toml(recipe))
            assert load_recipe(path) == recipe

    check()


@pytest.mark.parametrize("n", MANY)
def test_flags_of_known_keys_and_any_values(n):
    @often(n)
    @given(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=5))
    def check(flags):
        accepted(lambda: make_recipe(None, flags))

    check()


@pytest.mark.parametrize("n", MANY)
def test_texts_of_any_kind(tmp_path, n):
    path = tmp_path / "recipe.toml"

    @often(n)
    @given(st.text(max_size=60) | st.binary(max_size=60))
    def check(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
        accepted(lambda: load_recipe(path))
        accepted(lambda: read_lab(str(path)))

    check()


@pytest.mark.parametrize("n", MANY)
def test_good_files_that_were_cut_mixed_and_written_over(tmp_path, n):
    path = tmp_path / "recipe.toml"

    @often(n // 4)
    @given(st.sampled_from([*PRESETS, to_toml(default_recipe())]), st.data())
    def check(text, data):
        lines = text.splitlines(keepends=True)
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, max(0, len(lines) - 1)))
            match data.draw(st.sampled_from(("drop", "twice", "value", "cut", "move"))):
                case "drop":
                    del lines[at : at + 1]
                case "twice":
                    lines[at:at] = lines[at : at + 1]
                case "value" if lines and "=" in lines[at]:
                    lines[at] = f"{lines[at].split('=')[0]}= {toml(data.draw(VALUES))}\n"
                case "cut" if lines:
                    lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
                case "move" if lines:
                    lines.insert(data.draw(st.integers(0, len(lines))), lines.pop(at))
        path.write_text("".join(lines), encoding="utf-8", errors="replace")
        accepted(lambda: load_recipe(path))
        accepted(lambda: read_lab(str(path)))

    check()


@often(50)
@given(st.dictionaries(st.sampled_from([*KEYS, *{key.split(".")[0] for key in KEYS}]), VALUES))
def test_a_stored_recipe_that_was_tampered_with(stated):
    # A database can be written to by anybody.
    whole = to_json(default_recipe())
    for key, value in stated.items():
        section, _, name = key.rpartition(".")
        if isinstance(whole.get(section), dict):
            whole[section][name] = value
        else:
            whole[key] = value

    accepted(lambda: from_json(whole, "the recipe of a study"))


@pytest.mark.parametrize(
    "text",
    [
        "[training]\nepochs = '{1}'\ncycles = 2\n",
        "[training]\noptimizer = ['sgd']\n",
        "[data]\nname = ['digits']\n",
        "[[part]]\nname = '{}'\n[[part]]\nname = '{}'\n",
    ],
)
def test_braces_and_lists_where_words_belong_are_refused_in_words(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(StudyError, match=r"recipe\.toml"):
        read_lab(str(path)) if "part" in text else load_recipe(path)


DEEP, LONG = 5000, "1" * 5000
COSTLY = {
    "a large file": ("#" * 1_000_001, "must have at most 1,000,000 bytes, got 1,000,001"),
    "deep lists": ("x = " + "[" * DEEP + "]" * DEEP, "must have at most 32 tables or lists"),
    "deep tables": ("x = " + "{a = " * 300 + "1" + "}" * 300, "must have at most 32 tables"),
    "a deep key": ("a" + ".a" * 20_000 + " = 1", "got a longer key"),
    "a deep quoted header": ('["a"' + ' . "a"' * 5000 + "]", "got a longer key"),
    "a seed of 5,000 digits": (f"seed = {LONG}", "must not have numbers of thousands of digits"),
    "many layers": ("[network]\nhidden = [" + "1," * 20_000 + "]", "at most 1,000 entries"),
    "a long key": ("x" * 900_000 + " = 1", "is not a key of a recipe"),
    "a long name": (f"[data]\nname = '{'x' * 900_000}'", "File name too long"),
}


@pytest.mark.parametrize("what", COSTLY)
def test_a_small_file_that_would_cost_much_is_one_short_line(search, own_folder, what):
    text, line = COSTLY[what]
    (own_folder / "costly.toml").write_text(text)
    started = time.process_time()

    refused = search("lambda", "--coarse", "--recipe", "costly.toml", "--study", "a")

    assert time.process_time() - started < 3
    assert refused.status in {1, 2}
    assert line in refused.err
    assert refused.err.count("\n") == 1
    assert len(refused.err) < 2100
    assert [path.name for path in own_folder.iterdir()] == ["costly.toml"]


@pytest.mark.parametrize(
    "command", [("run",), ("submit",), ("lambda", "--coarse", "--recipe"), ("submit", "--search")]
)
def test_a_pipe_is_no_recipe_and_nobody_waits_for_it(search, own_folder, command):
    os.mkfifo(own_folder / "pipe.toml")
    option = (*command, "lambda") if command[-1] == "--search" else command

    refused = search(*option, "pipe.toml")

    assert refused.status == 2
    assert "must be a TOML file, got the pipe or device pipe.toml" in refused.err
    assert not (own_folder / "search.db").exists()


def test_a_stored_lab_that_would_cost_much_fails_in_one_line(search, own_folder):
    (own_folder / "lab.toml").write_text("[search]\nkind = 'lambda'\n")
    search("serve", "--once", "--no-dashboard", "--quiet")
    search("submit", "lab.toml")
    with closing(sqlite3.connect("search.db")) as connection, connection:
        connection.execute("UPDATE training_queue SET content = ?", (COSTLY["deep lists"][0],))

    served = search("serve", "--once", "--no-dashboard", "--quiet")

    assert served.status == 0
    (entry,) = search("queue", "--json").json["queue"]
    assert (entry["state"], "at most 32 tables" in entry["error"]) == ("failed", True)
