"""Other frameworks that a training is checked against, each behind one module."""

from coarsefine.studies.checks.frameworks.side import (
    FrameworkMissingError,
    NotComparableError,
    Side,
    Task,
)
from coarsefine.studies.errors import StudyError, did_you_mean

FRAMEWORKS = ("torch", "sklearn")

__all__ = [
    "FRAMEWORKS",
    "FrameworkMissingError",
    "NotComparableError",
    "Side",
    "Task",
    "UnknownFrameworkError",
    "begin",
]


class UnknownFrameworkError(StudyError):
    """A framework that nothing is known of."""

    exit_status = 2


def begin(framework: str, task: Task) -> Side:
    """Return the framework's side of a cross-check, before its first update.

    Raises:
        UnknownFrameworkError: If it is none of ``FRAMEWORKS``.
        FrameworkMissingError: If it is not installed.
        NotComparableError: If it cannot do the same; says what, and what can.
    """
    # Each is imported when it is asked for: they take seconds, and may not be there.
    if framework == "torch":
        from coarsefine.studies.checks.frameworks.torch_side import TorchSide

        task.check(TorchSide.followed)
        return TorchSide(task)
    if framework == "sklearn":
        from coarsefine.studies.checks.frameworks.sklearn_side import SklearnSide

        task.check(SklearnSide.followed)
        return SklearnSide(task)
    raise UnknownFrameworkError(
        f"a cross-check must be against {' or '.join(FRAMEWORKS)}, got {framework}"
        f"{did_you_mean(framework, FRAMEWORKS)}"
    )
