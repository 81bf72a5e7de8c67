"""Hyperparameter search for people who train networks in NumPy and must defend the numbers.

For Python and notebooks, ``Study`` and ``Recipe`` are all that is needed: see ``docs/library.md``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coarsefine.search.library import (
        Audit,
        Comparison,
        Forecast,
        Model,
        RangeTest,
        Ranking,
        Recipe,
        Replay,
        Study,
        TestResult,
        compare_studies,
        list_studies,
        merge_studies,
        pack_studies,
        purge_studies,
        remove_studies,
        restore_studies,
        unpack_studies,
    )
    from coarsefine.studies.errors import RecipeError, SpaceError, StudyError

__all__ = [
    "Audit",
    "Comparison",
    "Forecast",
    "Model",
    "RangeTest",
    "Ranking",
    "Recipe",
    "RecipeError",
    "Replay",
    "SpaceError",
    "Study",
    "StudyError",
    "TestResult",
    "compare_studies",
    "list_studies",
    "merge_studies",
    "pack_studies",
    "purge_studies",
    "remove_studies",
    "restore_studies",
    "unpack_studies",
]

_ERRORS = ("RecipeError", "SpaceError", "StudyError")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line starts without them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _ERRORS:
        from coarsefine.studies import errors

        value = getattr(errors, name)
    else:
        from coarsefine.search import library

        value = getattr(library, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names for completion, imported or not."""
    return sorted({*globals(), *__all__})
