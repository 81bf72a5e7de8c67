"""What is installed works alone, in any folder, whatever files lie in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
QUICK = ("lambda", "--coarse", "--epochs", "2", "--hidden", "8", "--trials", "4", "--jobs", "2")
OWN_TRAINER = """
from models import answer

def train(params, data, seed, report):
    for epoch in range(1, params["epochs"] + 1):
        report(epoch, validation_accuracy=answer(params["lambda"]))
"""


@dataclass
class Installed:
    """The wheel in an environment of its own, which has the libraries but not this checkout."""

    wheel: Path
    sdist: Path
    python: Path

    def run(self, *arguments, cwd, **options):
        """Run its interpreter as somebody does who has never seen the repository."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SEARCH_"))}
        return subprocess.run(
            [self.python, *map(str, arguments)],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    kept_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "docs")
    shutil.copytree(ROOT, source, ignore=kept_out)

    def build(what, source):
        code = f"from setuptools import build_meta; print(build_meta.build_{what}({str(folder)!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=True
        )
        return folder / done.stdout.split()[-1]

    sdist = build("sdist", source)
    # The first releases of Python 3.11 have no filters.
    filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    shutil.unpack_archive(sdist, folder / "unpacked", **filtered)
    # Made of the source archive: what that lacks, the wheel lacks too.
    wheel = build("wheel", next((folder / "unpacked").iterdir()))
    venv.create(folder / "venv", symlinks=os.name != "nt", with_pip=False)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", site, wheel], check=True)
    # A path in a .pth file: the libraries there are found, but their own .pth files, such as that
    # of an editable installation, are not read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, sdist, python)


def test_wheel_holds_the_package_and_the_launcher_and_nothing_else(installed):
    names = ZipFile(installed.wheel).namelist()

    assert {name.split("/")[0] for name in names} == {
        "coarsefine",
        "search",
        installed.wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
    assert {n for n in names if n.startswith("search/")} == {
        "search/__init__.py",
        "search/__main__.py",
    }
    packaged = {n.removeprefix("coarsefine/") for n in names if n.startswith("coarsefine/")}
    for floor in ("search", "studies", "models", "db"):
        files = {p for p in (ROOT / floor).rglob("*") if p.suffix in {".py", ".toml"}}
        assert {p.relative_to(ROOT).as_posix() for p in files} <= packaged


def test_distributions_pass_the_index_check(installed):
    pytest.importorskip("twine")

    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", installed.wheel, installed.sdist],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_wheel_alone_runs_the_main_job_and_the_labs(installed, tmp_path):
    done = installed.run("-m", "search", *QUICK, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert "next: python -m search test" in done.stdout
    place = installed.run("-c", "import coarsefine.search as s; print(s.__file__)", cwd=tmp_path)
    assert Path(place.stdout.strip()).is_relative_to(installed.python.parents[1])

    # Migrations and presets are in it.
    assert installed.run("-m", "search", "rank", cwd=tmp_path).returncode == 0
    assert "cifar-two-layer" in installed.run("-m", "search", "presets", cwd=tmp_path).stdout


# The others hide a floor of the program in the same way.
@pytest.mark.parametrize(
    "name",
    [
        "models.py",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("db.py", "db/", "studies/", "studies.py", "search/")
        ),
    ],
)
def test_files_of_ones_own_do_not_get_in_the_way(installed, tmp_path, name):
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("raise RuntimeError('a file of the user')\n")

    searched = installed.run("-m", "search", *QUICK, cwd=tmp_path)
    library = "from coarsefine import Study; print(Study('digits/lambda').ranking.best)"
    opened = installed.run("-c", library, cwd=tmp_path)

    assert (searched.returncode, searched.stderr.count("Traceback")) == (0, 0), searched.stderr
    assert (opened.returncode, opened.stdout.count("RankedTrial")) == (0, 1), opened.stderr


def test_trainer_of_ones_own_imports_its_own_models(installed, tmp_path):
    (tmp_path / "models.py").write_text("def answer(x):\n    return 1 / (1 + x)\n")
    (tmp_path / "mine.py").write_text(OWN_TRAINER)
    (tmp_path / "mine.toml").write_text('trainer = "mine:train"\n[training]\nepochs = 2\n')

    done = installed.run(
        *("-m", "search", "lambda", "--coarse", "--recipe", "mine.toml", "--trials", "3"),
        *("--jobs", "2"),
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "99.99" in done.stdout or "100.00" in done.stdout, done.stdout


def test_file_that_hides_the_program_is_named(installed, tmp_path):
    (tmp_path / "coarsefine.py").write_text("")

    done = installed.run("-m", "search", "list", cwd=tmp_path)

    assert done.returncode == 1
    place = tmp_path / "coarsefine.py"
    assert done.stderr == f"{place} hides the program of the same name; rename it\n"


@pytest.mark.slow
def test_command_works_beside_a_search_py(installed, tmp_path):
    # `python -m search` runs the file in the current folder, as Python does; the command does not.
    (tmp_path / "search.py").write_text("raise RuntimeError('a file of the user')\n")
    code = "import sys; sys.path.remove(''); from coarsefine.search.cli import run; sys.exit(run())"

    done = installed.run("-c", code, *QUICK, cwd=tmp_path)

    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
