"""Count what rules of stopping trials early would save, and which of the best they would stop.

``python -m scripts.replay_halving DATA_DIR [SEEDS]`` trains 27 values of λ on CIFAR-10 to their
ends, one seed at a time, keeps which validation samples each gets right after each epoch, and asks
rules whom they would have stopped. A row a range of λ and rule: epochs saved, of those trained
without stopping (mean over the seeds, least and most), and how many of the values that are tied
with the best in the end it would have stopped (mean, most). A rule that stops none of them saves no
more than all epochs of the others after the first rung.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from benchmarks.pruning import FLAGS, N_VALUES, RANGES
from coarsefine.models.arrays import Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.cohort import CohortPlan, initial_state
from coarsefine.models.data import prepare
from coarsefine.models.evaluation import SampleOutcomes
from coarsefine.models.kernels.choice import evaluator
from coarsefine.models.training import Samples, train
from coarsefine.studies.planning.pruning import rungs, to_stop
from coarsefine.studies.recipes.layers import make_recipe
from coarsefine.studies.recipes.specs import to_data_spec, to_specs
from coarsefine.studies.results.evidence.ties import judge

TOGETHER = 9

Rights = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trained:
    """Values as they were trained to their ends.

    Attributes:
        rights: (T, E, N), which validation samples each gets right after an epoch.
        epochs: (T,), that each took: what diverges ends by itself.
    """

    rights: Rights
    epochs: npt.NDArray[np.int64]

    @property
    def whole(self) -> npt.NDArray[np.bool_]:
        """Return which values were trained to the end."""
        return np.asarray(self.epochs == self.rights.shape[1])

    def tied(self, epoch: int) -> npt.NDArray[np.bool_]:
        """Return which of the values that did not diverge are tied with the best after an epoch."""
        found = np.zeros(len(self.epochs), np.bool_)
        found[self.whole] = judge(self.rights[self.whole, epoch - 1][:, None]).tied
        return found


Rule = Callable[[Trained, int], set[int]]


def behind(trained: Trained, epoch: int) -> set[int]:
    """Return whom the program would stop at a rung: by accuracies, far behind."""
    there = np.flatnonzero(trained.epochs >= epoch)
    accuracies = {str(i): float(trained.rights[i, epoch - 1].mean()) for i in there}
    return {int(name) for name in to_stop(accuracies, epoch, trained.rights.shape[2])}


def not_tied(trained: Trained, epoch: int) -> set[int]:
    """Return who is not tied with the best by outcomes, sample by sample, as in a ranking."""
    return set(np.flatnonzero(trained.whole & ~trained.tied(epoch)).tolist())


def saved(trained: Trained, rule: Rule, at: tuple[int, ...]) -> tuple[float, int]:
    """Return the share of epochs that a rule saves, and how many of the tied it stops."""
    ended = trained.epochs.copy()
    for epoch in at:
        for i in rule(trained, epoch):
            ended[i] = min(ended[i], epoch)
    stopped = trained.whole & (ended < trained.epochs)
    tied = trained.tied(trained.rights.shape[1])
    return 1 - ended.sum() / trained.epochs.sum(), int((stopped & tied).sum())


def most(trained: Trained, first: int) -> float:
    """Return the share that ending all that are not tied in the end at the first rung saves."""
    hopeless = ~trained.tied(trained.rights.shape[1])
    return float(np.maximum(trained.epochs - first, 0)[hopeless].sum() / trained.epochs.sum())


def trained_to_the_end(data_dir: Path, low: float, high: float, seed: int) -> Trained:
    """Return 27 values of λ as one seed trains them."""
    recipe = make_recipe(None, {**FLAGS, "seed": seed})
    prepared = prepare(to_data_spec(recipe), data_dir=data_dir)
    network, training, base = to_specs(
        recipe, prepared.n_features, prepared.n_classes, prepared.n_train
    )
    data = prepared.open()
    labels = data.y_validation
    n_epochs = training.n_epochs(prepared.n_train)
    rights = np.zeros((N_VALUES, n_epochs, len(labels)), np.bool_)
    epochs = np.zeros(N_VALUES, np.int64)
    values = np.geomspace(low, high, N_VALUES)
    for first in range(0, N_VALUES, TOGETHER):
        trials = tuple(replace(base, l2_strength=float(v)) for v in values[first:][:TOGETHER])
        plan = CohortPlan(network, training, trials, seed=seed)
        for epoch, slots, right in _epochs(plan, data, labels, n_epochs):
            rows = first + np.asarray(slots, np.intp)
            epochs[rows], rights[rows, epoch - 1] = epoch, right
    return Trained(rights, epochs)


def _epochs(
    plan: CohortPlan, data: Samples, labels: Labels, n_epochs: int
) -> Iterator[tuple[int, tuple[int, ...], Rights]]:
    """Yield each epoch, who is trained then, and which samples they get right after it."""
    state = initial_state(plan)
    for epoch in range(1, n_epochs + 1):
        slots = state.slots
        if not slots:
            return
        state, _ = train(plan, state, data, 1)
        right = np.zeros((len(slots), len(labels)), np.bool_)
        for row, slot in enumerate(slots):
            done = state.finished.get(slot)
            parameters = (
                state.parameters.rows([state.slots.index(slot)])
                if done is None
                else done.parameters
            )
            each = SampleOutcomes.unknown(1, len(labels))
            evaluator(plan, 1).evaluate(parameters, data.x_validation, labels, outcomes=each)
            right[row] = each.predicted[0] == labels
        yield epoch, slots, right


def rules(n_epochs: int) -> dict[str, tuple[Rule, tuple[int, ...]]]:
    """Return the rules that are compared, and after which epochs each is asked."""
    usual = rungs(n_epochs)
    closer = tuple(sorted({*usual, 3 * n_epochs // 8}))
    return {
        "as it is": (behind, usual),
        "and at three eighths": (behind, closer),
        "not tied by outcomes": (not_tied, usual),
    }


def main(data_dir: Path, n_seeds: int) -> None:
    """Print the table."""
    print("range, rule: epochs saved (least to most), tied values stopped (most)")  # noqa: T201
    for low, high in RANGES:
        with limited_blas(1):
            found = [trained_to_the_end(data_dir, low, high, seed) for seed in range(n_seeds)]
        print("\n".join(rows(f"{low:g} to {high:g}", found)), flush=True)  # noqa: T201


def rows(name: str, found: list[Trained]) -> Iterator[str]:
    """Yield the rows of a range of λ."""
    n_epochs = found[0].rights.shape[1]
    bounds = [100 * most(each, rungs(n_epochs)[0]) for each in found]
    n_tied = [int(each.tied(n_epochs).sum()) for each in found]
    yield f"{name}: {min(n_tied)} to {max(n_tied)} values are tied in the end"
    yield f"  at the most: {fmean(bounds):.1f} % ({min(bounds):.1f} to {max(bounds):.1f})"
    for rule, (stops, at) in rules(n_epochs).items():
        counts = [saved(each, stops, at) for each in found]
        shares, lost = [100 * share for share, _ in counts], [n for _, n in counts]
        between = f"{min(shares):.1f} to {max(shares):.1f}"
        yield f"  {rule}: {fmean(shares):.1f} % ({between}), {fmean(lost):.1f} ({max(lost)})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
