"""A trained model as a file: weights, encoding, normalisation and labels, in one .npz archive.

The archive has no pickles. Plain NumPy can predict with it (``coarsefine.models.plain_numpy``).
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from coarsefine.models.activations import ACTIVATIONS
from coarsefine.models.arrays import Array, Labels
from coarsefine.models.blas_threads import limited_blas
from coarsefine.models.data.columns import Encoder
from coarsefine.models.data.formats.npz import array_in
from coarsefine.models.data.new_samples import Layout, NewSamples, layout_from_json
from coarsefine.models.data.normalise import Normalisation
from coarsefine.models.data.transform import Transform
from coarsefine.models.ensembles import Probabilities, probabilities
from coarsefine.models.errors import ModelError
from coarsefine.models.evaluation import predictions
from coarsefine.models.losses import LOSSES
from coarsefine.models.network import Parameters
from coarsefine.models.specs import PRECISIONS, NetworkSpec

# Part of every file: raise it when older versions cannot read what is written.
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class SavedNetwork:
    """A network and its weights, T = 1."""

    spec: NetworkSpec
    parameters: Parameters


@dataclass(frozen=True, eq=False, slots=True)
class SavedModel:
    """All that it takes to predict; several networks answer as one.

    Attributes:
        networks: Of one number of features and of classes.
        transform: What becomes of samples before the first layer.
        layout: How samples are written.
        class_names: In the order of the outputs.
        precision: Floating-point type of samples and weights.
        about: Where the model comes from, as JSON.
    """

    networks: tuple[SavedNetwork, ...]
    transform: Transform
    layout: Layout
    class_names: tuple[str, ...]
    precision: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def probable(self) -> bool:
        """Return whether outputs are probabilities, or stand for them."""
        return all(LOSSES[network.spec.loss].probable for network in self.networks)

    def inputs(self, samples: NewSamples) -> Array:
        """Return what the first layer sees of samples, (N, D)."""
        x = self.transform.applied(samples.x, samples.columns, self.precision)
        return np.ascontiguousarray(x)

    def predicted(self, samples: NewSamples) -> tuple[Labels, Probabilities]:
        """Return classes, (N,) in 0 … K-1, and what the networks put out, (N, K).

        Outputs of softmax are probabilities. Those of several networks are their means. One network
        chooses the class that the evaluation of its training would, to the bit.

        Raises:
            ModelError: If they put out no numbers for a sample.
        """
        with limited_blas(1), np.errstate(all="ignore"):
            x = self.inputs(samples)
            each = [probabilities(network.spec, network.parameters, x) for network in self.networks]
            mean = np.asarray(sum(each) / len(each))
            if not (right := np.isfinite(mean).all(axis=1)).all():
                row = int(np.argmin(right))
                raise ModelError(f"the outputs for sample {row} (0 is the first) are not finite")
            if len(self.networks) == 1:
                (only,) = self.networks
                return predictions(only.spec, only.parameters, x)[0], mean
        return np.asarray(mean.argmax(axis=1), np.int64), mean

    def to_bytes(self) -> bytes:
        """Return the model as the contents of an .npz file: the same bytes for the same model."""
        stored = {
            "format": _FORMAT,
            "networks": [asdict(network.spec) for network in self.networks],
            "class_names": self.class_names,
            "precision": self.precision,
            "layout": asdict(self.layout),
            "encoder": None if self.transform.encoder is None else self.transform.encoder.to_json(),
            "about": dict(self.about),
        }
        text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
        arrays: dict[str, npt.NDArray[Any]] = {
            "model": np.frombuffer(text.encode(), np.uint8),
            "shift": self.transform.normalisation.shift,
            "divisor": self.transform.normalisation.divisor,
            # For plain NumPy, which reads no more than it needs.
            "classes": np.array(self.class_names),
        }
        if self.transform.encoder is not None:
            arrays["columns"] = np.array(json.dumps(stored["encoder"]))
        elif self.layout.header and self.layout.names:
            arrays["features"] = np.array(self.layout.names)
        if self.transform.encoder is None and self.layout.exact:
            arrays["exact"] = np.isin(np.arange(self.layout.n_inputs), self.layout.exact)
        for number, network in enumerate(self.networks, 1):
            for name, values in network.parameters.names(statistics=True):
                arrays[f"{number}/{name}"] = values[0]
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def model_from_bytes(payload: bytes, where: str) -> SavedModel:
    """Return the model that ``to_bytes`` wrote.

    Args:
        payload: The file's contents.
        where: The file, for messages.

    Raises:
        ModelError: If they are anything else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            # Ours are not compressed.
            if sum(member.file_size for member in members.values()) > len(payload):
                raise ValueError("it unpacks to more than it is")

            def array(name: str) -> npt.NDArray[Any]:
                with archive.open(members[name]) as file:
                    return array_in(name, cast(BinaryIO, file), members[name].file_size)

            stored = json.loads(array("model").tobytes())
            if stored["format"] != _FORMAT:
                raise ValueError("it is of another version of the program")
            specs = [_spec(each) for each in stored["networks"]]
            return _checked(
                SavedModel(
                    networks=tuple(
                        SavedNetwork(spec, _parameters(spec, number, array))
                        for number, spec in enumerate(specs, 1)
                    ),
                    transform=Transform(
                        Normalisation(array("shift"), array("divisor")),
                        None if stored["encoder"] is None else Encoder.from_json(stored["encoder"]),
                    ),
                    layout=layout_from_json(stored["layout"]),
                    class_names=tuple(map(str, stored["class_names"])),
                    precision=str(stored["precision"]),
                    about=dict(stored["about"]),
                )
            )
    except Exception as error:
        # An archive can be damaged in more ways than there are names for.
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{where}: must be a model that this program saved: {reason}") from error


def _spec(stored: Mapping[str, Any]) -> NetworkSpec:
    spec = NetworkSpec(**{**stored, "hidden": tuple(stored["hidden"])})
    if spec.activation not in ACTIVATIONS or spec.loss not in LOSSES:
        raise ValueError(f"this program has no {spec.activation!r} or {spec.loss!r}")
    return spec


def _parameters(spec: NetworkSpec, number: int, array: Any) -> Parameters:
    counts = {"W": len(spec.widths) - 1, "b": spec.n_biased}
    counts |= dict.fromkeys("gmv", spec.n_normalised)
    return Parameters(
        *(
            [array(f"{number}/{letter}{layer + 1}")[None] for layer in range(count)]
            for letter, count in counts.items()
        )
    )


def _checked(model: SavedModel) -> SavedModel:
    """Return the model if its parts fit each other; raise a ValueError otherwise."""
    encoder, layout = model.transform.encoder, model.layout
    n_features = layout.n_inputs if encoder is None else len(encoder.feature_names)
    right = (
        bool(model.networks)
        and model.precision in PRECISIONS
        and all(_fits(each, n_features, model) for each in model.networks)
        and (encoder is None or len(encoder.columns) == layout.n_inputs)
        and (not layout.names or len(layout.names) == layout.n_inputs)
        and all(0 <= place < layout.n_inputs for place in layout.exact)
    )
    for statistics in (model.transform.normalisation.shift, model.transform.normalisation.divisor):
        right = right and statistics.shape in {(), (n_features,)}
    if not right:
        raise ValueError("its parts do not fit each other")
    return model


def _fits(network: SavedNetwork, n_features: int, model: SavedModel) -> bool:
    spec, parameters = network.spec, network.parameters
    shapes: Sequence[tuple[int, ...]] = [
        *((1, out, into) for into, out in zip(spec.widths, spec.widths[1:], strict=False)),
        *((1, width) for width in spec.widths[1:][: spec.n_biased]),
        *(3 * [(1, width) for width in spec.hidden[: spec.n_normalised]]),
    ]
    arrays = parameters.arrays
    return (
        spec.n_features == n_features
        and spec.n_classes == len(model.class_names)
        and [array.shape for array in arrays] == shapes
        and {array.dtype.name for array in arrays} == {model.precision}
    )
