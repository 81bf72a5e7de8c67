"""Where matrix products come from."""

import subprocess
import sys

from scipy.linalg import blas as public

from coarsefine.models import blas


def test_products_are_scipys() -> None:
    assert (blas.sgemm, blas.dgemm) == (public.sgemm, public.dgemm)


def test_products_are_scipys_without_the_rest_of_its_linear_algebra() -> None:
    code = (
        "import sys\n"
        "from coarsefine.models import arrays, blas\n"
        "print([name for name in sys.modules if name.startswith('scipy.linalg')])\n"
        "from scipy.linalg import blas as public, solve\n"
        "print(public.sgemm is blas.sgemm, solve([[2.0]], [1.0]))"
    )
    argv = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)

    assert done.stdout == "[]\nTrue [0.5]\n"
