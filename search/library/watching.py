"""What is seen of a search that Python runs, and how it is stopped."""

import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from coarsefine.hints import Part
from coarsefine.search.interrupts import of_this_process
from coarsefine.search.library.hints import spelled
from coarsefine.search.library.pages import escaped
from coarsefine.search.progress import Watch, is_over, standing, title, watching
from coarsefine.search.words import size

if TYPE_CHECKING:
    from coarsefine.db.records import StudyRecord
    from coarsefine.models.data import PreparedData
    from coarsefine.studies.planning.stages import Stage
    from coarsefine.studies.recipes.recipe import Recipe
    from coarsefine.studies.running.watching import CohortProgress

LOGGER = logging.getLogger("coarsefine")
# Libraries do not print: who wants to read them adds a handler.
LOGGER.addHandler(logging.NullHandler())
# A page is drawn anew this often at the most.
_SECONDS = 0.2


class _InPython(Watch):
    """Words hints as keywords and calls."""

    def worded(self, message: Part) -> str:
        """Return a message in Python's words."""
        return spelled(message)


class Logged(_InPython):
    """Prints nothing; what is worth knowing goes to the logger ``studies``, as warnings."""

    def said(self, message: Part) -> None:
        """Log something worth knowing, once."""
        line = self.worded(message)
        if line not in self._said:
            self._said.add(line)
            LOGGER.warning(line)

    def line(self, line: str) -> None:
        """Log a line."""
        LOGGER.info(line)


@dataclass(slots=True)
class _Bar:
    name: str
    text: str
    done: float = 0.0
    total: float | None = None


@dataclass(slots=True)
class _Block:
    """What is shown of a stage: lines, and one for each cohort that is done."""

    lines: list[str] = field(default_factory=list)
    ended: dict[int, str] = field(default_factory=dict)

    def texts(self) -> list[str]:
        # In the order of the plan, whichever worker was first.
        return [*self.lines, *(self.ended[cohort] for cohort in sorted(self.ended))]


class Page(_InPython):
    """Keeps one output of a notebook's cell up to date; needs nothing installed beside IPython."""

    silent = False

    def __init__(self) -> None:
        super().__init__()
        self._blocks = [_Block()]
        self._bars: dict[int | str, _Bar] = {}
        self._handle: Any = None
        self._drawn = 0.0

    def __exit__(self, *_: object) -> None:
        """Leave the lines, without bars."""
        self._bars.clear()
        if self._handle is not None:
            self._draw(now=True)

    def begins(
        self, study: "StudyRecord", stage: "Stage", recipe: "Recipe", data: "PreparedData"
    ) -> None:
        """Say what is about to be trained."""
        self._blocks.append(_Block())
        super().begins(study, stage, recipe, data)

    def line(self, line: str) -> None:
        """Add a line."""
        self._blocks[-1].lines.append(line)
        self._draw(now=True)

    def show(self, progress: "CohortProgress", best: float | None) -> None:
        """Move a cohort's bar, or put a line in its place where it is done."""
        cohort, words = progress.cohort, standing(progress, best)
        if is_over(progress):
            self._bars.pop(cohort, None)
            self._blocks[-1].ended[cohort] = f"{title(progress)}: {words}"
        else:
            self._bars[cohort] = _Bar(title(progress), words, progress.epoch, progress.n_epochs)
        self._draw(now=is_over(progress))

    def start(self, task: str, total: int | None) -> None:
        """Show a bar for something slow about data."""
        self._bars["data"] = _Bar(task, "" if total is None else size(total), 0.0, total)
        self._draw(now=True)

    def advance(self, n_bytes: int) -> None:
        """Move the bar."""
        if "data" in self._bars:
            self._bars["data"].done += n_bytes
            self._draw(now=False)

    def finish(self) -> None:
        """Take the bar away."""
        self._bars.pop("data", None)
        self._draw(now=True)

    def __repr__(self) -> str:
        bars = [f"{bar.name}: {bar.text}" for bar in self._bars.values()]
        return "\n".join([*(line for block in self._blocks for line in block.texts()), *bars])

    def _repr_html_(self) -> str:
        lines = [f"<div>{escaped(line)}</div>" for block in self._blocks for line in block.texts()]
        lines += [
            f"<div>{escaped(bar.name)} <progress{_share(bar)}></progress> {escaped(bar.text)}</div>"
            for bar in self._bars.values()
        ]
        return f'<div style="font-family:monospace">{"".join(lines)}</div>'

    def _draw(self, *, now: bool) -> None:
        moment = time.monotonic()
        if not now and moment - self._drawn < _SECONDS:
            return
        self._drawn = moment
        from IPython.display import display

        if self._handle is None:
            self._handle = display(self, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self)


def _share(bar: _Bar) -> str:
    return "" if bar.total is None else f' value="{bar.done:g}" max="{bar.total:g}"'


def in_notebook() -> bool:
    """Return whether this runs in a kernel, whose front end shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _import_optuna() -> None:
    """Import Optuna without what its progress bar, of no use here, says of missing widgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from coarsefine.db.optuna import studies as optuna_studies  # noqa: F401


@contextmanager
def watched(*, progress: bool) -> Iterator[Watch]:
    """Yield what fits: nothing, a page in a notebook, live lines on a terminal, or plain ones.

    Ctrl-C, or a notebook's *interrupt*, ends what is watched after the segments under way; a
    second one at once.

    Raises:
        KeyboardInterrupt: When it has ended so.
    """
    if in_notebook():
        _import_optuna()
    if not progress:
        with Logged() as quiet, _stoppable(quiet):
            yield quiet
    elif in_notebook():
        with Page() as page, _stoppable(page):
            yield page
    else:
        with watching(quiet=False) as lines, _stoppable(lines):
            yield lines


@contextmanager
def _stoppable(watch: Watch) -> Iterator[None]:
    from coarsefine.studies.running.watching import StoppedByRequest

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears signals
        return

    def hear(_number: int, _frame: FrameType | None) -> None:
        if watch.stop_requested or not watch.training:
            raise KeyboardInterrupt("stopped at once; the same call carries on with what is stored")
        watch.stop()
        # A signal may come in the middle of another line, which a second one must not cut.
        with suppress(RuntimeError):
            watch.line("stopping after the segments under way; interrupt again to stop at once")

    before = signal.signal(signal.SIGINT, of_this_process(hear))
    try:
        yield
    except StoppedByRequest:
        raise StoppedByRequest(
            "stopped, with everything trained so far stored; the same call carries on"
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)
