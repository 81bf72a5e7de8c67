"""A connection to a Dask cluster, with what goes wrong said in our words."""

import contextlib
import gc
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from coarsefine.hints import option
from coarsefine.studies.errors import StudyError
from coarsefine.studies.running.dask.address import Scheduler

if TYPE_CHECKING:
    from distributed import Client

# A scheduler that is there answers at once.
CONNECT_SECONDS = 10.0

# Said in words of our own: Dask's are for those who run the cluster.
_LOGGERS = ("distributed.client", "distributed.comm", "distributed.core", "distributed.batched")


def connected(scheduler: Scheduler) -> "Client":
    """Return a client.

    Raises:
        StudyError: If Dask is not installed, or there is no scheduler that we understand.
    """
    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError:
        raise StudyError(
            "a Dask cluster needs Dask; run\n    python -m pip install 'coarsefine[dask]'"
        ) from None
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    files = {
        "tls_ca_file": scheduler.ca,
        "tls_client_cert": scheduler.cert,
        "tls_client_key": scheduler.key,
    }
    said = {name: str(path) for name, path in files.items() if path is not None}
    try:
        with quiet(), uncollected():
            return Client(
                scheduler.address,
                timeout=CONNECT_SECONDS,
                name="coarsefine",
                set_as_default=False,
                security=Security(require_encryption=True, **said) if said else None,
            )
    except (ImportError, TypeError) as error:
        if "ssl_context" in str(error):
            # Dask's way to say that there are no certificates.
            raise StudyError(
                f"a scheduler at {scheduler.address} needs ",
                option("scheduler_ca"),
                " and ",
                option("scheduler_cert"),
                ", or Dask's own configuration of them (docs/scaling.md)",
            ) from None
        raise StudyError(
            f"the Dask scheduler at {scheduler.address} must be of the version that is installed "
            f"here, it does not understand it: {line(error)}"
        ) from None
    except (OSError, TimeoutError) as error:
        cause = error.__cause__ or error
        raise StudyError(
            f"a Dask scheduler must answer at {scheduler.address} within {CONNECT_SECONDS:g} s, "
            f"got: {line(cause)}; is it running there, and reached from here?"
        ) from None


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let no garbage be collected meanwhile.

    Dask holds a lock while it starts and stops its loop. A client that failed to connect earlier
    wants that lock when it is collected; if that is in the same thread then, it waits for ever.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask's advice to programmers from the user; what matters is said by us."""
    if threading.current_thread() is not threading.main_thread():
        yield  # filters are the whole process's
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"distributed\.|dask\.|tornado\.")
        warnings.filterwarnings("ignore", message="Sending large graph")
        yield


def not_installed(where: str, error: Any) -> str:
    """Return what to do where a worker lacks what is needed."""
    return (
        "coarsefine and what it needs must be installed on every Dask worker as it is here; "
        f"{where} says: {line(error)}"
    )


def line(error: Any) -> str:
    """Return an error in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
