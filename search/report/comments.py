"""Comments of a report's author: a Markdown file with a heading for each section."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from coarsefine.paths import text_of
from coarsefine.search.errors import UsageError
from coarsefine.search.files import write
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.reports.parts import (
    Block,
    Code,
    Heading,
    Items,
    Paragraph,
    Report,
    Section,
)

# Megabytes of comments.
_MOST: Final = 1
_HEADING: Final = re.compile(r"#{1,6}\s+(.*?)\s*#*\s*")
_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+(.*)")
_FENCE: Final = re.compile(r"\s*(`{3,}|~{3,})")


def with_comments(report: Report, file: Path) -> Report:
    """Return a report with the comments of a file at the ends of its sections.

    Raises:
        UsageError: If the file cannot be read, or a heading names no section.
    """
    known = {_plain(key): s.name for s in report.sections for key in (s.title, s.name)}
    names = [section.name for section in report.sections]
    comments: dict[str, list[Block]] = {}
    for heading, lines in _read(file):
        name, blocks = known.get(_plain(heading)), list(_blocks(lines))
        if name is None and (heading or blocks):
            got = (
                f"{heading!r}{did_you_mean(heading, names)}" if heading else "text above the first"
            )
            raise UsageError(
                f"{file}: headings must name a section of the report, as '# {names[0]}' "
                f"({', '.join(names)}), got {got}"
            )
        if name is not None and blocks:
            comments.setdefault(name, []).extend(blocks)
    if not comments:
        return report
    sections = tuple(_with(section, comments.get(section.name, ())) for section in report.sections)
    return replace(report, sections=sections, typed=(*report.typed, "the comments"))


def write_outline(report: Report, file: Path) -> None:
    """Write a file of comments without any: a heading for each section, and what it is about."""
    lines = [f"# {section.name}\n\n<!-- {section.title} -->\n" for section in report.sections]
    write(file, "\n".join(lines).encode())


def _with(section: Section, comments: Sequence[Block]) -> Section:
    if not comments:
        return section
    return replace(section, blocks=(*section.blocks, Heading("Comments"), *comments))


def _read(file: Path) -> list[tuple[str, list[str]]]:
    """Return the headings of a file and the lines below each; first, what is above them all."""
    try:
        text = text_of(file, "a file of comments", _MOST)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(str(error)) from None
    sections: list[tuple[str, list[str]]] = [("", [])]
    fence = ""
    for line in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).splitlines():
        mark = _FENCE.match(line)
        heading = None if fence or mark else _HEADING.fullmatch(line)
        if heading:
            sections.append((heading[1], []))
            continue
        sections[-1][1].append(line)
        if not fence and mark:
            fence = mark[1]
        elif line.strip() == fence:
            fence = ""
    return sections


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    """Yield paragraphs, lists and code of some lines; other Markdown stays as it is written."""
    words, items = list[str](), list[str]()
    code, fence = list[str](), ""
    for line in [*lines, ""]:
        mark, item = _FENCE.match(line), _ITEM.fullmatch(line)
        if fence:
            if line.strip() == fence:
                yield Code("code", "\n".join(code) + "\n")
                code, fence = [], ""
            else:
                code.append(line)
        elif line.strip() and not mark and not item:
            if items:
                items[-1] += f" {line.strip()}"
            else:
                words.append(line.strip())
        else:
            if words:
                yield Paragraph(" ".join(words))
                words = []
            if item:
                items.append(item[1].strip())
            elif items:
                yield Items(tuple(items))
                items = []
            fence = mark[1] if mark else ""
    if code:
        yield Code("code", "\n".join(code).rstrip("\n") + "\n")


def _plain(heading: str) -> str:
    return " ".join(heading.casefold().split())
