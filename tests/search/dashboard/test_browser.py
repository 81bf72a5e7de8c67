"""The dashboard in a real browser: what is seen, not what is sent.

Pictures of the pages are kept in ``tests/.artifacts/dashboard``.
"""

import sys
from pathlib import Path

import pytest

from coarsefine.search.dashboard.server import Server
from coarsefine.search.dashboard.serving import make_app
from coarsefine.search.figures import rendering
from tests.search.dashboard import chromium

PICTURES = Path(__file__).parents[2] / ".artifacts" / "dashboard"

pytestmark = [
    pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="Chromium's pipes are numbered elsewhere"),
    # Optuna finds few trials too few; the application ignores it, but pytest forgets that.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def place(finished):
    """The address of the dashboard of a study that was searched and tested."""
    with make_app(str(finished)) as app, Server(app, port=0) as server:
        yield server.url


@pytest.fixture(autouse=True)
def no_complaints(browser):
    """Nothing that a page loads is refused or fails, and no script breaks."""
    browser.errors.clear()
    yield
    assert browser.errors == []


@pytest.fixture(autouse=True)
def sharp_pictures(monkeypatch):
    """Have figures as users see them: somebody looks at the pictures of these pages."""
    monkeypatch.setattr(rendering, "DPI", 250)  # what it is where no test has changed it


def drawn(browser, n):
    """Wait until so many figures of plotly are drawn."""
    browser.wait(f"document.querySelectorAll('.js-plotly-plot .main-svg .xy').length >= {n}")


def loaded(browser, n):
    """Wait until so many pictures are there and whole."""
    whole = "i => i.complete && i.naturalWidth > 500"
    browser.wait(
        "(found => found.length >= "
        f"{n} && found.every({whole}))([...document.querySelectorAll('img')])",
        f"{n} pictures that are whole",
    )


def test_the_studies_are_listed(browser, place):
    browser.go(place)

    browser.wait_for("1. digits/lambda/coarse", "2. digits/lambda/fine")
    browser.picture(PICTURES / "studies.png")


@pytest.mark.slow
def test_a_study_shows_its_figures_and_files(browser, place):
    browser.resize(1400, 3400)
    browser.go(f"{place}/studies/1")

    browser.wait_for("digits/lambda/coarse", "Accuracy by λ", "Study Artifacts", "ranking.csv")
    browser.wait_for("coarse: the best 4 trials by epoch")
    # History, importance, timeline, ours, and the curves that Optuna keeps.
    drawn(browser, 6)
    loaded(browser, 4)
    browser.picture(PICTURES / "study.png")
    browser.resize(1400, 1000)


@pytest.mark.slow
def test_a_study_s_note_leads_to_the_next_stage(browser, place):
    browser.go(f"{place}/studies/1/note")

    browser.wait_for("Question and recipe", "Which λ gives", "Ranking by validation accuracy")
    rows = "[...document.querySelectorAll('table')].map(t => t.rows.length)"
    # A heading and 7 trials; a heading and 2 that were tested.
    assert {8, 3} <= set(browser.run(rows))
    browser.picture(PICTURES / "note.png", whole=True)
    browser.click("fine")
    browser.wait_for("digits/lambda/fine")


@pytest.mark.slow
def test_a_trial_shows_its_place_and_its_curves(browser, place):
    browser.go(f"{place}/studies/2/trials?numbers=0")

    browser.wait_for("Trial 0 (trial_id=5)", "of 7", "validation accuracy", "Artifacts")
    loaded(browser, 2)
    browser.picture(PICTURES / "trial.png")


def test_the_page_can_change_nothing(browser, place):
    browser.go(place)
    browser.wait_for("1. digits/lambda/coarse")

    status = browser.run("fetch('/api/studies/1', {method: 'DELETE'}).then(r => r.status)")

    assert status == 403
    browser.errors.clear()  # it complains of just that
    browser.go(place)
    browser.wait_for("1. digits/lambda/coarse")


@pytest.mark.slow
def test_studies_are_compared_side_by_side(browser, place):
    browser.go(f"{place.removesuffix('/dashboard')}/dashboard/compare-studies")

    browser.wait_for("digits/lambda/coarse", "digits/lambda/fine")
    drawn(browser, 1)
