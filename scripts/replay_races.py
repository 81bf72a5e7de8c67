r"""Count what races over seeds would have needed of runs that are stored, and where they would err.

``python -m scripts.replay_races STORAGE STUDY …`` reads studies with 20 seeds whose runs kept what
they predicted, such as

    python -m search lambda --coarse --data mnist --train 5000 --validation 55000 --trials 8 \
        --replicates 20 --epochs 5 --study mnist

Of the validation samples 5,000, drawn anew for each of 30 races, are what the race sees, with the
seeds in another order; the other samples, over all seeds, say what each value is worth. A row for
each δ: how often the truly best value left, how often the value that was named is worse by more
than δ though the race says otherwise, the share of all runs that was needed, by how many points
the named value is worse, and by how many the first of all runs is, and how races ended.
"""

import sys
from collections import Counter

import numpy as np

from coarsefine.studies.results.evidence.looks import Looks
from coarsefine.studies.results.evidence.racing import Rules
from scripts.agree_on_seeds import N_DRAWS, N_RANKED, right
from scripts.simulate_races import raced

DELTAS = (0.001, 0.0025, 0.005, 0.01)


def main() -> None:
    """Print a row for each study and δ."""
    storage, *names = sys.argv[1:]
    say = sys.stdout.write
    say("| study | δ | best left | wrong | runs | worse by | all runs: worse by | ends |\n")
    for name in names:
        scores = right(storage, name)
        n_trials, n_seeds, n_samples = scores.shape
        for delta in DELTAS:
            rules = Rules(Looks(3, n_seeds), delta)
            rng = np.random.default_rng(0)
            left = wrong = runs = 0
            lost, lost_by_all, ends = [], [], Counter[str]()
            for _ in range(N_DRAWS):
                order, seeds = rng.permutation(n_samples), rng.permutation(n_seeds)
                truth = scores[:, :, order[N_RANKED:]].mean(axis=(1, 2), dtype=np.float64)
                seen = scores[:, seeds][:, :, order[:N_RANKED]]
                look, needed, racing = raced(seen, rules)
                first = int(seen.mean(axis=(1, 2), dtype=np.float64).argmax())
                left += not racing[truth.argmax()]
                lost.append(100 * float(truth.max() - truth[look.best]))
                lost_by_all.append(100 * float(truth.max() - truth[first]))
                wrong += look.end in {"best", "close"} and lost[-1] > 100 * delta
                runs += needed
                ends[str(look.end)] += 1
            ended = ", ".join(f"{end} {n}" for end, n in ends.most_common())
            say(
                f"| {name} | {100 * delta:g} | {left} of {N_DRAWS} | {wrong} of {N_DRAWS} |"
                f" {100 * runs / (N_DRAWS * n_trials * n_seeds):.0f} % | {np.mean(lost):.2f} |"
                f" {np.mean(lost_by_all):.2f} | {ended} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
