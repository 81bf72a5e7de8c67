"""The options of the final test."""

from dataclasses import dataclass
from typing import Annotated, Any

from coarsefine.search.options.declaring import FINAL, text_option, whole_option


@dataclass(frozen=True, slots=True)
class FinalOptions:
    """How the best trials are trained before the test set is opened."""

    top: Annotated[
        int | None,
        whole_option(FINAL, "--top", "Best trials of the ranking that are tested (default: 3)."),
    ] = None
    refit: Annotated[
        str | None,
        text_option(
            FINAL,
            "--refit",
            "PARTS",
            "train+validation trains them once more on both parts, none takes the weights they "
            "have (default: train+validation).",
        ),
    ] = None
    final_validation: Annotated[
        str | None,
        text_option(
            FINAL,
            "--final-validation",
            "SIZE",
            "What both parts keep for validation: a number of samples, or a fraction below 1 "
            "(default: 0.02).",
        ),
    ] = None
    final_epochs: Annotated[
        int | None,
        whole_option(
            FINAL,
            "--final-epochs",
            "Length of the final training, in epochs (default: as in the search).",
        ),
    ] = None
    final_cycles: Annotated[
        int | None,
        whole_option(
            FINAL,
            "--final-cycles",
            "Length of the final training, in cycles of η (default: as in the search).",
        ),
    ] = None

    def flags(self) -> dict[str, Any]:
        """Return what is stated of the recipe's final section."""
        from coarsefine.studies.recipes.layers import parse_size

        validation = self.final_validation
        return {
            "final.top": self.top,
            "final.refit": self.refit,
            "final.validation": None if validation is None else parse_size(validation),
            "final.epochs": self.final_epochs,
            "final.cycles": self.final_cycles,
        }
