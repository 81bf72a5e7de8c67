"""A search: a study whose stages are planned, trained and told one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from coarsefine.db import repository
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import NameTakenError
from coarsefine.db.records import PlanRecord, StageRecord, StudyRecord
from coarsefine.hints import Message, search_command
from coarsefine.models.data import PreparedData
from coarsefine.studies.errors import StudyError
from coarsefine.studies.planning.asked_again import check_same_stage
from coarsefine.studies.planning.points import Point, fewer_points, next_points
from coarsefine.studies.planning.pruning import check_metric
from coarsefine.studies.planning.races import check_raced
from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.planning.runs import (
    Plan,
    kernel_notes,
    plan_runs,
    reuse,
    store,
)
from coarsefine.studies.planning.stages import (
    COARSE,
    Stage,
    add_stage,
    find_stage,
    first_name,
    next_name,
    searched_stages,
)
from coarsefine.studies.planning.windows import Following, Known, next_stage
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.recipes.recipe import Recipe
from coarsefine.studies.results.learning import equally_good
from coarsefine.studies.results.optimum import known_ends, located
from coarsefine.studies.results.predictions import rows_by_score
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.resolution import resolution_reached
from coarsefine.studies.results.sound import check_sound
from coarsefine.studies.running import enqueued, loop
from coarsefine.studies.running.beginning import FirstPlan, first_plan, n_available
from coarsefine.studies.running.budgeted import cut, with_cut
from coarsefine.studies.running.mirror import OptunaMirror
from coarsefine.studies.running.more_seeds import Begun, more_seeds
from coarsefine.studies.running.races import (
    another_seed,
    race_by_default,
    with_race,
)
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.studies import (
    add_study,
    check_name,
    checked_data,
    offering_a_name,
    remember_moved_file,
    same_recipe,
    study_name,
)
from coarsefine.studies.running.work import Work
from coarsefine.studies.spaces.dimensions import sizes_of
from coarsefine.studies.spaces.refinement import UNKNOWN
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.states import UNFINISHED

# A range narrowed so often is a thousandth of its decades: what is left is noise in any case.
MOST_STAGES = 6


@dataclass(slots=True)
class Search:
    """A study at hand, to be searched stage by stage.

    Attributes:
        resources: With what.
        kind: What is searched.
        recipe: All that the search leaves open.
        data: What the recipe asks for.
    """

    resources: Resources
    study: StudyRecord
    kind: SearchKind
    recipe: Recipe
    data: PreparedData
    # Of a study without stages: the first is planned before anything is stored.
    _first: FirstPlan | None = field(default=None, repr=False)

    @classmethod
    def begin(
        cls,
        resources: Resources,
        kind: SearchKind,
        asked: Asked,
        request: StageRequest,
        name: str | None = None,
    ) -> Self:
        """Return a new search, or the one of that name.

        The first stage of a new one is planned before anything is written, a database least of all.

        Args:
            resources: With what.
            kind: What is searched.
            asked: The recipe.
            request: What is asked of the first stage.
            name: The study's; ``None`` names it after data set and search.

        Raises:
            StudyError: If it cannot be searched so, or the study was begun with another recipe.
        """
        recipe = asked.recipe(kind.implied)
        name = name or study_name(kind, recipe)
        study = repository.find_study(resources.database, name) if resources.has_database else None
        if study is not None:
            return cls.carry_on(resources, kind, asked, study)
        check_name(name)
        first = first_plan(resources, kind, recipe, request)
        try:
            available = n_available(resources, kind, recipe, first.data.n_train)
            study = add_study(resources.database, kind, name, recipe, first.data, available)
        except NameTakenError:
            # Another process began it since this one looked: one of the two drives it.
            there = repository.find_study(resources.database, name)
            if there is None:
                raise
            return cls.carry_on(resources, kind, asked, there)
        for line in asked.changed_choices(kind.implied):
            resources.observer.said(line)
        return cls(resources, study, kind, recipe, first.data, first)

    @classmethod
    def carry_on(
        cls, resources: Resources, kind: SearchKind, asked: Asked, study: StudyRecord
    ) -> Self:
        """Return the search of a study that was begun.

        Raises:
            StudyError: If another recipe is asked for, or the data are no longer the same.
        """
        stages = searched_stages(resources.database, study)
        check_sound(study, stages, repository.trial_rows(resources.database, study))
        with offering_a_name(resources.database, study):
            recipe = same_recipe(study, kind, asked)
            data = checked_data(resources, study, recipe)
        remember_moved_file(resources.database, study, recipe)
        return cls(resources, study, kind, recipe, data)

    def stage(self, name: str, request: StageRequest) -> Stage:
        """Search a stage, or carry on with it, until nothing of it is left to be trained.

        Args:
            name: ``coarse`` or, of a search that does not refine, ``grid``; ``fine``, ``finer``, …
                narrow the stage before.
            request: What is asked of the stage.

        Raises:
            StudyError: If the stage before is missing or not finished, or it was begun otherwise.
        """
        if not self.kind.refines and name != first_name(self.kind):
            raise StudyError(f"a {self.kind.name} search has one stage; there is no {name} one")
        with StudyLock(self.resources.database, self.study.uuid):
            record = find_stage(self.resources.database, self.study, name)
            if record is not None:
                with offering_a_name(self.resources.database, self.study):
                    check_same_stage(Stage.of(record), request)
                check_raced(self.recipe.training.metric, request.race)
                record = with_race(self.resources.database, record, request.race)
                self._first = None
            else:
                record = self._added(name, request)
            return self._carry_out(record, request)

    def auto(
        self,
        request: StageRequest,
        most_stages: int = MOST_STAGES,
        *,
        until_resolved: bool = True,
    ) -> Stage:
        """Search coarsely, finely and on, until the values left differ by less than noise.

        Args:
            request: Of the coarse stage; those after it take number of trials and replicates from
                it.
            most_stages: How many there may be, the coarse one included.
            until_resolved: Whether it ends sooner where the values left differ by less than noise.

        Returns:
            The last stage.
        """
        database = self.resources.database
        stage = self.stage(first_name(self.kind), request)
        following = StageRequest(
            replicates=request.replicates, race=request.race, fresh=request.fresh
        )
        while self.kind.refines:
            ranking = read_ranking(database, self.study)
            if stage.cut is not None:
                break
            reached = resolution_reached(ranking, stage.name)
            if reached is not None and until_resolved:
                self.resources.observer.said(reached)
                break
            if ranking.best is None:
                break  # there is nothing to be narrowed; the notes of the ranking say why
            names = [record.name for record in searched_stages(database, self.study)]
            done = names.index(stage.name) + 1
            if done >= most_stages:
                break
            stage = self.stage(names[done] if done < len(names) else next_name(names), following)
        return stage

    def enqueued(self, record: StageRecord) -> bool:
        """Train what was enqueued in a stage, as a higher number of trials would have been.

        Returns:
            Whether nothing but what was enqueued was left of the stage: otherwise it is left to
            whoever carries on with its search.
        """
        database = self.resources.database
        with StudyLock(database, self.study.uuid):
            trials = repository.load_plan(database, record).trials
            with OptunaMirror(database, self.study, record) as mirror:
                if not enqueued.under_way(mirror, trials):
                    return False
            self._carry_out(record, None)
        return True

    # ----------------------------------------------------------------------------------- a stage

    def _added(self, name: str, request: StageRequest) -> StageRecord:
        """Return a stage that is new."""
        if name == first_name(self.kind):
            if self._first is None:  # whoever stored the study was killed before it stored this
                self._first = first_plan(self.resources, self.kind, self.recipe, request)
            if self._first.race is not None:
                self.resources.observer.said(race_by_default(self._first.race))
            return self._add(self._first.plan.stage)
        following = self.following(name, request)
        record = self._add(following.stage)
        for line in following.warnings:
            self.resources.observer.said(line)
        return record

    def following(self, name: str, request: StageRequest) -> Following:
        """Return the stage of that name that narrows the one before, which must be finished.

        Raises:
            StudyError: If that is missing or not finished, or cannot be narrowed so.
        """
        database = self.resources.database
        rows = rows_by_score(database, self.study)
        ranking = read_ranking(database, self.study)
        n_train = self.data.n_train
        available = n_available(self.resources, self.kind, self.recipe, n_train)
        sizes = sizes_of(n_train, available)
        parent = self._parent(name)
        optimum = known_ends(located(ranking)) if parent.located else UNKNOWN
        known = Known(equally_good(ranking), sizes, optimum)
        following = next_stage(self.kind, name, parent, request, rows, known)
        check_metric(self.recipe.training.metric, following.stage.prune)
        check_raced(self.recipe.training.metric, following.stage.race)
        return replace(following, stage=following.stage.on_splits(self.recipe.data))

    def _add(self, stage: Stage) -> StageRecord:
        """Store a new stage, and say where a grid has fewer points than were asked for."""
        record = add_stage(self.resources.database, self.study, stage)
        fewer = fewer_points(stage)
        if fewer is not None:
            self.resources.observer.said(fewer)
        return record

    def _parent(self, name: str) -> Stage:
        """Return the finished stage that a stage of that name narrows.

        Raises:
            StudyError: If it is missing or not finished.
        """
        records = searched_stages(self.resources.database, self.study)
        names = [record.name for record in records]
        following = next_name(names)
        # A stage in between may be missing: name the first of them.
        parent = names[-1] if names and following == name else COARSE if not names else following
        run = Message("; run\n    ", search_command(self.kind.name, parent, study=self.study.name))
        rows = repository.trial_rows(self.resources.database, self.study)
        states = [row.state for row in rows if row.stage == parent]
        if not states:
            raise StudyError(f"study {self.study.name} has no {parent} trials", run)
        n_left = sum(state in UNFINISHED for state in states)
        if n_left:
            raise StudyError(
                f"the {parent} search of {self.study.name} must be finished, {n_left} of its "
                f"{len(states)} trials are not",
                run,
            )
        return Stage.of(records[names.index(parent)])

    def _carry_out(self, record: StageRecord, request: StageRequest | None) -> Stage:
        """Plan what the stage lacks and train what is planned, until there is nothing left.

        What was enqueued on Optuna's side comes first; without a request, nothing else is planned.
        """
        database = self.resources.database
        record, stage = with_cut(database, record, Stage.of(record), None)
        self.resources.observer.begins(self.study, stage, self.recipe, self.data)
        with OptunaMirror(database, self.study, record) as mirror:
            work = Work(
                record=record,
                stage=stage,
                data=self.data,
                prepare=self.resources.prepared,
                trainer=self.recipe.trainer,
                mirror=mirror,
                by_loss=self.recipe.training.metric == "loss",
            )
            idle, racing = True, stage.race is not None and request is not None
            racing &= request is None or request.replicates is None
            while True:
                stored = repository.load_plan(database, record)
                if all(cohort.state == "done" for cohort in stored.cohorts):
                    plan = self._enqueued(record, stage, stored, mirror)
                    if plan is None and request is not None:
                        plan = self.next_plan(stage, request, stored)
                        if plan is None and racing:
                            record, stage, plan = another_seed(self.begun, record, stage, stored)
                            racing = plan is not None
                    if plan is not None:
                        fresh = request is not None and request.fresh
                        self._store(plan if fresh else reuse(plan, database), record)
                        idle = False
                        continue
                    if all(trial.told for trial in stored.trials):
                        if idle:
                            self.resources.observer.said(
                                f"{stage.name}: all {len(stored.trials)} trials are there; "
                                "nothing was trained"
                            )
                        return stage
                idle = False
                work = replace(work, record=record, stage=stage, racing=racing)
                left = loop.train(self.resources, work, stored)
                if left is not None:
                    return cut(self.resources, record, stage, left)

    def _enqueued(
        self, record: StageRecord, stage: Stage, stored: PlanRecord, mirror: OptunaMirror
    ) -> Plan | None:
        """Return how to train what was enqueued in a stage; ``None`` if nothing was."""
        waiting = repository.stages_with_enqueued(self.resources.database)
        if all(record.uuid != other.uuid for _, other in waiting):
            return None  # without Optuna, which takes a second to be imported

        def check(point: Point) -> None:
            self._plan(stage, [point])

        accepted, lines = enqueued.accepted(mirror, record, stage, stored.trials, check)
        for line in lines:
            self.resources.observer.said(line)
        return self._plan(stage, accepted.points, accepted.uuids) if accepted.points else None

    def next_plan(self, stage: Stage, request: StageRequest, stored: PlanRecord) -> Plan | None:
        """Return how to train the points and seeds that are asked for; ``None`` if none is left.

        Args:
            stage: Whose.
            request: What is asked of it.
            stored: All that is stored of it, trained to its end.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first.plan
        tried = rows_by_score(self.resources.database, self.study)
        points = next_points(stage, request, tried, self.study.seed)
        if points:
            return self._plan(stage, points)
        return more_seeds(self.begun, stage, request, stored)

    @property
    def begun(self) -> Begun:
        """Return the study, and what its stages are trained with."""
        return Begun(self.resources, self.study, self.recipe, self.data)

    def _plan(self, stage: Stage, points: Sequence[Point], uuids: Sequence[str] = ()) -> Plan:
        return plan_runs(self.recipe, self.data, stage, points, self.resources.prepared, uuids)

    def _store(self, plan: Plan, record: StageRecord) -> None:
        store(plan, self.resources.database, record, self.resources.planned_for)
        for line in (*plan.notes, *kernel_notes(plan, self.resources.planned_for)):
            self.resources.observer.said(line)
