"""What comes of a cross-check: the weights and curves of two sides, and a verdict."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """The weights of both sides after some updates.

    Attributes:
        update: Updates made.
        eta: η of the last of them; ``None`` before the first.
        difference: The largest of all parameters, absolute; NaN where one side is not finite.
        parameter: Which tensor it is in: ``W1``, ``b1``, …
        size: The largest of our parameters, absolute.
        allowed: What rounding may make of it.
        agrees: ``None`` where rounding alone could have changed the weights altogether.
    """

    update: int
    eta: float | None
    difference: float
    parameter: str
    size: float
    allowed: float
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Measures:
    """What one side's network makes of all training and all validation samples.

    Attributes:
        train_loss: Mean, without the penalty; the costs have it.
        train_accuracy: In [0, 1].
    """

    train_loss: float
    train_cost: float
    train_accuracy: float
    validation_loss: float
    validation_cost: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """Both sides at the end of an epoch.

    Attributes:
        epoch: 0 is before the first update.
        weights: Their parameters compared.
        differing: Measures that differ by more than they may.
    """

    epoch: int
    weights: Comparison
    ours: Measures
    theirs: Measures
    differing: tuple[str, ...]

    @property
    def agrees(self) -> bool | None:
        """Return whether weights and measures agree; ``None`` where that cannot be told."""
        return False if self.differing else self.weights.agrees


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What came of a cross-check.

    Attributes:
        against: ``torch`` or ``sklearn``.
        version: Name and version of the framework.
        precision: What both sides computed in.
        network: Its widths and activation, in words.
        steps: The first updates, one by one.
        epochs: From 0, with the curves of both sides.
        notes: How our conventions were said in the framework's words; what was left out.
    """

    against: str
    version: str
    precision: str
    network: str
    steps: tuple[Comparison, ...]
    epochs: tuple[Epoch, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Return whether nothing that can be judged differs."""
        return self.differs_at is None

    @property
    def differs_at(self) -> int | None:
        """Return after how many updates the sides first differ, ``None`` if they never do."""
        steps = [step.update for step in self.steps if step.agrees is False]
        epochs = [epoch.weights.update for epoch in self.epochs if epoch.agrees is False]
        return min([*steps, *epochs], default=None)

    @property
    def judged(self) -> int:
        """Return up to which update the sides could be compared."""
        steps = [step.update for step in self.steps if step.agrees is not None]
        epochs = [epoch.weights.update for epoch in self.epochs if epoch.agrees is not None]
        return max([*steps, *epochs], default=0)

    @property
    def verdict(self) -> str:
        """Return what came of it, in a line."""
        last = self.epochs[-1].weights
        if self.differs_at is None:
            judged = [c for c in self._compared() if c.agrees is not None and c.size > 0]
            largest = max((c.difference / c.size for c in judged), default=0.0)
            line = (
                f"agrees with {self.version}: in {self.judged:,} updates no parameter differs by "
                f"more than {largest:.1e} of the largest one ({self.precision})"
            )
            if last.agrees is None:
                line += (
                    "; after that rounding alone can change the weights by more than a tenth, and "
                    f"{last.update - self.judged:,} updates cannot be judged"
                )
            elif math.isnan(last.difference):
                line += "; both diverge"
            return line
        epoch = next((e for e in self.epochs if e.weights.update == self.differs_at), None)
        if epoch is not None and epoch.weights.agrees is not False and epoch.differing:
            what = " and ".join(name.replace("_", " ") for name in epoch.differing)
            return (
                f"differs from {self.version} at update {self.differs_at:,} (end of epoch "
                f"{epoch.epoch}): the weights agree, {what} not"
            )
        first = next(c for c in self._compared() if c.update == self.differs_at)
        where = "" if epoch is None else f" (end of epoch {epoch.epoch})"
        return (
            f"differs from {self.version} at update {self.differs_at:,}{where}: {first.parameter} "
            f"by {first.difference:.1e}, rounding allows {first.allowed:.1e}"
        )

    def _compared(self) -> list[Comparison]:
        both = [*self.steps, *(epoch.weights for epoch in self.epochs)]
        return sorted(both, key=lambda comparison: comparison.update)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values; what is not finite is ``None``."""
        return {
            "against": self.against,
            "version": self.version,
            "precision": self.precision,
            "network": self.network,
            "agrees": self.agrees,
            "verdict": self.verdict,
            "differs_at": self.differs_at,
            "judged_updates": self.judged,
            "notes": list(self.notes),
            "steps": [_json(asdict(step)) for step in self.steps],
            "epochs": [
                {
                    "epoch": epoch.epoch,
                    **_json(asdict(epoch.weights)),
                    "agrees": epoch.agrees,
                    "differing": list(epoch.differing),
                    "ours": _json(asdict(epoch.ours)),
                    "theirs": _json(asdict(epoch.theirs)),
                }
                for epoch in self.epochs
            ],
        }


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
