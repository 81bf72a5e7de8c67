"""Finding, downloading, listing and verifying the files of data sets."""

import http.server
import threading
from dataclasses import replace

import numpy as np
import pytest

from coarsefine.models.data.catalogue import CATALOGUE, Download
from coarsefine.models.data.checksums import verify
from coarsefine.models.data.download import get, status
from coarsefine.models.data.prepared import prepare
from coarsefine.models.data.spec import DataSpec, SplitSpec
from coarsefine.models.errors import DataError
from tests.models.data_files import (
    PACKERS,
    cifar_batches,
    cifar_members,
    idx_contents,
    md5,
    npz_arrays,
    small_cifar,
    small_mnist,
    tar_bytes,
    write_idx,
)

pytestmark = pytest.mark.usefixtures("private_cache")

SPEC = DataSpec("mnist", SplitSpec(validation=20))
NOWHERE = "http://127.0.0.1:9"


class Recorder:
    """A ``Progress`` that remembers."""

    def __init__(self):
        self.tasks = []

    def start(self, task, total):
        self.tasks.append([task, total, 0, False])

    def advance(self, n_bytes):
        self.tasks[-1][2] += n_bytes

    def finish(self):
        self.tasks[-1][3] = True


def from_mirrors(monkeypatch, contents, *mirrors):
    """Make the catalogue offer these files on these mirrors."""
    info = small_mnist(monkeypatch, contents)
    packed = {f"{name}.gz": PACKERS[".gz"](data) for name, data in contents.items()}
    downloads = tuple(
        Download(name, md5(data), len(data), tuple(f"{mirror}/{name}" for mirror in mirrors))
        for name, data in packed.items()
    )
    monkeypatch.setitem(CATALOGUE, "mnist", replace(info, downloads=downloads))
    return packed


@pytest.fixture
def mirror(tmp_path):
    """Serve a folder on this machine; yields the folder and its address."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_files_are_downloaded_once_from_the_first_mirror_that_works(mirror, monkeypatch):
    folder, address = mirror
    packed = from_mirrors(monkeypatch, idx_contents(), NOWHERE, address)
    for name, data in packed.items():
        (folder / name).write_bytes(data)
    progress = Recorder()

    first = prepare(SPEC, progress=progress)
    for name in packed:
        (folder / name).unlink()
    second = prepare(SPEC)

    assert first == second
    assert first.warnings == ()
    assert progress.tasks == [
        [f"downloading {name}", len(data), len(data), True] for name, data in packed.items()
    ]


def test_a_download_that_does_not_match_its_checksum_is_refused(mirror, monkeypatch):
    folder, address = mirror
    packed = from_mirrors(monkeypatch, idx_contents(), address)
    for name in packed:
        (folder / name).write_bytes(b"<html>")

    with pytest.raises(DataError, match="does not match the published checksum"):
        prepare(SPEC)


def test_without_a_network_one_line_says_what_to_put_where(tmp_path, monkeypatch):
    packed = from_mirrors(monkeypatch, idx_contents(), NOWHERE)
    (tmp_path / "data").mkdir()

    with pytest.raises(DataError) as nowhere:
        prepare(SPEC)
    with pytest.raises(DataError) as in_folder:
        prepare(SPEC, data_dir=tmp_path / "data")
    with pytest.raises(DataError) as forbidden:
        prepare(SPEC, data_dir=tmp_path / "data", download=False)

    for caught in (nowhere, in_folder, forbidden):
        assert all(name in str(caught.value) for name in packed)
        assert "data_dir" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert "no connection" in str(nowhere.value)
    assert f"into {tmp_path / 'data' / 'mnist'}" in str(in_folder.value)
    assert "no download" not in str(forbidden.value)


def test_only_the_files_that_miss_are_named(tmp_path, monkeypatch):
    contents = idx_contents()
    from_mirrors(monkeypatch, contents, NOWHERE)
    write_idx(tmp_path / "mnist", contents)
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()

    with pytest.raises(DataError) as caught:
        prepare(SPEC, data_dir=tmp_path, download=False)

    assert f"put t10k-labels-idx1-ubyte.gz into {tmp_path / 'mnist'}" in str(caught.value)


def test_the_environment_names_the_data_folder(tmp_path, monkeypatch):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path / "mnist", contents)
    monkeypatch.setenv("SEARCH_DATA_DIR", str(tmp_path))

    assert prepare(SPEC, download=False).n_test == 20


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_data_folder_that_is_none_is_refused(tmp_path, monkeypatch, by_variable):
    file = tmp_path / "file"
    file.write_text("")
    subject = r"the data folder \$SEARCH_DATA_DIR" if by_variable else "the data folder"
    for path, rule in ((tmp_path / "absent", "must exist, got"), (file, "must be a folder, got")):
        if by_variable:
            monkeypatch.setenv("SEARCH_DATA_DIR", str(path))
        with pytest.raises(DataError, match=f"{subject} {rule}"):
            prepare(DataSpec("digits"), data_dir=None if by_variable else path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("minst", "got 'minst'; did you mean mnist"),
        ("cifar-10", "did you mean cifar10"),
        ("MNIST", "did you mean mnist"),
        ("banana", "got 'banana'; or the path of"),
        ("folder/absent.npz", "existing file, got folder/absent.npz"),
        ("absent.csv", "existing file, got absent.csv"),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name, words):
    with pytest.raises(DataError, match=words):
        prepare(DataSpec(name))


def test_a_path_that_is_no_data_file_is_refused(tmp_path):
    (tmp_path / "own.txt").write_text("1 2 3")

    with pytest.raises(DataError, match="got the folder"):
        prepare(DataSpec(str(tmp_path)))
    with pytest.raises(DataError, match=r"must end in .npz, .csv, .parquet, got"):
        prepare(DataSpec(str(tmp_path / "own.txt")))


def test_a_file_is_also_looked_for_in_the_data_folder(tmp_path):
    np.savez(tmp_path / "own.npz", **npz_arrays())

    assert prepare(DataSpec("own.npz"), data_dir=tmp_path).name == "own"


def test_status_says_what_is_there(tmp_path, monkeypatch):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path / "mnist", contents)

    states = {line.info.name: (line.state, line.place) for line in status(tmp_path)}

    assert states["digits"] == ("embedded", None)
    assert states["mnist"] == ("found", tmp_path / "mnist")
    assert states["cifar10"] == ("to download", None)


def test_get_downloads_into_the_folder_that_is_named(tmp_path, mirror, monkeypatch):
    folder, address = mirror
    for name, data in from_mirrors(monkeypatch, idx_contents(), address).items():
        (folder / name).write_bytes(data)

    place = get("mnist", tmp_path)

    assert place == tmp_path / "mnist"
    assert len(list(place.iterdir())) == 4
    assert get("digits") is None


def test_get_leaves_files_alone_that_are_there(tmp_path, mirror, monkeypatch):
    folder, address = mirror
    for name, data in from_mirrors(monkeypatch, idx_contents(), address).items():
        (folder / name).write_bytes(data)
    own = tmp_path / "mnist" / "train-labels-idx1-ubyte"
    own.parent.mkdir()
    own.write_bytes(b"the user's own")

    get("mnist", tmp_path)

    assert own.read_bytes() == b"the user's own"
    assert len(list(own.parent.iterdir())) == 4


def test_verify_compares_what_is_packed_not_how(tmp_path, monkeypatch):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path, contents, ".xz")
    changed = contents["t10k-labels-idx1-ubyte"][:-1] + b"\x01"
    write_idx(tmp_path, {"t10k-labels-idx1-ubyte": changed}, ".xz")

    checks = {check.name: check for check in verify("mnist", tmp_path)}

    assert [check.state for check in checks.values()] == ["ok", "ok", "ok", "differs"]
    assert checks["t10k-labels-idx1-ubyte.xz"].actual == md5(changed)
    assert {check.state for check in verify("fashion-mnist", tmp_path / "..")} == {"missing"}
    assert verify("digits") == []


def test_verify_looks_into_archives(tmp_path, monkeypatch):
    info = small_cifar(monkeypatch)
    members = cifar_members(cifar_batches())
    (tmp_path / "cifar-10-python.tar.xz").write_bytes(PACKERS[".xz"](tar_bytes(members)))
    published = {name.split("/")[1]: md5(data) for name, data in members.items()}
    published["data_batch_2"] = "another"
    monkeypatch.setitem(CATALOGUE, "cifar10", replace(info, contents=published))
    progress = Recorder()

    checks = verify("cifar10", tmp_path, progress)

    assert {check.name for check in checks if check.state == "ok"} == {*published} - {
        "data_batch_2"
    }
    ((task, total, done, finished),) = progress.tasks
    size = (tmp_path / "cifar-10-python.tar.xz").stat().st_size
    assert (task, total, finished) == ("checking cifar-10-python.tar.xz", size, True)
    assert 0 < done <= size


def test_each_file_in_a_folder_of_its_name_as_kaggle_has_them_is_found(tmp_path, monkeypatch):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    for name, data in contents.items():
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)

    one = prepare(DataSpec("mnist"), data_dir=tmp_path / "data", download=False)

    assert (one.n_train + one.n_validation, one.n_test) == (60, 20)


def written_by_keras(folder, images, labels):
    parts = (("train", "train"), ("test", "t10k"))
    arrays = {f"x_{name}": images[part] for name, part in parts}
    np.savez(folder / "mnist.npz", **arrays, **{f"y_{name}": labels[part] for name, part in parts})


def written_by_kaggle(folder, images, labels, header=True, packing=""):
    for name, part in (("train", "train"), ("test", "t10k")):
        rows = np.column_stack([labels[part], images[part].reshape(len(labels[part]), -1)])
        lines = [",".join(map(str, row)) for row in rows]
        if header:
            lines.insert(0, "label," + ",".join(f"{i}x1" for i in range(1, rows.shape[1])))
        text = "\n".join(lines).encode()
        (folder / f"mnist_{name}.csv{packing}").write_bytes(PACKERS[packing](text))


REPACKAGED = {
    "keras": written_by_keras,
    "kaggle": written_by_kaggle,
    "without names": lambda *args: written_by_kaggle(*args, header=False),
    "packed": lambda *args: written_by_kaggle(*args, packing=".gz"),
}


@pytest.mark.parametrize("write", REPACKAGED.values(), ids=REPACKAGED)
@pytest.mark.parametrize("within", ["", "mnist"])
def test_mnist_as_keras_and_kaggle_pack_it_is_found_and_the_same_data(
    tmp_path, monkeypatch, write, within
):
    contents = idx_contents()
    small_mnist(monkeypatch, contents)
    write_idx(tmp_path / "published", contents)
    images = {
        part: np.frombuffer(contents[f"{part}-images-idx3-ubyte"], np.uint8, offset=16)
        for part in ("train", "t10k")
    }
    labels = {
        part: np.frombuffer(contents[f"{part}-labels-idx1-ubyte"], np.uint8, offset=8)
        for part in ("train", "t10k")
    }
    images = {part: values.reshape(-1, 4, 4) for part, values in images.items()}
    folder = tmp_path / "other" / within
    folder.mkdir(parents=True)

    write(folder, images, labels)

    prepared = prepare(SPEC, data_dir=tmp_path / "other", download=False)
    assert prepared.key == prepare(SPEC, data_dir=tmp_path / "published").key
    assert prepared.warnings == ()
    checks = verify("mnist", data_dir=tmp_path / "other")
    assert [check.state for check in checks] == ["ok"] * 4


def test_a_file_called_as_mnist_that_holds_something_else_is_one_line(tmp_path, monkeypatch):
    small_mnist(monkeypatch, idx_contents())
    images = {"train": np.zeros((8, 4, 4)), "t10k": np.zeros((2, 4, 4))}
    labels = {"train": np.arange(8) % 2, "t10k": np.arange(2)}
    written_by_keras(tmp_path, images, labels)

    with pytest.raises(DataError, match=r"must hold 60 samples of 16 pixels for mnist, got 8 of"):
        prepare(SPEC, data_dir=tmp_path)
    (tmp_path / "mnist.npz").unlink()
    written_by_kaggle(tmp_path, {part: x + 0.5 for part, x in images.items()}, labels)
    with pytest.raises(DataError, match="must hold whole numbers from 0 to 255"):
        prepare(SPEC, data_dir=tmp_path)
