"""Loss and accuracy by the compiled kernels: what ``models.evaluation`` does on NumPy."""

import numpy as np
import numpy.typing as npt

from coarsefine.models.arrays import Array, Labels
from coarsefine.models.cohort import CohortPlan
from coarsefine.models.evaluation import Evaluation, SampleOutcomes
from coarsefine.models.kernels import dense, judging, sparse
from coarsefine.models.kernels.codes import ACTIVATION_CODES
from coarsefine.models.kernels.forward import Layers, scores_address
from coarsefine.models.kernels.lanes import PANEL_BYTES
from coarsefine.models.network import Parameters
from coarsefine.models.specs import SPARSE_KERNELS


class CompiledEvaluator:
    """Evaluates networks with a compiled kernel, to the same bits in any cohort."""

    def __init__(self, plan: CohortPlan, n_trials: int) -> None:
        self._plan = plan
        self._n_trials = n_trials
        self._kind = _Sparse if plan.kernel in SPARSE_KERNELS else _Dense
        self._ready: _Dense | _Sparse | None = None

    def forget(self) -> None:
        """Take weights in anew, because they have changed."""
        self._ready = None

    def evaluate(
        self,
        parameters: Parameters,
        x: Array,
        labels: Labels,
        rows: npt.NDArray[np.intp] | None = None,
        outcomes: SampleOutcomes | None = None,
    ) -> Evaluation:
        """Return loss and accuracy of each trial; arguments as in ``Evaluator.evaluate``."""
        if self._ready is None:
            self._ready = self._kind(self._plan, parameters)
        n_samples, n_trials = len(labels) if rows is None else len(rows), self._n_trials
        if outcomes is None:
            outcomes = SampleOutcomes.unknown(n_trials, 0)
        sums = judging.Sums(
            # Copies, whose layout is always the same: numba compiles for each layout anew.
            labels=np.array(labels, np.int64, order="C"),
            order=np.arange(n_samples) if rows is None else np.array(rows, np.int64, order="C"),
            squared=self._plan.network.loss == "squared-error",
            loss=np.zeros(n_trials),
            n_right=np.zeros(n_trials),
            predicted=outcomes.predicted,
            losses=outcomes.losses,
        )
        self._ready.measure(x, sums)
        return Evaluation(sums.loss / n_samples, sums.n_right / n_samples)


class _Dense:
    """Weights as panels, and cells for a block of all layers."""

    def __init__(self, plan: CohortPlan, parameters: Parameters) -> None:
        network, dtype = plan.network, plan.dtype
        self._panel = panel = PANEL_BYTES // np.dtype(dtype).itemsize
        arrays = [*parameters.weights, *parameters.biases]
        self._weights = dense.in_panels(arrays, len(parameters.weights), panel)
        block = judging.MEASURED
        self._table, n_cells = dense.layout(network, parameters.n_trials, block, panel)
        self._layers = Layers(
            values=np.zeros(n_cells, dtype),
            deltas=np.zeros(n_cells, dtype),
            slopes=np.full(panel, network.slope, dtype),
            first_slope=0,
            activation=ACTIVATION_CODES[network.activation],
        )

    def measure(self, x: Array, sums: judging.Sums) -> None:
        """Add up what the trials make of samples."""
        samples = dense.flat_samples(x)
        layers, scores_at = self._layers, scores_address(self._weights.dtype.name)
        judging.measure(self._weights, samples, layers, self._table, self._panel, scores_at, sums)


class _Sparse:
    """Weights as ``(D, P)``, and a block of scores."""

    def __init__(self, plan: CohortPlan, parameters: Parameters) -> None:
        self._plan = plan
        weights = sparse.packed(parameters.weights[0])
        self._n_classes, width = plan.network.n_classes, weights.shape[1]
        self._weights = weights.ravel()
        self._bias = np.zeros(width, plan.dtype)
        for biases in parameters.biases:
            self._bias[: biases.size] = biases.ravel()
        self._cells = np.zeros(judging.MEASURED * width + 2 * sparse.LANES, plan.dtype)

    def measure(self, x: Array, sums: judging.Sums) -> None:
        """Add up what the trials make of samples."""
        rows, cells = sparse.rows_for(self._plan, x), self._cells
        judging.measure_sparse(self._weights, self._bias, rows, cells, self._n_classes, sums)
