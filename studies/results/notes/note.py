"""A note: what was found in results, by a code, with what to do about it."""

from coarsefine.hints import Message, Part


class Note(Message):
    """A sentence that results should not be read without.

    Attributes:
        code: Names the check that found it.
    """

    code: str

    def __init__(self, code: str, evidence: str, *advice: Part) -> None:
        super().__init__(evidence, *advice)
        object.__setattr__(self, "code", code)

    @property
    def evidence(self) -> str:
        """Return what was found."""
        return str(self.parts[0])

    @property
    def advice(self) -> Message:
        """Return what to do about it, with the punctuation that joins it to the evidence."""
        return Message(*self.parts[1:])


def points(share: float) -> str:
    """Return a share in percentage points."""
    return f"{100 * share:.2f}"


def counted(n: int, what: str) -> str:
    """Return a number of things."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
