"""Forecasts beside what training took: searches on digits, and of all presets (a quick look).

One worker trains in this process, and both sides are counted in processor seconds: what else the
machine does at the moment plays no part.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.common import Options, Table, log, main
from coarsefine.db.connections.engine import open_database
from coarsefine.models.segment import SegmentResult
from coarsefine.studies.labs.files import kind_of, presets, read_lab, request_of
from coarsefine.studies.planning.forecast import Forecast
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.stages import first_name
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.running.executors import InlineExecutor
from coarsefine.studies.running.forecasting import foreseen
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

Asks = tuple[str, SearchKind, StageRequest, Asked]

# Longer searches are left out, and shorter ones are no matter of forecasts.
MOST_SECONDS, LEAST_SECONDS = 40.0, 0.5


class _Timed(InlineExecutor):
    """Trains in this process, and counts how long."""

    seconds = 0.0

    def next_result(self, seconds: float | None = None) -> SegmentResult:
        began = time.process_time()
        result = super().next_result(seconds)
        self.seconds += time.process_time() - began
        return result


def run(options: Options) -> list[Table]:
    """Return the table."""
    table = Table(
        "First stages of searches, processor seconds of one worker",
        ("search", "data", "plan", "forecast", "took", "forecast / took"),
    )
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, _processor_clock():
        for search in _searches():
            _measure(table, found, search, Path(folder), options)
    for data, each in found.items():
        inside = sum(1 / 1.3 <= ratio <= 1.3 for ratio in each)
        middle = float(np.median(each))
        table.notes.append(f"{data}: {inside} of {len(each)} within 30 %, median {middle:.2f}")
    return [table]


def _searches() -> Iterator[Asks]:
    """Yield all searches: their names, kinds, requests and recipes."""
    for kind in ("lambda", "eta", "hidden"):
        request = StageRequest(replicates=3)
        yield f"digits/{kind}", SEARCHES[kind], request, Asked(None, {"training.epochs": 60})
    for preset in presets():
        lab = read_lab(preset, quick=True)
        for part in lab.parts:
            if part.does == "search":
                search, recipe = lab.search(part), Asked.of(lab.recipe(part))
                yield f"{lab.name}/{part.name}", kind_of(search), request_of(search), recipe


def _measure(
    table: Table, found: dict[str, list[float]], asks: Asks, folder: Path, options: Options
) -> None:
    name, kind, request, asked = asks
    recipe, executor = asked.recipe(kind.implied), _Timed()
    with open_database(str(folder / f"{len(table.rows)}.db"), create=True) as database:
        resources = Resources(
            database, n_jobs=1, executor=executor, planned_for=1, data_dir=options.data_dir
        )
        forecast = foreseen(resources, kind, asked, request, name)
        seconds = forecast.seconds
        if seconds is None or not LEAST_SECONDS <= seconds <= MOST_SECONDS:
            log(f"{name}: {seconds} s, left out")
            return
        if kind.alone:
            # Timed trials are trained by an executor of their own.
            return
        begun = Search.begin(resources, kind, asked, request, name)
        begun.stage(first_name(kind), request)
    ratio = seconds / executor.seconds
    found.setdefault(recipe.data.name, []).append(ratio)
    row = (name, recipe.data.name, _plan(forecast), f"{seconds:.1f}", f"{executor.seconds:.1f}")
    table.rows.append((*row, f"{ratio:.2f}"))
    log(" | ".join(table.rows[-1]))


def _plan(forecast: Forecast) -> str:
    n_epochs = " to ".join(map(str, dict.fromkeys(forecast.epochs)))
    return f"{forecast.n_runs} runs x {n_epochs} epochs"


@contextmanager
def _processor_clock() -> Iterator[None]:
    """Have training and its timing count processor seconds."""
    before, time.perf_counter = time.perf_counter, time.process_time
    try:
        yield
    finally:
        time.perf_counter = before


if __name__ == "__main__":
    main(run, __doc__)
