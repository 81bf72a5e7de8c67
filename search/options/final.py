"""The options of the final test."""

from coarsefine.search.options.keys import KeyOptions, with_keys


@with_keys("final")
class FinalOptions(KeyOptions):
    """How the best trials are trained before the test set is opened."""
