"""A ranking as a table in a file: exact for programs, rounded for people."""

import csv
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from search.errors import ExportError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from studies.reading import Ranking

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
    return FORMATS[format_name](ranking)


def format_of(file: Path | None, name: str | None) -> str:
    """Return the format that is named, or else the one of the file's ending.

    Raises:
        UsageError: If it is none of ours.
    """
    from studies.suggestions import did_you_mean

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
    """Return columns of a value a trial, best first; their names are in ``docs/cli.md``.

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
    for name in _symbols(ranking):
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
    from studies.dimensions import shown

    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) <= 1 and not kinds & {list, tuple}:
        return values
    to = float if kinds == {int, float} else shown
    return [None if value is None else to(value) for value in values]


def frame(ranking: "Ranking") -> "pd.DataFrame":
    """Return ``exact`` as a data frame whose columns have the types of their values."""
    import pandas as pd

    # Column by column: pandas takes six times as long to take rows apart.
    found = exact(ranking)
    # A missing rank would turn the others into 1.0, 2.0, ...
    whole = dict.fromkeys(("seed", "rank", "trial", "replicates"), "Int64")
    real = dict.fromkeys((*_MEASURED[1:], *_ENDS), "float64")
    types = whole | real | dict.fromkeys(_MARKS, "boolean")
    for name in found.keys() - types.keys():
        kind = next((type(value) for value in found[name] if value is not None), None)
        if kind in _TYPES:
            types[name] = _TYPES[kind]
    return pd.DataFrame(found).astype(types)


_TYPES: Final[dict[type | None, str]] = {int: "Int64", float: "float64"}
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


def rounded(ranking: "Ranking") -> "pd.DataFrame":
    """Return what people read of a ranking, as text; columns without anything are left out."""
    import pandas as pd

    from search.tables import interval
    from search.words import percent, value

    trials = ranking.trials
    epoch = "best epoch" if ranking.score == "best" else "last epoch"
    accuracies = [_known(t.validation_accuracy, percent) for t in trials]
    columns: dict[str, list[str]] = {
        "rank": ["" if t.rank is None else str(t.rank) for t in trials],
        "stage": [t.stage for t in trials],
        **{
            symbol: [value(t.params[name]) if name in t.params else "" for t in trials]
            for name, symbol in _symbols(ranking).items()
        },
        "state": [t.state for t in trials],
        f"validation accuracy, {epoch} (%)": accuracies,
        "95 % interval": ["" if t.interval is None else interval(t.interval) for t in trials],
        "SD over seeds": [_known(t.standard_deviation, percent) for t in trials],
        "tied": ["=" if t.tied else "" for t in trials],
        f"validation loss, {epoch}": [_known(t.validation_loss, "{:.4f}".format) for t in trials],
        f"training accuracy, {epoch} (%)": [_known(t.train_accuracy, percent) for t in trials],
        "test accuracy (%)": [_known(t.test_accuracy, percent) for t in trials],
        "reused": ["yes" if t.reused else "" for t in trials],
    }
    if all(state == "complete" for state in columns["state"]):
        del columns["state"]
    return pd.DataFrame({name: cells for name, cells in columns.items() if any(cells)})


def _known(number: float | None, text: Callable[[float], str]) -> str:
    return "" if number is None else text(number)


def _symbols(ranking: "Ranking") -> dict[str, str]:
    """Return the headings of what was searched, by name."""
    from studies.dimensions import PARAMETERS

    names = dict.fromkeys(name for trial in ranking.trials for name in trial.params)
    return {name: PARAMETERS[name].symbol if name in PARAMETERS else name for name in names}


def _left(ranking: "Ranking") -> set[str]:
    """Return the headings of columns that hold words."""
    words = {
        symbol
        for name, symbol in _symbols(ranking).items()
        if any(isinstance(trial.params.get(name), str | list | tuple) for trial in ranking.trials)
    }
    return {"stage", "state", "tied", "reused"} | words


# ------------------------------------------------------------------------------- for spreadsheets


def neutral(cells: list[Any]) -> list[Any]:
    """Return a column in which no text is a formula, whatever users call their studies."""
    return [
        f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
        for cell in cells
    ]


def csv_of(found: Mapping[str, list[Any]]) -> bytes:
    """Return columns as comma-separated values."""
    # Without pandas, which takes longer to import than all of this to write 10,000 trials.
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(found)
    writer.writerows(zip(*map(neutral, found.values()), strict=True))
    return file.getvalue().encode("utf-8")


def _xlsx(ranking: "Ranking") -> bytes:
    file = BytesIO()
    table = frame(ranking)
    texts = table.select_dtypes(include=["object", "string"]).columns
    table = table.assign(**{name: neutral(list(table[name])) for name in texts})
    table.to_excel(file, index=False, sheet_name="ranking", freeze_panes=(1, 0))
    return file.getvalue()


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


def _parquet(ranking: "Ranking") -> bytes:
    file = BytesIO()
    frame(ranking).to_parquet(file, index=False)
    return file.getvalue()


# ------------------------------------------------------------------------------------- for people


def _md(ranking: "Ranking") -> bytes:
    table, left = rounded(ranking), _left(ranking)
    escaped = table.map(lambda text: text.replace("|", r"\|"))
    align = ["left" if name in left else "right" for name in table]
    text = escaped.to_markdown(index=False, disable_numparse=True, colalign=align)
    return "\n\n".join((text, *_legend(ranking))).encode() + b"\n"


def _html(ranking: "Ranking") -> bytes:
    file = StringIO()
    rounded(ranking).to_html(file, index=False, border=0, justify="left")
    below = "".join(f"<p>{html.escape(line)}</p>\n" for line in _legend(ranking))
    return f'<meta charset="utf-8">\n{file.getvalue()}\n{below}'.encode()


def _tex(ranking: "Ranking") -> bytes:
    """Return a table for the booktabs package."""
    table, left = rounded(ranking), _left(ranking)
    headings = {name: _tex_text(name) for name in table.columns}
    cells = table.map(_tex_text)
    align = "".join("l" if name in left else "r" for name in table)
    style = cells.rename(columns=headings).style.hide(axis="index")
    text = str(style.to_latex(hrules=True, column_format=align))
    below = "".join(f"\n\\par\\noindent {_tex_text(line)}\n" for line in _legend(ranking))
    return f"{text}{below}".encode()


def _legend(ranking: "Ranking") -> tuple[str, ...]:
    """Return what intervals and marks mean: a table is not to be read without."""
    from studies.notes import legend

    return legend(ranking)


def _tex_text(text: str) -> str:
    r"""Return a text with what LaTeX takes for something else, and powers of ten, as mathematics.

    >>> _tex_text("3.728e-05"), _tex_text("0.1"), _tex_text("n_s"), _tex_text("η min")
    ('$3.728 \\cdot 10^{-5}$', '0.1', 'n\\_s', '$\\eta$ min')
    """
    power = _POWER.fullmatch(text)
    if power:
        return rf"${power[1]} \cdot 10^{{{int(power[2])}}}$"
    return text.translate(_TEX)


FORMATS: Final[dict[str, Callable[["Ranking"], bytes]]] = {
    "csv": lambda ranking: csv_of(exact(ranking)),
    "md": _md,
    "tex": _tex,
    "html": _html,
    "json": lambda ranking: json_of(exact(ranking)),
    "parquet": _parquet,
    "xlsx": _xlsx,
}
TEXTS: Final = ("csv", "md", "tex", "html", "json")
_ENDINGS: Final = {"markdown": "md", "latex": "tex", "htm": "html", "excel": "xlsx"}
