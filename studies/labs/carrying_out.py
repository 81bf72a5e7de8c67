"""A part of a lab → what came of it: the same for a command, a service and a program."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final, TypeAlias

from coarsefine.db import repository
from coarsefine.hints import Message, option
from coarsefine.models.parameter_count import LayerCount, count_parameters
from coarsefine.models.specs import NetworkSpec
from coarsefine.studies.checks.crosscheck import N_STEPS, FrameworkMissingError, crosscheck
from coarsefine.studies.checks.crosscheck_result import CrossCheck
from coarsefine.studies.checks.gradients import checked_networks, gradcheck_json
from coarsefine.studies.checks.network import NetworkCheck, network_of
from coarsefine.studies.checks.reference_lines import ReferenceLines, reference_lines
from coarsefine.studies.labs.budgets import n_stages
from coarsefine.studies.labs.files import Lab, Part, kind_of, request_of
from coarsefine.studies.labs.names import offering_a_name
from coarsefine.studies.planning.stages import Stage, first_name
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.notes.note import duration
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import named_study, read_ranking
from coarsefine.studies.running.final.test import FinalTest, final_test, result_of
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.search import Search


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that was carried out.

    Attributes:
        final: Its final test, if the part asks for one.
    """

    ranking: Ranking
    final: FinalTest | None

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it: the rest is in the database."""
        found: dict[str, Any] = {"study": self.ranking.study.name}
        if cut := [stage.name for stage in self.ranking.stages if stage.cut is not None]:
            found["cut"] = cut
        if {trial.state for trial in self.ranking.trials} == {"failed"}:
            found["passed"] = False
        return found


@dataclass(frozen=True, slots=True)
class Counted:
    """Networks and the parameters of their layers."""

    networks: tuple[tuple[NetworkSpec, list[LayerCount]], ...]

    def to_json(self) -> dict[str, Any]:
        """Return how many parameters each network has."""
        counted = [
            {
                "network": "-".join(map(str, spec.widths)),
                "parameters": sum(layer.n_parameters for layer in layers),
                "parameters_bias_trick": sum(layer.n_parameters_bias_trick for layer in layers),
            }
            for spec, layers in self.networks
        ]
        return {"networks": counted}


@dataclass(frozen=True, slots=True)
class Gradients:
    """Gradients that were checked, and on what."""

    checks: list[NetworkCheck]
    on: str

    def to_json(self) -> dict[str, Any]:
        """Return the errors of each parameter."""
        return gradcheck_json(self.checks)


@dataclass(frozen=True, slots=True)
class Compared:
    """A training beside the same in another framework."""

    found: CrossCheck
    data: str

    def to_json(self) -> dict[str, Any]:
        """Return whether they agree."""
        return {"passed": self.found.agrees}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A part that cannot be carried out here."""

    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return why."""
        return {"skipped": self.reason}


# About how many trials a final test trains once more.
_TESTED: Final = 3

Answer: TypeAlias = Searched | Counted | Gradients | Compared | Skipped | ReferenceLines


def carried_out(resources: Resources, lab: Lab, part: Part, *, fresh: bool = False) -> Answer:
    """Return what came of a part of a lab.

    Stopped, it carries on when it is called again; a test set that was opened stays opened once.

    Args:
        resources: With what it is carried out.
        lab: The part's lab.
        part: What is asked.
        fresh: Train again what was trained before.
    """
    if resources.budget is not None and resources.budget.left <= 0:
        return Skipped(f"nothing is left of the budget of {duration(resources.budget.asked)}")
    if part.does == "search":
        with offering_a_name(resources.database, lab):
            return _searched(resources, lab, part, fresh)
    return _CHECKS[part.does](resources, lab, part)


def _searched(resources: Resources, lab: Lab, part: Part, fresh: bool) -> Searched:
    search, recipe = lab.search(part), lab.recipe(part)
    kind, name = kind_of(search), lab.study_name(part)
    request = replace(request_of(search), fresh=fresh, lab=lab.named)
    stages = n_stages(search)
    searched = Search.begin(resources, kind, Asked.of(recipe), request, name)
    if stages == 1:
        last = searched.stage(first_name(kind), request)
    elif isinstance(stages, int):
        last = searched.auto(request, stages, until_resolved=False)
    else:
        last = searched.auto(request)
    study, database = searched.study.name, resources.database
    ranking = read_ranking(database, named_study(database, study))
    if not search.test or not _is_time_to_test(resources, last, ranking):
        return Searched(ranking, None)
    final = _tested(replace(resources, budget=None), study, recipe.trainer)
    return Searched(read_ranking(database, named_study(database, study)), final)


def _is_time_to_test(resources: Resources, last: Stage, ranking: Ranking) -> bool:
    """Return whether the budget leaves time for a final test, and say so if it does not."""
    if resources.budget is None:
        return True
    known = [t.seconds / t.replicates for t in ranking.trials if t.seconds is not None]
    seconds = _TESTED * fmean(known) if known else 0.0
    if last.cut is None and resources.budget.allows(seconds):
        return True
    resources.observer.said(
        Message(
            f"{ranking.study.name}: its budget leaves no time for the final test: the test set "
            "stays closed; the same without ",
            option("within"),
            " opens it in the end",
        )
    )
    return False


def _tested(resources: Resources, name: str, trainer: str | None) -> FinalTest:
    """Return the final test of a study: the one on record, or one made now."""
    study = named_study(resources.database, name)
    # One that was killed before anything was measured shows nothing yet: the same look goes on.
    before = [o for o in repository.openings(resources.database, study) if o.runs]
    if not before:
        return final_test(resources, study, trainer=trainer)
    when = f"{before[-1].opened_at:%Y-%m-%d %H:%M}"
    resources.observer.said(
        f"the test set was opened for {study.name} on {when} UTC: shown, not opened again"
    )
    return result_of(resources.database, study, before[-1], len(before) - 1)


def _counted(resources: Resources, lab: Lab, part: Part) -> Counted:
    recipe = lab.recipe(part)
    data = resources.prepare(recipe)
    networks = []
    for hidden in [tuple(widths) for widths in part.networks] or [recipe.network.hidden]:
        network = recipe.network.model_copy(update={"hidden": hidden})
        changed = recipe.model_copy(update={"network": network})
        spec = network_of(changed, data.n_features, data.n_classes)
        networks.append((spec, count_parameters(spec)))
    return Counted(tuple(networks))


def _gradients(resources: Resources, lab: Lab, part: Part) -> Gradients:
    return Gradients(*checked_networks(lab.recipe(part), resources.data_dir, resources.progress))


def _compared(resources: Resources, lab: Lab, part: Part) -> Compared | Skipped:
    recipe = lab.recipe(part)
    try:
        found = crosscheck(recipe, resources.prepare(recipe), part.against, N_STEPS)
    except FrameworkMissingError as error:
        return Skipped(str(error))
    return Compared(found, recipe.data.name)


def _optimum(resources: Resources, lab: Lab, part: Part) -> ReferenceLines:
    recipe = lab.recipe(part)
    return reference_lines(recipe, resources.prepare(recipe))


_CHECKS: Final[Mapping[str, Callable[[Resources, Lab, Part], Answer]]] = {
    "params": _counted,
    "gradcheck": _gradients,
    "crosscheck": _compared,
    "optimum": _optimum,
}
