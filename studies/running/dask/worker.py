"""What a Dask worker is asked for: what it computes with, and segments.

Neither database nor Optuna is imported here: a worker needs NumPy, SciPy and this package.
"""

import hashlib
import os
import pickle
import platform
import socket
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import scipy
import threadpoolctl

from coarsefine import models
from coarsefine.models.data import PreparedData
from coarsefine.models.data.shipping import Packed, found_here, unpacked
from coarsefine.models.plugin import PluginError
from coarsefine.models.segment import Segment, SegmentResult, run_segment

# How many threads BLAS uses is a setting of the whole process, and part of a segment's plan: two
# segments at once in one process would change each other's results.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the bits of a result depend on, besides the plan.

    Attributes:
        code: SHA-256 of the source of the floor that trains.
        python: Major and minor version.
        kernels: What BLAS chose for the processor; it may differ from machine to machine.
    """

    code: str
    python: str
    numpy: str
    scipy: str
    kernels: tuple[str, ...]

    def against(self, others: "Facts") -> str | None:
        """Return what differs of the software, in words; ``None`` if nothing does."""
        if self.code != others.code:
            return f"coarsefine (source {self.code[:8]} here, {others.code[:8]} there)"
        for name in ("python", "numpy", "scipy"):
            ours, theirs = getattr(self, name), getattr(others, name)
            if ours != theirs:
                return f"{name} ({ours} here, {theirs} there)"
        return None


@dataclass(frozen=True, slots=True)
class DataMissing:
    """An answer: the data must be sent along."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer: a segment was not begun.

    Attributes:
        worker: Which one.
        differs: What of its software is not the driver's.
    """

    worker: str
    differs: str


@dataclass(frozen=True, slots=True)
class Untrainable:
    """An answer: a worker cannot call the user's trainer.

    Attributes:
        worker: Which one.
        reason: Why, in a line.
    """

    worker: str
    reason: str


Answer = SegmentResult | DataMissing | Refused | Untrainable | Exception


@cache
def facts() -> Facts:
    """Return what this process computes with."""
    return Facts(
        code=_code(),
        python=".".join(platform.python_version_tuple()[:2]),
        numpy=np.__version__,
        scipy=scipy.__version__,
        kernels=tuple(
            sorted(
                f"{library['internal_api']} {library['version']} {library.get('architecture')}"
                for library in threadpoolctl.threadpool_info()
                if library["user_api"] == "blas"
            )
        ),
    )


def train_pickled(task: bytes, sent: Packed | None) -> Answer:
    """Return what ``train`` does, of what the driver pickled."""
    try:
        segment, driver = pickle.loads(task)  # noqa: S301  # whoever sends tasks may run anything
    except Exception as error:
        # Of another version, most likely: what the driver computes with is not known, then.
        return Refused(_name(), f"coarsefine ({type(error).__name__}: {error})")
    return train(segment, driver, sent)


def train(segment: Segment, driver: Facts, sent: Packed | None = None) -> Answer:
    """Return what came of a segment, or why nothing did.

    Args:
        segment: What to train.
        driver: What the driver computes with.
        sent: The segment's data, where a worker lacked it.
    """
    differs = driver.against(facts())
    if differs is not None:
        return Refused(_name(), differs)
    try:
        with _one_at_a_time:
            handle = segment.data
            if isinstance(handle, PreparedData):
                here = unpacked(handle, sent) if sent is not None else found_here(handle)
                if here is None:
                    return DataMissing()
                segment = replace(segment, data=here)
            return run_segment(segment)
    except PluginError as error:
        return Untrainable(_name(), str(error))
    except Exception as error:
        # Raised by the driver: Dask would log it here, and send its traceback.
        return error


def _name() -> str:
    return f"process {os.getpid()} of {socket.gethostname()}"


def _code() -> str:
    """Return what tells one version of the trainer from another, installed or not."""
    root = Path(models.__file__).parent
    digest = hashlib.sha256()
    for path in (*sorted(root.rglob("*.py")), Path(__file__)):
        # Some systems check files out with other line ends.
        digest.update(path.name.encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
