"""The lines of plain NumPy that predict with a saved model, without this package."""

from collections.abc import Iterator
from itertools import groupby

from coarsefine.models.activations import activation_of
from coarsefine.models.batch_norm import EPSILON
from coarsefine.models.data.new_samples import Layout
from coarsefine.models.losses import LOSSES
from coarsefine.models.saved import SavedModel
from coarsefine.models.specs import NetworkSpec

_ENCODED = """
def features(rows):  # a dictionary a sample, "" where a value is missing
    for c in json.loads(str(model["columns"])):
        cells = [row[c["name"]].strip() for row in rows]
        known, fill = c["words"], c["fill"]
        if known is None:
            yield [float(v) if v not in MISSING else fill or 0.0 for v in cells]
        else:
            words = [v if v not in MISSING else fill for v in cells]
            yield from ([float(w == k) for w in words] for k in known)
            if c["other"]:
                yield [float(w is not None and w not in known) for w in words]
        if c["indicator"]:
            yield [float(v in MISSING) for v in cells]
"""


def lines_of(model: SavedModel, file: str) -> list[str]:
    """Return a program that prints the class of each sample, a line each.

    It computes what ``SavedModel.predicted`` does; outputs may differ by rounding.

    Args:
        model: The model.
        file: Where it is saved.
    """
    return [*_read(model, file), *_normalised(model), *_networks(model), *_PRINTED]


_PRINTED = ('print(*model["classes"][p.argmax(axis=1)], sep="\\n")',)


def _read(model: SavedModel, file: str) -> Iterator[str]:
    layout, encoder = model.layout, model.transform.encoder
    if encoder is not None or (layout.header and layout.names):
        yield "import csv" if encoder is None else "import csv, json"
        yield "import numpy as np"
        yield ""
        yield f"model = np.load({file!r})"
        yield 'with open("new.csv", newline="") as file:'
        # Where numbers have commas, columns have semicolons between them.
        separated = ', delimiter=";"' if layout.decimal == "," else ""
        yield f"    rows = list(csv.DictReader(file, skipinitialspace=True{separated}))"
    else:
        yield "import numpy as np"
        yield ""
        yield f"model = np.load({file!r})"
    if encoder is not None:
        # What pandas takes for a missing value.
        yield 'MISSING = set("? #N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN".split()) | set('
        yield '    ["", "#N/A N/A", *"<NA> N/A NA NULL NaN None n/a nan null".split()])'
        yield from _ENCODED.replace("float(v) if", f"{_number(layout)} if").splitlines()
        yield "x = np.array(list(features(rows))).T"
    elif layout.header and layout.names:
        number = _number(layout).replace("v", "row[name]", 1)
        yield f'x = np.array([[{number} for name in model["features"]] for row in rows])'
    elif layout.names:
        yield f'x = np.loadtxt("new.csv", delimiter=",", ndmin=2)  # {layout.n_inputs} columns'
    else:
        shape = "×".join(map(str, layout.sample_shape or (layout.n_inputs,)))
        yield f'x = np.load("new.npy").reshape(-1, {layout.n_inputs})  # {shape}, not normalised'


def _number(layout: Layout) -> str:
    return 'float(v.replace(",", "."))' if layout.decimal == "," else "float(v)"


def _normalised(model: SavedModel) -> Iterator[str]:
    if model.transform.encoder is None:
        narrow = "x.astype(np.float32)"
        if model.layout.exact:
            narrow = f'np.where(model["exact"], x, {narrow})'
        yield f"x = {narrow}.astype(np.float64)"
    yield f'x = ((x - model["shift"]) / model["divisor"]).astype("{model.precision}")'


def _networks(model: SavedModel) -> Iterator[str]:
    several = len(model.networks) > 1
    if several:
        yield "p = 0"
    numbered = enumerate((network.spec for network in model.networks), 1)
    for spec, alike in groupby(numbered, key=lambda each: each[1]):
        numbers = [str(number) for number, _ in alike]
        if not several:
            yield from _forward(spec, "1")
            yield from (f"p = {line}" if line == _OUTPUT else line for line in _output(spec))
            continue
        yield f"for i in {', '.join(numbers)}{',' if len(numbers) == 1 else ''}:"
        body = [*_forward(spec, None), *_output(spec)]
        yield from (
            f"    p = p + {line} / {len(model.networks)}" if line == _OUTPUT else f"    {line}"
            for line in body
        )


_OUTPUT = "s"


def _forward(spec: NetworkSpec, number: str | None) -> Iterator[str]:
    n_layers = len(spec.widths) - 1

    def array(name: str) -> str:
        return f'model[f"{{i}}/{name}"]' if number is None else f'model["{number}/{name}"]'

    for layer in range(1, n_layers + 1):
        into = "x" if layer == 1 else "a"
        z = f"{into} @ {array(f'W{layer}')}.T"
        if layer <= spec.n_normalised:
            mean, variance, gain = (array(f"{letter}{layer}") for letter in "mvg")
            z = f"({z} - {mean}) / np.sqrt({variance} + {EPSILON}) * {gain}"
        if layer <= spec.n_biased:
            z += f" + {array(f'b{layer}')}"
        yield (f"s = {z}" if layer == n_layers else f"a = {activation_of(spec).in_numpy.format(z)}")


def _output(spec: NetworkSpec) -> Iterator[str]:
    """Yield the lines that turn scores into outputs; the last is what is added up."""
    yield from LOSSES[spec.loss].in_numpy
    yield _OUTPUT
