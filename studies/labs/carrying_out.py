"""A part of a lab → what came of it: the same for a command, a service and a program."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from coarsefine.db import repository
from coarsefine.models.parameter_count import LayerCount, count_parameters
from coarsefine.models.specs import NetworkSpec
from coarsefine.studies.checks.crosscheck import N_STEPS, FrameworkMissingError, crosscheck
from coarsefine.studies.checks.crosscheck_result import CrossCheck
from coarsefine.studies.checks.gradients import checked_networks, gradcheck_json
from coarsefine.studies.checks.network import NetworkCheck, network_of
from coarsefine.studies.checks.reference_lines import ReferenceLines, reference_lines
from coarsefine.studies.labs.files import Lab, Part, kind_of, request_of
from coarsefine.studies.labs.names import offering_a_name
from coarsefine.studies.planning.stages import first_name
from coarsefine.studies.recipes.layers import Asked
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import named_study, read_ranking
from coarsefine.studies.running.final_test import FinalTest, final_test, result_of
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
    if part.does == "search":
        with offering_a_name(resources.database, lab):
            return _searched(resources, lab, part, fresh)
    return _CHECKS[part.does](resources, lab, part)


def _searched(resources: Resources, lab: Lab, part: Part, fresh: bool) -> Searched:
    search, recipe = lab.search(part), lab.recipe(part)
    kind, name = kind_of(search), lab.study_name(part)
    request = replace(request_of(search), fresh=fresh, lab=lab.named)
    stages = search.stages if search.stages is not None else (2 if kind.refines else 1)
    searched = Search.begin(resources, kind, Asked.of(recipe), request, name)
    if stages == 1:
        searched.stage(first_name(kind), request)
    elif stages == "auto":
        searched.auto(request)
    else:
        searched.auto(request, stages, until_resolved=False)
    study = searched.study.name
    final = _tested(resources, study, recipe.trainer) if search.test else None
    return Searched(read_ranking(resources.database, named_study(resources.database, study)), final)


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
