"""The stages of a study, called from Python."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from coarsefine.search.library.asking import (
    Asked,
    GridAsked,
    budget,
    check_known,
    grid_request,
    stage_request,
)
from coarsefine.search.library.facts import pictured
from coarsefine.search.library.forecasts import Forecast
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.kept import Kept
from coarsefine.search.library.results import Ranking
from coarsefine.search.library.settings import naming
from coarsefine.search.library.watching import watched
from coarsefine.studies.errors import StudyError
from coarsefine.studies.spaces.varying import SPACE

if TYPE_CHECKING:
    from coarsefine.studies.planning.budget import Budget
    from coarsefine.studies.planning.request import StageRequest


_FIRST = ("coarse", "auto")


class Stages:
    """A study whose stages are called one after another."""

    _kept: Kept

    @naming(Asked)
    def coarse(self, **asked: Unpack[Asked]) -> Ranking:
        """Search the whole range, or carry on with it, and return the ranking.

        Args:
            trials: Trials the stage has in the end; more of them add to what is there.
            values: What to try, in place of a number of trials.
            low: Lower end of the range, > 0.
            high: Upper end of the range.
            sampler: How values are chosen, on a log scale: ``grid`` unless named.
            replicates: Training runs a trial, each with a seed of its own; their mean counts. Of
                trials that are there, those that are tied get the runs that they lack. ``"auto"``
                or as in ``"3..20"``: all get a few, and those that may be the best more.
            indifference: The largest difference that does not matter to ``"auto"``, in points.
            only: ``all`` has all trials get them.
            prune: ``halving`` stops trials that are far behind the best.
            within: How long it may take, in seconds or as in ``"20m"``: fewer seeds first, then
                values far behind wait, and it ends there; the same call without it goes on.
            fresh: Train again what was trained before, in this study or another of the database.

        ``values``, ``low`` and ``high`` of a ``lambda-eta`` search are by name, as in
        ``low={"lambda": 1e-4}``.
        """
        return self._refined("coarse", asked)

    @naming(Asked)
    def fine(self, **asked: Unpack[Asked]) -> Ranking:
        """Search the window that the coarse results leave, or carry on; return the ranking.

        Arguments are those of ``coarse``. A range in place of the window has to hold the best value
        and to be narrower; replicates and pruning are as they were unless said.
        """
        return self._refined("fine", asked)

    @naming(Asked)
    def finer(self, **asked: Unpack[Asked]) -> Ranking:
        """Search the window that the fine results leave, or carry on; return the ranking.

        Arguments are those of ``fine``.
        """
        return self._refined("finer", asked)

    @naming(Asked)
    def auto(self, **asked: Unpack[Asked]) -> Ranking:
        """Search coarsely, finely and on, until the values left differ by less than noise.

        Arguments are those of ``coarse``, for the first stage.
        """
        return self._refined("auto", asked)

    @naming(GridAsked)
    def grid(self, **asked: Unpack[GridAsked]) -> Ranking:
        """Try all values of a search that has no stages, or carry on; return the ranking.

        Args:
            values: What to try; hidden layers as in ``[(64,), (59, 59)]``.
            layers: Of ``hidden``: numbers of layers, each as wide as the recipe's first, in place
                of ``values``.
            one_at_a_time: Of ``tricks``: add each trick to the base alone.
            replicates: Training runs a trial, each with a seed of its own; their mean counts. Of
                trials that are there, those that are tied get the runs that they lack. ``"auto"``
                or as in ``"3..20"``: all get a few, and those that may be the best more.
            indifference: The largest difference that does not matter to ``"auto"``, in points.
            only: ``all`` has all trials get them.
            alone: Train trials one after another, so that times can be compared.
            equal: ``updates`` has all trials make as many as the recipe itself does.
            within: How long it may take, in seconds or as in ``"20m"``: fewer seeds first, then
                values far behind wait, and it ends there; the same call without it goes on.
            fresh: Train again what was trained before, in this study or another of the database.
        """
        check_known("grid", asked, GridAsked)
        with as_study_errors():
            return self._searched("coarse", self._grid_request(asked), budget(asked))

    def forecast(self, stage: str | None = None, **asked: Any) -> Forecast:
        """Return what a stage would train and what that takes; a few updates are timed for it.

        Nothing is trained or written. Printed, it says so in words; ``seconds``, ``by_seed``,
        ``n_parameters``, ``multiply_adds`` and ``worker_bytes`` are numbers.

        Args:
            stage: ``coarse``, ``fine`` or ``finer``; ``None`` for the first one, or the grid.
            asked: Arguments of ``coarse`` or ``grid``.
        """
        from coarsefine.studies.running.forecasting import foreseen, of_search
        from coarsefine.studies.running.resources import NewDatabase

        with as_study_errors():
            kept, kind = self._kept, self._kept.kind
            check_known("forecast", asked, Asked if kind.refines else GridAsked)
            wanted = stage or ("coarse" if kind.refines else "grid")
            if kind.refines:
                request = self._as_stated(wanted, stage_request(kind, asked))  # type: ignore[arg-type]
            else:
                request = self._grid_request(asked)  # type: ignore[arg-type]
            with watched(progress=False) as watch:
                if kept.has_begun:
                    with kept.carrying_on(watch) as search:
                        return Forecast(of_search(search, request, wanted))
                with kept.place.trained_by(watch) as who:
                    new = NewDatabase(kept.place.url)
                    resources = kept.place.resources(new, watch, who)
                    first = foreseen(resources, kind, kept.asked(None), request, kept.name)
            if wanted != first.stage:
                raise StudyError(f"study {kept.name} has no {first.stage} trials yet")
            return Forecast(first)

    def _grid_request(self, asked: GridAsked) -> "StageRequest":
        kind = self._kept.kind
        if kind.refines:
            raise StudyError(f"a {kind.name} search goes in stages: call coarse(), then fine()")
        return grid_request(kind, asked, self._kept.whole().network.hidden)

    def _refined(self, wanted: str, asked: Asked) -> Ranking:
        check_known(wanted, asked, Asked)
        with as_study_errors():
            kind = self._kept.kind
            if not kind.refines:
                raise StudyError(f"a {kind.name} search has one stage: call grid()")
            return self._searched(wanted, stage_request(kind, asked), budget(asked))

    def _as_stated(self, wanted: str, request: "StageRequest") -> "StageRequest":
        kept, kind = self._kept, self._kept.kind
        if kept.stated is not None and kind.name == SPACE and not request.names_values:
            return replace(request, dimensions=kind.dimensions if wanted in _FIRST else ())
        return request

    def _searched(self, wanted: str, request: "StageRequest", within: "Budget | None") -> Ranking:
        from coarsefine.studies.planning.stages import first_name

        kept, kind, request = self._kept, self._kept.kind, self._as_stated(wanted, request)
        with watched(progress=kept.place.progress) as watch:
            if wanted in {"coarse", "auto"}:
                with kept.beginning(request, watch) as search:
                    search.resources = replace(search.resources, budget=within)
                    if wanted == "auto":
                        search.auto(request)
                    else:
                        search.stage(first_name(kind), request)
                    return pictured(search.resources.database, search.study)
            with kept.carrying_on(watch) as search:
                search.resources = replace(search.resources, budget=within)
                search.stage(wanted, request)
                return pictured(search.resources.database, search.study)
