"""The λ search: how strongly large weights are penalised."""

from coarsefine.studies.spaces.dimensions import Dimension, parameter
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.search import SearchKind

# Range and number are those of the KTH DD2424 lab, whose grid of eight values is in use since 2020.
LAMBDA = SearchKind(
    name="lambda",
    dimensions=(Dimension(parameter("lambda"), LogRange(1e-5, 1e-1)),),
    question="how strongly large weights are penalised",
)
