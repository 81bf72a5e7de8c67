"""Databases as older schemas (0001 to 0004) left them, and what was said of them.

``digits/lambda`` was searched coarsely and finely, and tested: ``python -m search lambda --coarse
--hidden 6 --cycles 2 --trials 4``, ``lambda --fine --trials 4``, ``test --top 2``. ``half``
(``--seed 1 --trials 3 --replicates 2``; of 0002 with ``--running``) was killed (SIGKILL) after five
of sixteen epochs; what is said of it comes from a search that was not killed. Both schemas said the
same of both. That of 0003 is that of 0002 as the program of 0003 brought it up to date, and that of
0004 is that of 0003 likewise, tested once more (``test --top 2 --again``), with outcomes.
"""

import gzip
import json
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


OLDER = ("0001", "0002", "0003", "0004")


def put_older(path, revision="0001"):
    """Write the database of an older schema to ``path``."""
    path.write_bytes(gzip.decompress((ASSETS / f"schema-{revision}.db.gz").read_bytes()))
    return path


def older_rankings():
    """Return what ``rank --json`` said then, by study; without times."""
    return json.loads((ASSETS / "schema-0001.json").read_text())
