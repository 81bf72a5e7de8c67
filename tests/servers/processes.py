"""Database servers for tests: each in a folder of its own, and gone with whoever started it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

_START_SECONDS = 60.0
_NEEDED_BYTES = 1e9
_ICU_SINCE = 15


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        url: Of the database it comes with, as its owner, who needs no password.
        process: May be stopped and continued.
    """

    url: sa.URL
    process: subprocess.Popen[bytes]

    @property
    def is_mysql(self) -> bool:
        """Return whether it is MySQL's dialect that it speaks."""
        return self.url.get_backend_name() == "mysql"

    def execute(self, *statements: str) -> list[sa.Row[Any]]:
        """Carry out statements as the owner, outside of transactions; return rows of the last."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []


@contextmanager
def postgresql() -> Generator[Server]:
    """Run a PostgreSQL server that compares text as people do, not byte by byte."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'psycopg[binary]'")
    programs = _folder_of("initdb", "/usr/lib/postgresql/*/bin")
    if programs is None:
        pytest.skip("needs a PostgreSQL server: apt-get install postgresql")
    with _folder("postgres") as (folder, user):
        data = folder / "data"
        version = _run(None, programs / "initdb", "--version")
        icu = int(re.findall(r"\d+", version)[0]) >= _ICU_SINCE
        _run(
            user,
            *(programs / "initdb", "-D", data, "-U", "owner", "--auth=trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
            *(("--locale-provider=icu", "--icu-locale=en-US") if icu else ()),
        )
        (data / "pg_hba.conf").write_text(
            "host all owner 127.0.0.1/32 trust\n"
            "host all +outsiders 127.0.0.1/32 reject\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )

        def command(port: int) -> list[object]:
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": port,
                "unix_socket_directories": "",
                # What is written is thrown away with the folder.
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "shared_buffers": "16MB",
                "autovacuum": "off",
            }
            words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
            return [programs / "postgres", "-D", data, *words]

        with _running(user, folder, command, "postgresql+psycopg", "owner", "postgres") as server:
            yield server


@contextmanager
def mariadb() -> Generator[Server]:
    """Run a MariaDB server."""
    pytest.importorskip("pymysql", reason="needs PyMySQL: pip install pymysql")
    programs = _folder_of("mariadbd", "/usr/sbin"), _folder_of("mariadb-install-db", "/usr/bin")
    if programs[0] is None or programs[1] is None:
        pytest.skip("needs a MariaDB server: apt-get install mariadb-server")
    with _folder("mysql") as (folder, user):
        data = folder / "data"
        _run(
            user,
            *(programs[1] / "mariadb-install-db", "--no-defaults", f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        )

        def command(port: int) -> list[object]:
            return [
                *(programs[0] / "mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}"),
                *("--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"),
                *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"),
                "--innodb-log-file-size=8M",
            ]

        with _running(user, folder, command, "mysql+pymysql", "root", "mysql") as server:
            yield server


def _folder_of(program: str, pattern: str) -> Path | None:
    """Return the folder of a program: on the path, or where Debian keeps it."""
    if found := shutil.which(program):
        return Path(found).parent
    return max(
        (place for place in Path("/").glob(pattern[1:]) if (place / program).is_file()),
        default=None,
    )


@contextmanager
def _folder(owner: str) -> Generator[tuple[Path, str | None]]:
    """Yield a folder, and whose it is if this is the super-user, for whom servers will not run."""
    # In memory, where there is some to spare: servers wait for disks often.
    memory = Path("/dev/shm")
    room = memory.is_dir() and shutil.disk_usage(memory).free > _NEEDED_BYTES
    folder = Path(tempfile.mkdtemp(prefix=f"coarsefine-{owner}-", dir=memory if room else None))
    user = None
    try:
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            user = _user(owner)
            shutil.chown(folder, user, _group(user))
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user(name: str) -> str:
    import pwd  # not on Windows

    with suppress(KeyError):
        return pwd.getpwnam(name).pw_name
    return "nobody"


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _run(user: str | None, *command: object) -> str:
    done = subprocess.run(
        _as(user, command), cwd="/", check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        pytest.skip(f"{command[0]} does not work here: {done.stderr.strip()[-300:]}")
    return done.stdout


def _as(user: str | None, command: Sequence[object], *flags: str) -> list[str]:
    words = [str(word) for word in command]
    if user is not None:
        flags = (*flags, f"--reuid={user}", f"--regid={_group(user)}", "--clear-groups")
    if flags and shutil.which("setpriv") is None:
        pytest.skip("needs setpriv, of util-linux, to run a server as another user")
    return ["setpriv", *flags, *words] if flags else words


@contextmanager
def _running(
    user: str | None,
    folder: Path,
    command: Callable[[int], list[object]],
    driver: str,
    owner: str,
    database: str,
) -> Generator[Server]:
    with (folder / "log").open("wb") as log, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        # It ends with whoever started it, however that ends.
        flags = ("--pdeathsig=QUIT",) if shutil.which("setpriv") else ()
        process = subprocess.Popen(
            _as(user, command(port), *flags), cwd="/", stdout=log, stderr=subprocess.STDOUT
        )
    url = sa.URL.create(driver, owner, host="127.0.0.1", port=port, database=database)
    server = Server(url, process)
    try:
        _wait(server, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.execute("SELECT 1")
            return
        except sa.exc.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"the server does not start here: {log.read_text()[-300:]}")
            time.sleep(0.05)
