"""A study, driven from Python: the same stages, rankings and files as on the command line."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from search.library.asking import (
    Asked,
    GridAsked,
    check_known,
    end,
    grid_request,
    stage_request,
)
from search.library.displaying import displayed
from search.library.place import PathLike, Place
from search.library.recipe import Recipe
from search.library.results import Comparison, RangeTest, Ranking, TestResult
from search.library.settings import NAMES, Settings, naming
from search.library.words import as_study_errors
from studies.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from db.engine import Database
    from db.records import StudyRecord
    from models.data import PreparedData
    from models.data.spec import DataSpec
    from search.figures.kinds import Subject
    from search.progress import Watch
    from studies.means import Means
    from studies.ranking import RankedTrial
    from studies.recipe import Recipe as WholeRecipe
    from studies.search_kind import SearchKind
    from studies.stages import StageRequest


class Study:
    """A question asked of a recipe, in stages, and what they found; all of it is in a database.

    ``Study("digits/lambda")`` is a study that is there, ``Study()`` the most recent one;
    ``Study.search("lambda", …)`` is one that begins, or carries on, when a stage is called. The
    database is open only while something is read or trained, so studies of notebooks, scripts and
    the command line go on side by side.

    Args:
        name: As ``list_studies`` has it; ``None`` for the most recent one.
        storage: SQLite file or SQLAlchemy URL; ``None`` for ``$SEARCH_STORAGE``, else
            ``search.db`` in this folder.
        data_dir: Where data files are looked for before any is downloaded.
        jobs: Worker processes, >= 1; ``None`` for one a core. Who trains changes no result.
        executor: ``inline`` trains in this process, ``processes`` in others, ``dask`` on a cluster;
            ``None`` for processes where they pay.
        scheduler: The address of Dask's scheduler, or the file that it wrote.
        progress: Whether to show what is trained: a page in a notebook, else lines on stderr.
            Otherwise notes go to the logger ``studies``, and nothing is printed.

    Raises:
        StudyError: Whatever is asked for that cannot be done, in one line.
        KeyboardInterrupt: When a stage or a test was interrupted: the segments under way are ended
            and stored, and the same call carries on.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        storage: PathLike | None = None,
        data_dir: PathLike | None = None,
        jobs: int | None = None,
        executor: Literal["inline", "processes", "dask"] | None = None,
        scheduler: str | None = None,
        progress: bool = False,
    ) -> None:
        from studies.reading import named_study

        self._recipe: Recipe | None = None
        with as_study_errors():
            who = {"jobs": jobs, "executor": executor, "scheduler": scheduler}
            self._place = Place.of(storage, data_dir, progress=progress, **who)
            with self._place.reading() as database:
                found = named_study(database, name)
        self._name, self._search = found.name, found.search

    @classmethod
    @naming(Settings)
    def search(
        cls,
        search: str,
        recipe: Recipe | PathLike | None = None,
        *,
        name: str | None = None,
        storage: PathLike | None = None,
        data_dir: PathLike | None = None,
        jobs: int | None = None,
        executor: Literal["inline", "processes", "dask"] | None = None,
        scheduler: str | None = None,
        progress: bool = False,
        **settings: Unpack[Settings],
    ) -> Self:
        """Return the study of a search; nothing is trained or written before a stage is called.

        Args:
            search: ``lambda``, ``eta``, ``lambda-eta``, ``batch-size``, ``dataset-size``,
                ``hidden`` or ``tricks``.
            recipe: A recipe, or a recipe file.
            name: The study's; ``None`` names it after data set and search. One that is there is
                carried on with, if it was begun with the same recipe.
            storage: As for ``Study``.
            data_dir: Likewise.
            jobs: Likewise.
            executor: Likewise.
            scheduler: Likewise.
            progress: Likewise.
            settings: Keywords of ``Recipe``; they overrule the recipe.

        Raises:
            StudyError: If there is no such search, or the recipe says something impossible.
        """
        from studies.searching import study_name

        study = cls.__new__(cls)
        with as_study_errors():
            who = {"jobs": jobs, "executor": executor, "scheduler": scheduler}
            study._place = Place.of(storage, data_dir, progress=progress, **who)
            kind = _kind(search)
            given = recipe if isinstance(recipe, Recipe) else Recipe(recipe)
            study._recipe = given.replace(**settings) if settings else given
            _check_free(kind, study._recipe)
            study._recipe.check_named()
            study._name = name or study_name(kind, study._recipe.whole(kind))
            study._search = kind.name
        return study

    # ------------------------------------------------------------------------------- the stages

    @naming(Asked)
    def coarse(self, **asked: Unpack[Asked]) -> Ranking:
        """Search the whole range, or carry on with it, and return the ranking.

        Args:
            trials: Trials the stage has in the end; more of them add to what is there.
            values: What to try, in place of a number of trials.
            low: Lower end of the range, > 0.
            high: Upper end of the range.
            sampler: How values are chosen, on a log scale: ``grid`` unless named.
            replicates: Training runs a trial, each with a seed of its own; their mean counts.
            prune: ``halving`` stops trials that are far behind the best.
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
            replicates: Training runs a trial, each with a seed of its own; their mean counts.
            alone: Train trials one after another on all cores, so that times can be compared.
            equal: ``updates`` has all trials make as many as the recipe itself does.
            fresh: Train again what was trained before, in this study or another of the database.
        """
        check_known("grid", asked, GridAsked)
        with as_study_errors():
            kind = _kind(self._search)
            if kind.refines:
                raise StudyError(f"a {kind.name} search goes in stages: call coarse(), then fine()")
            return self._searched("coarse", kind, grid_request(kind, asked, self._hidden()))

    def _hidden(self) -> tuple[int, ...]:
        return self._whole().network.hidden

    def _refined(self, wanted: str, asked: Asked) -> Ranking:
        check_known(wanted, asked, Asked)
        with as_study_errors():
            kind = _kind(self._search)
            if not kind.refines:
                raise StudyError(f"a {kind.name} search has one stage: call grid()")
            return self._searched(wanted, kind, stage_request(kind, asked))

    def _searched(self, wanted: str, kind: "SearchKind", request: "StageRequest") -> Ranking:
        from search.library.watching import watched
        from studies import searching

        with watched(progress=self._place.progress) as watch:
            if wanted in {"coarse", "auto"}:
                search = searching.coarse if wanted == "coarse" else searching.auto
                with self._beginning(kind, request, watch) as (means, there):
                    stated = self._stated(there)
                    outcome = search(means, kind, request, name=self._name, **stated)
                    return _pictured(means.database, outcome.study)
            with self._writing(watch) as (means, study):
                stated = self._stated(study)
                outcome = searching.fine(
                    means, kind, request, study=study, stage_name=wanted, **stated
                )
                return _pictured(means.database, outcome.study)

    def _stated(self, study: "StudyRecord | None") -> dict[str, Any]:
        """Return the recipe as searches take it."""
        from studies.recipe import from_json, with_overrides

        recipe = self._recipe
        if recipe is None:
            return {}
        if recipe.base is not None:
            return {"recipe": recipe.whole()}
        if recipe.flags.get("trainer") and study is not None:
            # Named by the user, in code as in a file: it may be imported.
            stored = from_json(study.recipe, f"the recipe of study {study.name}")
            return {"recipe": with_overrides(stored, recipe.flags)}
        return {"path": recipe.file, "flags": recipe.flags}

    def range_test(self, *, low: float | None = None, high: float | None = None) -> RangeTest:
        """Train once while η rises, and return between which η the network learns.

        It is kept in the database, and made only once.

        Args:
            low: First η; ``None`` for 1e-6.
            high: Last η; ``None`` for 100.
        """
        from search.library.watching import watched
        from studies.means import prepared
        from studies.range_test import HIGH, LOW, check_range, range_test_of
        from studies.specs import to_data_spec

        with as_study_errors():
            ends = (
                LOW if low is None else end("low", low),
                HIGH if high is None else end("high", high),
            )
            check_range(*ends)
            recipe = self._whole()
            with watched(progress=self._place.progress) as watch:
                data = prepared(to_data_spec(recipe), self._place.data_dir, watch)
                with self._place.writing(watch, create=self._recipe is not None) as database:
                    found = range_test_of(database, recipe, data, *ends)
            about = f"{data.name}, seed {recipe.seed}; {data.n_train:,} training samples"
            return RangeTest(found, data.name, about)

    def test(
        self,
        *,
        top: int | None = None,
        refit: Literal["train+validation", "none"] | None = None,
        trials: "Collection[RankedTrial | str]" = (),
    ) -> TestResult:
        """Train the best trials once more and measure them on the test set.

        Each time the test set is opened is on record: whoever chooses by what it says needs another
        test set.

        Args:
            top: How many of the ranking's best; ``None`` as the recipe says, else 3.
            refit: ``train+validation`` trains them once more on both parts, ``none`` takes the
                weights they have; ``None`` as the recipe says.
            trials: Trials to test in place of the best, as ``"coarse:4"`` or from a ranking. On
                record as picked by hand.
        """
        from search.export import frame_of
        from search.export_tables import of_test
        from search.library.watching import watched
        from studies.final_test import final_test
        from studies.reading import read_ranking

        with as_study_errors():
            picks = tuple(dict.fromkeys(map(_named, trials)))
            if picks and top is not None:
                raise StudyError("a test is either of the best, top, or of trials; got both")
            place = self._place
            with watched(progress=place.progress) as watch, self._writing(watch) as (means, study):
                found = final_test(
                    *(means, study),
                    n_top=top,
                    refit=refit,
                    picks=picks,
                    trainer=None if self._recipe is None else self._recipe.trainer,
                )
                table = frame_of(of_test(means.database, read_ranking(means.database, study)))
            return TestResult(found, table[table["opening"] == table["opening"].max()])

    def test_results(self) -> "pd.DataFrame":
        """Return a row a tested trial of each opening of the test set, as in ``docs/tables.md``.

        Raises:
            StudyError: If it was not opened yet.
        """
        from search.export import frame_of
        from search.export_tables import of_test
        from studies.reading import read_ranking

        with as_study_errors(), self._reading() as (database, study):
            return frame_of(of_test(database, read_ranking(database, study)))

    # ------------------------------------------------------------------------- what it has found

    @property
    def name(self) -> str:
        """Return its name in the database."""
        return self._name

    @property
    def place(self) -> Place:
        """Return where it is kept, and what trains it."""
        return self._place

    @property
    def recipe(self) -> Recipe:
        """Return the recipe it was begun with, or is to begin with."""
        with as_study_errors():
            return Recipe.of(self._whole())

    @property
    def ranking(self) -> Ranking:
        """Return its trials as they are in the database now, best first."""
        with as_study_errors(), self._reading() as (database, study):
            return _pictured(database, study)

    @property
    def best_params(self) -> dict[str, Any]:
        """Return what the best trial has, by name; others may be tied with it."""
        best = self.ranking.best
        if best is None:
            raise StudyError(f"no trial of {self._name} is complete")
        return dict(best.params)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what its ranking should not be read without, a sentence each."""
        return self.ranking.notes

    def curves(self) -> "pd.DataFrame":
        """Return a row an epoch of each training run: the columns of ``docs/tables.md``."""
        from search.export import frame_of
        from search.export_tables import of_curves
        from studies.reading import read_ranking

        with as_study_errors(), self._reading() as (database, study):
            return frame_of(of_curves(database, read_ranking(database, study)))

    def figure(
        self,
        kind: str,
        *,
        trials: "Collection[RankedTrial | str]" = (),
        best: int | None = None,
        against: Literal["epochs", "updates"] = "epochs",
    ) -> "Figure":
        """Return a figure of the study; a notebook shows it, ``savefig`` writes it.

        Args:
            kind: As of the command ``plot``: ``curves``, ``values``, ``heatmap`` and so on.
            trials: Those that figures of single trials show, as ``"fine:6"`` or from a ranking.
            best: How many of the best trials they show, in place of ``trials``.
            against: What curves are drawn against.

        Raises:
            StudyError: If there is no such kind, or the study has nothing to show in it.
        """
        from search.figures.curves import AGAINST
        from search.figures.kinds import KINDS
        from studies.suggestions import did_you_mean

        name = kind.lower().replace("_", "-")
        with as_study_errors():
            if name not in KINDS:
                raise StudyError(
                    f"kinds of figures are {', '.join(KINDS)}; got {kind!r}"
                    f"{did_you_mean(name, KINDS)}"
                )
            if against not in AGAINST:
                raise StudyError(f"against must be one of {', '.join(AGAINST)}, got {against!r}")
            if best is not None and (best < 1 or trials):
                raise StudyError("figures show the best >= 1 trials, or those of trials")
            with self._subject(trials, best, against) as subject:
                return displayed(KINDS[name].draw(subject))

    def figures(self) -> "dict[str, Figure]":
        """Return all figures that suit the study, by kind."""
        from search.errors import FigureError
        from search.figures.kinds import KINDS

        found = {}
        with as_study_errors(), self._subject() as subject:
            for name, kind in KINDS.items():
                try:
                    found[name] = displayed(kind.draw(subject))
                except FigureError:
                    continue  # it does not suit the study, or nothing is there to draw yet
        return found

    @contextmanager
    def _subject(
        self,
        trials: "Collection[RankedTrial | str]" = (),
        best: int | None = None,
        against: Literal["epochs", "updates"] = "epochs",
    ) -> "Iterator[Subject]":
        from search.figures.kinds import Subject
        from studies.curves import find_trial
        from studies.reading import read_ranking

        places = [_named(trial) for trial in trials]
        with self._reading() as (database, study):
            ranking = read_ranking(database, study)
            named = tuple(find_trial(ranking, *place) for place in places)
            yield Subject(database, ranking, trials=named, n_best=best, against=against)

    def report(self, file: PathLike, *, figures: bool = True, gradcheck: bool = True) -> Path:
        """Write a report of the study, and return its file: html, md, tex or pdf by its ending.

        Args:
            file: A file that is there is replaced.
            figures: Whether to draw them; of md and tex they are in a folder beside the file.
            gradcheck: Whether to check the gradients, which needs the data.
        """
        from search.commands.reporting import ReportOptions, write_report
        from search.options import StudyArgument

        path = Path(file).expanduser()
        what = ReportOptions(
            path, no_figures=not figures, no_gradcheck=not gradcheck, data_dir=self._place.data_dir
        )
        with as_study_errors():
            write_report(StudyArgument(self._name), what, self._place.url, quiet=True)
        return path

    # ------------------------------------------------------------------------------- how it looks

    def __repr__(self) -> str:
        place = f", storage={self._place.shown!r}" if self._place.shown else ""
        return f"{type(self).__name__}({self._name!r}{place})"

    def _repr_html_(self) -> str:
        from search.library.pages import facts

        found = [("search", [self._search])]
        with as_study_errors():
            found += self._facts() if self._has_begun() else [("trials", ["none: not begun"])]
        return facts(repr(self), found)

    def _facts(self) -> "list[tuple[str, list[str]]]":
        from db import repository
        from search.commands.ranking import stage_lines
        from search.words import counted, percent
        from studies.notes import described

        with self._reading() as (database, study):
            ranking = _pictured(database, study)
            n_openings = len(repository.openings(database, study))
        states: dict[str, int] = {}
        for trial in ranking:
            states[trial.state] = states.get(trial.state, 0) + 1
        found = [
            ("data", [study.data_name]),
            ("stages", stage_lines(ranking.found)),
            ("trials", [", ".join(f"{n} {state}" for state, n in states.items()) or "none"]),
        ]
        best, n_tied = ranking.best, len(ranking.tied)
        if best is not None:
            accuracy = f"validation accuracy {percent(best.validation_accuracy)} %"
            ties = f"; {counted(n_tied, 'trial')} tied" if n_tied else ""
            found.append(("best", [f"{described(best.params)}: {accuracy}{ties}"]))
        opened = f"opened {counted(n_openings, 'time')}" if n_openings else "never opened"
        return [*found, ("test set", [opened])]

    def _whole(self) -> "WholeRecipe":
        """Return the recipe that the study was begun with, or is to begin with."""
        from studies.recipe import from_json

        if self._recipe is not None and not self._has_begun():
            return self._recipe.whole(_kind(self._search))
        with self._reading() as (_, study):
            return from_json(study.recipe, f"the recipe of study {study.name}")

    def _has_begun(self) -> bool:
        from db import repository

        if self._place.is_new:
            return False
        with self._place.reading() as database:
            return repository.find_study(database, self._name) is not None

    # ------------------------------------------------------------------------------ the database

    @contextmanager
    def _reading(self) -> "Iterator[tuple[Database, StudyRecord]]":
        """Yield the database, and the study in it."""
        if self._place.is_new and self._recipe is not None:
            raise self._missing()
        with self._place.reading() as database:
            yield database, self._record(database)

    @contextmanager
    def _writing(self, watch: "Watch") -> "Iterator[tuple[Means, StudyRecord]]":
        """Yield with what the study is trained on, and the study, which must have begun."""
        if self._place.is_new and self._recipe is not None:
            raise self._missing()
        place = self._place
        with place.writing(watch) as database, place.means(database, watch) as means:
            yield means, self._record(database)

    @contextmanager
    def _beginning(
        self, kind: "SearchKind", request: "StageRequest", watch: "Watch"
    ) -> "Iterator[tuple[Means, StudyRecord | None]]":
        """Yield the same of a study that may begin.

        The database is made only after everything else has proved to be right.
        """
        from db import repository
        from studies.means import prepared
        from studies.searching import check_new

        new = self._recipe is not None and self._place.is_new
        if new and self._recipe is not None:

            def prepare(spec: "DataSpec") -> "PreparedData":
                return prepared(spec, self._place.data_dir, watch)

            check_new(kind, request, self._recipe.whole(kind), prepare)
        with (
            self._place.writing(watch, create=self._recipe is not None) as database,
            self._place.means(database, watch) as means,
        ):
            study = repository.find_study(database, self._name)
            if study is None and self._recipe is None:
                raise self._missing()  # it was there when it was opened
            yield means, study

    def _record(self, database: "Database") -> "StudyRecord":
        from db import repository

        found = repository.find_study(database, self._name)
        if found is None:
            raise self._missing()
        return found

    def _missing(self) -> StudyError:
        if self._recipe is None:
            return StudyError(f"study {self._name} is no longer in the database")
        first = "coarse()" if _kind(self._search).refines else "grid()"
        return StudyError(f"study {self._name} has not begun: call {first} first")


def list_studies(storage: PathLike | None = None) -> "pd.DataFrame":
    """Return a row a study, the most recent first, see ``docs/library.md``.

    Args:
        storage: As for ``Study``.

    Raises:
        StudyError: If there is no such database.
    """
    import pandas as pd

    from db import repository

    with as_study_errors(), Place.of(storage).reading() as database:
        summaries = repository.list_studies(database)
    columns = {
        "study": [each.name for each in summaries],
        "search": [each.search for each in summaries],
        "data": [each.data_name for each in summaries],
        "stages": [", ".join(each.stages) for each in summaries],
        "trials": [sum(each.trials.values()) for each in summaries],
        "complete": [each.trials.get("complete", 0) for each in summaries],
        "best_validation_accuracy": [each.best_accuracy for each in summaries],
        "test_openings": [each.test_openings for each in summaries],
        "created_at": [each.created_at for each in summaries],
        "updated_at": [each.updated_at for each in summaries],
    }
    return pd.DataFrame(columns).astype({"best_validation_accuracy": "float64"})


def compare_studies(*studies: Study | str, storage: PathLike | None = None) -> Comparison:
    """Return studies side by side: what their recipes differ in, and what each found.

    Args:
        studies: Two or more, or their names; all in one database.
        storage: As for ``Study``; ``None`` for where the first of them is kept.

    Raises:
        StudyError: If one of them is not there.
    """
    from studies.side_by_side import side_by_side

    with as_study_errors():
        kept = next((each.place for each in studies if isinstance(each, Study)), None)
        place = kept if storage is None and kept is not None else Place.of(storage)
        names = [each.name if isinstance(each, Study) else each for each in studies]
        with place.reading() as database:
            return Comparison(side_by_side(database, names))


def _kind(name: str) -> "SearchKind":
    """Return a search by name.

    Raises:
        StudyError: If there is none; guesses what was meant.
    """
    from studies.registry import SEARCHES
    from studies.suggestions import did_you_mean

    plain = name.replace("_", "-")
    if plain in SEARCHES:
        return SEARCHES[plain]
    if name == "run":
        raise StudyError("this study is part of a lab, which the command `run` carries on with")
    known = ", ".join(SEARCHES)
    raise StudyError(f"searches are {known}; got {name!r}{did_you_mean(plain, SEARCHES)}")


def _check_free(kind: "SearchKind", recipe: Recipe) -> None:
    """Raise a StudyError if keywords state what the search varies."""
    for parameter in kind.parameters:
        if parameter.key in recipe.flags:
            ends = ", or low= and high=," if kind.refines else ""
            raise StudyError(
                f"{NAMES[parameter.key]} is what a {kind.name} search varies; say which values to "
                f"try with values={ends} of {'coarse()' if kind.refines else 'grid()'}"
            )


def _named(trial: "RankedTrial | str") -> tuple[str, int]:
    """Return stage and number of a trial."""
    if not isinstance(trial, str):
        return trial.stage, trial.trial
    stage, colon, number = trial.rpartition(":")
    if not (stage and colon and number.isdecimal()):
        raise StudyError(f"trials must be STAGE:NUMBER, as in 'fine:6'; got {trial!r}")
    return stage, int(number)


def _pictured(database: "Database", study: "StudyRecord") -> Ranking:
    from search.commands.ranking import took
    from studies.reading import read_ranking

    found = read_ranking(database, study)
    return Ranking(found, took(database, found))
