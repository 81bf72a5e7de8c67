"""Searches that are one grid of values: batch size, data-set size, hidden layers, tricks."""

from collections.abc import Mapping
from typing import Any

from coarsefine.studies.spaces.dimensions import VARIANT, Dimension, parameter
from coarsefine.studies.spaces.search import SearchKind

BATCH_SIZE = SearchKind(
    name="batch-size",
    dimensions=(Dimension(parameter("batch_size"), values=(1, 10, 100, 1000)),),
    refines=False,
    implied={"training.schedule": "constant", "training.epochs": 5},
    alone=True,
    title="Compare batch sizes",
    question="time against accuracy: larger batches are faster, and make fewer updates",
)

DATASET_SIZE = SearchKind(
    name="dataset-size",
    dimensions=(Dimension(parameter("train"), values=(100, 500, 1000, 10_000)),),
    refines=False,
    replicates=3,
    draws=True,
    title="Compare data-set sizes",
    question="how accuracy grows with the number of training samples",
)

HIDDEN = SearchKind(
    name="hidden",
    dimensions=(Dimension(parameter("hidden"), values=((32,), (64,), (128,))),),
    refines=False,
    title="Compare hidden layers",
    question="how wide and how deep the network is",
)

# Each trick of NTNU's TDT4265 assignment 2, in its order, which starts without shuffling in
# assignment 1; η goes down when momentum comes in, as the assignment says.
_TRICKS: dict[str, Mapping[str, Any]] = {
    "shuffling": {"training.shuffle": True},
    "initialisation": {"network.initialisation": "xavier"},
    "improved sigmoid": {"network.activation": "improved-sigmoid"},
    "momentum": {"training.optimizer": "momentum", "training.momentum": 0.9, "training.eta": 0.02},
}


# What the names of variants begin with that are added to all before, or to the base alone.
_ADDS, _ALONE = "+ ", "only "


def cumulative(tricks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the base, and each trick with all before it.

    >>> list(cumulative({"a": {"x": 1}, "b": {"y": 2}}).items())
    [('base', {}), ('+ a', {'x': 1}), ('+ b', {'x': 1, 'y': 2})]
    """
    variants: dict[str, dict[str, Any]] = {"base": {}}
    said: dict[str, Any] = {}
    for name, statement in tricks.items():
        said = said | dict(statement)
        variants[_ADDS + name] = said
    return variants


def one_at_a_time(tricks: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the base, and each trick alone.

    >>> list(one_at_a_time({"a": {"x": 1}, "b": {"y": 2}}))
    ['base', 'only a', 'only b']
    """
    return {"base": {}} | {_ALONE + name: dict(said) for name, said in tricks.items()}


def added(variants: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return how variants that were made by one of these follow from each other.

    >>> added(cumulative({"a": {"x": 1}, "b": {"y": 2}}))
    'cumulative: each row adds to all before it'
    >>> added(one_at_a_time({"a": {"x": 1}, "b": {"y": 2}}))
    'one at a time: each row adds to the base alone'
    """
    names = list(variants)
    if names[:1] != ["base"] or len(names) == 1:
        return None
    if all(name.startswith(_ADDS) for name in names[1:]):
        return "cumulative: each row adds to all before it"
    if all(name.startswith(_ALONE) for name in names[1:]):
        return "one at a time: each row adds to the base alone"
    return None


def variants_of(variants: Mapping[str, Mapping[str, Any]]) -> Dimension:
    """Return the dimension of some named variants, all of which are tried."""
    return Dimension(parameter(VARIANT), values=tuple(variants), variants=dict(variants))


TRICKS_CUMULATIVE = variants_of(cumulative(_TRICKS))
TRICKS_ONE_AT_A_TIME = variants_of(one_at_a_time(_TRICKS))

TRICKS = SearchKind(
    name="tricks",
    dimensions=(TRICKS_CUMULATIVE,),
    refines=False,
    implied={
        "network.hidden": (64,),
        "network.activation": "sigmoid",
        "network.initialisation": "uniform",
        "network.sigma": 1.0,
        "training.schedule": "constant",
        "training.eta": 0.1,
        "training.batch_size": 32,
        "training.epochs": 50,
        "training.shuffle": False,
        "training.patience": 10,
    },
    title="Add tricks of the trade",
    question="what shuffling, initialisation, activation and momentum add, one after another",
)
