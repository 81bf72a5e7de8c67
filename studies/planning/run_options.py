"""How the points of a stage are trained: with how many seeds, on which splits, alone or not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from coarsefine.hints import option
from coarsefine.studies.errors import SpaceError
from coarsefine.studies.recipes.recipe import DataRecipe

if TYPE_CHECKING:
    from coarsefine.models.data.spec import DataSpec

# Each split is another copy of the samples in the cache.
_MOST_SPLITS: Final = 200


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How points are trained, whatever they are.

    Attributes:
        replicates: Seeds that each is trained with; of folds, on each of them.
        draws: Whether replicates train on other draws of the training samples.
        alone: Whether each is trained by itself, nothing beside it, to be timed.
        equal_updates: Whether all make as many updates as the recipe itself.
        folds: On how many splits of the samples in folds each is trained; 0 for no folds.
        redraw: Whether replicates have other random splits; of folds, whether each seed has folds
            that are dealt anew.
    """

    replicates: int = 1
    draws: bool = False
    alone: bool = False
    equal_updates: bool = False
    folds: int = 0
    redraw: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "RunOptions":
        """Return what is stored in the options of a stage."""
        return cls(
            replicates=int(options.get("replicates", 1)),
            draws=bool(options.get("draws", False)),
            alone=bool(options.get("alone", False)),
            equal_updates=options.get("equal") == "updates",
            folds=int(options.get("folds", 0)),
            redraw=bool(options.get("redraw", False)),
        )

    @property
    def split_varies(self) -> bool:
        """Return whether replicates validate with other samples."""
        return self.folds > 0 or self.redraw

    @property
    def unit(self) -> str:
        """Return what a number of replicates counts, in words."""
        return "seeds a fold" if self.folds else "splits" if self.redraw else "seeds"

    def on_splits(self, data: DataRecipe, most: int) -> "RunOptions":
        """Return the same on the splits that a recipe's data ask for.

        Args:
            data: The recipe's.
            most: Replicates that points may come to have.

        Raises:
            SpaceError: If each replicate is to have a split of its own, and there is one, or more
                than anybody needs.
        """
        n_folds = data.folds or 1
        if data.redraw and most < 2 and not data.folds:
            raise SpaceError(
                option("data.redraw"),
                " draws a split for each replicate: add ",
                option("replicates", 10),
            )
        if data.redraw and most * n_folds > _MOST_SPLITS:
            draws = f"deals {n_folds} folds" if data.folds else "draws a split"
            raise SpaceError(
                option("replicates"),
                f" must be at most {_MOST_SPLITS // n_folds} where each {draws}, got {most:,}",
            )
        return replace(self, folds=data.folds or 0, redraw=bool(data.redraw))

    def n_runs(self, replicates: int | None = None) -> int:
        """Return how many runs a trial has for so many seeds, or for those that it has."""
        return (self.replicates if replicates is None else replicates) * max(1, self.folds)

    def data_of(self, spec: "DataSpec", replicate: int) -> "DataSpec":
        """Return which samples a replicate has: another fold, another split, or another draw."""
        seed, fold = divmod(replicate, max(1, self.folds))
        split = spec.split
        if split.method == "folds" and self.folds:
            split = replace(split, fold=fold)
        if self.redraw:
            split = replace(split, redraw=seed)
        elif self.draws:
            split = replace(split, draw=seed)
        return replace(spec, split=split)


AS_USUAL: Final = RunOptions()
