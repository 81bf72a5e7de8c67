"""URLs of databases: which server and driver they mean, and how they are printed."""

import os
import re
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from coarsefine.configuration import STORAGE, setting
from coarsefine.db.errors import StorageUrlError
from coarsefine.paths import expanded

DEFAULT_URL: Final = "sqlite:///search.db"
_SQLITE: Final = ("sqlite", "sqlite+pysqlite")
_LOGIN: Final = re.compile(r"([^:@]*):.*@")
_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",  # as others write it
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
"""Of the many drivers there are, those that the tests are run with."""


def storage_url(text: str | None) -> str:
    """Return the SQLAlchemy URL for ``text``: a file path, a URL, or ``None`` for the default.

    The default is ``$SEARCH_STORAGE``, else what a configuration file says, else ``search.db`` in
    the current folder.

    Raises:
        ConfigurationError: If such a file cannot be used.
        StorageUrlError: If ``text`` is empty or no URL of a database that could be used.

    >>> storage_url("runs/mnist.db")
    'sqlite:///runs/mnist.db'
    >>> storage_url("postgresql://ann@here/search")
    'postgresql+psycopg://ann@here/search'
    """
    if text is None:
        text = setting(STORAGE) or DEFAULT_URL
    if not text.strip():
        raise StorageUrlError("storage must be a file or a SQLAlchemy URL, got an empty text")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise StorageUrlError(f"storage must have a path in UTF-8, got {masked(text)}; rename it")
    if "://" not in text:
        path = str(expanded(text))
        _check_file(path)
        return URL.create("sqlite", database=path).render_as_string(hide_password=False)
    check_quoting(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without its cause, which quotes the password.
        raise StorageUrlError(
            f"storage must be a file or a SQLAlchemy URL such as {DEFAULT_URL}, got"
            f" {masked(text)!r}"
        ) from None
    if url.get_backend_name() != "sqlite":
        url = with_driver(url)
    elif url.drivername not in _SQLITE or url.query:
        wrong = f"?{'&'.join(url.query)}=" if url.query else f"{url.drivername}://"
        raise StorageUrlError(
            f"storage of SQLite must be a file or sqlite:///FILE, without {wrong}; its settings are"
            " made by this program"
        )
    return url.render_as_string(hide_password=False)


def _check_file(path: str) -> None:
    """Refuse a URL without its beginning, which would be shown with its password as a file."""
    if _LOGIN.search(path) and not os.path.lexists(path):
        shown = _LOGIN.sub(r"\1:***@", path)
        raise StorageUrlError(
            "storage must be a file or a URL that begins with postgresql:// or mysql://, got"
            f" {shown}"
        )


def with_driver(url: URL) -> URL:
    """Return the URL of a server with the driver that is used for it.

    Raises:
        StorageUrlError: If it is another kind of server or driver, or names no database.

    >>> with_driver(URL.create("postgresql", host="here", database="search")).drivername
    'postgresql+psycopg'
    """
    name, kind = url.drivername, url.get_backend_name()
    if name not in {*_DRIVERS, *_DRIVERS.values()}:
        known = f"{kind}://…" if kind in _DRIVERS else "sqlite, postgresql or mysql"
        raise StorageUrlError(
            f"storage must be a file or a URL that begins with {known}, got {name}://…"
        )
    if not url.database:
        raise StorageUrlError(
            f"storage must name a database, as {kind}://USER@HOST/DATABASE does, got {shown(url)}"
        )
    return url.set(drivername=_DRIVERS.get(name, name))


def check_quoting(text: str) -> None:
    """Refuse what would be taken apart in the middle of a password, which would then be shown.

    Raises:
        StorageUrlError: If there are several @ in what is not a file's URL.
    """
    start, _, rest = text.partition("://")
    if rest.count("@") > 1 and not start.startswith("sqlite"):
        name = rest.partition(":")[0].partition("@")[0]
        raise StorageUrlError(
            "storage must be a URL in which a password's @ is written %40, got"
            f" {start}://{name}:***@…"
        )


def shown(url: URL) -> str:
    """Return a URL as it may be printed: without passwords, whether of the query or not.

    >>> shown(URL.create("mysql", "ann", "secret", "here", query={"ssl_key_password": "too"}))
    'mysql://ann:***@here?ssl_key_password=***'
    """
    return masked(url.render_as_string(hide_password=True))


def masked(text: str) -> str:
    """Return what may be meant as a URL without what may be meant as a password.

    >>> masked("postgresql://ann:p@ss/word@here:port/search?sslpassword=secret")
    'postgresql://ann:***@here:port/search?sslpassword=***'
    """
    text = re.sub(r"(://[^:@/?]*):.*@", r"\1:***@", text)
    if "@" not in text:  # a port is a number, what else stands there may be a password
        text = re.sub(r"(://[^:@/?]*):(?!\d*(?:[/?]|$))[^?]*", r"\1:***", text)
    return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", text, flags=re.IGNORECASE)
