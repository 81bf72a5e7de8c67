"""Exact tables as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from coarsefine.search.tables.table import ExportTable


def json_of(found: Mapping[str, Sequence[Any]]) -> bytes:
    """Return columns as a list of objects, one a row."""
    # As ``indent=2`` has it, by the encoder in C: that one only knows single lines.
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n    ", ": "))
    rows = [
        f"  {{\n    {encoder.encode(dict(zip(found, row, strict=True)))[1:-1]}\n  }}"
        for row in zip(*found.values(), strict=True)
    ]
    text = "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"
    return f"{text}\n".encode()


def json_bytes(table: ExportTable) -> bytes:
    """Return a table as a list of objects, one a row."""
    return json_of(table.exact())
