"""Where matrix products and distribution functions come from."""

import subprocess
import sys
from types import ModuleType

import pytest
import scipy.special
from scipy.linalg import blas as public

from coarsefine.models import blas, special


def test_products_are_scipys() -> None:
    assert (blas.sgemm, blas.dgemm) == (public.sgemm, public.dgemm)


def test_distribution_functions_are_scipys() -> None:
    names = [name for name, value in vars(special).items() if hasattr(value, "nin")]

    assert {"ndtri", "stdtrit"} <= set(names)
    assert [getattr(special, name) for name in names] == [
        getattr(scipy.special, name) for name in names
    ]


def test_parts_are_scipys_without_the_rest_which_can_be_had_afterwards() -> None:
    code = (
        "import sys\n"
        "from coarsefine.models import arrays, blas, special\n"
        "packages = 'scipy.linalg', 'scipy.special'\n"
        "print([name for name in packages if name in sys.modules])\n"
        "from scipy.linalg import blas as public, solve\n"
        "print(public.sgemm is blas.sgemm, solve([[2.0]], [1.0]))\n"
        "from scipy.special import ndtri, softmax\n"
        "print(ndtri is special.ndtri, softmax([1.0]))"
    )
    argv = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)

    assert done.stdout == "[]\nTrue [0.5]\nTrue [1.]\n"


def test_the_public_functions_serve_where_scipy_moved_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moved(name: str) -> ModuleType:
        if name == "scipy.special._ufuncs":
            raise ImportError(name)
        return {"scipy.special": scipy.special}[name]

    monkeypatch.delitem(sys.modules, "scipy.special")
    monkeypatch.setattr(special, "import_module", moved)

    assert special._extension() is scipy.special
    assert "scipy.special" not in sys.modules
