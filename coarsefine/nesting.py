"""How deep lists and tables stand inside each other, which anybody may have written."""

from typing import Any


def is_deeper(value: Any, most: int) -> bool:
    """Return whether more than ``most`` lists or tables stand inside each other.

    >>> is_deeper({"a": [1]}, 2), is_deeper({"a": [[]]}, 2)
    (False, True)
    """
    level = [value]
    for _ in range(most + 1):
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return False
        level = [
            one for each in level for one in (each.values() if isinstance(each, dict) else each)
        ]
    return True
