"""Where a Dask cluster is reached, and how the connection is encrypted."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from coarsefine.hints import option
from coarsefine.paths import text_of
from coarsefine.studies.errors import StudyError

SECURE, OPEN = "tls", "tcp"
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Where a cluster is reached.

    Attributes:
        address: ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.
        ca: File of the authority whose certificates are believed; ``None`` is as Dask's own
            configuration says.
        cert: File of this side's certificate.
        key: File of its key; ``None`` where the certificate's file holds it.
    """

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def is_open(self) -> bool:
        """Return whether others than this machine's users might reach it, unencrypted."""
        parts = urlsplit(self.address)
        return parts.scheme != SECURE and not (parts.hostname or "").startswith(_LOOPBACK)


class SchedulerError(StudyError):
    """An address, or files that go with it, that cannot be meant."""

    exit_status = 2


def scheduler_at(
    text: str, ca: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> Scheduler:
    """Return the scheduler of an address, or of the file that ``--scheduler-file`` wrote.

    Raises:
        SchedulerError: If it is neither, or files are missing or without use.
    """
    address = _of_file(Path(text)) if text.endswith(".json") else text
    address = address if "://" in address else f"{OPEN}://{address}"
    parts = urlsplit(address)
    try:
        complete = parts.hostname is not None and parts.port is not None
    except ValueError:
        complete = False
    if "@" in parts.netloc:
        raise SchedulerError(
            "a scheduler has no login: give its address as tcp://HOST:PORT or tls://HOST:PORT"
        )
    if parts.scheme not in {SECURE, OPEN} or not complete:
        raise SchedulerError(
            f"a scheduler must be tcp://HOST:PORT, tls://HOST:PORT or the .json file that it "
            f"wrote, got {text!r}"
        )
    files = {"ca": ca, "cert": cert, "key": key}
    for name, path in files.items():
        if path is not None and parts.scheme != SECURE:
            raise SchedulerError(
                option(f"scheduler_{name}"),
                f" is for a scheduler at tls://HOST:PORT, got {address}",
            )
        if path is not None and not path.is_file():
            raise SchedulerError(option(f"scheduler_{name}"), f" must be a file, found no {path}")
    return Scheduler(address, ca, cert, key)


def _of_file(path: Path) -> str:
    try:
        address = json.loads(text_of(path, "a scheduler's file"))["address"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SchedulerError(
            f"a scheduler's file must be as `dask scheduler` writes it, got {path}"
        ) from None
    return str(address)
