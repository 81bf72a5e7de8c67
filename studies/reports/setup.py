"""The sections of a report that say what was asked and of what: recipe, data, network, check."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coarsefine.db import repository
from coarsefine.models.gradient_check import TOLERANCE, ParameterCheck
from coarsefine.models.initialisation import FORMULAS
from coarsefine.models.parameter_count import LayerCount, count_parameters
from coarsefine.models.specs import NetworkSpec
from coarsefine.studies.checks.network import MOST_ELEMENTS
from coarsefine.studies.planning.cohorts import plan_from_json
from coarsefine.studies.recipes.cost import cost_of, strengths
from coarsefine.studies.reports.parts import (
    Block,
    Column,
    Facts,
    Paragraph,
    Table,
    notes_of,
)
from coarsefine.studies.reports.source import (
    Source,
    steps_of,
)
from coarsefine.studies.spaces.dimensions import PARAMETERS, shown
from coarsefine.studies.spaces.searches.registry import SEARCHES

# Networks that differ: enough to see.
_MOST_NETWORKS = 12


@dataclass(frozen=True, slots=True)
class CheckedNetwork:
    """A network whose gradients were compared with differences.

    Attributes:
        name: Its widths and activation.
    """

    name: str
    l2_strength: float
    parameters: Sequence[ParameterCheck]


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """Gradients of the study's network, checked on some of its samples.

    Attributes:
        on: Which samples.
    """

    on: str
    networks: Sequence[CheckedNetwork]

    @property
    def passed(self) -> bool:
        """Return whether all of them are right."""
        return all(p.passed for network in self.networks for p in network.parameters)


def question(source: Source) -> Iterator[Block]:
    """Yield what was asked, and all that was the same for all trials."""
    study, recipe, ranking = source.study, source.recipe, source.ranking
    kind = SEARCHES.get(study.search)
    asked = f": {kind.question}" if kind is not None and kind.question else ""
    yield Paragraph(
        f"Which {source.symbols} gives the highest validation accuracy{asked}? All else is as "
        "stated here, and the same for all trials."
    )
    dimensions = ranking.stages[0].dimensions if ranking.stages else ()
    searched = strengths(recipe.training.l2_strength, dimensions)
    steps = steps_of(recipe, study)
    yield Facts(
        (
            *(() if recipe.trainer is None else (("trainer", f"{recipe.trainer}, {_OWN}"),)),
            *(
                (
                    (
                        "minimised",
                        cost_of(recipe, searched).partition(" = ")[2],
                    ),
                )
                if recipe.trainer is None
                else ()
            ),
            *((("length", "; ".join(steps[0])),) if steps[0] else ()),
            *_sections(study.recipe, skipped=keys_searched(dimensions)),
        )
    )
    for dimension in dimensions:
        if dimension.get("variants"):
            yield _variants(dimension["variants"])


_OWN = "a custom trainer"


def keys_searched(dimensions: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys of the recipe that trials do not have from it."""
    keys = {PARAMETERS[d["name"]].key for d in dimensions if d["name"] in PARAMETERS}
    for dimension in dimensions:
        for settings in (dimension.get("variants") or {}).values():
            keys |= set(settings)
    return keys


def _sections(recipe: Mapping[str, Any], skipped: set[str]) -> Iterator[tuple[str, str]]:
    for name, section in recipe.items():
        if not isinstance(section, Mapping):
            continue
        stated = [
            f"{key.replace('_', ' ')} {'searched' if f'{name}.{key}' in skipped else word(value)}"
            for key, value in section.items()
            if (value is not None and not (key == "activation" and not section["hidden"]))
            or f"{name}.{key}" in skipped
        ]
        yield name, ", ".join(stated)


def word(stated: Any) -> str:
    """Return what a recipe states, in words."""
    if stated is None:
        return "not stated"
    if isinstance(stated, bool):
        return "yes" if stated else "no"
    whole = isinstance(stated, float) and stated.is_integer()
    return f"{stated:g}" if isinstance(stated, float) and not whole else shown(stated)


def _variants(variants: Mapping[str, Mapping[str, Any]]) -> Table:
    return Table(
        "What each variant states, in place of the recipe",
        (Column("variant"), Column("settings")),
        tuple(
            (name, ", ".join(f"{key} {word(value)}" for key, value in settings.items()) or "–")
            for name, settings in variants.items()
        ),
    )


def data_and_split(source: Source) -> Iterator[Block]:
    """Yield the samples, how they were split, and what names them."""
    study, data = source.study, source.study.data
    recipe = source.recipe.data
    n_train, n_validation, n_test = (
        int(data.get(f"n_{part}", 0)) for part in ("train", "validation", "test")
    )
    yield Table(
        "Samples",
        (Column("split"), Column("samples", "whole"), Column("used for")),
        (
            ("training", n_train, "gradients, and the statistics of the normalisation"),
            ("validation", n_validation, "ranking the trials"),
            ("test", n_test, "the final test only; no search reads it"),
        ),
    )
    shape = "×".join(map(str, data.get("sample_shape", ())))
    names = [str(name) for name in data.get("class_names", ())]
    numbered = names == [str(i) for i in range(len(names))]
    classes = f"{data.get('n_classes', 0):,}" + (
        f" ({', '.join(names)})" if names and not numbered and len(names) <= 20 else ""
    )
    split = f"{recipe.split}, seed {study.seed}" if recipe.stratified is not None else recipe.split
    if recipe.folds is not None:
        split = f"{recipe.folds} {split}, the samples above are of the first"
    if recipe.redraw:
        split += ", another one for each replicate"
    if recipe.stratified:
        split += ", each class in proportion"
    yield Facts(
        (
            ("data set", study.data_name),
            ("sample", f"{shape} = {data.get('n_features', 0):,} numbers"),
            ("classes", classes),
            ("split", split),
            ("normalisation", f"{data.get('normalisation')}; statistics of the training split"),
            ("fingerprint of the data (SHA-256)", study.data_fingerprint),
            ("fingerprint of the split (SHA-256)", str(data.get("split_fingerprint", "unknown"))),
        )
    )
    yield from notes_of([str(line) for line in data.get("warnings", ())])


def network(source: Source) -> Iterator[Block]:
    """Yield the parameters of the networks that were trained."""
    training, sigma = source.recipe.training, source.recipe.network.sigma
    if source.recipe.trainer is not None:
        yield Paragraph(
            f"What was trained is up to {source.recipe.trainer}, {_OWN}: the record does not say "
            "how many parameters it has."
        )
        return
    networks = _networks(source)
    if not networks:
        yield Paragraph("No network is planned yet.", "warning")
        return
    if len(networks) == 1:
        (spec,) = networks
        words = [f"fully connected, {_widths(spec)}"]
        words.append(f"{spec.activation} between the layers" if spec.hidden else "linear")
        words += ["hidden layers normalised by their batch"] if spec.n_normalised else []
        words += [f"first weights {first_weights(spec.initialisation)}"]
        if sigma is not None:
            words[-1] += f" with σ {sigma:g}"
        words += [f"{training.precision} in training"]
        yield Paragraph(f"The network: {', '.join(words)}.")
        yield parameters_table("Parameters", count_parameters(spec))
        return
    yield Table(
        f"Parameters of the {len(networks)} networks that were trained",
        (
            Column("network"),
            Column("activation"),
            Column("first weights"),
            Column("parameters", "whole"),
            Column("with the bias trick", "whole"),
        ),
        tuple(
            (
                _widths(spec),
                spec.activation if spec.hidden else "none",
                first_weights(spec.initialisation),
                sum(layer.n_parameters for layer in count_parameters(spec)),
                sum(layer.n_parameters_bias_trick for layer in count_parameters(spec)),
            )
            for spec in networks[:_MOST_NETWORKS]
        ),
    )
    if len(networks) > _MOST_NETWORKS:
        yield Paragraph(f"And {len(networks) - _MOST_NETWORKS} more.")


def first_weights(initialisation: str) -> str:
    """Return how weights are drawn, by name and formula."""
    return f"{initialisation}: {FORMULAS[initialisation]}"


def parameters_table(what: str, layers: Sequence[LayerCount]) -> Table:
    """Return the parameters of each layer and their sums, in both conventions."""
    rows: list[tuple[Any, ...]] = [
        (
            layer.name,
            layer.arithmetic,
            layer.n_parameters,
            layer.arithmetic_bias_trick,
            layer.n_parameters_bias_trick,
        )
        for layer in layers
    ]
    total = sum(layer.n_parameters for layer in layers)
    tricked = sum(layer.n_parameters_bias_trick for layer in layers)
    rows.append(("total", "", total, "", tricked))
    return Table(
        f"{what}, as the network is, and counted under the bias trick (a constant 1 beside the "
        "inputs)",
        (
            Column("layer"),
            Column("inputs × outputs + biases"),
            Column("parameters", "whole"),
            Column("with the bias trick"),
            Column("parameters", "whole"),
        ),
        tuple(rows),
        strong=frozenset({len(layers)}),
    )


def _networks(source: Source) -> list[NetworkSpec]:
    """Return the networks that were planned, each once: plans are what was trained."""
    found: dict[str, NetworkSpec] = {}
    for stage in repository.stages(source.database, source.study):
        if stage.optuna_name is None:
            continue
        for cohort in repository.load_plan(source.database, stage).cohorts:
            # Databases that a program fills to be measured may plan nothing.
            key = json.dumps(cohort.plan.get("network"), sort_keys=True)
            if "network" in cohort.plan and key not in found:
                found[key] = plan_from_json(cohort.plan).network
    return list(found.values())


def _widths(spec: NetworkSpec) -> str:
    return "-".join(map(str, spec.widths))


def gradient_check(checked: GradientCheck | str) -> Iterator[Block]:
    """Yield what the check of the gradients found."""
    if isinstance(checked, str):
        yield Paragraph(f"Not run: {checked}", "warning")
        return
    names = list(dict.fromkeys(network.name for network in checked.networks))
    one = len(names) == 1
    yield Paragraph(
        f"Analytic gradients{f' of {names[0]}' if one else ''} against central differences in "
        f"float64, on {checked.on}, in at most {MOST_ELEMENTS} elements of a tensor. The "
        "relative error is |gₐ − gₙ| / max(1e-4, |gₐ| + |gₙ|) and must be at most "
        f"{TOLERANCE:g} in every element. Elements whose difference steps over a kink of the "
        "activation are skipped."
    )
    rows = [
        (
            *(() if one else (network.name,)),
            network.l2_strength,
            p.name,
            p.max_absolute_error,
            p.max_relative_error,
            p.n_checked,
            p.n_skipped,
            "ok" if p.passed else "wrong",
        )
        for network in checked.networks
        for p in network.parameters
    ]
    yield Table(
        "Largest errors of each parameter tensor",
        (
            *(() if one else (Column("network"),)),
            Column("λ", "value"),
            Column("tensor"),
            Column("absolute error", "error"),
            Column("relative error", "error"),
            Column("checked", "whole"),
            Column("skipped", "whole"),
            Column("verdict"),
        ),
        tuple(rows),
        strong=frozenset(i for i, row in enumerate(rows) if row[-1] != "ok"),
    )
    if checked.passed:
        yield Paragraph("Passed.")
    else:
        yield Paragraph("Failed: results of this network are not what they claim to be.", "warning")
