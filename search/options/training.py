"""The options that say how it is trained."""

from typing import Annotated

from coarsefine.search.options.keys import KeyOptions, key_option, with_keys

Loss = Annotated[str | None, key_option("training.loss")]


@with_keys("training")
class TrainingOptions(KeyOptions):
    """How it is trained."""
