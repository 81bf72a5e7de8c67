"""A search carried out: the study it is about, the stage trained, and what was found printed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.search.commands.asking import ask_before
from coarsefine.search.commands.forecasting import print_forecast
from coarsefine.search.commands.range_testing import CYCLE, eta_range
from coarsefine.search.commands.ranking import print_study
from coarsefine.search.console import note, say_json, stdout
from coarsefine.search.ending import came_of_search
from coarsefine.search.errors import UsageError
from coarsefine.search.following import after_search, following
from coarsefine.search.hints import command as typed
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import GridOptions, StageOptions
from coarsefine.search.options.budget import budget_of
from coarsefine.search.options.searches import AUTO, FIRST, Options
from coarsefine.search.progress import watching
from coarsefine.studies.checks.range_test import ends_of, keep
from coarsefine.studies.errors import StudyError, TakenError
from coarsefine.studies.planning.forecast import Forecast
from coarsefine.studies.planning.request import StageRequest, n_points
from coarsefine.studies.planning.stages import COARSE, Stage, find_stage, first_name, first_stage
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.comparing.grids import took
from coarsefine.studies.results.learning import has_learnt
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import failures_of, named_study, read_ranking
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.running.forecasting import foreseen, noise_before
from coarsefine.studies.running.resources import NewDatabase, Resources
from coarsefine.studies.running.search import Search
from coarsefine.studies.running.studies import study_name
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.varying import SPACE, varied_text


@dataclass(frozen=True, slots=True)
class SearchLine:
    """What a search's command line asks for.

    Attributes:
        kind: The search.
        asked: The recipe.
        request: What is asked of the stage.
        wanted: Which stage: ``FIRST``, ``FINE``, ``FINER`` or ``AUTO``.
        name: The study's; ``None`` for the usual one.
        options: What all searches have.
    """

    kind: SearchKind
    asked: Asked
    request: StageRequest
    wanted: str
    name: str | None
    options: Options

    @property
    def begins(self) -> bool:
        """Return whether a study begins with it, or carries on with its first stage."""
        return self.wanted in {FIRST, AUTO}

    def search(self, resources: Resources) -> Search:
        """Return the search that is begun, or carried on with."""
        if self.begins:
            return Search.begin(resources, self.kind, self.asked, self.request, self.name)
        return Search.carry_on(resources, self.kind, self.asked, self._coarse(resources.database))

    def forecast(self, resources: Resources) -> Forecast:
        """Return what it would train, and what that takes; of several stages, of the first."""
        if self.begins:
            return foreseen(resources, self.kind, self.asked, self.request, self.name)
        name = self._coarse(resources.database).name
        return foreseen(resources, self.kind, self.asked, self.request, name, self.wanted)

    def variant_name(self, resources: Resources, variant: str) -> str:
        """Return the name of a search whose values answer another question than the usual ones.

        A study of the usual name that was begun with these very values is carried on with.
        """
        usual, database = self._usual_name(), resources.database
        study = repository.find_study(database, usual) if resources.has_database else None
        if study is not None:
            record = find_stage(database, study, first_name(self.kind))
            wanted = first_stage(self.kind, self.request).dimensions
            if record is not None and Stage.of(record).dimensions == wanted:
                return usual
        return f"{usual}-{variant}"

    def _usual_name(self) -> str:
        return study_name(self.kind, self.asked.recipe(self.kind.implied))

    def _coarse(self, database: Database) -> StudyRecord:
        """Return the study to be searched finely: the one named, or of that data, or the last one.

        Raises:
            StudyError: If it is not there; names the command to run first.
        """
        kind = self.kind.name
        if self.name is not None:
            if repository.find_study(database, self.name) is None:
                raise StudyError(
                    f"study {self.name} is not in {database.label}; run\n    {self._first()}"
                )
            return named_study(database, self.name)
        if "data.name" not in self.asked.flags and self.asked.path is None:
            study = named_study(database, None, search=kind)
            note(f"the most recent {kind} study: {study.name}", quiet=self.options.output.quiet)
            return study
        name = self._usual_name()
        found = repository.find_study(database, name)
        if found is None:
            raise StudyError(f"{database.label} has no study {name}; run\n    {self._first()}")
        return found

    def _first(self) -> str:
        """Return the command line of the stage that a study begins with, of the same recipe."""
        recipe = self.options.recipe
        space = self.kind.dimensions if self.kind.name == SPACE else ()
        return typed(
            self.kind.name,
            "--coarse",
            *(word for dimension in space for word in ("--vary", varied_text(dimension))),
            *recipe.as_typed(),
            *(() if self.name is None else ("--study", self.name)),
            storage=self.options.storage.storage,
            data_dir=recipe.data.data_dir,
        )


def _check_free(line: SearchLine) -> None:
    """Raise a UsageError if flags state what the search varies."""
    kind = line.kind
    for parameter in kind.parameters:
        if parameter.key in line.asked.flags:
            how = "with --values" + (", or with --low and --high" if kind.refines else "")
            raise UsageError(
                f"--{parameter.key.rpartition('.')[2].replace('_', '-')} is what this search "
                f"varies; say which values to try {'with --vary' if kind.name == SPACE else how}"
            )


def run_search(
    kind: SearchKind,
    request: StageRequest,
    wanted: str,
    stage: StageOptions | GridOptions,
    options: Options,
    variant: str = "",
) -> None:
    """Carry out a search, and print what it found.

    Args:
        kind: The search.
        request: What is asked of the stage.
        wanted: Which stage.
        stage: All that was stated of it.
        options: What all searches have.
        variant: What the study's name ends with where its values answer another question.
    """
    output, data_dir = options.output, options.recipe.data.data_dir
    line = SearchLine(kind, options.asked, request, wanted, stage.study, options)
    budget = budget_of(stage.within)
    _check_free(line)
    ask_before(n_points(kind, request), yes=stage.yes)
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch, resumable=not stage.dry_run),
        options.jobs.opened(watch.said) as workers,
    ):
        tested = None
        if stage.eta_range is not None and not stage.dry_run:
            tested = eta_range(kind, stage.eta_range, line.asked, data_dir, watch)
            ends = dict(zip(CYCLE, ends_of(tested), strict=True))
            line = replace(line, asked=replace(line.asked, flags={**line.asked.flags, **ends}))
        with NewDatabase(options.storage.url, said=note, create=line.begins) as there:
            workers |= {"data_dir": data_dir, "budget": budget}
            resources = Resources(there, observer=watch, progress=watch, **workers)
            if line.name is None and variant:
                line = replace(line, name=line.variant_name(resources, variant))
            if stage.dry_run:
                _foretell(resources, line)
                return
            search = line.search(resources)
            if tested is not None:
                keep(resources.database, tested)
            last = _searched(search, line)
            ranking = read_ranking(resources.database, search.study)
            rows = None if output.json else took(resources.database, ranking)
            free = repository.free_name(resources.database, search.study.name)
            failures = failures_of(resources.database, ranking)
    came_of_search(ranking)
    all_failed = {t.state for t in ranking.trials} == {"failed"}
    if output.json:
        say_json(ranking.to_json(by_hint))
    else:
        proposed = None if all_failed else _proposed(search, last, options, ranking, free)
        print_study(stdout(), ranking, rows, proposed)
    if all_failed:
        raise _all_failed(search, ranking, failures, free)


def _foretell(resources: Resources, line: SearchLine) -> None:
    """Print what a search would train and what that takes, in place of training it."""
    output, noise = line.options.output, None
    forecast = line.forecast(resources)
    if line.begins and not output.json:
        noise = noise_before(resources, line.kind, line.asked, line.name)
    several = line.wanted == AUTO
    print_forecast(forecast, resources.budget, output, several=several, noise=noise)


def _proposed(
    search: Search, last: Stage, options: Options, ranking: Ranking, free: str
) -> str | None:
    """Return the command that comes after this one, if there is any."""
    if ranking.best is None or not has_learnt(ranking):
        return following(ranking, options.storage, free, options.recipe.data.data_dir)
    return _next(search, last, options, ranking)


def _all_failed(search: Search, ranking: Ranking, failures: Sequence[str], free: str) -> TakenError:
    """Return the error that all trials of a custom trainer failed."""
    reason = failures[0] if failures else "no reason is on record"
    error = TakenError(
        f"all {len(ranking.trials)} trials failed, the first for this reason: {reason}; mend "
        f"the trainer {search.recipe.trainer}, and search again"
    )
    error.free = free
    return error


def _searched(search: Search, line: SearchLine) -> Stage:
    if line.wanted == AUTO:
        return search.auto(line.request)
    name = first_name(search.kind) if line.wanted == FIRST else line.wanted
    return search.stage(name, line.request)


def _next(search: Search, last: Stage, options: Options, ranking: Ranking) -> str:
    """Return the command that comes after this one; the test where finer values would not help."""
    study, kind, recipe = search.study, search.kind, options.recipe
    usual = study.name == study_name(kind, search.recipe) and kind.name != SPACE
    if usual and study.data_name == "digits":
        named: tuple[str, ...] = ()
    elif usual and recipe.data.data == study.data_name:
        named = ("--data", study.data_name)
    else:
        named = ("--study", study.name)
    words = (kind.name, "--fine", *named)
    resolved = resolution_reached(ranking, last.name) is not None
    if last.name != COARSE or not kind.refines or resolved:
        words = (after_search(ranking), *(named and (study.name,)))
    if search.recipe.trainer is not None and recipe.path is not None and words[0] != "report":
        # A trainer of the user's is imported only where their recipe file names it.
        words = (*words, "--recipe", str(recipe.path))
    return typed(*words, storage=options.storage.storage, data_dir=recipe.data.data_dir)
