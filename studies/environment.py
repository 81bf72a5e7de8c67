"""What a result was made with: versions and machine, kept with every study."""

import os
import platform
import sys
from functools import cache
from importlib import metadata

from coarsefine.models.blas_threads import blas_kernels

# Those whose version can change a number or how it is stored.
_PACKAGES = ("coarsefine", "numpy", "scipy", "optuna", "sqlalchemy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


@cache
def _version(package: str) -> str:
    # Read once: what was imported stays, whatever is installed while this process runs.
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def machine() -> dict[str, str | int]:
    """Return what the numbers were computed on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "blas": blas_kernels(),
        "cores": os.cpu_count() or 1,
        "byte_order": sys.byteorder,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
