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
    """Return a number of things.

    >>> counted(1, "trial"), counted(2000, "trial")
    ('1 trial', '2,000 trials')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def rounded(number: int) -> str:
    """Return a number that is known roughly, with two digits.

    >>> rounded(5437), rounded(41)
    ('5,500', '41')
    """
    step = 10 ** max(0, len(str(number)) - 2)
    return f"{-(-number // step) * step:,}"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter.

    >>> duration(0.42), duration(63), duration(7300)
    ('0.4 s', '1 min 03 s', '2 h 01 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
