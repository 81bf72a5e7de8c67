"""The columns that exports have: their names, types and units, and how people read them.

Names, types and units are a contract, written down in ``docs/tables.md``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from coarsefine.search.words import percent, value

Type = Literal["text", "whole", "real", "truth"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an export.

    Attributes:
        name: What programs call it.
        type: ``text``, ``whole`` and ``real`` numbers, or ``truth``: true or false.
        unit: ``share`` is in [0, 1]; empty where there is none.
        meaning: In a few words; what an empty cell says, too.
        heading: What people read above it, with ``{epoch}`` for the one it was measured after.
            Columns with the same heading are one to them.
        shown: Its cell in a row as people read it, if not as it is.
    """

    name: str
    type: Type
    unit: str
    meaning: str
    heading: str = ""
    shown: Callable[[Row], str] | None = None

    def cell(self, row: Row) -> str:
        """Return what people read in a row."""
        if self.shown is not None:
            return self.shown(row)
        found = row[self.name]
        if found is None:
            return ""
        if self.type == "truth":
            return "yes" if found else "no"
        return f"{found:.4g}" if isinstance(found, float) else str(found)


def searched(name: str, values: Iterable[Any]) -> Column:
    """Return the column of a parameter that was searched, by the kind of its values."""
    from coarsefine.studies.spaces.dimensions import PARAMETERS

    kinds = {type(each) for each in values if each is not None}
    types: dict[frozenset[type], Type] = {
        frozenset({int}): "whole",
        frozenset({float}): "real",
        frozenset({int, float}): "real",
        frozenset({bool}): "truth",
    }
    return Column(
        name,
        types.get(frozenset(kinds), "text"),
        "",
        "what was searched",
        PARAMETERS[name].symbol if name in PARAMETERS else name,
        lambda row: "" if row[name] is None else value(row[name]),
    )


def _percent(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else percent(row[name])


def _loss(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else f"{row[name]:.4f}"


def _seconds(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else f"{row[name]:.2f}"


def _interval(row: Row) -> str:
    from coarsefine.search.tables import interval

    ends = row["interval_low"], row["interval_high"]
    return "" if None in ends else interval(ends)


_STUDY: Final = Column("study", "text", "", "the study's name")
_DATA: Final = Column("data", "text", "", "the name of its data set")
_SEED: Final = Column("seed", "whole", "", "the study's seed")
_STAGE: Final = Column("stage", "text", "", "the stage, as in `coarse`")
_TRIAL: Final = Column("trial", "whole", "", "Optuna's number of the trial in its stage, from 0")
_END: Final = ", as the study's `score` says: after the last epoch, or after the trial's best"
# Of a cross-entropy, or of half the mean squared error.
_LOSS: Final = "nats or squared error"

RANKING: Final = (
    _STUDY,
    _DATA,
    _SEED,
    Column("rank", "whole", "", "from 1; empty unless complete"),
    _STAGE,
    _TRIAL,
    Column("state", "text", "", "`complete`, `diverged`, `pruned`, `failed`, `running`, `planned`"),
    Column("score", "text", "", "which epoch all measures are of: the `final` one or the `best`"),
    Column("replicates", "whole", "runs", "training runs that the numbers are means of"),
    Column(
        "validation_accuracy",
        "real",
        "share",
        f"on the validation samples{_END}",
        "validation accuracy, {epoch} epoch (%)",
        _percent("validation_accuracy"),
    ),
    Column(
        "validation_loss",
        "real",
        _LOSS,
        "without the penalty",
        "validation loss, {epoch} epoch",
        _loss("validation_loss"),
    ),
    Column(
        "train_accuracy",
        "real",
        "share",
        "on training samples, as many as `show` tells",
        "training accuracy, {epoch} epoch (%)",
        _percent("train_accuracy"),
    ),
    Column(
        "seconds",
        "real",
        "s",
        "training time of all replicates: a trial's share of its cohort's",
        "training (s)",
        _seconds("seconds"),
    ),
    Column(
        "test_accuracy",
        "real",
        "share",
        "of the latest final test run; empty until then",
        "test accuracy (%)",
        _percent("test_accuracy"),
    ),
    Column(
        "standard_deviation",
        "real",
        "share",
        "of the accuracy over replicates; empty for one",
        "SD over seeds",
        _percent("standard_deviation"),
    ),
    Column(
        "difference",
        "real",
        "share",
        "to the best trial's accuracy, over the replicates that both have",
        "difference to the best (points)",
        _percent("difference"),
    ),
    Column(
        "margin",
        "real",
        "share",
        "how large that difference may be by chance",
        "may be chance (points)",
        _percent("margin"),
    ),
    Column(
        "interval_low",
        "real",
        "share",
        "lower end of the 95 % interval of the accuracy",
        "95 % interval",
        _interval,
    ),
    Column(
        "interval_high",
        "real",
        "share",
        "upper end of the 95 % interval of the accuracy",
        "95 % interval",
        _interval,
    ),
    Column(
        "tied",
        "truth",
        "",
        "whether it cannot be told from the best; of the best, whether others cannot be told from "
        "it; empty unless complete",
        "tied",
        lambda row: "=" if row["tied"] else "",
    ),
    Column(
        "reused",
        "truth",
        "",
        "whether all of its runs were trained before, for another trial",
        "reused",
        lambda row: "yes" if row["reused"] else "",
    ),
)

CURVES: Final = (
    _STUDY,
    _STAGE,
    _TRIAL,
    Column("replicate", "whole", "", "of the trial, from 0"),
    Column("epoch", "whole", "epochs", "epochs trained; 0 is before the first update"),
    Column("updates", "whole", "updates", "updates made so far"),
    Column("epoch_eta", "real", "", "η of the epoch's last update; at epoch 0, of the first", "η"),
    *(
        Column(
            f"{split}_{measure}",
            "real",
            "share" if measure == "accuracy" else _LOSS,
            f"{meaning} after the epoch, {also}",
            f"{word} {measure}{' (%)' if measure == 'accuracy' else ''}",
            (_percent if measure == "accuracy" else _loss)(f"{split}_{measure}"),
        )
        for split, word, meaning in (
            ("train", "training", "on training samples"),
            ("validation", "validation", "on the validation samples"),
        )
        for measure, also in (
            ("loss", "without the penalty"),
            ("cost", "with the penalty λ Σ W²"),
            ("accuracy", "re-evaluated"),
        )
    ),
    Column(
        "running_loss",
        "real",
        _LOSS,
        "mean over the epoch's batches, each before its update; empty without `--running`",
        "running loss",
        _loss("running_loss"),
    ),
    Column(
        "running_accuracy",
        "real",
        "share",
        "mean over the epoch's batches, each before its update; empty without `--running`",
        "running accuracy (%)",
        _percent("running_accuracy"),
    ),
    Column(
        "seconds",
        "real",
        "s",
        "training the epoch: the run's share of its cohort's",
        "training (s)",
    ),
    Column("evaluation_seconds", "real", "s", "measuring after the epoch", "measuring (s)"),
)

FINAL_TEST: Final = (
    _STUDY,
    _DATA,
    _SEED,
    Column("opening", "whole", "", "which opening of the test set for this study, from 1"),
    Column("opened_at", "text", "", "when, in UTC, as ISO 8601", "opened (UTC)"),
    Column("refit", "text", "", "what it was trained on: `train+validation`, or `none`: as it was"),
    Column("hand_picked", "truth", "", "whether trials were picked by hand", "picked by hand"),
    Column("rank", "whole", "", "in the ranking by validation accuracy, from 1"),
    _STAGE,
    _TRIAL,
    Column(
        "validation_accuracy",
        "real",
        "share",
        "of the search, by which it was ranked",
        "validation accuracy (%)",
        _percent("validation_accuracy"),
    ),
    Column(
        "final_validation_accuracy",
        "real",
        "share",
        "after the final training, on what that kept for validation; empty where it kept nothing",
        "validation accuracy, final training (%)",
        _percent("final_validation_accuracy"),
    ),
    Column(
        "test_accuracy",
        "real",
        "share",
        "on the test samples; empty where training diverged",
        "test accuracy (%)",
        _percent("test_accuracy"),
    ),
    Column(
        "interval_low",
        "real",
        "share",
        "lower end of the 95 % interval of the test accuracy",
        "95 % interval",
        _interval,
    ),
    Column(
        "interval_high",
        "real",
        "share",
        "upper end of the 95 % interval of the test accuracy",
        "95 % interval",
        _interval,
    ),
    Column("test_loss", "real", _LOSS, "on the test samples", "test loss", _loss("test_loss")),
    Column("test_samples", "whole", "samples", "that the test set has", "test samples"),
    Column("trained_epochs", "whole", "epochs", "that the tested weights were trained"),
    Column("seconds", "real", "s", "that they were trained", "training (s)", _seconds("seconds")),
)
