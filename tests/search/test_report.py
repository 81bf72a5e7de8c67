"""Reports: the record in pages that hide nothing, load nothing, and can be made again."""

import base64
import hashlib
import json
import re
import shlex
import shutil
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.search.formats.html import POLICY
from coarsefine.search.formats.latex_letters import escaped as tex
from coarsefine.search.formats.markdown import escaped as md
from coarsefine.search.formats.words import cell, clean
from coarsefine.search.options import StorageOptions
from coarsefine.search.report import FORMATS, rendered
from coarsefine.studies.reports.parts import (
    Code,
    Column,
    Facts,
    Items,
    Paragraph,
    Report,
    Section,
    Table,
)
from coarsefine.studies.reports.report import read_report
from coarsefine.studies.reports.reproduction import reproduction
from coarsefine.studies.results.reading import named_study, read_ranking
from tests.search.conftest import COARSE

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """What a browser makes of a page: elements, their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text, self.wrong = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        assert self.wrong == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="session")
def drawn(finished, tmp_path_factory):
    """The HTML report of a finished study, with its figures."""
    from coarsefine.search.cli import main

    file = tmp_path_factory.mktemp("report") / "study.html"
    assert main(["report", "-o", str(file), "--storage", str(finished), "--quiet"]) == 0
    return file.read_text(encoding="utf-8")


def written(study="s", *blocks):
    return Report(study, "about", True, 1, (Section("one", "One", blocks),))


def contents_of(database_file, name=None):
    with open_database(StorageOptions(str(database_file)).url, read_only=True) as database:
        study = named_study(database, name)
        openings = repository.openings(database, study)
        return (
            read_report(database, study, "not here"),
            read_ranking(database, study),
            reproduction(database, study, openings),
        )


def words_of(report):
    found = []
    for block in report.blocks():
        match block:
            case Paragraph():
                found.append(block.text)
            case Items():
                found += block.lines
            case Facts():
                found += [f"{name}: {text}" for name, text in block.rows]
            case Code():
                found.append(block.text)
            case _:
                continue
    return "\n".join(found)


# ----------------------------------------------------------------------------------- contents


def test_every_number_of_the_ranking_is_the_records(finished):
    report, ranking, _ = contents_of(finished)
    (table,) = [b for b in report.section("ranking").blocks if isinstance(b, Table)]
    names = [column.heading for column in table.columns]

    assert [row[names.index("λ")] for row in table.rows] == [
        trial.params["lambda"] for trial in ranking.trials
    ]
    for row, trial in zip(table.rows, ranking.trials, strict=True):
        assert row[names.index("rank")] == trial.rank
        assert row[names.index("validation ± SE")][0] == trial.validation_accuracy
        assert row[names.index("95 % interval")] == trial.interval
        assert row[names.index("tied")] == ("=" if trial.tied else "")
        assert row[names.index("seconds")] == trial.seconds


def test_the_final_test_is_the_first_openings_and_the_openings_are_counted(
    search, study, own_folder
):
    once, _, _ = contents_of(study)
    assert search("test", "--top", "1", "--quiet").status == 0
    twice, _, _ = contents_of(study)

    (first,) = [b for b in once.section("test").blocks if isinstance(b, Table)]
    tables = [b for b in twice.section("test").blocks if isinstance(b, Table)]
    assert (once.n_openings, twice.n_openings) == (1, 2)
    assert tables[0] == first
    assert len(tables) == 2
    accuracy = first.rows[0][[c.heading for c in first.columns].index("test ± SE")][0]
    assert f"reached {100 * accuracy:.2f} %" in words_of(twice)
    assert "The test set was opened once for this study." in words_of(once)
    assert "The test set was opened 2 times for this study." in words_of(twice)


def test_trials_picked_by_hand_are_said_to_be(search, coarse, own_folder):
    assert search("test", "--trial", "coarse:0", "--quiet").status == 0
    report, ranking, again = contents_of(own_folder / "search.db")
    trial = next(t for t in ranking.trials if t.trial == 0)

    assert "picked by hand, not by the ranking" in words_of(report)
    assert f"hand-picked: coarse:0 (rank {trial.rank})" in words_of(report)
    assert "were chosen by validation accuracy" not in words_of(report)
    assert "--trial coarse:0" in "".join(again.commands)


def test_openings_for_other_studies_are_said(search, study):
    assert search(*COARSE, "--study", "other", "--quiet").status == 0
    assert search("test", "other", "--top", "1", "--quiet").status == 0
    report, _, _ = contents_of(study, "digits/lambda")

    assert "the same test set was opened 1 time for other" in words_of(report)
    assert "1 opening of the test set of digits for this study and 1 for another" in words_of(
        report
    )


def test_the_report_tells_which_window_was_searched_and_why(finished):
    report, ranking, _ = contents_of(finished)
    said = words_of(report)

    for stage in ranking.stages:
        assert f"{stage.name} searched λ {stage.low:.4g} … {stage.high:.4g}" in said
        assert stage.reason in said
    assert "fine searched" in said
    assert "after coarse" in said


def test_fingerprints_seed_versions_and_machine_are_in_the_report(finished):
    report, ranking, _ = contents_of(finished)
    said, study = words_of(report), ranking.study

    assert study.data_fingerprint in said
    assert study.data["split_fingerprint"] in said
    assert all(f"{name} {version}" in said for name, version in study.versions.items())
    assert str(study.machine["processor"]) in said


def test_a_study_that_was_not_tested_says_so(search, coarse, own_folder):
    report, _, _ = contents_of(own_folder / "search.db")
    warnings = [b.text for b in report.blocks() if isinstance(b, Paragraph) and b.tone == "warning"]

    assert report.finished
    assert report.n_openings == 0
    assert any("was never opened" in line for line in warnings)
    assert "On the test set," not in words_of(report)


def test_a_study_without_a_test_set_is_sent_to_no_test(search, own_folder, undrawn):
    search("lambda", "--coarse", "--test", "none", "--epochs", "1", "--values", "0.01")

    answer = search("report", "nt.md")

    assert "test set" not in answer.err
    text = (own_folder / "nt.md").read_text()
    assert "No samples were set aside for a test" in text
    assert "search test" not in text


def test_a_study_that_is_not_finished_says_so(search, coarse, own_folder):
    with open_database(StorageOptions("search.db").url) as database:
        study = named_study(database, None)
        (stage,) = repository.stages(database, study)
        from coarsefine.db.records import NewTrial

        repository.add_plan(database, stage, trials=[NewTrial({"lambda": 0.5})], cohorts=[])
    report, ranking, _ = contents_of(own_folder / "search.db")
    answer = search("report", "--no-figures", "--no-gradcheck")

    assert not report.finished
    assert f"1 of {len(ranking.trials)} trials are not trained yet" in words_of(report)
    assert answer.status == 0
    assert "not finished" in answer.err


# -------------------------------------------------------------------------------- made again


LAB = """
[data]
name = "digits"
[training]
epochs = 1
[search]
replicates = 2
[search.vary.lambda]
values = [0.0, 0.01]
[search.variants."a 'b' λ"]
"network.hidden" = [4]
[search.variants."tanh"]
"network.activation" = "tanh"
"""
EVERY_KIND = {
    "picked by hand": [COARSE, ("test", "--trial", "coarse:1", "--refit", "none")],
    "refined": [COARSE, ("lambda", "--fine", "--trials", "3"), ("test", "--top", "2")],
    "topped up": [(*COARSE, "--replicates", "2"), (*COARSE[:-1], "6"), ("lambda", "--fine")],
    "values": [
        ("lambda", "--coarse", "--epochs", "1", "--values", "0,0.001,0.1", "--prune", "halving")
    ],
    "two numbers": [("lambda-eta", "--coarse", "--epochs", "1", "--trials", "4")],
    "grid": [("hidden", "--values", "4,none,6-5", "--epochs", "1", "--seed", "3")],
    "sizes": [("dataset-size", "--values", "50,100", "--epochs", "1", "--replicates", "2")],
    "tricks": [("tricks", "--epochs", "1", "--one-at-a-time")],
    "lab": [("run", "my-lab.toml")],
}


# The others take seconds together.
QUICKLY_DONE = {"two numbers", "lab"}


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(commands, id=name, marks=() if name in QUICKLY_DONE else pytest.mark.slow)
        for name, commands in EVERY_KIND.items()
    ],
)
def test_the_commands_of_a_report_make_the_same_table(search, own_folder, commands):
    (own_folder / "my-lab.toml").write_text(LAB, encoding="utf-8")
    for command in commands:
        assert search(*command, "--quiet").status == 0
    _, ranking, again = contents_of(own_folder / "search.db")

    place = own_folder / "elsewhere"
    place.mkdir()
    if again.file_name is not None:
        (place / again.file_name).write_text(again.file_text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for command in again.commands:
            words = shlex.split(command)
            assert words[:3] == ["python", "-m", "search"]
            assert search(*words[3:], "--quiet").status == 0
        _, found, _ = contents_of(place / "again.db")

    def table(of):
        return [t._replace(uuid=None, seconds=None, params=dict(t.params)) for t in of.trials]

    assert table(found) == table(ranking)
    assert found.study.recipe == ranking.study.recipe
    assert found.study.data_fingerprint == ranking.study.data_fingerprint


# --------------------------------------------------------------------------------------- HTML


def test_the_page_loads_nothing_and_allows_nothing(drawn):
    page = Page(drawn)
    style = re.search(r"<style>(.*?)</style>", drawn, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert {"script", "link", "iframe", "object", "embed"}.isdisjoint(t for t, _ in page.elements)
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    # The policy forbids the style of an element: none has one.
    assert page.values("style") == []
    assert page.values("content").count(POLICY) == 1
    assert POLICY.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "unsafe" not in POLICY
    for address in page.values("src") + page.values("href"):
        assert address.startswith(("#", "data:image/"))
    assert "url(" not in style
    assert "@import" not in style
    assert set(re.findall(r'"(https?://[^"]*)"', drawn)) <= {"http://www.w3.org/2000/svg"}


def test_each_name_of_the_page_is_given_once_and_each_reference_has_one(drawn):
    page = Page(drawn)
    names = page.values("id")
    links = [link[1:] for link in page.values("href") if link.startswith("#")]
    values = " ".join(str(value) for _, attrs in page.elements for value in attrs.values())
    links += re.findall(r"url\(#([^)]+)\)", values)

    assert [name for name, n in Counter(names).items() if n > 1] == []
    assert set(links) <= set(names)
    assert page.values("aria-labelledby")
    assert set(page.values("aria-labelledby")) <= set(names)


def test_the_page_has_figures_that_say_what_they_show(drawn):
    page = Page(drawn)
    figures = [attrs for tag, attrs in page.elements if tag == "svg"]

    assert len(figures) >= 4
    for attrs in figures:
        assert attrs["role"] == "img"
        assert "digits/lambda" in attrs["aria-label"]
        assert {"width", "height"}.isdisjoint(attrs)
    captions = [text for text in page.text if text.startswith("Figure ")]
    assert [int(c.split()[1].rstrip(":")) for c in captions] == list(range(1, len(figures) + 1))


def test_rounded_numbers_keep_the_exact_ones_beside_them(finished, drawn):
    _, ranking, _ = contents_of(finished)
    exact = set(Page(drawn).values("value"))

    for trial in ranking.trials:
        assert repr(trial.validation_accuracy) in exact
        assert repr(trial.validation_loss) in exact


def test_names_and_texts_are_never_markup(search, own_folder):
    name = "<script>alert('x')</script>&\"/λ"
    assert search(*COARSE, "--study", name, "--quiet").status == 0

    answer = search("report", name, "-o", "evil.html", "--quiet")

    assert answer.status == 0
    page = Page((own_folder / "evil.html").read_text(encoding="utf-8"))
    assert "script" not in [tag for tag, _ in page.elements]
    assert name in page.text


TEXTS = st.text(
    st.sampled_from("a1 <>&\"'/\\`*_{}[]()#+-.!|~$%^=\n\t\x00\u202eλ日é½\ud800" + chr(0x1F600)),
    max_size=12,
)


FIRST = frozenset({0})


def blocks_of(text):
    return (
        Paragraph(text),
        Paragraph(text, "warning"),
        Items((text, text)),
        Facts(((text, text),)),
        Table(
            text, (Column(text), Column("n", "value")), ((text, text), (None, 0.1)), frozenset({0})
        ),
        Code(text, text),
    )


@given(text=TEXTS)
@settings(max_examples=30)
def test_whatever_a_text_is_the_page_has_the_same_elements_and_shows_it(text):
    page = Page(rendered(written(text, *blocks_of(text)), "html", {}, "f").page.decode())
    plain = Page(rendered(written("a", *blocks_of("a")), "html", {}, "f").page.decode())

    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    shown = clean(text).replace(" %", "\N{NO-BREAK SPACE}%")
    if shown.strip():
        assert any(shown in each.replace("\r\n", "\n") for each in page.text)


# ----------------------------------------------------------------------------------- Markdown


@given(text=TEXTS)
@settings(max_examples=40)
def test_whatever_a_text_is_markdown_has_the_same_lines_and_columns(text):
    def shape(said):
        report = written(said, *blocks_of(said)[:-1])
        lines = rendered(report, "md", {}, "f").page.decode().split("\n")
        return [len(re.findall(r"(?<!\\)\|", re.sub(r"\\\\", "", line))) for line in lines]

    # An empty text leaves its own line out.
    if md(text):
        assert shape(text) == shape("a")


def test_a_fence_is_longer_than_any_inside():
    text = rendered(written("s", Code("c", "````\nx")), "md", {}, "f").page.decode()

    assert text.count("`````\n") == 2


def test_markdown_has_its_figures_beside_it(search, study, own_folder, undrawn):
    answer = search("report", "-o", "out.md", "--json")

    text = (own_folder / "out.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((out-figures/[^)]+\.png)\)", text)
    assert answer.status == 0
    assert sorted(named) == sorted(answer.json["files_beside"])
    assert sorted(named) == sorted(
        f"out-figures/{f.name}" for f in (own_folder / "out-figures").iterdir()
    )
    assert answer.json["file"] == "out.md"


# -------------------------------------------------------------------------------- LaTeX, PDF


@given(text=TEXTS)
@settings(max_examples=200)
def test_whatever_a_text_is_latex_sets_it_as_words(text):
    found = tex(text)
    bare = re.sub(r"\\(textbackslash|[{}$&#%_])", "", found)

    assert bare.count("{") == bare.count("}")
    assert not set(bare) & set("$&#%~<>|\"'`\n\x00")
    # Only inside mathematics of ours.
    assert not re.search(r"[_^]", re.sub(r"\\ensuremath\{(?:[^{}]|\{[^{}]*\})*\}", "", bare))


@given(text=TEXTS)
@settings(max_examples=40)
def test_whatever_a_text_is_latex_ends_what_it_begins(text):
    source = rendered(written(text, *blocks_of(text)), "tex", {}, "f").page.decode()
    open_ones = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", source):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name

    assert open_ones == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.slow
def test_pdflatex_sets_any_text_and_a_whole_report(search, study, own_folder):
    text = "a1 <>&\"'/\\`*_{}[]()#+-.!|~$%^= λ日é½±… " + "long" * 20
    table = Table("long", (Column("n", "whole"), Column(text)), tuple((i, text) for i in range(60)))
    report = written(text, *blocks_of(text), *blocks_of("[x]"), table)

    assert rendered(report, "pdf", {}, "f").page.startswith(b"%PDF-")
    assert search("report", "-o", "whole.pdf").status == 0
    assert (own_folder / "whole.pdf").read_bytes().startswith(b"%PDF-")


def test_a_pdf_without_pdflatex_is_refused_with_what_to_do(search, study, own_folder, monkeypatch):
    monkeypatch.setenv("PATH", str(own_folder))

    answer = search("report", "-o", "out.pdf")

    assert answer.status == 1
    assert "needs pdflatex" in answer.err
    assert "report.html" in answer.err
    assert not (own_folder / "out.pdf").exists()


# ---------------------------------------------------------------------------------- the command


def test_without_a_file_it_is_a_page_named_after_the_study(search, study, own_folder):
    answer = search("report", "--no-figures")

    assert answer.status == 0
    assert answer.err == "the most recent study: digits/lambda\n"
    assert answer.out == "digits-lambda-report.html: A search over λ on digits\n"
    page = Page((own_folder / "digits-lambda-report.html").read_text(encoding="utf-8"))
    assert "svg" not in [tag for tag, _ in page.elements]
    assert "Passed." in page.text


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(name, marks=() if name == "html" else pytest.mark.slow)
        for name in FORMATS
        if name != "pdf"
    ],
)
def test_the_same_record_gives_the_same_file_and_is_not_changed(search, study, own_folder, kind):
    before = study.read_bytes()
    files = [own_folder / f"{n}/out.{kind}" for n in "ab"]
    for file in files:
        file.parent.mkdir()
        assert search("report", "-o", file, "--no-figures").status == 0

    assert files[0].read_bytes() == files[1].read_bytes()
    assert study.read_bytes() == before


def test_nothing_is_written_where_the_report_cannot_be(search, study, own_folder):
    (own_folder / "out-figures").write_text("mine")
    before = sorted(own_folder.iterdir())

    for place, why in (
        ("none/out.html", "does not exist"),
        ("out.html", "got the file"),
        ("out.docx", "must end in"),
        (".", "must end in"),
    ):
        answer = search("report", "-o", place)
        assert answer.status in {1, 2}
        assert why in answer.err
        assert len(answer.err.splitlines()) <= 2
    assert sorted(own_folder.iterdir()) == before


def test_gradients_that_were_not_checked_are_no_secret(search, study, own_folder):
    assert search("report", "-o", "a.md", "--no-figures", "--no-gradcheck").status == 0

    assert "**Warning:** Not run: it was left out" in (own_folder / "a.md").read_text("utf-8")


def test_data_that_is_not_here_is_no_reason_to_have_no_report(search, samples, own_folder):
    file = samples()
    assert search(*COARSE, "--data", file, "--quiet").status == 0
    file.unlink()
    shutil.rmtree(own_folder / "cache", ignore_errors=True)

    assert search("report", "-o", "a.md", "--no-figures").status == 0

    assert "**Warning:** Not run: " in (own_folder / "a.md").read_text("utf-8")


def test_cells_that_are_not_known_are_dashes():
    for kind in ("whole", "percent", "measured", "interval", "loss", "value", "seconds", "error"):
        assert cell(kind, None) == "–"


def test_rows_have_a_cell_a_column():
    with pytest.raises(ValueError, match="a cell a column, got 1 for 2"):
        Table("t", (Column("a"), Column("b")), ((1,),))


def test_the_object_names_what_was_written(search, study):
    found = search("report", "-o", "r.html", "--no-figures", "--json").json

    assert found == {
        "study": "digits/lambda",
        "file": "r.html",
        "finished": True,
        "test_openings": 1,
        "figures": [],
        "files_beside": [],
    }
    assert json.dumps(found)
