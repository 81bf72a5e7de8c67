"""A study, driven from Python: the same stages, rankings and files as on the command line."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from coarsefine.paths import expanded
from coarsefine.search.figures.kinds import KINDS, drawn
from coarsefine.search.figures.subject import AGAINST, ON, Subject
from coarsefine.search.formats.csv_xlsx_parquet import frame_of
from coarsefine.search.library.asking import end
from coarsefine.search.library.audits import Audits
from coarsefine.search.library.displaying import displayed
from coarsefine.search.library.facts import facts_of, pictured, places
from coarsefine.search.library.hints import as_study_errors
from coarsefine.search.library.kept import Kept, check_free, check_name, kind_of
from coarsefine.search.library.model import Models
from coarsefine.search.library.pages import facts
from coarsefine.search.library.place import PathLike, Place
from coarsefine.search.library.predictions import Predictions
from coarsefine.search.library.recipe import Recipe
from coarsefine.search.library.replays import Replay
from coarsefine.search.library.results import RangeTest, Ranking, TestResult
from coarsefine.search.library.settings import Settings, naming
from coarsefine.search.library.stages import Stages
from coarsefine.search.library.tidying import Tidying
from coarsefine.search.library.watching import watched
from coarsefine.search.report.writing import check_format, write_report
from coarsefine.studies.errors import StudyError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from coarsefine.studies.results.ranking import RankedTrial

    Trials = Collection[RankedTrial | str | int] | RankedTrial | str | int


class Study(Audits, Models, Predictions, Stages, Tidying):
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
        from coarsefine.studies.results.reading import named_study

        with as_study_errors():
            check_name(name)
            who = {"jobs": jobs, "executor": executor, "scheduler": scheduler}
            place = Place.of(storage, data_dir, progress=progress, **who)
            with place.reading() as database:
                found = named_study(database, name)
        self._kept = Kept(found.name, found.search, place)

    @classmethod
    @naming(Settings)
    def search(
        cls,
        search: str,
        recipe: Recipe | PathLike | Mapping[str, Any] | None = None,
        *,
        vary: "Mapping[str, str] | Sequence[str] | str | None" = None,
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
                ``hidden``, ``tricks`` or ``space``.
            recipe: A recipe, a recipe file, or a dictionary as ``Recipe`` takes.
            vary: Of a ``space``: where each key may lie, as in ``{"eta": "1e-4..1e-1",
                "momentum": "0.5..0.99:logit"}``.
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
        from coarsefine.studies.running.studies import study_name

        study = cls.__new__(cls)
        with as_study_errors():
            check_name(name)
            who = {"jobs": jobs, "executor": executor, "scheduler": scheduler}
            place = Place.of(storage, data_dir, progress=progress, **who)
            kind = kind_of(search, vary)
            given = recipe if isinstance(recipe, Recipe) else Recipe(recipe)
            stated = given.replace(**settings) if settings else given
            check_free(kind, stated)
            stated.check_named()
            called = name or study_name(kind, stated.whole(kind))
            study._kept = Kept(called, kind.name, place, stated, kind)
        return study

    def range_test(self, *, low: float | None = None, high: float | None = None) -> RangeTest:
        """Train once while η rises, and return between which η the network learns.

        It is kept in the database, and made only once.

        Args:
            low: First η; ``None`` for 1e-6.
            high: Last η; ``None`` for 100.
        """
        from coarsefine.studies.checks.range_test import HIGH, LOW, check_range, range_test_of
        from coarsefine.studies.recipes.specs import to_data_spec

        with as_study_errors():
            ends = (
                LOW if low is None else end("low", low),
                HIGH if high is None else end("high", high),
            )
            check_range(*ends)
            recipe, place = self._kept.whole(), self._kept.place
            with watched(progress=place.progress) as watch:
                data = place.prepared(to_data_spec(recipe), watch)
                with place.writing(watch, create=self._kept.recipe is not None) as database:
                    found = range_test_of(database, recipe, data, *ends)
            about = f"{data.name}, seed {recipe.seed}; {data.n_train:,} training samples"
            return RangeTest(found, data.name, about)

    def test(
        self,
        *,
        top: int | None = None,
        refit: Literal["train+validation", "none"] | None = None,
        trials: "Trials" = (),
        replicates: int | None = None,
        ensemble: bool | None = None,
        again: bool = False,
    ) -> TestResult:
        """Train the best trials once more and measure them on the test set.

        Each time the test set is opened is on record: whoever chooses by what it says needs another
        test set.

        Args:
            top: How many of the ranking's best; ``None`` as the recipe says, else 3.
            refit: ``train+validation`` trains them once more on both parts, ``none`` takes the
                weights they have; ``None`` as the recipe says.
            trials: Trials to test in place of the best, as ``"coarse:4"``, from a ranking, or by
                number where there is one stage. On record as picked by hand.
            replicates: Seeds that each of them is trained with: the result has their mean, and
                intervals for new seeds and for new samples; ``None`` as the recipe says, else 1.
            ensemble: Test the tied trials as one predictor, too; ``None`` as the recipe says.
            again: Open the test set once more for trials whose result is on record; else that
                result is returned.
        """
        from coarsefine.search.tables.final_test import of_test
        from coarsefine.studies.results.reading import read_ranking
        from coarsefine.studies.running.final.test import final_test, result_on_record

        with as_study_errors():
            picks, kept = tuple(dict.fromkeys(places(trials, self._stages))), self._kept
            if picks and top is not None:
                raise StudyError("name what to test with top= or trials=, got both")
            with (
                watched(progress=kept.place.progress) as watch,
                kept.training(watch) as (resources, study),
            ):
                asked: dict[str, Any] = {
                    "n_top": top,
                    "refit": refit,
                    "picks": picks,
                    "replicates": replicates,
                    "ensemble": ensemble,
                }
                on_record = None
                if not again:
                    on_record = result_on_record(resources.database, study, **asked)
                trainer = None if kept.recipe is None else kept.recipe.trainer
                found = on_record or final_test(resources, study, trainer=trainer, **asked)
                table = frame_of(
                    of_test(resources.database, read_ranking(resources.database, study))
                )
            return TestResult(found, table[table["opening"] == found.n_before + 1])

    def test_results(self) -> "pd.DataFrame":
        """Return a row a tested trial of each opening of the test set, as in ``docs/tables.md``.

        Raises:
            StudyError: If it was not opened yet.
        """
        from coarsefine.search.tables.final_test import of_test
        from coarsefine.studies.results.reading import read_ranking

        with as_study_errors(), self._kept.reading() as (database, study):
            return frame_of(of_test(database, read_ranking(database, study)))

    # ------------------------------------------------------------------------- what it has found

    @property
    def name(self) -> str:
        """Return its name in the database."""
        return self._kept.name

    @property
    def kept(self) -> Kept:
        """Return where it is kept, and what is stated of it."""
        return self._kept

    @property
    def recipe(self) -> Recipe:
        """Return the recipe it was begun with, or is to begin with."""
        with as_study_errors():
            return Recipe.of(self._kept.whole())

    @property
    def ranking(self) -> Ranking:
        """Return its trials as they are in the database now, best first."""
        with as_study_errors(), self._kept.reading() as (database, study):
            return pictured(database, study)

    @property
    def best_params(self) -> dict[str, Any]:
        """Return what the best trial has, by name; others may be tied with it."""
        best = self.ranking.best
        if best is None:
            raise StudyError(f"no trial of {self.name} is complete")
        return dict(best.params)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what its ranking should not be read without, a sentence each."""
        return self.ranking.notes

    def replay(self) -> Replay:
        """Return what sloppier protocols would have concluded of what is stored."""
        from coarsefine.studies.results.reading import read_ranking
        from coarsefine.studies.results.replay.reading import read_replay

        with as_study_errors(), self._kept.reading() as (database, study):
            return Replay(read_replay(database, read_ranking(database, study)))

    def figure(
        self,
        kind: str,
        *,
        trials: "Trials" = (),
        best: int | None = None,
        against: Literal["epochs", "updates"] = "epochs",
        on: Literal["validation", "test"] | None = None,
    ) -> "Figure":
        """Return a figure of the study; a notebook shows it, ``savefig`` writes it.

        Args:
            kind: As of the command ``plot``: ``curves``, ``values``, ``heatmap`` and so on.
            trials: Those that figures of single trials show, as ``"fine:6"`` or from a ranking.
            best: How many of the best trials they show, in place of ``trials``.
            against: What curves are drawn against.
            on: Which samples ``confusion`` is of; ``None`` for the test set where it was opened.

        Raises:
            StudyError: If there is no such kind, or the study has nothing to show in it.
        """
        name = str(kind).lower().replace("_", "-")
        with as_study_errors():
            if name not in KINDS:
                raise StudyError(
                    f"kinds of figures are {', '.join(KINDS)}; got {kind!r}"
                    f"{did_you_mean(name, KINDS)}"
                )
            if against not in AGAINST:
                raise StudyError(f"against must be one of {', '.join(AGAINST)}, got {against!r}")
            if on not in {None, *ON}:
                raise StudyError(f"on must be one of {', '.join(ON)}, got {on!r}")
            if best is not None and (best < 1 or trials):
                raise StudyError("figures show the best >= 1 trials, or those of trials")
            with self._subject(trials, best, against, on) as subject:
                return displayed(KINDS[name].draw(subject))

    def figures(self) -> "dict[str, Figure]":
        """Return all figures that suit the study, by kind."""
        with as_study_errors(), self._subject() as subject:
            figures, _ = drawn(subject)
        return {name: displayed(figure) for name, figure in figures.items()}

    def _stages(self) -> list[str]:
        return [stage.name for stage in self.ranking.stages]

    @contextmanager
    def _subject(
        self,
        trials: "Trials" = (),
        best: int | None = None,
        against: Literal["epochs", "updates"] = "epochs",
        on: Literal["validation", "test"] | None = None,
    ) -> "Iterator[Subject]":
        from coarsefine.studies.results.reading import find_trial, read_ranking

        wanted = places(trials, self._stages)
        with self._kept.reading() as (database, study):
            ranking = read_ranking(database, study)
            named = tuple(find_trial(ranking, place) for place in wanted)
            yield Subject(database, ranking, trials=named, n_best=best, against=against, on=on)

    def report(self, file: PathLike, *, figures: bool = True, gradcheck: bool = True) -> Path:
        """Write a report of the study, and return its file: html, md, tex or pdf by its ending.

        Args:
            file: A file that is there is replaced.
            figures: Whether to draw them; of md and tex they are in a folder beside the file.
            gradcheck: Whether to check the gradients, which needs the data.
        """
        from coarsefine.studies.reports.gradients import checked_gradients, unchecked

        path = expanded(file)
        with as_study_errors():
            check_format(path)
            with (
                self._kept.reading() as (database, study),
                watched(progress=False) as watch,
            ):
                checked = (
                    checked_gradients(study, self._kept.place.data_dir, watch)
                    if gradcheck
                    else unchecked("it was left out")
                )
                write_report(database, study, path, checked, figures=figures)
        return path

    # ------------------------------------------------------------------------------- how it looks

    def __repr__(self) -> str:
        storage = self._kept.place.shown
        where = f", storage={storage!r}" if storage else ""
        return f"{type(self).__name__}({self.name!r}{where})"

    def _repr_html_(self) -> str:
        found = [("search", [self._kept.search])]
        with as_study_errors():
            found += (
                facts_of(self._kept) if self._kept.has_begun else [("trials", ["none: not begun"])]
            )
        return facts(repr(self), found)
