"""What people would otherwise use, each written as well as we can and tuned on the spot.

A peer is a module with ``make(task, **settings)``, which loads the data and compiles what there is
to compile, and returns ``train(l2_strengths, n_epochs)``: the validation accuracy of each trial at
the end. It trains what ours trains: the same samples, λ, epochs, batch size, first weights
(as distributed), cyclical η and cost ``J = cross-entropy + λ Σ W²``; and measures after each epoch
what ours does: loss and accuracy on the validation split and on training samples. It takes 5,000 of
these each time; ours 2,000, and at the end all, which is more than 5,000 an epoch. A peer without a
place for that says so in ``remark``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mode:
    """A way of running a peer on all cores.

    Attributes:
        settings: Keyword arguments of ``make``.
        process_a_core: Whether processes, each tied to a core, share the trials; otherwise a
            single process may use all cores.
        compiles: Whether the first training is slower than those that follow.
    """

    title: str
    settings: Mapping[str, Any]
    process_a_core: bool = False
    compiles: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer and its modes: the quickest one is found out in each run of a benchmark.

    Attributes:
        needs: The packages it imports.
        trains_together: Whether its trials are trained as one; otherwise some of them tell how
            long all take.
    """

    name: str
    title: str
    module: str
    needs: tuple[str, ...]
    modes: tuple[Mode, ...]
    trains_together: bool = False
    remark: str = ""


PEERS = (
    Peer(
        "torch-loop",
        "PyTorch loop under Optuna",
        "torch_loop",
        ("torch",),
        (
            Mode("process a core", {"threads": 1}, process_a_core=True),
            Mode("1 thread", {"threads": 1}),
            Mode("all threads", {"threads": None}),
            Mode(
                "process a core, compiled",
                {"threads": 1, "compiled": True},
                process_a_core=True,
                compiles=True,
            ),
        ),
        remark="tensors indexed directly, gradients applied in place, SQLite storage",
    ),
    Peer(
        "torch-vmap",
        "torch.func vmap",
        "torch_vmap",
        ("torch",),
        (
            Mode("all threads", {"threads": None}),
            Mode("all threads, compiled", {"threads": None, "compiled": True}, compiles=True),
            Mode("process a core", {"threads": 1}, process_a_core=True),
            Mode(
                "process a core, compiled",
                {"threads": 1, "compiled": True},
                process_a_core=True,
                compiles=True,
            ),
        ),
        trains_together=True,
        remark="one gather a batch; no Optuna, nothing stored",
    ),
    Peer(
        "jax-vmap",
        "JAX vmap + scan",
        "jax_vmap",
        ("jax",),
        (
            Mode("process a core", {}, process_a_core=True, compiles=True),
            Mode("all threads", {}, compiles=True),
        ),
        trains_together=True,
        remark="an epoch is one compiled call; no Optuna, nothing stored",
    ),
    Peer(
        "torch-dataloader",
        "PyTorch DataLoader loop",
        "torch_dataloader",
        ("torch",),
        (
            Mode("process a core", {"threads": 1}, process_a_core=True),
            Mode("1 thread", {"threads": 1}),
            Mode("all threads", {"threads": None}),
        ),
        remark="as the tutorials have it: TensorDataset, DataLoader, nn.Module, optim.SGD",
    ),
    Peer(
        "sklearn",
        "scikit-learn MLPClassifier",
        "sklearn_mlp",
        ("sklearn",),
        (Mode("process a core", {}, process_a_core=True),),
        remark=(
            "has no cyclical η: trained at half of eta_max; validation accuracy alone, once an "
            "epoch"
        ),
    ),
    Peer(
        "numpy-loop",
        "plain NumPy loop",
        "numpy_loop",
        ("numpy",),
        (
            Mode("process a core", {"threads": 1}, process_a_core=True),
            Mode("all threads", {"threads": None}),
        ),
        remark="as the lab's hand-ins have it, in float32",
    ),
)
