"""The array type of networks, and matrix products that neither copy nor allocate."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from coarsefine.models.blas import dgemm, sgemm
from coarsefine.models.specs import Hyperparameters

# float32 in training, float64 in gradient checks.
Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]


def column(trials: Sequence[Hyperparameters], name: str) -> npt.NDArray[np.float64]:
    """Return a hyperparameter of each trial, (T,)."""
    return np.array([getattr(trial, name) for trial in trials], dtype=np.float64)


def gemm_call(
    a: Array, b: Array, out: Array, alpha: float = 1.0, beta: float = 0.0
) -> Callable[[], object]:
    """Return a call that sets ``out = alpha a b + beta out``, to be made many times.

    NumPy's ``matmul`` cannot add to its output. BLAS can, so a weight update needs no array
    for the gradient and no second pass over the weights. Views and flags are worked out once:
    in a training with batch size 1 they would take as long as the product.

    Args:
        a: (M, K), rows contiguous, or the transpose of such an array.
        b: (K, N), rows contiguous, or the transpose of such an array.
        out: (M, N), rows contiguous; overwritten.
        alpha: Factor of the product.
        beta: Factor of what ``out`` held; 0 overwrites it, whatever it was.
    """
    # BLAS counts by columns: what it sees is out.T = b.T a.T, and a transposed view is free.
    product = sgemm if out.dtype == np.float32 else dgemm
    left, transpose_left = (b.T, 0) if b.flags.c_contiguous else (b, 1)
    right, transpose_right = (a.T, 0) if a.flags.c_contiguous else (a, 1)
    return partial(
        product,
        alpha,
        left,
        right,
        beta=beta,
        c=out.T,
        trans_a=transpose_left,
        trans_b=transpose_right,
        overwrite_c=1,
    )


def gemm(a: Array, b: Array, out: Array, alpha: float = 1.0, beta: float = 0.0) -> None:
    """Set ``out = alpha a b + beta out``; arguments as for ``gemm_call``."""
    gemm_call(a, b, out, alpha, beta)()
