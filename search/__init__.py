"""The face: the command line, its progress, tables and exports."""

import time
from typing import Final

# When the program began, on the clock that never goes back; packages are loaded after this.
BEGAN: Final = time.monotonic()
