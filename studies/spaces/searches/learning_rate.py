"""The η search, and λ and η at once."""

from coarsefine.studies.spaces.dimensions import Dimension, parameter
from coarsefine.studies.spaces.ranges import LogRange
from coarsefine.studies.spaces.search import SearchKind

# Up to where training diverges with most recipes: that it does is part of the answer.
ETA = SearchKind(
    name="eta",
    dimensions=(Dimension(parameter("eta"), LogRange(1e-4, 1e1)),),
    n_coarse=11,
    implied={"training.schedule": "constant"},
    question="how long a step of the training is",
)

LAMBDA_ETA = SearchKind(
    name="lambda-eta",
    dimensions=(
        Dimension(parameter("lambda"), LogRange(1e-5, 1e-1)),
        Dimension(parameter("eta"), LogRange(1e-3, 1e0)),
    ),
    n_coarse=25,
    n_fine=16,
    implied={"training.schedule": "constant"},
    question="the penalty and the step together: the best of one depends on the other",
)
