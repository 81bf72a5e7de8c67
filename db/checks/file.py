"""Looks at the file of a database: its pages, the version of its tables, and where rows point."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coarsefine.db import schema
from coarsefine.db.checks.report import Check
from coarsefine.db.connections.sqlite_files import damage


def check_file(session: Session, check: Check) -> None:
    """Look whether SQLite finds the pages in order."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        check.left_out = True
        check.notes.append("not looked at: a server looks after its files itself")
        return
    check.looked_at = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    advice = (
        "the file is damaged: restore a copy of it, or save what can be read: "
        "sqlite3 FILE .recover | sqlite3 NEW-FILE"
    )
    driver: Any = connection.connection.driver_connection
    for line in damage(driver, 20):
        for each in line.splitlines():
            check.wrong(each, advice)


def check_schema(session: Session, check: Check) -> None:
    """Note which version the tables have."""
    check.looked_at = 1
    revision = session.scalar(sa.text(schema.SELECT_REVISION))
    if revision != schema.HEAD:
        kept = ", and keeps a copy" if session.connection().dialect.name == "sqlite" else ""
        check.notes.append(
            f"schema {revision}, now {schema.HEAD}: the next search or test brings it up to date"
            f"{kept}"
        )


def check_links(session: Session, check: Check) -> None:
    """Look for rows that point to rows that are not there."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        check.left_out = True
        check.notes.append(
            "not looked at: a server keeps rows from pointing to rows that are not there"
        )
        return
    check.looked_at = len(sa.inspect(connection).get_table_names())
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        lost[str(table), str(parent)] += 1
    for (table, parent), count in lost.items():
        check.wrong(f"{count} rows of {table} point to rows of {parent} that are not there")
