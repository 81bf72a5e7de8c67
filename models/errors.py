"""The errors a user can cause on this floor."""

from collections.abc import Callable


class ModelError(ValueError):
    """A network, a schedule or a training that cannot be, as asked for by the user."""


class DataError(ModelError):
    """A data set, a file or a split that is missing, damaged or does not fit.

    Args:
        message: The rule and what was got.
        advice: What to do, with ``{}`` where settings go: it follows the message after a semicolon.
        settings: Settings of a recipe and their values, as in ``("data.missing", "median")``.
    """

    def __init__(self, message: str, advice: str = "", *settings: tuple[str, str]) -> None:
        self.message = message
        self.advice = advice
        self.settings = settings
        super().__init__(self.in_words(lambda key, value: f"{key} = {value}"))

    def in_words(self, setting: Callable[[str, str], str]) -> str:
        """Return the line, with settings written as ``setting(key, value)`` writes them."""
        if not self.advice:
            return self.message
        written = [setting(key, value) for key, value in self.settings]
        return f"{self.message}; {self.advice.format(*written)}"

    def __reduce__(self) -> tuple[object, ...]:
        """Return what pickle makes it of again, in another process."""
        return type(self), (self.message, self.advice, *self.settings)
