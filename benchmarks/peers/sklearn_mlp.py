"""scikit-learn's MLPClassifier: what GridSearchCV would fit for each λ."""

from collections.abc import Callable

from benchmarks.peers.shared import arrays
from benchmarks.work import Task


def make(task: Task) -> Callable[[list[float], int], list[float]]:
    """Return the trainer."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    x, y, x_validation, y_validation = arrays(task)
    classes = list(range(task.data.n_classes))

    def one(l2_strength: float, n_epochs: int) -> float:
        model = MLPClassifier(
            task.hidden,
            solver="sgd",
            # Its penalty is α/2 Σ W² a batch, divided by the batch size: α = 2 λ B gives our J.
            alpha=2 * l2_strength * task.batch_size,
            batch_size=task.batch_size,
            learning_rate_init=task.eta_max / 2,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=task.seed,
        )
        accuracy = 0.0
        for _ in range(n_epochs):
            model.partial_fit(x, y, classes=classes)
            accuracy = float(model.score(x_validation, y_validation))
        return accuracy

    def train(l2_strengths: list[float], n_epochs: int) -> list[float]:
        with threadpool_limits(1):
            return [one(value, n_epochs) for value in l2_strengths]

    return train
