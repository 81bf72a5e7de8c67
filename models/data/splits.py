"""Which samples are trained on, which validate and which are set aside for the test."""

import heapq

import numpy as np
from numpy.typing import NDArray

from coarsefine.models.data.spec import SplitSpec
from coarsefine.models.errors import DataError

Indices = NDArray[np.int64]

# Keeps this stream of random numbers apart from those of other uses of the same seed.
_DOMAIN = 0x73706C69
# The test set of data without one: 20 %, chosen by nothing that a user can choose.
_TEST_FRACTION = 0.2
_TEST_SEED = 0x7365616C


def split_indices(
    spec: SplitSpec,
    y: NDArray[np.int64],
    canonical: tuple[int, int] | None = None,
    name: str = "the data set",
) -> tuple[Indices, Indices]:
    """Return the indices of the training and of the validation samples, in training order.

    Args:
        spec: The split asked for.
        y: Labels of all samples outside the test set.
        canonical: Sizes of the data set's own parts, if it has them.
        name: The data set, for messages.

    Raises:
        DataError: If there are not enough samples, or no canonical split.
    """
    if spec.method == "canonical":
        return _canonical_split(spec, canonical, name)
    n = len(y)
    if spec.method == "folds":
        # Sizes of folds differ by one sample at the most; the first ones are the larger.
        n_validation = n // spec.folds + (spec.fold < n % spec.folds)
        if spec.folds > n:
            raise DataError(
                f"{name} has {n:,} samples outside its test set, got {spec.folds:,} folds; ask "
                f"for {n:,} or fewer"
            )
    else:
        n_validation = n_samples(spec.validation, n)
    n_train = n - n_validation if spec.train is None else n_samples(spec.train, n)
    fractions = isinstance(spec.train, float) and isinstance(spec.validation, float)
    if fractions and (spec.train or 0) + spec.validation <= 1 + 1e-9:
        # Two fractions that make a whole may round to one sample too many.
        n_train = min(n_train, n - n_validation)
    if n_train < 1 or n_train + n_validation > n:
        raise DataError(
            f"{name} has {n:,} samples outside its test set, got a split of {max(n_train, 1):,} "
            f"training + {n_validation:,} validation samples; ask for {n:,} or fewer in all"
        )
    if spec.method == "ordered":
        order = np.arange(n, dtype=np.int64)
        validation = order[n_train : n_train + n_validation]
        rest = np.concatenate([order[:n_train], order[n_train + n_validation :]])
        return _drawn(spec, rest)[:n_train], validation
    order = shuffled(n, spec.seed, redraw=spec.redraw)
    if spec.method == "folds":
        order = _fold_first(spec, y, order)
    elif spec.stratified:
        order = order[balanced_order(y[order])]
    validation, rest = order[:n_validation], _drawn(spec, order[n_validation:])
    if spec.stratified:
        # Balanced again by itself: the middle of a balanced order is so less closely.
        rest = rest[balanced_order(y[rest])]
    return rest[:n_train], validation


def _fold_first(spec: SplitSpec, y: NDArray[np.int64], order: Indices) -> Indices:
    """Return the order with the samples of the validating fold before all others.

    Samples are dealt out one by one, class by class where folds are stratified: then each fold has
    of each class as many as any other, to within one sample.
    """
    dealt = order[np.argsort(y[order], kind="stable")] if spec.stratified else order
    held = np.zeros(len(y), np.bool_)
    held[dealt[spec.fold :: spec.folds]] = True
    held = held[order]
    validation, rest = order[held], order[~held]
    if spec.stratified:
        validation = validation[balanced_order(y[validation])]
    return np.concatenate([validation, rest])


def _canonical_split(
    spec: SplitSpec, canonical: tuple[int, int] | None, name: str
) -> tuple[Indices, Indices]:
    if canonical is None:
        raise DataError(f"{name} defines no validation split itself; split it random or ordered")
    available, n_validation = canonical
    n_train = available if spec.train is None else n_samples(spec.train, available)
    if n_train > available:
        raise DataError(
            f"the canonical training split of {name} has {available:,} samples, got {n_train:,}; "
            f"ask for {available:,} or fewer"
        )
    order = np.arange(available + n_validation, dtype=np.int64)
    return _drawn(spec, order[:available])[:n_train], order[available:]


def _drawn(spec: SplitSpec, candidates: Indices) -> Indices:
    """Return the samples that may be trained on in the order of the draw; 0 leaves them be."""
    if spec.draw == 0:
        return candidates
    return candidates[shuffled(len(candidates), spec.seed, spec.draw)]


def refit_indices(
    train: Indices, validation: Indices, kept: int | float
) -> tuple[Indices, Indices]:
    """Return the two splits joined for training, less a small validation part.

    The part kept is the first of the validation split (which is class-balanced if the split was
    stratified), continued by the training split where it is larger.

    Args:
        train: Indices of the training split.
        validation: Indices of the validation split.
        kept: Number of samples, or fraction in (0, 1) of both splits, that stay for validation.

    Raises:
        DataError: If nothing would be left to train on.
    """
    pool = np.concatenate([validation, train])
    n_kept = n_samples(kept, len(pool))
    if n_kept >= len(pool):
        raise DataError(
            f"training and validation split have {len(pool):,} samples, got {n_kept:,} to keep "
            f"for validation; keep fewer than {len(pool):,}"
        )
    return pool[n_kept:], pool[:n_kept]


def set_aside_test(y: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Return the indices outside and inside the test set of data that has none of its own.

    A fifth, stratified; both in the order of the file. Nothing a user can choose changes it, so
    that no other seed brings a sample of the test set into a search.
    """
    n_test = max(1, round(_TEST_FRACTION * len(y)))
    order = shuffled(len(y), _TEST_SEED)
    order = order[balanced_order(y[order])]
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def n_samples(amount: int | float, n: int) -> int:
    """Return a count as it is, and a fraction as a count out of ``n``, at least 1."""
    return amount if isinstance(amount, int) else max(1, round(amount * n))


def shuffled(n: int, seed: int, draw: int = 0, redraw: int = 0) -> Indices:
    """Return a random order of 0 … n-1, another one for each seed, draw and redraw.

    Made from raw generator output, which NumPy promises to keep between versions, unlike
    ``Generator.permutation``: a split must outlive an upgrade.
    """
    later = (draw, redraw) if redraw else (draw,) if draw else ()
    stream = (_DOMAIN, *later)
    generator = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream))
    return np.argsort(generator.random_raw(n), kind="stable").astype(np.int64)


def balanced_order(y: NDArray[np.int64]) -> Indices:
    """Return an order whose every prefix has the classes in the proportions of all of ``y``.

    In a prefix of m samples, class c has fewer than one sample more or less than m N_c / N.
    Within a class the order of ``y`` stays.

    This is Tijdeman's chairman assignment: with K classes and δ = 1 / (2K - 2), sample j of a
    class (from 0) is placed no sooner than (j + δ) N / N_c and before (j + 1 - δ) N / N_c, and
    serving the earliest deadline first always meets all deadlines.
    """
    n = len(y)
    counts = np.bincount(y)
    n_classes = np.count_nonzero(counts)
    if n_classes < 2:
        return np.arange(n, dtype=np.int64)
    by_class = np.argsort(y, kind="stable")
    label = y[by_class]
    # Rank of a sample among those of its class.
    j = np.arange(n) - (np.cumsum(counts) - counts)[label]
    unit = 2 * (n_classes - 1)
    # In integers: a deadline missed by a rounding error would break the promise.
    release = -(-(j * unit + 1) * n // (unit * counts[label]))
    deadline = ((j + 1) * unit - 1) * n // (unit * counts[label])
    jobs = np.argsort(release, kind="stable")
    waiting: list[tuple[int, int]] = []
    result = np.empty(n, dtype=np.int64)
    releases, deadlines, sample = release[jobs].tolist(), deadline[jobs].tolist(), by_class[jobs]
    samples = sample.tolist()
    next_job = 0
    for place in range(n):
        while next_job < n and releases[next_job] <= place + 1:
            heapq.heappush(waiting, (deadlines[next_job], samples[next_job]))
            next_job += 1
        result[place] = heapq.heappop(waiting)[1]
    return result
