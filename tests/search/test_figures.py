"""Figures: what is drawn is what the database says, in files that are the same each time."""

import functools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.text import Text

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.urls import storage_url
from coarsefine.models.gradient_check import TOLERANCE, ParameterCheck
from coarsefine.models.schedules import cyclical
from coarsefine.models.specs import Hyperparameters, NetworkSpec
from coarsefine.search.cli import main
from coarsefine.search.errors import FigureError
from coarsefine.search.figures import fonts, rendering
from coarsefine.search.figures.colours import colours_of
from coarsefine.search.figures.curves import curves
from coarsefine.search.figures.gradients import gradients
from coarsefine.search.figures.kinds import KINDS
from coarsefine.search.figures.scales import Scale, room_for, set_ticks
from coarsefine.search.figures.style import (
    class_labels,
    fitted,
    house_style,
    new_sheet,
    plain,
    width_of,
    wrapped,
)
from coarsefine.search.figures.subject import Subject
from coarsefine.search.figures.trials import measured
from coarsefine.search.figures.weights import as_image, weights
from coarsefine.studies.checks.network import NetworkCheck, checked_without_data
from coarsefine.studies.checks.range_test import recorded
from coarsefine.studies.recipes.recipe import from_json
from coarsefine.studies.results.classes import confusion_of
from coarsefine.studies.results.curves.first_layer import read_first_layer
from coarsefine.studies.results.curves.runs import read_curves, read_runs
from coarsefine.studies.results.ranking import Ranking, top
from coarsefine.studies.results.reading import named_study, read_ranking

QUICK = ("--epochs", "2", "--hidden", "8", "--quiet")
# Three that learn nothing, six that learn, and two that diverge.
GOOD_AND_BAD = "1e-5,1e-4,3e-4,0.1,0.15,0.2,0.25,0.3,0.4,1e7,1e9"
# By name, what is asked for; small, and one or more for each kind of figure.
STUDIES = {
    "lambda": ("lambda", "--coarse", "--trials", "6", *QUICK),
    "seeds": ("lambda", "--coarse", "--trials", "4", "--replicates", "3", *QUICK),
    "raced": ("lambda", "--coarse", "--values", "1e-4,1e-3,1", "--replicates", "3..4", *QUICK),
    "zero": ("lambda", "--coarse", "--values", "0,1e-4,1e-2,1", *QUICK),
    "eta": ("eta", "--coarse", "--values", GOOD_AND_BAD, *QUICK),
    "both": ("lambda-eta", "--coarse", "--trials", "9", *QUICK),
    "drawn": ("lambda-eta", "--coarse", "--trials", "9", "--sampler", "random", *QUICK),
    "space": (
        *("space", "--coarse", "--vary", "eta=1e-2..1", "--vary", "momentum=0.5..0.95:logit"),
        *("--vary", "optimizer=momentum,nesterov", "--sampler", "random", "--trials", "9"),
        *("--replicates", "2", *QUICK),
    ),
    "batch": (
        "batch-size",
        "--values",
        "10,100,500",
        "--replicates",
        "2",
        "--running",
        *QUICK,
        "--evaluations",
        "3",
    ),
    "sizes": ("dataset-size", "--values", "50,200,0.5", "--replicates", "2", *QUICK),
    "hidden": ("hidden", "--values", "16,none,8-8", "--epochs", "2", "--quiet"),
    "tricks": ("tricks", "--epochs", "2", "--replicates", "2", "--quiet"),
    "linear": ("lambda", "--coarse", "--values", "0.001,0.1", "--hidden", "none", *QUICK[:2]),
    "table": ("lambda", "--coarse", "--trials", "3", "--data", "table.npz", *QUICK),
}
FINE = {"lambda": ("lambda", "--trials", "4"), "both": ("lambda-eta", "--trials", "4")}
KIND_OF = [
    ("curves", "lambda"),
    ("curves", "seeds"),
    ("curves", "batch"),
    ("final-curves", "lambda"),
    ("within", "batch"),
    ("values", "lambda"),
    ("values", "zero"),
    ("values", "eta"),
    ("values", "both"),
    ("heatmap", "both"),
    ("heatmap", "drawn"),
    ("contour", "both"),
    ("contour", "space"),
    ("isolation", "space"),
    ("isolation", "both"),
    ("parallel", "space"),
    ("importance", "space"),
    ("trade-off", "batch"),
    ("sizes", "sizes"),
    ("bars", "hidden"),
    ("bars", "tricks"),
    ("weights", "lambda"),
    ("weights", "linear"),
    ("norms", "lambda"),
    ("norms", "zero"),
    ("norms", "tricks"),
    ("certainty", "lambda"),
    ("range-test", "lambda"),
    ("gradients", "lambda"),
    ("confusion", "lambda"),
    ("replay", "seeds"),
    ("race", "raced"),
]


@pytest.fixture(scope="session")
def searched(tmp_path_factory, own_cache):
    """A database with a small study for each kind of figure."""
    folder = tmp_path_factory.mktemp("searched")
    rng = np.random.default_rng(0)
    np.savez(folder / "table.npz", x_train=rng.normal(size=(90, 4)), y_train=np.arange(90) % 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("SEARCH_DATA_DIR", "SEARCH_STORAGE"):
            patch.delenv(name, raising=False)
        for name, words in STUDIES.items():
            assert main([*words, "--study", name, "--quiet"]) == 0
        for name, (search, *more) in FINE.items():
            assert main([search, "--fine", "--study", name, "--quiet", *more]) == 0
        assert main(["eta", "--range-test", *QUICK]) == 0
        assert main(["test", "lambda", "--top", "2", "--quiet"]) == 0
        # The most recent one.
        assert main(["lambda", "--coarse", "--study", "lambda", "--quiet"]) == 0
    return folder / "search.db"


@pytest.fixture
def here(searched, own_folder):
    """The database in the folder of this test."""
    return shutil.copy(searched, own_folder / "search.db")


@contextmanager
def opened(path):
    with open_database(storage_url(str(path)), read_only=True) as database:
        yield database


def ranking_of(path, name):
    with opened(path) as database:
        return read_ranking(database, named_study(database, name))


@functools.cache
def drawn(path, kind, name):
    """Return a figure that no test changes."""
    return draw(path, kind, name)


def draw(path, kind, name, **options):
    with opened(path) as database:
        ranking = read_ranking(database, named_study(database, name))
        return KINDS[kind].draw(Subject(database, ranking, **options))


def artists(figure, gid):
    """Return what is drawn under a name, in the order in which it was."""
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def artist(figure, gid):
    (found,) = artists(figure, gid)
    return found


def points(figure, *gids):
    """Return the places of all marks under some names, (n, 2), in order."""
    found = [
        tuple(place)
        for gid in gids
        for marks in artists(figure, gid)
        for place in marks.get_offsets()
    ]
    return in_order(found)


def in_order(places):
    return np.array(sorted(places), dtype=float).reshape(-1, 2)


def texts(figure, gid):
    return [each.get_text() for each in artists(figure, gid)]


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def spans(figure, gid):
    """Return from where to where each shaded part of a panel goes."""
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in artists(figure, gid)]


# ------------------------------------------------------------------------------------- every kind


def test_every_kind_is_tested():
    assert {kind for kind, _ in KIND_OF} == set(KINDS), "give KIND_OF a study to draw of each kind"


def test_the_page_on_figures_explains_every_kind():
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(KINDS)


def test_what_a_lab_s_study_searched_is_named_not_its_command():
    def of(search, *searched):
        ranking = SimpleNamespace(
            study=SimpleNamespace(search=search), searched=searched, symbol=lambda name: name
        )
        return Ranking.over.fget(ranking)

    assert of("batch-size", "batch_size") == "batch-size"
    assert of("run", "lambda", "eta") == "lambda and eta"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(*pair, marks=pytest.mark.slow if number % 2 else ())
        for number, pair in enumerate(KIND_OF)
    ],
)
def test_titles_are_the_record_s(searched, kind, name):
    figure = drawn(searched, kind, name)

    title, about = texts(figure, "title")[0], texts(figure, "subtitle")[0]
    assert title.startswith(f"{name}: ")
    assert about.startswith("digits, seed 0; ")
    of_kind = {
        "confusion": "359 test samples",
        "final-curves": "training and validation samples together",
        "gradients": "64-8-10 relu, cross-entropy, 10 random samples",
    }
    samples = of_kind.get(kind, "1,078 training and 360 validation")
    assert samples in about.replace("\n", " ")
    caption = rendering.caption_of(figure)
    assert caption.startswith(title.replace("\n", " "))
    assert samples in caption


@pytest.mark.parametrize(("kind", "name"), KIND_OF)
def test_no_text_leaves_the_page_or_lies_on_another(searched, kind, name):
    figure = drawn(searched, kind, name)
    with house_style():
        figure.draw_without_rendering()
        shown = [
            each for each in figure.findobj(Text) if each.get_text().strip() and each.get_visible()
        ]
        # Ticks beyond the axis are there but are not drawn.
        beyond = {
            tick.label1 if part == 0 else tick.label2
            for panel in (*figure.axes, *(c for p in figure.axes for c in p.child_axes))
            for axis in (panel.xaxis, panel.yaxis)
            for tick in axis.get_major_ticks()
            for part in (0, 1)
            if not panel.axison or not _inside(tick.get_loc(), axis.get_view_interval())
        }
        boxes = [(each, each.get_window_extent()) for each in shown if each not in beyond]
    page = figure.bbox

    for each, box in boxes:
        assert box.x0 >= page.x0 - 1, each
        assert box.x1 <= page.x1 + 1, each
        assert box.y0 >= page.y0 - 1, each
        assert box.y1 <= page.y1 + 1, each
    # Turned texts fill only a part of their boxes.
    boxes = [(each, box) for each, box in boxes if each.get_gid() != "batch-size"]
    level = [(each, box) for each, box in boxes if each.get_rotation() in {0, 90}]
    for i, (each, box) in enumerate(level):
        for other, another in level[i + 1 :]:
            assert not _overlap(box, another), (each, other)


def _inside(place, interval):
    low, high = sorted(interval)
    return low * (1 - 1e-9) <= place <= high * (1 + 1e-9) or low <= place <= high


def _overlap(a, b):
    # Boxes hold room for accents: a pixel or two do not show.
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    up = min(a.y1, b.y1) - max(a.y0, b.y0)
    return across > 1 and up > 2


# All are rendered alike: a kind in each of the formats, and the others where there is time.
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=() if number < len(rendering.FORMATS) else pytest.mark.slow)
        for number, kind in enumerate(KINDS)
        for name in [dict(KIND_OF).get(kind)]
        if name is not None
    ],
)
def test_the_same_database_gives_the_same_bytes(searched, kind, name):
    file_format = rendering.FORMATS[list(KINDS).index(kind) % 3]
    first = rendering.rendered(draw(searched, kind, name), file_format)
    # Whatever someone has set for figures of their own.
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "savefig.dpi": 33}):
        again = rendering.rendered(draw(searched, kind, name), file_format)

    assert again == first


def test_settings_of_others_are_left_as_they_were(searched):
    with mpl.rc_context({"font.size": 17.0, "svg.hashsalt": "theirs"}):
        before = dict(mpl.rcParams)
        rendering.rendered(draw(searched, "values", "lambda"), "svg")
        assert dict(mpl.rcParams) == before


# ------------------------------------------------------------------------------------------ values


def test_the_bar_of_the_best_values_is_what_show_and_reports_say(search, here, own_folder):
    found = search("show", "lambda", "--json").json["optimum"]
    panel = drawn(here, "values", "lambda").axes[0]

    (bar,) = [line for line in panel.lines if line.get_gid() == "optimum"]
    assert list(bar.get_xdata()) == [found["low"], found["high"]]
    assert found["low"] <= search("show", "lambda", "--json").json["trials"][0]["params"]["lambda"]
    assert found["words"] in search("show", "lambda").out
    assert search("report", "lambda", "-o", "r.md", "--no-figures").status == 0
    assert found["words"][1:] in (own_folder / "r.md").read_text(encoding="utf-8")
    assert search("show", "batch", "--json").json["optimum"] is None


def test_values_have_each_trial_with_its_interval_and_a_mark_a_stage(searched):
    ranking = ranking_of(searched, "lambda")
    figure = drawn(searched, "values", "lambda")

    for stage, shape, colour in (("coarse", "o", "#0072b2"), ("fine", "s", "#d55e00")):
        trials = [trial for trial in ranking.trials if trial.stage == stage]
        assert points(figure, f"{stage}-filled", f"{stage}-hollow") == pytest.approx(
            in_order((t.params["lambda"], 100 * t.validation_accuracy) for t in trials)
        )
        segments = artists(figure, f"{stage}-intervals")[0].get_segments()
        assert np.array(segments)[:, :, 1] == pytest.approx(
            np.array([[100 * end for end in trial.interval] for trial in trials])
        )
        marks = artists(figure, f"{stage}-filled")[0]
        assert to_hex(marks.get_facecolor()[0]) == colour
        shown = {line.get_label(): line.get_marker() for line in figure.legends[0].legend_handles}
        assert shown[f"{stage}: {len(trials)} trials"] == shape
    panel = figure.axes[0]
    assert panel.get_xscale() == "log"
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("λ", "validation accuracy (%)")


def test_hollow_marks_are_those_that_are_told_from_the_best(searched):
    ranking = ranking_of(searched, "eta")
    figure = drawn(searched, "values", "eta")

    worse = sorted({t.params["eta"] for t in measured(ranking) if t.tied is False})
    assert worse
    assert sorted({x for x, _ in points(figure, "coarse-hollow")}) == worse
    assert "tied with the best (filled)" in legend(figure)


def test_the_winner_has_a_star_and_is_named(searched):
    ranking = ranking_of(searched, "lambda")
    figure = drawn(searched, "values", "lambda")

    best = ranking.best
    expected = (best.params["lambda"], 100 * best.validation_accuracy)
    assert points(figure, "best")[0] == pytest.approx(expected)
    assert legend(figure)[0].startswith(f"best: λ {best.params['lambda']:.4g} ({best.stage}): ")


def test_the_fine_window_is_shaded_and_what_lies_beyond_the_edges_hatched(searched):
    figure = drawn(searched, "values", "lambda")
    with opened(searched) as database:
        study = named_study(database, "lambda")
        coarse, fine = (s for s in repository.stages(database, study) if s.optuna_name)

    assert spans(figure, "fine-window") == [pytest.approx((fine.low, fine.high))]
    edges = [line.get_xdata()[0] for line in artists(figure, "edge")]
    assert edges == pytest.approx([coarse.low, coarse.high])
    low, high = figure.axes[0].get_xlim()
    assert spans(figure, "not-searched") == [
        pytest.approx((low, min(coarse.low, fine.low))),
        pytest.approx((max(coarse.high, fine.high), high)),
    ]
    assert "hatched: not searched; shaded: the fine range" in " ".join(
        texts(figure, "note")
    ).replace("\n", " ")


def test_diverged_values_are_marked_at_the_bottom(searched):
    figure = drawn(searched, "values", "eta")

    assert sorted({x for x, _ in points(figure, "diverged")}) == [1e7, 1e9]
    assert all(y < 0.1 for _, y in points(figure, "diverged"))
    assert "diverged (2)" in legend(figure)


def test_bad_values_do_not_squeeze_the_good_ones(searched):
    ranking = ranking_of(searched, "eta")
    whole, part = drawn(searched, "values", "eta").axes

    best = 100 * ranking.best.validation_accuracy
    assert part.get_ylim()[0] < best < part.get_ylim()[1]
    heights = [panel.get_ylim()[1] - panel.get_ylim()[0] for panel in (whole, part)]
    assert heights[0] > 3 * heights[1]


def test_zero_is_set_apart_on_a_logarithmic_axis_and_said_to_be(searched):
    figure = drawn(searched, "values", "zero")

    panel = figure.axes[0]
    places = [x for x, _ in points(figure, "coarse-filled", "coarse-hollow")]
    assert panel.get_xlim()[0] < min(places) < 1e-4
    labels = dict(
        zip(panel.get_xticks(), [t.get_text() for t in panel.get_xticklabels()], strict=True)
    )
    assert labels[min(places)] == "0"
    assert "0 set apart" in panel.get_xlabel()
    assert artists(figure, "axis-break")


def test_two_parameters_have_a_panel_each(searched):
    figure = drawn(searched, "values", "both")

    assert [panel.get_xlabel() for panel in figure.axes] == ["λ", "η"]


# ------------------------------------------------------------------------------------------ curves


def test_curves_are_the_records(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "lambda"))
        trained = read_curves(database, ranking, top(ranking.trials, 3))
        figure = curves(ranking, trained)

    assert len(trained) == 3
    for position, each in enumerate(trained):
        (rows,) = each.replicates
        for part in ("train", "validation"):
            lines = artists(figure, f"{part}-{position}")
            accuracy, loss, cost = (line.get_ydata() for line in lines)
            assert accuracy == pytest.approx([100 * getattr(r, f"{part}_accuracy") for r in rows])
            assert loss == pytest.approx([getattr(r, f"{part}_loss") for r in rows])
            assert cost == pytest.approx([getattr(r, f"{part}_cost") for r in rows])
        assert artists(figure, f"train-{position}")[0].get_xdata() == pytest.approx([0, 1, 2])
    labels = [panel.get_ylabel() for panel in figure.axes]
    assert labels == ["accuracy (%)", "loss (nats)", "cost (nats)", "η"]
    assert figure.axes[1].get_ylim() == figure.axes[2].get_ylim()
    assert figure.axes[-1].get_xlabel() == "epochs"


def test_curves_against_updates_count_updates(searched):
    figure = draw(searched, "curves", "lambda", against="updates")

    assert artists(figure, "validation-0")[0].get_xdata() == pytest.approx([0, 54, 108])
    assert figure.axes[-1].get_xlabel() == "updates"


def test_an_epoch_of_each_batch_size_is_an_epoch(searched):
    figure = drawn(searched, "curves", "batch")

    for position in range(3):
        assert artists(figure, f"validation-{position}")[0].get_xdata() == pytest.approx([0, 1, 2])
    assert "not as many updates" in texts(figure, "note")[0].replace("\n", " ")


def test_the_rate_is_that_of_every_update_and_cycles_are_marked(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "lambda"))
        (trained,) = read_curves(database, ranking, top(ranking.trials, 1))
        figure = curves(ranking, [trained], "updates")

    line = artist(figure, "eta-0")
    hyper = Hyperparameters(half_cycle=106, eta_min=1e-5, eta_max=0.1)
    assert list(line.get_xdata()) == list(range(108))
    assert line.get_ydata() == pytest.approx(cyclical(np.arange(108), [hyper], 54)[:, 0])
    # Two epochs are a half of the first cycle.
    assert artists(figure, "cycle") == []


def test_cycles_end_at_the_marks(searched, own_folder, search):
    search("lambda", "--coarse", "--values", "0.01", "--cycles", "2", "--hidden", "4", "--quiet")

    figure = draw(own_folder / "search.db", "curves", "digits/lambda", against="updates")

    places = sorted({line.get_xdata()[0] for line in artists(figure, "cycle")})
    assert places == [212, 424]
    assert len(artists(figure, "cycle")) == 2 * len(figure.axes)


def test_replicates_are_a_mean_with_a_band_of_one_standard_deviation(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "seeds"))
        (trained,) = read_curves(database, ranking, top(ranking.trials, 1))
        figure = curves(ranking, [trained])

    found = 100 * np.array(
        [[row.validation_accuracy for row in curve] for curve in trained.replicates]
    )
    assert len(found) == 3
    assert artists(figure, "validation-0")[0].get_ydata() == pytest.approx(found.mean(axis=0))
    band = artists(figure, "validation-0-band")[0].get_paths()[0].vertices
    deviation = found.std(axis=0, ddof=1)
    assert band[:, 1].max() == pytest.approx((found.mean(axis=0) + deviation).max())
    assert band[:, 1].min() == pytest.approx((found.mean(axis=0) - deviation).min())


def test_where_a_seed_stops_early_the_others_go_on_by_themselves(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "seeds"))
        (trained,) = read_curves(database, ranking, top(ranking.trials, 1))
    first, *others = trained.replicates
    shorter = type(trained)(
        trained.trial, (first[:2], *others), trained.updates_per_epoch, trained.rates
    )

    figure = curves(ranking, [shorter])

    assert artists(figure, "validation-0")[0].get_xdata() == pytest.approx([0, 1])
    assert {tuple(line.get_xdata()) for line in artists(figure, "alone")} == {(1, 2)}
    assert "by themselves" in texts(figure, "note")[0].replace("\n", " ")


def test_what_keras_prints_is_drawn_beside_what_was_re_evaluated(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "batch"))
        (trained,) = read_curves(database, ranking, top(ranking.trials, 1))
    figure = drawn(searched, "curves", "batch")

    found = np.array([[r.running_accuracy for r in c[1:]] for c in trained.replicates])
    line = artists(figure, "running-0")[0]
    assert line.get_ydata()[1:] == pytest.approx(100 * found.mean(axis=0))
    assert np.isnan(line.get_ydata()[0])
    assert "training, mean of the batches" in legend(figure)


def test_cost_has_no_panel_where_it_is_the_loss(searched):
    figure = drawn(searched, "curves", "batch")

    assert [panel.get_ylabel() for panel in figure.axes] == ["accuracy (%)", "loss (nats)", "η"]
    assert "cost equals loss" in texts(figure, "note")[0].replace("\n", " ")


# ----------------------------------------------------------------------------- the other figures


def test_each_trial_of_a_grid_lies_in_its_cell_with_its_accuracy(searched):
    ranking = ranking_of(searched, "both")
    figure = drawn(searched, "heatmap", "both")

    panel = figure.axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("λ", "η")
    assert (panel.get_xscale(), panel.get_yscale()) == ("log", "log")
    cells = [path.get_extents() for path in artist(figure, "coarse-cells").get_paths()]
    without = [path.get_extents() for path in artist(figure, "coarse-without").get_paths()]
    coarse = [trial for trial in ranking.trials if trial.stage == "coarse"]
    assert len(cells) + len(without) == len(coarse) == 9
    for trial in coarse:
        place = trial.params["lambda"], trial.params["eta"]
        own = cells if trial.state == "complete" else without
        assert sum(cell.contains(*place) for cell in own) == 1
    words = set(texts(figure, "score"))
    best = ranking.best
    for trial in measured(ranking):
        if trial.stage == "fine" and trial is not best:
            mark = "=" if trial.tied else ""
            assert f"{100 * trial.validation_accuracy:.1f}{mark}" in words
    window = artist(figure, "fine-window").get_bbox()
    assert all(
        window.contains(t.params["lambda"], t.params["eta"])
        for t in ranking.trials
        if t.stage == "fine"
    )
    assert points(figure, "best") == pytest.approx(
        in_order([(best.params["lambda"], best.params["eta"])])
    )


def test_a_sampler_s_trials_are_dots_in_the_colour_of_their_accuracy(searched):
    ranking = ranking_of(searched, "drawn")
    figure = drawn(searched, "heatmap", "drawn")

    dots = artist(figure, "coarse-dots")
    found = {
        tuple(place): value
        for place, value in zip(dots.get_offsets(), dots.get_array(), strict=True)
    }
    assert found == {
        (t.params["lambda"], t.params["eta"]): pytest.approx(100 * t.validation_accuracy)
        for t in measured(ranking)
    }
    assert figure.axes[1].get_ylabel() == "validation accuracy (%)"


def test_time_against_accuracy_has_the_pareto_front(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "batch"))
        runs = read_runs(database, ranking)
    figure = drawn(searched, "trade-off", "batch")

    expected = sorted(
        (np.mean([run.seconds for run in runs[t.uuid]]), 100 * t.validation_accuracy)
        for t in measured(ranking)
    )
    assert points(figure, "times-filled", "times-hollow") == pytest.approx(in_order(expected))
    upper, lower = figure.axes[:2]
    assert upper.get_xscale() == lower.get_xscale() == "log"
    assert upper.get_xlabel() == "training time of a run (seconds)"
    front = artist(figure, "front").get_xydata()
    for time, accuracy in expected:
        better = (front[:, 0] <= time * (1 + 1e-9)) & (front[:, 1] >= accuracy - 1e-9)
        assert better.any()
    assert (np.diff(front[:, 0]) > 0).all()
    assert (np.diff(front[:, 1]) > 0).all()
    ticks = [label.get_text() for label in lower.get_xticklabels()]
    assert ticks == ["10\n216 updates", "100\n22 updates", "500\n6 updates"]
    assert artist(figure, "seconds").get_xdata() == pytest.approx([10, 100, 500])


def test_sizes_show_both_accuracies_and_each_draw(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "sizes"))
        runs = read_runs(database, ranking)
    figure = drawn(searched, "sizes", "sizes")

    panel = figure.axes[0]
    assert panel.get_xscale() == "log"
    assert panel.get_xlabel() == "training samples"
    # A half of the 1,438 samples outside the test set.
    size = {50: 50, 200: 200, 0.5: 719}
    by_size = sorted(ranking.trials, key=lambda t: size[t.params["train"]])
    for part, key in (("validation", "validation_accuracy"), ("training", "train_accuracy")):
        line = artist(figure, part)
        assert list(line.get_xdata()) == [50, 200, 719]
        assert line.get_ydata() == pytest.approx([100 * getattr(t, key) for t in by_size])
        assert points(figure, f"{part}-replicates") == pytest.approx(
            in_order(
                (size[t.params["train"]], 100 * getattr(run, key))
                for t in ranking.trials
                for run in runs[t.uuid]
            )
        )


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("hidden", ["16", "none", "8-8"]),
        (
            "tricks",
            ["base", "+ shuffling", "+ initialisation", "+ improved sigmoid", "+ momentum"],
        ),
    ],
)
def test_choices_stand_in_the_order_of_the_study_with_their_updates(searched, name, names):
    ranking = ranking_of(searched, name)
    figure = drawn(searched, "bars", name)

    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == names
    planned = sorted(ranking.trials, key=lambda trial: trial.trial)
    expected = [(100 * t.validation_accuracy, -i) for i, t in enumerate(planned)]
    assert points(figure, "grid-filled", "grid-hollow") == pytest.approx(in_order(expected))
    assert left.get_xlabel() == "accuracy (%)"
    assert right.get_xlabel() == "updates"
    updates = [patch.get_width() for patch in right.patches]
    assert updates == pytest.approx([108] * 3 if name == "hidden" else [68] * 5)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("bars", "hidden"), ("sizes", "sizes"), ("trade-off", "batch"), ("importance", "space")],
)
def test_figures_of_choices_draw_what_trials_are_ranked_by(searched, kind, name):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, name), "loss")
        figure = KINDS[kind].draw(Subject(database, ranking))

    words = {text.get_text() for text in figure.findobj(Text)}
    assert any("loss" in each for each in words)
    assert not any("accuracy" in each for each in words)
    losses = sorted(trial.validation_loss for trial in ranking.trials)
    if kind == "bars":
        assert sorted(x for x, _ in points(figure, "grid-filled", "grid-hollow")) == pytest.approx(
            losses
        )
    if kind == "sizes":
        assert sorted(artist(figure, "validation").get_ydata()) == pytest.approx(losses)
        assert artists(figure, "training")
    if kind == "trade-off":
        assert (np.diff(artist(figure, "front").get_xydata()[:, 1]) < 0).all()


def test_weights_are_the_checkpoint_s_scaled_one_by_one(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "linear"))
        layer = read_first_layer(database, ranking, ranking.best)
        figure = weights(ranking, [layer])

    assert layer.linear
    assert layer.weights.shape == (10, 64)
    for unit, row in enumerate(layer.weights.astype(float)):
        image = artist(figure, f"image-{unit}").get_array()
        scaled = (row - row.min()) / (row.max() - row.min())
        assert np.asarray(image) == pytest.approx(scaled.reshape(8, 8))


def test_hidden_units_are_shown_and_trials_one_above_the_other(searched):
    ranking = ranking_of(searched, "lambda")
    coarse = tuple(t for t in ranking.trials if t.stage == "coarse")[:2]

    figure = draw(searched, "weights", "lambda", trials=coarse)

    assert len(figure.axes) == 2
    for panel, trial in zip(figure.axes, coarse, strict=True):
        assert len(panel.images) == 8
        assert f"(coarse {trial.trial}, " in panel.get_title("left")


@given(
    st.sampled_from([(4, 5), (3, 4, 5), (4, 5, 3), (1, 4, 5), (4, 5, 1)]), st.integers(0, 2**32 - 1)
)
def test_an_image_holds_each_weight_at_its_pixel(shape, seed):
    row = np.random.default_rng(seed).normal(size=int(np.prod(shape))).astype(np.float32)

    image = as_image(row, shape)

    assert image.min() == 0
    assert image.max() == 1
    assert image.shape == ((4, 5, 3) if 3 in shape else (4, 5))
    for place in np.ndindex(*shape):
        weight = row.reshape(shape)[place]
        pixel = place
        if len(shape) == 3:
            first = shape[0] in {1, 3}
            pixel = (*place[1:], place[0]) if first else place
            pixel = pixel if 3 in shape else pixel[:2]
        scaled = (float(weight) - float(row.min())) / (float(row.max()) - float(row.min()))
        assert image[pixel] == pytest.approx(scaled)


def test_the_confusion_matrix_of_the_validation_samples_is_that_of_a_trial(searched):
    with opened(searched) as database:
        ranking = read_ranking(database, named_study(database, "lambda"))
        trial = ranking.trials[1]
        subject = Subject(database, ranking, (trial,), on="validation")
        figure = KINDS["confusion"].draw(subject)
        counts = confusion_of(database, ranking, trial).counts

    shares = artist(figure, "shares").get_array()
    assert np.asarray(shares) == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    assert "on the validation samples" in " ".join(texts(figure, "title"))
    shown = f"{100 * counts.trace() / counts.sum():.2f} % right"
    assert shown in texts(figure, "note")[0]


def test_the_confusion_matrix_is_the_latest_test_s(searched):
    with opened(searched) as database:
        study = named_study(database, "lambda")
        run = repository.openings(database, study)[-1].runs[0]
    figure = drawn(searched, "confusion", "lambda")

    counts = np.array(run.confusion)
    shares = artist(figure, "shares").get_array()
    assert np.asarray(shares) == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    shown = {
        (text.get_position()[1], text.get_position()[0]): int(text.get_text())
        for text in artists(figure, "count")
    }
    assert shown == {(i, j): n for (i, j), n in np.ndenumerate(counts) if n}
    panel = figure.axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == list("0123456789")
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("predicted class", "true class")
    accuracy = counts.trace() / counts.sum()
    assert f"{100 * accuracy:.2f} % right" in texts(figure, "note")[0]


def test_classes_whose_names_no_font_has_are_numbered_not_boxes(search, own_folder, monkeypatch):
    monkeypatch.setattr(fonts, "_fallback", lambda letter: None)
    table = Path(__file__).parents[1] / "models" / "tables" / "unicode-labels.csv"
    asked = ("--data", table, "--trials", 2, "--epochs", 1)
    assert search("lambda", "--coarse", *asked).status == 0
    assert search("test", "--top", 1).status == 0

    figure = draw(own_folder / "search.db", "confusion", "unicode-labels/lambda")

    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert shown == ["тюльпан", "class 1", "class 2"]
    drawn_texts = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    assert not any("□" in text for text in drawn_texts)
    assert "class 1, class 2: no font of this system" in " ".join(" ".join(drawn_texts).split())


def test_letters_that_the_font_lacks_are_drawn_with_another_font_of_the_system(recwarn):
    # Matplotlib's own fonts have an arc and a mark of length, which its usual one lacks.
    names = ["⌒ arc", "˯ low", "rose", "\uffff"]
    labels, note = class_labels(names)
    sheet = new_sheet("⌒/lambda", "of", about="of 1")
    set_ticks(sheet.first, range(4), labels)

    figure = sheet.finished()
    rendering.rendered(figure, "svg")

    assert labels == [*names[:3], "class 3"]
    assert note.startswith("class 3: no font of this system")
    families = [label.get_fontfamily() for label in sheet.first.get_xticklabels()]
    assert families[0][0] == artist(figure, "title").get_fontfamily()[0] == fonts.FAMILY
    assert len(families[0]) > 1
    assert len(artist(figure, "title").get_fontfamily()) > 1
    assert not [each for each in recwarn if "missing from font" in str(each.message)]
    assert width_of("⌒", 8) > 0


# ---------------------------------------------------------------------------------- axes and texts

# Some search over all that numbers can be.
POSITIVE = st.floats(1e-9, 1e9) | st.floats(1e-250, 1e300)


@given(st.lists(POSITIVE | st.just(0.0), min_size=1, max_size=30))
def test_all_values_lie_on_their_axis_in_order_and_it_has_ticks(values):
    scale = Scale.of(values)

    places = [scale.place(value) for value in sorted(values)]
    ticks, words = scale.ticks()
    low, high = scale.limits
    assert all(low <= place <= high for place in places)
    assert places == sorted(places)
    assert len(ticks) == len(words) == len(set(words)) >= 2
    assert all(low <= tick <= high for tick in ticks)
    if scale.log and 0 in values:
        assert (
            dict(zip(words, ticks, strict=True))["0"]
            == scale.place(0)
            < min(value for value in values if value > 0)
        )


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=8, unique=True))
def test_texts_that_fit_side_by_side_leave_room_between_them(sizes):
    scale = Scale.of(sizes, counts=True)
    words = [f"{size:,}" for size in sorted(sizes)]

    if room_for(scale, sorted(sizes), words):
        assert sum(width_of(word, 7.5) for word in words) < 3.7 * 1.2


@settings(max_examples=30)
@given(st.text(max_size=200), st.floats(0.5, 5))
def test_no_line_is_wider_than_its_room_and_no_letter_is_lost(text, inches):
    lines = wrapped(text, inches, 9, "bold")

    assert all(width_of(line, 9, "bold") <= inches for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(plain(text).split())


@given(st.text(min_size=1, max_size=80))
def test_names_are_shortened_until_they_fit(text):
    assert width_of(fitted(text, 0.8, 7), 7) <= 0.8


def test_names_are_drawn_as_they_stand(searched):
    with opened(searched) as database:
        study = named_study(database, "lambda")
    study = SimpleNamespace(name="cost $x_1$ \\alpha 日 _^{", data_name="d$", seed=3, data={})
    with house_style():
        sheet = new_sheet(study, "what")
    figure = sheet.finished(notes=("50 $ and $",))

    for file_format in rendering.FORMATS:
        assert rendering.rendered(figure, file_format)
    assert "□" not in texts(figure, "title")[0]


# --------------------------------------------------------------------------------- unusual studies


def test_weights_of_a_reused_run_are_those_of_the_run_it_was_taken_from(searched):
    layers = []
    with opened(searched) as database:
        for name in ("lambda", "seeds"):
            ranking = read_ranking(database, named_study(database, name))
            trial = next(
                t for t in ranking.trials if t.stage == "coarse" and t.params["lambda"] == 0.1
            )
            layers.append(read_first_layer(database, ranking, trial))
            (curves,) = read_curves(database, ranking, [trial])
            assert curves.rates.schedule == "cyclical"

    assert (layers[0].weights == layers[1].weights).all()


def test_trials_that_are_not_finished_are_left_out_and_counted(here):
    with sqlite3.connect(here) as connection:
        connection.execute(
            "UPDATE training_trials SET state = 'running', validation_accuracy = NULL WHERE number "
            "= 2 AND stage_id = (SELECT s.id FROM training_stages s JOIN training_studies t ON "
            "s.study_id = t.id WHERE t.name = 'zero')"
        )
    connection.close()

    figure = draw(here, "values", "zero")

    assert len(points(figure, "coarse-filled", "coarse-hollow")) == 3
    assert "1 trial not finished yet" in texts(figure, "note")[0].replace("\n", " ")


# ------------------------------------------------------------------------ range test and gradients


def test_a_range_test_is_drawn_from_the_record_with_what_it_suggests(searched, monkeypatch):
    def never(*_):
        raise AssertionError("a figure trains nothing")

    monkeypatch.setattr("coarsefine.studies.checks.range_test.range_test", never)
    with opened(searched) as database:
        found = recorded(database, named_study(database, "lambda"))
    figure = drawn(searched, "range-test", "lambda")

    assert spans(figure, "cycle") == [(found.eta_min, found.eta_max)] * 2
    assert {line.get_xdata()[0] for line in artists(figure, "broke")} == {found.broke_at}
    (batches,) = artists(figure, "batches")
    assert list(batches.get_xdata()) == found.etas
    assert batches.get_ydata() == pytest.approx(
        [np.nan if loss is None else loss for loss in found.losses], nan_ok=True
    )


@pytest.mark.parametrize("name", ["hidden", "linear"])
def test_a_range_test_of_another_network_is_not_shown(searched, name):
    with pytest.raises(FigureError, match="there was none: search eta range_test"):
        draw(searched, "range-test", name)


def test_a_range_test_is_made_once_and_drawn_where_it_is_asked_for(search, own_folder, monkeypatch):
    first = search("eta", "--range-test", *QUICK, "--json")
    monkeypatch.setattr("coarsefine.studies.checks.range_test.range_test", None)

    again = search("eta", "--range-test", *QUICK, "--json", "--figure", "test.svg")

    assert again.json == first.json
    assert (own_folder / "test.svg").read_bytes().startswith(b"<?xml")
    assert search("eta", "--range-test", *QUICK, "--figure", "test.doc").status == 2
    assert search("eta", "--range-test", *QUICK, "--low", "1", "--high", "0.1").status == 2


@pytest.mark.parametrize("option", ["--dry-run", "--within 5s", "--trials 5", "--study mine"])
def test_a_range_test_refuses_what_only_a_search_heeds(search, own_folder, option):
    refused = search("eta", "--range-test", *option.split())

    assert refused.status == 2
    assert f"{option.split()[0]} belongs to searches, and --range-test is not one" in refused.err
    assert not list(own_folder.iterdir())


def test_a_figure_of_a_range_test_is_refused_without_one(search, own_folder):
    refused = search("eta", "--coarse", "--figure", "test.png")

    assert (refused.status, "add --range-test" in refused.err) == (2, True)


def test_the_range_test_that_a_cycle_came_from_is_kept(search, own_folder):
    assert search("lambda", "--coarse", "--eta-range", "auto", *QUICK, "--trials", "2").status == 0

    ends = search("show", "--json").json["recipe"]["training"]
    with opened(own_folder / "search.db") as database:
        found = recorded(database, named_study(database, None))

    assert (found.eta_min, found.eta_max) == (ends["eta_min"], ends["eta_max"])


def test_gradients_have_a_mark_for_each_parameter_and_penalty(searched):
    ranking = ranking_of(searched, "lambda")
    checks, _ = checked_without_data(from_json(ranking.study.recipe, "a recipe"), 64, 10)

    figure = drawn(searched, "gradients", "lambda")

    for check in checks:
        marks = points(figure, f"lambda-{check.l2_strength:g}")
        errors = sorted(each.max_relative_error for each in check.parameters)
        assert list(marks[:, 0]) == pytest.approx(errors)
    assert [p.name for p in checks[0].parameters] == [
        label.get_text() for label in figure.axes[0].get_yticklabels()
    ]
    assert texts(figure, "note")[0].startswith("Passed")


@pytest.mark.parametrize("wrong", [1e-3, float("nan"), float("inf")])
def test_wrong_gradients_stand_right_of_the_line(wrong):
    network = NetworkSpec(n_features=3, hidden=(2,), n_classes=2)
    parameters = [ParameterCheck("W1", 6, 0, 0.0, 0.0), ParameterCheck("b1", 2, 1, wrong, wrong)]

    figure = gradients([NetworkCheck(network, 0.0, parameters)], "mine", "by hand")

    line = artist(figure, "tolerance").get_xdata()[0]
    marks = points(figure, "lambda-0")
    assert line == TOLERANCE
    assert marks[0, 0] < line < marks[1, 0] < figure.axes[0].get_xlim()[1]
    assert texts(figure, "note")[0].startswith("FAILED")


def test_a_gradient_check_is_drawn_where_it_is_asked_for(search, own_folder):
    few = ("--features", "3", "--samples", "2")
    assert search("gradcheck", *few, "--figure", "one.png").status == 0

    assert (own_folder / "one.png").read_bytes().startswith(b"\x89PNG")
    assert search("gradcheck", "--figure", "nowhere/one.png").status == 1


# --------------------------------------------------------------------------------- the command line


def test_all_that_fits_goes_into_a_folder_and_the_rest_is_explained(search, here, own_folder):
    before = Path(here).read_bytes()
    answer = search("plot")

    assert answer.status == 0
    folder = own_folder / "lambda-figures"
    written = {"curves", "values", "weights", "certainty", "range-test"}
    written |= {"gradients", "confusion", "replay", "norms", "final-curves"}
    assert {path.name for path in folder.iterdir()} == {f"{kind}.png" for kind in written}
    lines = answer.out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        str(Path("lambda-figures", f"{kind}.png")) for kind in KINDS if kind in written
    ]
    lines = answer.err.splitlines()
    assert lines[0] == "the most recent study: lambda"
    assert [line.split(" needs ")[0] for line in lines[1:]] == [
        f"left out: {kind}" for kind in KINDS if kind not in written
    ]
    assert lines[1].endswith("needs a search over two numbers, this one is over lambda")
    assert Path(here).read_bytes() == before
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("values", ["lambda-values.png"]),
        pytest.param("lambda values --format pdf", ["lambda-values.pdf"], marks=pytest.mark.slow),
        pytest.param("both heatmap -o maps.svg", ["maps.svg"], marks=pytest.mark.slow),
        ("both heatmap values -o maps", ["maps/heatmap.png", "maps/values.png"]),
        pytest.param(
            "trade_off batch -o . --format svg", ["trade-off.svg"], marks=pytest.mark.slow
        ),
        pytest.param(
            "confusion --study lambda --trial {tested}",
            ["lambda-confusion.png"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_figure_goes_where_it_is_sent(search, here, own_folder, words, files):
    with opened(here) as database:
        opening = repository.openings(database, named_study(database, "lambda"))[-1]
        run = opening.runs[1]
        ranking = read_ranking(database, named_study(database, "lambda"))
    number = next(
        t.trial for t in ranking.trials if t.stage == run.stage and dict(t.params) == run.params
    )

    answer = search("plot", *words.format(tested=f"{run.stage}:{number}").split())

    assert answer.status == 0, answer.err
    assert [line.split(": ")[0] for line in answer.out.splitlines()] == [
        str(Path(file)) for file in files
    ]
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    for file in files:
        assert (own_folder / file).read_bytes().startswith(starts[Path(file).suffix])


WRONG = [
    ("plot vlaues", 2, "got 'vlaues'; did you mean values?"),
    ("plot lambda values heat-map", 2, "got 'heat-map'; did you mean heatmap?"),
    ("plot lamda", 1, "no study 'lamda'; did you mean lambda?"),
    ("plot values --format jpeg", 2, "--format must be one of png, svg, pdf, got 'jpeg'"),
    ("plot values -o figure.gif", 2, "must end in .png, .svg, .pdf, got figure.gif"),
    ("plot lambda -o all.png", 2, "--out must be a folder for several figures, got all.png"),
    ("plot values -o nowhere/figure.png", 1, "the folder nowhere of figure.png does not exist"),
    ("plot -o nowhere/figures", 1, "the folder nowhere of figures does not exist"),
    ("plot -o search.db", 2, "got search.db"),
    ("plot -o file", 1, "figures are written into a folder, got the file file"),
    ("plot lambda heatmap", 1, "heatmap needs a search over two numbers"),
    ("plot lambda heatmap values", 1, "heatmap needs a search over two numbers"),
    ("plot hidden values", 1, "values needs a search over a number with several values"),
    ("plot lambda sizes", 1, "sizes needs"),
    ("plot lambda trade-off", 1, "trade-off needs a search over the batch size"),
    ("plot lambda bars", 1, "bars needs a search over choices"),
    ("plot table weights", 1, "samples that are images, these are of shape 4"),
    ("plot eta confusion --on test", 1, "needs a final test with a result: python -m search test"),
    ("plot eta curves --trial coarse:99", 1, "no trial coarse:99; those of coarse are 0 to 10"),
    ("plot eta curves --trial fine:0", 1, "no stage 'fine'; its stages are coarse"),
    ("plot curves --trial 7", 2, "--trial must be STAGE:NUMBER, as in fine:6; got '7'"),
    ("plot curves --trial coarse:0 --best 2", 2, "got both"),
    ("plot curves --best 0", 2, "--best must be >= 1, got 0"),
    ("plot curves --against time", 2, "--against must be one of epochs, updates, got 'time'"),
    ("plot eta confusion --on tests", 2, "did you mean test?"),
    ("plot values --on test", 2, "--on is for confusion, got values"),
    (
        "plot values --trial coarse:0",
        2,
        "--trial is for curves and within and weights and certainty and confusion",
    ),
    ("plot lambda weights" + 7 * " --trial coarse:0", 1, "weights shows 6 trials or fewer, got 7"),
    ("plot lambda confusion --trial coarse:0 --trial coarse:1", 1, "shows one trial, got 2"),
]


@pytest.mark.parametrize(("words", "status", "said"), WRONG)
def test_what_cannot_be_drawn_costs_a_line(search, here, own_folder, words, status, said):
    (own_folder / "file").touch()
    answer = search(*words.split())

    assert answer.status == status
    assert answer.out == ""
    lines = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert sorted(path.name for path in own_folder.iterdir()) == ["file", "search.db"]


def test_programs_get_files_captions_and_reasons(search, here, undrawn):
    answer = search("plot", "hidden", "--json")

    assert answer.json["study"] == "hidden"
    found = {each["kind"]: each for each in answer.json["figures"]}
    assert {"curves", "bars", "weights", "gradients", "confusion"} <= found.keys()
    assert not {"final-curves", "values", "range-test"} & found.keys()
    assert list(found) == [kind for kind in KINDS if kind in found]
    assert all(Path(each["file"]).exists() for each in found.values())
    assert found["bars"]["caption"].startswith(
        "hidden: validation accuracy by hidden layers. Digits, seed 0; 1,078 training"
    )
    assert [each["kind"] for each in answer.json["left_out"]] == [
        kind for kind in KINDS if kind not in found
    ]
    assert json.dumps(answer.json)


def test_a_study_without_results_has_no_figures_yet(search, own_folder):
    search("eta", "--coarse", "--values", "1e8,1e9", "--epochs", "1", "--quiet", "--study", "x")

    values = search("plot", "x", "values")
    curves = search("plot", "x", "curves", "--trial", "coarse:0")

    assert values.status == curves.status == 0
    assert search("plot", "x", "curves").err.endswith(
        "error: curves needs a complete trial, or the name of another one\n"
    )
    figure = draw(own_folder / "search.db", "values", "x")
    assert sorted({x for x, _ in points(figure, "diverged")}) == [1e8, 1e9]
    assert len(points(figure, "best")) == 0


def test_files_keep_the_old_contents_where_they_cannot_be_replaced(
    search, here, own_folder, monkeypatch
):
    (own_folder / "old.png").write_text("old")

    def full_disk(*_):
        raise OSError(28, "disk full")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", full_disk)
        answer = search("plot", "values", "-o", "old.png")

    assert answer.status == 1
    assert answer.err.endswith("error: old.png cannot be written: disk full\n")
    assert (own_folder / "old.png").read_text() == "old"
    assert sorted(path.name for path in own_folder.iterdir()) == ["old.png", "search.db"]


@pytest.mark.slow
def test_no_display_is_needed_and_nothing_is_said_on_the_way(here, font_cache):
    code = (
        "import sys\n"
        "from coarsefine.search.cli import main\n"
        "assert main(['plot', 'values', '--quiet']) == 0\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'optuna' not in sys.modules"
    )
    env = {
        **os.environ,
        "MPLBACKEND": "tkagg",
        "DISPLAY": "",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONWARNINGS": "error",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_names_every_kind(search, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    words = " ".join(search("plot", "--help").out.replace("│", " ").split())

    assert ", ".join(KINDS) in words


def test_a_race_is_drawn_up_to_where_each_value_left(searched):
    figure = drawn(searched, "race", "raced")

    lanes = [line for line in figure.axes[0].get_lines() if "coarse-" in str(line.get_gid())]
    assert sum(all(place == 0 for place in lane.get_ydata()) for lane in lanes) >= 1
    assert all(list(lane.get_xdata())[:3] == [1, 2, 3] for lane in lanes)
    assert artist(figure, "indifference").get_height() == pytest.approx(0.5)
    assert re.search("cannot tell|no value is|equal within", rendering.caption_of(figure))
    with pytest.raises(FigureError, match="race needs a search with replicates = auto"):
        drawn(searched, "race", "seeds")


@pytest.mark.parametrize(
    ("metric", "label", "best_of"),
    [("macro-f1", "validation macro F1 (%)", max), ("loss", "validation loss", min)],
)
def test_figures_go_by_the_metric_of_the_study(search, own_folder, metric, label, best_of):
    words = ("--trials", "9", "--epochs", "1", "--replicates", "1", "--study", "s")
    search("lambda-eta", "--coarse", *words, "--metric", metric)
    path = own_folder / "search.db"
    with opened(path) as database:
        ranking = read_ranking(database, named_study(database, "s"))
    times = 100 if ranking.metric.share else 1
    shown = [times * ranking.metric.of(trial) for trial in ranking.trials]

    values = draw(path, "values", "s")
    colours = colours_of(ranking)

    assert {panel.get_ylabel() for panel in values.axes} == {label}
    for star in artists(values, "best"):
        assert star.get_offsets()[0][1] == pytest.approx(best_of(shown))
    for kind in ("heatmap", "contour"):
        assert draw(path, kind, "s").axes[-1].get_ylabel() == label
    isolated = draw(path, "isolation", "s")
    for panel in isolated.axes:
        assert panel.get_ylabel() == label
        low, high = panel.get_ylim()
        marks = [
            m for m in panel.collections if re.fullmatch("coarse-.*low|best", m.get_gid() or "")
        ]
        assert marks
        assert all(low <= y <= high for mark in marks for _, y in mark.get_offsets())
    assert [colours.light(value) for value in shown] == sorted(
        (colours.light(value) for value in shown), reverse=True
    )
