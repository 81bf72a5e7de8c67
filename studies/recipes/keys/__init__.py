"""The keys of a recipe: each declared once, with its type, its default and what is known of it.

Options, keywords, completion, searchable parameters, checks and the page on recipes are made from
this list. To add a key, declare it in its section here (and in ``Settings``, which type checkers
read). ``key`` has what a key can tell, ``kinds`` what it can take.
"""

from typing import Annotated, Any, Final

from coarsefine.studies.recipes.keys.data import DataKeys
from coarsefine.studies.recipes.keys.final import FinalKeys
from coarsefine.studies.recipes.keys.key import Key, Needs, keys_of
from coarsefine.studies.recipes.keys.kinds import Params, Trainer, Whole
from coarsefine.studies.recipes.keys.network import NetworkKeys
from coarsefine.studies.recipes.keys.training import TrainingKeys

__all__ = [
    "KEYS",
    "DataKeys",
    "FinalKeys",
    "Key",
    "Needs",
    "NetworkKeys",
    "RecipeKeys",
    "TrainingKeys",
]


class RecipeKeys:
    """All that decides a training run but what is searched.

    Attributes:
        seed: The split, the initial weights and the order of the batches follow from it.
        trainer: A custom trainer that trains in place of ours, ``package.module:function``.
        params: What it is given beside the recipe's own values.
    """

    seed: Annotated[
        int,
        Key(
            kind=Whole(least=0, most=2**63 - 1),
            not_searched="replicates train with several seeds",
            help="Decides the split, the first weights and the order of batches, >= 0 "
            "(default: 0).",
        ),
    ] = 0
    trainer: Annotated[
        str | None,
        Key(
            kind=Trainer(),
            stored_if_used=True,
            not_searched="another trainer is another study",
            not_an_option="importing a trainer runs its code: a recipe file has to name it",
            help="A custom trainer, package.module:function (default: the program's own).",
        ),
    ] = None
    data: DataKeys
    network: NetworkKeys
    training: TrainingKeys
    final: FinalKeys
    params: Annotated[
        dict[str, Any],
        Key(
            kind=Params(),
            stored_if_used=True,
            not_searched="each of them is searched by its own name, as in params.width",
            not_an_option="they are for a custom trainer, which a recipe file has to name",
            help="What a custom trainer is given: names with numbers, texts or lists of them.",
        ),
    ] = {}  # noqa: RUF012  # pydantic copies it


KEYS: Final[dict[str, Key]] = keys_of(RecipeKeys)
"""Every key by its section and name, in the order of a recipe."""
