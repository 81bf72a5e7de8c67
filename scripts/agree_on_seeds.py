r"""Count how often rankings of few seeds agree with all seeds and with a large held-out sample.

``python -m scripts.agree_on_seeds STORAGE STUDY …`` reads studies with several seeds whose runs
kept what they predicted, such as

    python -m search lambda --coarse --data mnist --train 5000 --validation 55000 --trials 8 \
        --replicates 10 --epochs 5 --study mnist

Of the validation samples 5,000, drawn once, are what trials are ranked by; the others, over all
seeds, say which value is the best. Of 1, 3 and 5 seeds, 30 draws are ranked.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.studies.results.evidence.ties import judge
from coarsefine.studies.results.predictions import outcomes_of
from coarsefine.studies.results.reading import named_study
from coarsefine.studies.results.scoring.scorer import Scorer

N_RANKED, N_DRAWS = 5_000, 30


def right(storage: str, name: str) -> NDArray[np.float32]:
    """Return whether each trial was right, by seed and validation sample, (T, R, N)."""
    with open_database(storage, read_only=True) as database:
        study = named_study(database, name)
        rows = [row for row in repository.trial_rows(database, study) if row.state == "complete"]
        payloads = outcomes_of(database, [row.id for row in rows])
        scorer, n_samples = Scorer.of("accuracy", study), int(study.data["n_validation"])
    scored = [[scorer.scored(each[r], n_samples) for r in sorted(each)] for each in payloads]
    return np.array([[run.scores for run in runs if run] for runs in scored], np.float32)


def main() -> None:
    """Print a row for each study and number of seeds."""
    storage, *names = sys.argv[1:]
    say = sys.stdout.write
    say(
        "| study | seeds | margin | tied | first as with all seeds | held-out best tied |"
        " worse by |\n"
    )
    for name in names:
        scores = right(storage, name)
        n_trials, n_seeds, n_samples = scores.shape
        rng = np.random.default_rng(0)
        order = rng.permutation(n_samples)
        ranked, held_out = scores[:, :, order[:N_RANKED]], scores[:, :, order[N_RANKED:]]
        truth = held_out.mean(axis=(1, 2), dtype=np.float64)
        first_of_all = int(ranked.mean(axis=(1, 2), dtype=np.float64).argmax())
        for n in (1, 3, 5, n_seeds):
            n_draws = N_DRAWS if n < n_seeds else 1
            margins, n_tied, same, kept, lost = [], [], 0, 0, []
            for _ in range(n_draws):
                chosen = rng.choice(n_seeds, n, replace=False)
                found = judge(ranked[:, chosen])
                tied = found.tied
                others = tied & (np.arange(n_trials) != found.best)
                margins.append(float(np.median(found.margin[others if others.any() else ~tied])))
                n_tied.append(int(tied.sum()))
                same += found.best == first_of_all
                kept += bool(tied[truth.argmax()])
                lost.append(float(truth.max() - truth[found.best]))
            say(
                f"| {name} | {n} | {100 * np.mean(margins):.2f} | {np.mean(n_tied):.1f} of"
                f" {n_trials} | {same} of {n_draws} | {kept} of {n_draws} |"
                f" {100 * np.mean(lost):.2f} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
