"""What one more trial in a cohort of eight costs on W2, in lone trials."""

import time
from functools import partial
from statistics import median

import numpy as np

from benchmarks.common import Options, Spread, Table, interleaved, log, main, percent, verdict
from benchmarks.direct import cohort_plan, train_once, update_seconds
from benchmarks.work import Work, w2

WIDTHS = tuple(range(1, 9))
TARGET = 0.35


def run(options: Options) -> list[Table]:
    """Return the table."""
    work = w2(options, n_epochs=1)
    log("cohort_cost: warming up")
    steps = {str(width): partial(_measured, work, width) for width in WIDTHS}
    interleaved(steps, 1)
    measured = interleaved(steps, options.rounds or 7)
    table = Table(
        "Cost of one more trial in a cohort of 8 (W2, one core, an epoch)",
        ("trials", "updates, ms", "with evaluation, ms", "a trial, of a lone one"),
        notes=[f"data: {work.about_data}"],
    )
    updates = {width: [pair[0] for pair in measured[str(width)]] for width in WIDTHS}
    totals = {width: [pair[1] for pair in measured[str(width)]] for width in WIDTHS}
    lone = median(totals[1])
    for width in WIDTHS:
        table.rows.append(
            (
                str(width),
                str(Spread(tuple(t * 1e3 for t in updates[width]))),
                str(Spread(tuple(t * 1e3 for t in totals[width]))),
                percent(median(totals[width]) / width / lone),
            )
        )
    for what, times in (("updates", updates), ("with evaluation", totals)):
        # A slope for each round, so that what slowed one round does not tilt it.
        slopes = [
            float(np.polyfit(WIDTHS, [times[w][i] for w in WIDTHS], 1)[0]) / times[1][i]
            for i in range(len(times[1]))
        ]
        cost = Spread(tuple(slopes))
        table.notes.append(
            f"one more trial, {what}: {percent(cost.median)} of a lone one "
            f"({percent(min(slopes))}–{percent(max(slopes))}; slope over 1 … 8; "
            f"target ≤ {percent(TARGET)}: {verdict(cost.median, at_most=TARGET)})"
        )
    return [table]


def _measured(work: Work, n_trials: int) -> tuple[float, float]:
    plan = cohort_plan(work, n_trials)
    started = time.perf_counter()
    rows = train_once(plan, work)
    return update_seconds(rows), time.perf_counter() - started


if __name__ == "__main__":
    main(run, __doc__)
