"""A database as version 0.1.0 left it (schema 0001), and what it said of it.

``digits/lambda`` was searched coarsely and finely, and tested: ``python -m search lambda --coarse
--hidden 6 --cycles 2 --trials 4``, ``lambda --fine --trials 4``, ``test --top 2``. ``half``
(``--seed 1 --trials 3 --replicates 2``) was killed (SIGKILL) after five of sixteen epochs; what is
said of it comes from a search that was not killed.
"""

import gzip
import json
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


def put_older(path):
    """Write the older database to ``path``."""
    path.write_bytes(gzip.decompress((ASSETS / "schema-0001.db.gz").read_bytes()))
    return path


def older_rankings():
    """Return what ``rank --json`` of that version said, by study; without times."""
    return json.loads((ASSETS / "schema-0001.json").read_text())
