"""The errors a user can cause on this floor."""

from coarsefine.hints import HintedError


class ModelError(HintedError, ValueError):
    """A network, a schedule or a training that cannot be, as asked for by the user."""


class DataError(ModelError):
    """A data set, a file or a split that is missing, damaged or does not fit."""
