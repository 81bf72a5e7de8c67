"""What Python shows of a search while it runs, and in which words."""

import logging
import os
import signal

import pytest

from coarsefine import Study
from coarsefine.search.library import watching
from coarsefine.search.library.watching import Page, watched
from coarsefine.studies.running.watching import CohortProgress
from tests.search.test_library import EVIL, HARMLESS, SMALL, Tags


class Handle:
    """An output of a cell, and how often it was drawn."""

    def __init__(self, shown):
        self.pages = [shown._repr_html_()]

    def update(self, shown):
        self.pages.append(shown._repr_html_())


@pytest.fixture
def handles(monkeypatch):
    """The outputs of a notebook's cell, as IPython would show them."""
    display = pytest.importorskip("IPython.display", reason="notebooks need ipykernel")
    made = []

    def shown(page, *, display_id):
        made.append(Handle(page))
        return made[-1]

    monkeypatch.setattr(display, "display", shown)
    return made


def progress(cohort=1, epoch=3, left=2.0):
    return CohortProgress("coarse", cohort, 2, 4, 0, epoch, 10, 0.5, left, done=not left)


def test_a_page_is_one_output_with_a_bar_for_what_is_under_way(handles):
    with Page() as page:
        page.said("something")
        page.progressed(progress(cohort=2))
        page.progressed(progress(cohort=1))
        during = page._repr_html_()
        page.progressed(progress(cohort=2, epoch=10, left=0.0))
        page.progressed(progress(cohort=1, epoch=10, left=0.0))

    (handle,) = handles
    after = handle.pages[-1]
    assert during.count('<progress value="3" max="10">') == 2
    assert "<progress" not in after
    assert repr(page).splitlines() == [
        "note: something",
        "coarse 1/2 (4 trials): 10 epochs, best validation accuracy so far 50.00 %",
        "coarse 2/2 (4 trials): 10 epochs, best validation accuracy so far 50.00 %",
    ]


def test_a_page_shows_a_download_without_drawing_each_of_its_parts(handles, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    with Page() as page:
        page.start("downloading", 1000)
        for _ in range(1000):
            now[0] += 0.001
            page.advance(1)
        page.finish()

    (handle,) = handles
    assert 4 <= len(handle.pages) < 12
    assert any('max="1000"' in shown for shown in handle.pages)
    assert "<progress" not in handle.pages[-1]


def test_a_page_without_anything_to_say_shows_nothing(handles):
    with Page():
        pass

    assert handles == []


def test_no_text_on_a_page_becomes_markup(handles):
    with Page() as page:
        page.said(EVIL)
        page.start(EVIL, None)
        shown = page._repr_html_()

    assert set(Tags(shown).found) <= HARMLESS
    assert "<img" in "".join(Tags(shown).text)


def test_a_search_in_a_notebook_shows_a_page_and_prints_nothing(
    own_folder, handles, monkeypatch, capfd
):
    monkeypatch.setattr(watching, "in_notebook", lambda: True)

    Study.search("lambda", progress=True, **SMALL).coarse(trials=2)

    assert "1,078 training and 360 validation samples" in handles[0].pages[-1]
    assert len(handles) == 1
    assert capfd.readouterr() == ("", "")


def test_a_search_with_progress_elsewhere_says_what_the_command_line_says(search, capsys):
    Study.search("lambda", progress=True, **SMALL).coarse(trials=2)
    ours = capsys.readouterr()

    words = ("--epochs", "2", "--hidden", "8", "--trials", "2", "--fresh")
    theirs = search("lambda", "--coarse", *words, "--study", "digits/lambda2")

    assert ours.out == ""
    assert ours.err == theirs.err.replace("lambda2", "lambda")


def test_without_progress_notes_go_to_a_logger_and_nowhere_else(own_folder, caplog, capfd):
    with caplog.at_level(logging.WARNING, "coarsefine"):
        Study.search("lambda", **SMALL).coarse(values=[1e-4, 1e-2])
        Study().fine(trials=2)

    assert {record.name for record in caplog.records} == {"coarsefine"}
    assert any("can miss the best one" in record.message for record in caplog.records)
    assert capfd.readouterr() == ("", "")


def test_handlers_of_signals_are_as_they_were_whatever_happens():
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), watched(progress=False):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(ZeroDivisionError), watched(progress=True):
        raise ZeroDivisionError

    assert signal.getsignal(signal.SIGINT) is before
