"""The glue between command line, trainer and database: what each study is and how it runs.

For Python and notebooks, ``Study`` and ``Recipe`` are the whole of it: see ``docs/library.md``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.library import (
        Comparison,
        RangeTest,
        Ranking,
        Recipe,
        Study,
        TestResult,
        compare_studies,
        list_studies,
    )
    from studies.errors import RecipeError, SpaceError, StudyError

__all__ = [
    "Comparison",
    "RangeTest",
    "Ranking",
    "Recipe",
    "RecipeError",
    "SpaceError",
    "Study",
    "StudyError",
    "TestResult",
    "compare_studies",
    "list_studies",
]

_ERRORS = ("RecipeError", "SpaceError", "StudyError")


def __getattr__(name: str) -> Any:
    """Return what Python users import, when they do: the floors below import modules of this one.

    The one place where this floor knows of the face above it.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _ERRORS:
        from studies import errors

        found = getattr(errors, name)
    else:
        from search import library

        found = getattr(library, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the names for completion, too, that were not imported yet."""
    return sorted({*globals(), *__all__})
