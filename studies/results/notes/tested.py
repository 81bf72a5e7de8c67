"""What the intervals, marks and ensembles of a final test claim."""

from typing import TYPE_CHECKING

from coarsefine.hints import option
from coarsefine.studies.results.notes.note import Note, counted, points
from coarsefine.studies.results.notes.test_set import is_hand_picked

if TYPE_CHECKING:
    from coarsefine.db.records import TestOpeningRecord
    from coarsefine.studies.results.final.evidence import OpeningEvidence


def test_legend(
    opening: "TestOpeningRecord", evidence: "OpeningEvidence", n_openings: int
) -> tuple[Note, ...]:
    """Return what the figures of an opening of the test set claim, a note each."""
    notes = [_intervals(opening, evidence, n_openings)]
    if evidence.margin is not None:
        notes.append(_ties(opening, evidence))
        notes.append(_optimism(opening, evidence))
    biases = [run.selection_bias for run in opening.runs if run.selection_bias is not None]
    if biases:
        line = (
            "validation corrected: less the selection bias that a value of this place among the "
            f"tied ones has on average ({', '.join(map(points, biases))} points)"
        )
        notes.append(Note("selection-bias", line))
    return tuple(notes)


def _intervals(opening: "TestOpeningRecord", evidence: "OpeningEvidence", n_openings: int) -> Note:
    times = f"opened {counted(n_openings, 'time')} for this study"
    samples = counted(opening.n_test, "test sample")
    if evidence.n_seeds == 1:
        return Note("interval-over-samples", f"95 % intervals: of {samples}; {times}")
    line = (
        f"means over {evidence.n_seeds} seeds ± standard error; 95 % interval: for new seeds and "
        f"new samples; new seeds: on these {samples}; new samples: for these networks; {times}"
    )
    return Note("interval-over-seeds", line)


def _ties(opening: "TestOpeningRecord", evidence: "OpeningEvidence") -> Note:
    samples = counted(opening.n_test, "test sample")
    compared = counted(len(evidence.trials), "trial")
    below = (
        "= tied with the best on the test set: a difference below about "
        f"{points(min(1.0, evidence.margin or 0.0))} points may be due to chance"
    )
    if not evidence.n_tied:
        below = (
            "no trial is tied with the best on the test set: differences above about "
            f"{points(min(1.0, evidence.margin or 0.0))} points are not due to chance"
        )
    if evidence.n_seeds > 1:
        claim = f"for new seeds and new samples, with {evidence.n_seeds} seeds and {samples}"
        return Note("tied", f"{below} (95 % confidence, {compared} compared; {claim})")
    claim = f"these trained networks on new samples, with {samples}"
    line = f"{below} (95 % confidence, {compared} compared; {claim}); "
    return Note(
        "tied", line, "use ", option("replicates", 3), " to measure the variation between seeds"
    )


def _optimism(opening: "TestOpeningRecord", evidence: "OpeningEvidence") -> Note:
    """Return by how much the best by test accuracy is overestimated, if anyone chooses by it."""
    chosen = "" if is_hand_picked(opening) else f"rank {opening.runs[0].rank} was chosen before, "
    chosen += "by validation accuracy, so its test accuracy is not biased" if chosen else ""
    if evidence.best == opening.runs[0].rank and chosen:
        return Note("test-bias", f"{chosen}; it has the highest test accuracy, too")
    line = (
        f"selection bias: who chooses rank {evidence.best} because it has the highest of "
        f"{len(evidence.trials)} test accuracies overestimates it by about "
        f"{points(evidence.optimism)} points on average (test corrected)"
    )
    return Note("test-bias", f"{line}; {chosen}" if chosen else line)


def ensemble_legend(evidence: "OpeningEvidence") -> tuple[Note, ...]:
    """Return what the figures of ensembles claim; nothing where there are none."""
    if not evidence.ensembles or evidence.alone is None:
        return ()
    record = evidence.ensembles[0].record
    single = evidence.of_rank(evidence.alone[0])
    alone = f"rank {evidence.alone[0]} alone"
    if single.n_seeds > 1:
        alone += f" (mean of its {single.n_seeds} seeds)"
    line = (
        f"ensembles of {counted(record.n_networks, 'network')} of "
        f"{counted(len(record.members), 'trial')}; difference to {alone}, paired by sample: for "
        "these networks on new samples; p after Holm for "
        f"{counted(len(evidence.ensembles), 'ensemble')}"
    )
    notes = [Note("ensembles", line)]
    if len(evidence.ensembles) == 1:
        line = "the trainer, or the loss, has no probabilities, so there is a vote alone"
        notes.append(Note("vote-alone", line))
    return tuple(notes)
