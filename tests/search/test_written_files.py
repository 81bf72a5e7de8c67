"""Files that commands write: whole or not at all, and what is there is respected."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from coarsefine.search import files
from coarsefine.search.errors import ExportError
from coarsefine.search.files import check_place, write

unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")


def read_in_background(path):
    read = []
    thread = threading.Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    thread.start()
    return thread, read


@unix
@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path, through_link):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = tmp_path / "link" if through_link else pipe
    if through_link:
        path.symlink_to(pipe)
    reader, read = read_in_background(pipe)

    write(path, b"rank\n1\n" * 20_000)  # more than a pipe holds

    reader.join(60)
    assert read == [b"rank\n1\n" * 20_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == sorted({pipe, path})


@unix
def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    ours, theirs = os.openpty()
    path = tmp_path / "terminal"
    path.symlink_to(os.ttyname(theirs))

    write(path, b"one line\n")

    assert os.read(ours, 100).split() == [b"one", b"line"]
    assert path.is_symlink()
    assert stat.S_ISCHR(path.stat().st_mode)
    os.close(ours)
    os.close(theirs)


@unix
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_file_that_a_shell_sends_stdout_to_is_written_to_and_not_replaced(
    study, own_folder, name
):
    if not os.path.lexists(name):
        pytest.skip(f"there is no {name} here")
    out = own_folder / "out.txt"
    command = [sys.executable, "-m", "coarsefine.search", "export", "--format", "csv"]
    with out.open("wb") as file:
        file.write(b"before\n")
        file.flush()
        inode = out.stat().st_ino
        subprocess.run([*command, "digits/lambda", name], stdout=file, check=True, timeout=120)
        file.write(b"after\n")

    lines = out.read_text().splitlines()
    assert out.stat().st_ino == inode
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert lines[1].startswith("study,data,seed")
    assert len(lines) > 3


@unix
def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.csv", tmp_path / "link.csv"
    link.symlink_to(target)

    write(link, b"new")  # it leads to nothing yet
    write(link, b"newer")

    assert link.is_symlink()
    assert target.read_bytes() == b"newer"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["real.csv"]


@unix
def test_a_link_that_waits_under_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".coarsefine-guessed.tmp").symlink_to(victim)

    with pytest.raises(ExportError, match=r"out\.csv cannot be written: File exists"):
        write(tmp_path / "out.csv", b"theirs")

    assert victim.read_bytes() == b"mine"
    assert (tmp_path / ".coarsefine-guessed.tmp").is_symlink()


def test_each_write_has_a_temporary_name_of_its_own(tmp_path, monkeypatch):
    names = []
    replace = files.Path.replace
    monkeypatch.setattr(
        files.Path, "replace", lambda self, to: names.append(self.name) or replace(self, to)
    )

    for _ in range(3):
        write(tmp_path / "out.csv", b"contents")

    assert len(set(names)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@unix
def test_a_file_that_is_replaced_keeps_its_rights(tmp_path):
    out, new = tmp_path / "out.csv", tmp_path / "new.csv"
    out.write_bytes(b"old")
    out.chmod(0o600)

    before = os.umask(0o027)
    try:
        write(out, b"new")
        write(new, b"new")
    finally:
        os.umask(before)

    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_where_nothing_can_be_written_the_message_names_the_file(tmp_path, monkeypatch):
    def refuse(path, *_args):
        raise OSError(30, "Read-only file system", str(path))

    # The system says the same of a file that is not there and is to be removed.
    monkeypatch.setattr(files.os, "open", refuse)
    monkeypatch.setattr(files.Path, "unlink", refuse)
    out = tmp_path / "out.csv"

    with pytest.raises(ExportError) as failure:
        write(out, b"contents")

    assert str(failure.value) == f"{out} cannot be written: Read-only file system"


def test_pieces_that_end_in_an_error_leave_what_was_there(tmp_path):
    def pieces():
        yield b"new"
        raise ValueError("no more")

    out = tmp_path / "out.csv"
    write(out, [b"o", b"", b"ld"])

    with pytest.raises(ValueError, match="no more"):
        write(out, pieces())

    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    def full(_descriptor, _contents):
        os.close(_descriptor)
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.csv"
    out.write_bytes(b"old")
    monkeypatch.setattr(files, "_write_all", full)

    with pytest.raises(ExportError, match=r"out\.csv cannot be written: No space left"):
        write(out, b"contents")

    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@unix
def test_places_that_cannot_be_written_to_are_named_before_anything_is_made(tmp_path):
    circle, lost = tmp_path / "circle.csv", tmp_path / "lost.csv"
    circle.symlink_to(circle)
    lost.symlink_to(tmp_path / "nowhere" / "real.csv")
    for path, words in (
        (tmp_path, "must be a file, got the folder"),
        (tmp_path / "nowhere" / "out.csv", "nowhere of out.csv does not exist; create it"),
        (lost, "nowhere of lost.csv does not exist; create it"),
        (circle, "circle.csv cannot be written: Too many levels of symbolic links"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long"),
        (tmp_path / "a\0b", "cannot be written: "),
    ):
        with pytest.raises(ExportError, match=words):
            check_place(path)


@unix
@pytest.mark.parametrize(
    "command",
    [
        ["export", "digits/lambda", "PIPE", "--format", "md"],
        ["plot", "digits/lambda", "values", "-o", "PIPE", "--format", "svg"],
        ["report", "digits/lambda", "--out", "PIPE", "--no-gradcheck", "--no-figures"],
    ],
)
def test_commands_write_to_a_pipe_that_is_there(search, study, own_folder, command):
    pipe = own_folder / "pipe"
    os.mkfifo(pipe)
    reader, read = read_in_background(pipe)

    result = search(*(str(pipe) if word == "PIPE" else word for word in command))

    assert result.status == 0, result.err
    reader.join(60)
    assert len(read[0]) > 100
    assert stat.S_ISFIFO(pipe.stat().st_mode)
