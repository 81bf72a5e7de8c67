"""The errors a user can cause on this floor."""

from coarsefine.hints import HintedError


class StorageError(HintedError, RuntimeError):
    """A database that cannot be opened, read or written, in one line that says what to do."""


class StorageUrlError(StorageError):
    """What was given as a database cannot be one, as it is written."""


class BusyError(StorageError):
    """A study that another process drives at this moment: waiting helps."""


class NameTakenError(StorageError):
    """A study of that name is there already: another process may have been first."""
