"""What a search is: which parameter it varies, and where it starts looking."""

from dataclasses import dataclass

from studies.spaces import LogRange


@dataclass(frozen=True, slots=True)
class SearchKind:
    """A question that can be asked of any recipe.

    Attributes:
        name: Its command, and the last part of its studies' names.
        parameter: What users call the parameter: in flags, recipes and tables.
        symbol: Its letter, for people.
        coarse: Where the coarse search looks unless told otherwise.
        n_coarse: How many trials it makes unless told otherwise.
        n_fine: The same of the fine search.
    """

    name: str
    parameter: str
    symbol: str
    coarse: LogRange
    n_coarse: int
    n_fine: int
