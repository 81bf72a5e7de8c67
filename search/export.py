"""Tables as files: exact for programs, rounded for people; a function for each format."""

import csv
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coarsefine.search.console import COMMANDS
from coarsefine.search.errors import ExportError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from coarsefine.search.export_tables import Table
    from coarsefine.studies.results.ranking import Ranking

# What LaTeX takes for something else.
_TEX: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "λ": r"$\lambda$",
        "η": r"$\eta$",
        "μ": r"$\mu$",
        "σ": r"$\sigma$",
    }
)
_POWER: Final = re.compile(r"(-?[\d.]+)e([-+]\d+)")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def export(ranking: "Ranking", format_name: str) -> bytes:
    """Return the file of a ranking in one of ``FORMATS``."""
    from coarsefine.search.export_tables import of_ranking

    return FORMATS[format_name](of_ranking(ranking))


def format_of(file: Path | None, name: str | None) -> str:
    """Return the format that is named, or else the one of the file's ending.

    Raises:
        UsageError: If it is none of ours.
    """
    from coarsefine.studies.errors import did_you_mean

    known = ", ".join(FORMATS)
    if name is not None:
        found = _ENDINGS.get(name.lower(), name.lower())
        if found not in FORMATS:
            raise UsageError(
                f"--format must be one of {known}, got {name!r}{did_you_mean(name, FORMATS)}"
            )
        return found
    if file is None:
        raise UsageError(f"export needs a file, or --format for stdout; formats are {known}")
    ending = file.suffix.lower().removeprefix(".")
    found = _ENDINGS.get(ending, ending)
    if found not in FORMATS:
        raise UsageError(
            f"files must end in .{', .'.join(FORMATS)}, got {file.name}; or name the format with "
            "--format"
        )
    return found


def write(path: Path, contents: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        ExportError: If it cannot be written there.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(contents)
        temporary.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Raise an ExportError unless ``path`` can be a file."""
    if path.is_dir():
        raise ExportError(f"the export must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise ExportError(f"the folder {path.parent} of {path.name} does not exist; create it")


def exact(ranking: "Ranking") -> dict[str, list[Any]]:
    """Return columns of a value a trial, best first; their names are in ``docs/tables.md``.

    A column's values are of one kind, hidden layers texts; ``None`` is what is not known.
    """
    study, trials = ranking.study, ranking.to_json()["trials"]
    found: dict[str, list[Any]] = {
        "study": [study.name] * len(trials),
        "data": [study.data_name] * len(trials),
        "seed": [study.seed] * len(trials),
    }
    for name in ("rank", "stage", "trial", "state"):
        found[name] = [trial[name] for trial in trials]
    found["score"] = [ranking.score] * len(trials)
    for name in ranking.searched:
        found[name] = of_one_kind([trial["params"].get(name) for trial in trials])
    for name in _MEASURED:
        found[name] = [trial[name] for trial in trials]
    for place, name in enumerate(_ENDS):
        found[name] = [t["interval"] and t["interval"][place] for t in trials]
    for name in _MARKS:
        found[name] = [trial[name] for trial in trials]
    return found


def of_one_kind(values: list[Any]) -> list[Any]:
    """Return a column whose values are of one kind: numbers, or else texts."""
    from coarsefine.studies.spaces.dimensions import shown

    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) <= 1 and not kinds & {list, tuple}:
        return values
    to = float if kinds == {int, float} else shown
    return [None if value is None else to(value) for value in values]


def frame(ranking: "Ranking") -> "pd.DataFrame":
    """Return ``exact`` as a data frame whose columns have the types of their values."""
    from coarsefine.search.export_tables import of_ranking

    return frame_of(of_ranking(ranking))


def frame_of(table: "Table") -> "pd.DataFrame":
    """Return a table as a data frame whose columns have the types of their values."""
    import pandas as pd

    # Column by column: pandas takes six times as long to take rows apart.
    found = table.exact()
    # A missing whole number would turn the others into 1.0, 2.0, ...
    types = {"whole": "Int64", "real": "float64", "truth": "boolean"}
    kinds = {name: types.get(table.columns[name].type) for name in found}
    return pd.DataFrame(found).astype({name: kind for name, kind in kinds.items() if kind})


_MEASURED: Final = (
    "replicates",
    "validation_accuracy",
    "validation_loss",
    "train_accuracy",
    "seconds",
    "test_accuracy",
    "standard_deviation",
    "difference",
    "margin",
)
_ENDS: Final = ("interval_low", "interval_high")
_MARKS: Final = ("tied", "reused")


# ------------------------------------------------------------------------------- for spreadsheets


def neutral(cells: list[Any]) -> list[Any]:
    """Return a column in which no text is a formula, whatever users call their studies.

    Nor does it hold what no worksheet may, and no terminal should be told.
    """
    return [
        COMMANDS.sub("�", _no_formula(cell)) if isinstance(cell, str) else cell for cell in cells
    ]


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_of(found: Mapping[str, list[Any]]) -> bytes:
    """Return columns as comma-separated values."""
    # Without pandas, which takes longer to import than all of this to write 10,000 trials.
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(neutral(list(found)))
    writer.writerows(zip(*map(neutral, found.values()), strict=True))
    return file.getvalue().encode("utf-8")


def _csv(table: "Table") -> bytes:
    return csv_of(table.exact())


def _xlsx(table: "Table") -> bytes:
    # What a sheet holds beside the line of names.
    if table.n_rows > _MOST_ROWS:
        raise UsageError(f"a sheet holds {_MOST_ROWS:,} rows, got {table.n_rows:,}; write csv")
    file = BytesIO()
    cells = frame_of(table)
    texts = cells.select_dtypes(include=["object", "string"]).columns
    cells = cells.assign(**{name: neutral(list(cells[name])) for name in texts})
    cells.columns = neutral(list(cells.columns))
    cells.to_excel(file, index=False, sheet_name=table.name, freeze_panes=(1, 0))
    return file.getvalue()


_MOST_ROWS: Final = 2**20 - 1


# ----------------------------------------------------------------------------------- for programs


def json_of(found: Mapping[str, list[Any]]) -> bytes:
    """Return columns as a list of objects, one a row."""
    # As ``indent=2`` has it, by the encoder in C: that one only knows single lines.
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",\n    ", ": "))
    rows = [
        f"  {{\n    {encoder.encode(dict(zip(found, row, strict=True)))[1:-1]}\n  }}"
        for row in zip(*found.values(), strict=True)
    ]
    text = "[\n" + ",\n".join(rows) + "\n]" if rows else "[]"
    return f"{text}\n".encode()


def _json(table: "Table") -> bytes:
    return json_of(table.exact())


def _parquet(table: "Table") -> bytes:
    """Return a file whose columns carry their units and meanings with them."""
    import pyarrow as pa
    from pyarrow import parquet

    cells = pa.Table.from_pandas(frame_of(table), preserve_index=False)
    about = {name: {"unit": c.unit, "meaning": c.meaning} for name, c in table.columns.items()}
    fields = [field.with_metadata(about[field.name]) for field in cells.schema]
    file = BytesIO()
    parquet.write_table(cells.cast(pa.schema(fields, cells.schema.metadata)), file)
    return file.getvalue()


# ------------------------------------------------------------------------------------- for people


def _rounded(table: "Table") -> tuple["pd.DataFrame", set[str]]:
    import pandas as pd

    cells, words = table.rounded()
    return pd.DataFrame(cells), words


def _md(table: "Table") -> bytes:
    cells, left = _rounded(table)
    escaped = cells.map(_md_text).rename(columns=_md_text)
    align = ["left" if name in left else "right" for name in cells]
    text = escaped.to_markdown(index=False, disable_numparse=True, colalign=align)
    return "\n\n".join((text, *map(_md_text, table.explained()))).encode() + b"\n"


def _md_text(text: str) -> str:
    """Return a text that ends no cell and is no element, no link and no control character."""
    return re.sub(r"([|<\[\]])", r"\\\1", COMMANDS.sub("�", text))


def _html(table: "Table") -> bytes:
    file = StringIO()
    _rounded(table)[0].to_html(file, index=False, border=0, justify="left")
    below = "".join(f"<p>{html.escape(line)}</p>\n" for line in table.explained())
    return f'<meta charset="utf-8">\n{file.getvalue()}\n{below}'.encode()


def _tex(table: "Table") -> bytes:
    """Return a table for the booktabs package."""
    texts, left = _rounded(table)
    headings = {name: _tex_text(name) for name in texts.columns}
    cells = texts.map(_tex_text)
    align = "".join("l" if name in left else "r" for name in texts)
    style = cells.rename(columns=headings).style.hide(axis="index")
    text = str(style.to_latex(hrules=True, column_format=align))
    below = "".join(f"\n\\par\\noindent {_tex_text(line)}\n" for line in table.explained())
    return f"{text}{below}".encode()


def _tex_text(text: str) -> str:
    r"""Return a text with what LaTeX takes for something else, and powers of ten, as mathematics.

    >>> _tex_text("3.728e-05"), _tex_text("0.1"), _tex_text("n_s"), _tex_text("η min")
    ('$3.728 \\cdot 10^{-5}$', '0.1', 'n\\_s', '$\\eta$ min')
    """
    power = _POWER.fullmatch(text)
    if power:
        return rf"${power[1]} \cdot 10^{{{int(power[2])}}}$"
    return text.translate(_TEX)


FORMATS: Final[dict[str, Callable[["Table"], bytes]]] = {
    "csv": _csv,
    "md": _md,
    "tex": _tex,
    "html": _html,
    "json": _json,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
# They go to files alone; the others to a terminal, too.
BINARY: Final = frozenset({"parquet", "xlsx"})
_ENDINGS: Final = {"markdown": "md", "latex": "tex", "htm": "html", "excel": "xlsx"}
