"""What servers and their drivers say when something is wrong, in one line with what to do."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

_AGAIN: Final = "run the same command again: a search carries on where it stands"
_RUNNING: Final = "is it running, and are host and port right?"
_CREDENTIALS: Final = "give the right one in PGPASSWORD or ~/.pgpass, see docs/storage.md"
_RIGHTS: Final = "have its owner grant what is missing, see docs/storage.md"
_CREATE: Final = "create it first, see docs/storage.md"
_TLS: Final = "look at what the URL says of TLS, see docs/storage.md"
_PACKET: Final = "have the server's max_allowed_packet raised, see docs/storage.md"
_FULL: Final = "wait for others to end, or have the server allow more connections"
_BUSY: Final = f"another program keeps it busy; close that and {_AGAIN}"

_ADVICE: Final = {
    # What a message holds; the first that fits. PostgreSQL's, then those of MySQL and MariaDB.
    "password authentication failed": _CREDENTIALS,
    "no password supplied": _CREDENTIALS,
    "permission denied": _RIGHTS,
    "does not exist": _CREATE,
    "refused": _RUNNING,
    "timeout expired": _RUNNING,
    "resolve host": "is the name right?",
    "pg_hba.conf": "have the server's pg_hba.conf let this user in from here",
    "SSL": _TLS,
    "certificate": _TLS,
    "too many c": _FULL,
    "connection slots": _FULL,
    "lock timeout": _BUSY,
    "read-only": "name the server that may be written to",
    "No space left": f"make room on the server and {_AGAIN}",
    "invalid connection option": "leave it out of the URL",
    "bad value for": "look at the URL",
    "too long": "choose a shorter one",
    "NUL": "leave it out",
    "deadlock": _AGAIN,
    "server closed": _AGAIN,
    "is closed": _AGAIN,
    "is lost": _AGAIN,
    "terminating connection": _AGAIN,
    "shutting down": _AGAIN,
    "starting up": _AGAIN,
    "Access denied for user": "are name, password and grants right? see docs/storage.md",
    "command denied to user": _RIGHTS,
    "Unknown database": _CREATE,
    "Name or service not known": "is the name right?",
    "Can't connect": _RUNNING,
    "Lock wait timeout": _BUSY,
    "Deadlock": _AGAIN,
    "max_allowed_packet": _PACKET,
    "is full": f"make room on the server and {_AGAIN}",
    "Lost connection": _AGAIN,
    # What is too much for it is answered so, too.
    "gone away": f"{_AGAIN}; if it goes again, {_PACKET}",
}


# MariaDB's number of a CHECK that does not hold; the driver takes it for the server's fault.
_CHECK_FAILED: Final = 4025


def is_refused_row(error: DBAPIError) -> bool:
    """Return whether the tables do not take a row: a type, a length, a constraint."""
    if isinstance(error, IntegrityError | DataError):
        return True
    return getattr(error.orig, "args", ())[:1] == (_CHECK_FAILED,)


def foreseen(error: DBAPIError) -> bool:
    """Return whether what looks like our mistake is the world's: no right, too long a name."""
    text = str(error.orig)
    return any(
        sign in text
        for sign in (
            "permission denied",
            "too long",
            "NUL",
            "invalid connection option",
            "bad value for",
        )
    )


def reason(cause: object) -> str:
    """Return what is wrong and what to do.

    >>> reason("connection failed: connection to server at … failed: Connection refused")
    'Connection refused; is it running, and are host and port right?'
    """
    arguments: Sequence[object] = getattr(cause, "args", ())
    # PyMySQL's errors are a number and a text.
    text = str(arguments[1] if len(arguments) > 1 else cause).strip()
    advice = next((advice for sign, advice in _ADVICE.items() if sign in text), None)
    line = text.split("\n", 1)[0].strip()
    if line.startswith("connection failed: "):  # where to stands in the URL
        line = line.rpartition(" failed: ")[2].removeprefix("FATAL: ").strip()
    return line if advice is None else f"{line}; {advice}"
