"""Data sets: found or downloaded, decoded once, split, normalised and mapped into memory.

The test split is not here: ``models.data.sealed`` alone opens it.
"""

from models.data.catalogue import CATALOGUE, DatasetInfo
from models.data.checksums import FileCheck, verify
from models.data.download import DatasetStatus, get, status
from models.data.prepared import PreparedData, TrainingData, prepare
from models.data.progress import Progress
from models.data.spec import (
    NORMALISATIONS,
    SPLIT_METHODS,
    DataSpec,
    NormalisationName,
    SplitMethod,
    SplitSpec,
)

__all__ = [
    "CATALOGUE",
    "NORMALISATIONS",
    "SPLIT_METHODS",
    "DataSpec",
    "DatasetInfo",
    "DatasetStatus",
    "FileCheck",
    "NormalisationName",
    "PreparedData",
    "Progress",
    "SplitMethod",
    "SplitSpec",
    "TrainingData",
    "get",
    "prepare",
    "status",
    "verify",
]
