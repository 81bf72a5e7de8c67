"""What files are called that are named after a study."""

import re
from typing import Final

# File systems take 255 bytes, and a letter may be four.
_LONGEST: Final = 50


def stem(study: str) -> str:
    """Return a study's name as a file's: without what some file system has no place for.

    >>> stem("digits/lambda"), stem("a:b*")
    ('digits-lambda', 'a-b-')
    """
    return re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", study)[:_LONGEST].strip(". ") or "study"
