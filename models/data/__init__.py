"""Data sets: found or downloaded, decoded once, split, normalised and mapped into memory.

The test split is not here: ``coarsefine.models.data.sealed`` alone opens it.
"""

from coarsefine.models.data.catalogue import CATALOGUE, DatasetInfo
from coarsefine.models.data.checksums import FileCheck, verify
from coarsefine.models.data.download import DatasetStatus, get, status
from coarsefine.models.data.prepared import PreparedData, TrainingData, prepare
from coarsefine.models.data.progress import Progress
from coarsefine.models.data.spec import DataSpec, SplitSpec

__all__ = [
    "CATALOGUE",
    "DataSpec",
    "DatasetInfo",
    "DatasetStatus",
    "FileCheck",
    "PreparedData",
    "Progress",
    "SplitSpec",
    "TrainingData",
    "get",
    "prepare",
    "status",
    "verify",
]
