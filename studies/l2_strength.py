"""The λ search: how strongly large weights are penalised."""

from studies.dimensions import Dimension, parameter
from studies.search_kind import SearchKind
from studies.spaces import LogRange

# Range and number are those of the KTH DD2424 lab, whose grid of eight values is in use since 2020.
LAMBDA = SearchKind(
    name="lambda",
    dimensions=(Dimension(parameter("lambda"), LogRange(1e-5, 1e-1)),),
    question="how strongly large weights are penalised",
)
