"""Our notes, figures and files in the pages of Optuna's dashboard, without a word written.

The page is made of a few answers in JSON: what is ours is laid into them on their way. Finished
trials cannot be changed in Optuna, nor the file that is open for reading only.
"""

import json
import re
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from coarsefine.db.errors import StorageError
from coarsefine.db.optuna.dashboard import BadFileError, FinishedError
from coarsefine.models.errors import ModelError
from coarsefine.search.dashboard.guard import answer
from coarsefine.search.dashboard.notes import study_note, trial_note
from coarsefine.search.dashboard.pictures import FILES, Pictures, meta, number_of
from coarsefine.search.dashboard.plots import plots
from coarsefine.search.dashboard.queue_page import PATH as QUEUE
from coarsefine.search.dashboard.queue_page import queue_answer
from coarsefine.search.dashboard.requests import READING
from coarsefine.search.dashboard.sheets import Sheet, Sheets
from coarsefine.search.errors import FigureError
from coarsefine.search.formats.markdown import escaped
from coarsefine.studies.errors import StudyError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from coarsefine.db.connections.engine import Database
    from coarsefine.db.optuna.reading import ReadingStorage

_DETAIL: Final = re.compile(r"/api/studies/(\d+)")
_FILE: Final = re.compile(r"/artifacts/(\d+)/(?:(\d+)/)?([0-9a-fA-F-]+)")
_KEEP: Final = "private, max-age=86400, immutable"

Reply = tuple[str, list[tuple[str, str]], bytes]


class Overlay:
    """A WSGI application that adds what is ours to Optuna's dashboard."""

    def __init__(
        self, app: "WSGIApplication", database: "Database", storage: "ReadingStorage"
    ) -> None:
        self._app = app
        self._storage = storage
        self._database = database
        self._sheets = Sheets(database)
        self._pictures = Pictures()
        self._made: dict[tuple[str, str], tuple[str, str, dict[str, str]]] = {}

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request, also where what it asks for is not there or cannot be read."""
        try:
            return self._answered(environ, start_response)
        except StorageError as error:
            status, reason = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        except KeyError:
            status, reason = HTTPStatus.NOT_FOUND, "there is no such study, trial or file"
        except (FigureError, StudyError, ModelError) as error:
            status, reason = HTTPStatus.NOT_FOUND, str(error)
        except ImportError:
            status, reason = HTTPStatus.NOT_IMPLEMENTED, "what draws this is not installed here"
        except FinishedError as error:
            status, reason = HTTPStatus.CONFLICT, str(error)
        except BadFileError as error:
            status, reason = HTTPStatus.BAD_REQUEST, str(error)
        except Exception:
            # What went wrong is said where a server says such things.
            traceback.print_exc(file=environ["wsgi.errors"])
            status, reason = HTTPStatus.INTERNAL_SERVER_ERROR, "a mistake in the dashboard"
        return answer(environ, start_response, status, reason)

    def _answered(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").rstrip("/")
        if environ["REQUEST_METHOD"] in READING:
            if path == QUEUE:
                return queue_answer(self._database, environ, start_response)
            file = _FILE.fullmatch(path)
            if file is not None and number_of(file[3]) is not None:
                return self._file(environ, start_response, file)
            if _DETAIL.fullmatch(path):
                return self._changed(environ, start_response, self._lay_over)
            if path == "/api/meta":
                return self._changed(environ, start_response, _with_files)
        return self._app(environ, start_response)

    def _changed(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        change: Callable[[dict[str, Any]], None],
    ) -> Iterable[bytes]:
        """Answer with what the application says, changed."""
        status, headers, body = self._asked({**environ, "REQUEST_METHOD": "GET"})
        if status.startswith("200"):
            try:
                said = json.loads(body)
                change(said)
                body = json.dumps(said).encode()
            except Exception:
                # Another version may say other things: a page without what is ours is better than
                # none. What went wrong is said where a server says such things.
                traceback.print_exc(file=environ["wsgi.errors"])
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _asked(self, environ: "WSGIEnvironment") -> Reply:
        heard: list[tuple[str, list[tuple[str, str]]]] = []

        def hear(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], object]:
            heard.append((status, headers))
            return lambda _: None

        parts = self._app(environ, hear)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = heard[-1]
        return status, headers, body

    # ----------------------------------------------------------------------------- a study's page

    def _lay_over(self, page: dict[str, Any]) -> None:
        """Add what is ours to a study's page; one that is not ours stays as it is."""
        attributes = {each["key"]: each["value"] for each in page["user_attrs"]}
        name, uuid = attributes.get("study"), attributes.get("uuid")
        try:
            sheet = None if name is None or uuid is None else self._sheets.of(name)
            stage = None if sheet is None else sheet.stage(str(uuid))
            if sheet is None or stage is None:
                return
            body, figures = self._of_stage(sheet, stage.name)
            self._lay_over_trials(page, sheet)
        except (StorageError, StudyError, ModelError) as error:
            _lay_note(page, f"> **Note:** {escaped(str(error))}")
            return
        page.setdefault("objective_names", ["validation accuracy"])
        _lay_note(page, body)
        page["artifacts"] += [meta(sheet, number) for number in self._pictures.fitting(sheet)]
        page["plotly_graph_objects"] += [
            {"id": key, "graph_object": figure} for key, figure in figures.items()
        ]

    def _of_stage(self, sheet: Sheet, stage: str) -> tuple[str, dict[str, str]]:
        """Return a stage's note and interactive figures, made anew when something has changed."""
        key = (sheet.ranking.study.uuid, stage)
        stamp, body, figures = self._made.get(key, ("", "", {}))
        if stamp != sheet.stamp:
            body, figures = study_note(sheet, stage, self._links(sheet)), plots(sheet, stage)
            self._made[key] = (sheet.stamp, body, figures)
        return body, figures

    def _links(self, sheet: Sheet) -> dict[str, str]:
        """Return the pages of a study's stages, by name."""
        found = {}
        for stage in sheet.stages:
            try:
                number = self._storage.get_study_id_from_name(stage.optuna_name or "")
            except KeyError:
                continue  # not begun, or renamed from outside
            found[stage.name] = f"/dashboard/studies/{number}"
        return found

    def _lay_over_trials(self, page: dict[str, Any], sheet: Sheet) -> None:
        for shown in (*page["trials"], *page["best_trials"]):
            uuid = next(
                (each["value"] for each in shown["user_attrs"] if each["key"] == "uuid"), ""
            )
            trial = sheet.trials.get(uuid)
            if trial is None:
                continue
            _lay_note(shown, trial_note(sheet, trial))
            shown["artifacts"] += [
                meta(sheet, number) for number in self._pictures.fitting(sheet, trial)
            ]

    # ------------------------------------------------------------------------------------ a file

    def _file(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", place: re.Match[str]
    ) -> Iterable[bytes]:
        number = number_of(place[3])
        assert number is not None  # noqa: S101  # it was asked before
        body = self._contents(int(place[1]), None if place[2] is None else int(place[2]), number)
        file = FILES[number]
        start_response(
            f"{HTTPStatus.OK.value} {HTTPStatus.OK.phrase}",
            [
                ("Content-Type", file.media_type),
                ("Content-Length", str(len(body))),
                ("Cache-Control", _KEEP),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _contents(self, study_id: int, trial_id: int | None, number: int) -> bytes:
        """Return one of our files; its trial's or study's ids are Optuna's.

        Raises:
            KeyError: If there is no such study, trial or file.
            FigureError: If the study has no such figure.
        """
        sheet = self._sheets.of(self._storage.get_study_user_attrs(study_id)["study"])
        if sheet is None or FILES[number].of_trial == (trial_id is None):
            raise KeyError("no such file")
        if trial_id is None:
            return self._pictures.contents(sheet, number)
        # Trials that others added may have anything there.
        trial = sheet.trials[str(self._storage.get_trial(trial_id).user_attrs["uuid"])]
        return self._pictures.contents(sheet, number, trial)


def _lay_note(shown: dict[str, Any], body: str) -> None:
    """Set a note, unless somebody wrote one."""
    if not shown["note"]["body"].strip():
        shown["note"]["body"] = body


def _with_files(meta: dict[str, Any]) -> None:
    """Say that there are files to show: ours, even if users can add none."""
    meta["artifact_is_available"] = True
