"""A real MariaDB (Debian's) on a free port."""

import getpass
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pymysql
import pytest

from tests.servers.ports import free_ports
from tests.servers.process import ServerDied, ServerProcess
from tests.servers.short_folder import short_folder

USER, PASSWORD = "fleet", "fleet-test"


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")
    if found is None:
        raise FileNotFoundError(f"{name} is missing: apt-get install mariadb-server-core")
    return found


@dataclass
class MariaDB:
    """A running server. `url` names the server and the database `fleet`."""

    address: str
    port: int
    directory: Path
    process: ServerProcess

    @property
    def url(self) -> str:
        return self.url_of("fleet")

    def url_of(self, database: str) -> str:
        """The URL of one database of this server."""
        return f"mysql://{USER}:{PASSWORD}@{self.address}:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        """Runs SQL as root, outside of any database."""
        connection = pymysql.connect(unix_socket=str(self.directory / "s.sock"), user="root")
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def create_database(self) -> str:
        """A new, empty database; its URL."""
        name = "t" + uuid.uuid4().hex[:12]
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return self.url_of(name)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.process.kill()

    def start_again(self) -> None:
        """Starts a server that has ended, without waiting until it answers."""
        self.process = self.process.start_again()

    def stop(self) -> None:
        self.process.stop()


def start_mariadb(directory: Path, address: str = "127.0.0.1") -> MariaDB:
    """Installs and starts a server below `directory` (an existing folder with a short path), which
    listens on one address of this machine."""
    data = directory / "data"
    socket = directory / "s.sock"
    # Files there are named after process ids, which servers in namespaces of their own share.
    temporary = directory / "tmp"
    temporary.mkdir()
    user = getpass.getuser()
    installed = subprocess.run(
        [
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--user={user}",
            f"--datadir={data}",
            f"--tmpdir={temporary}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        raise ServerDied(f"mariadb-install-db failed\n{installed.stdout}\n{installed.stderr}")
    for attempts_left in (2, 1, 0):
        (port,) = free_ports(1)
        process = ServerProcess(
            [
                _program("mariadbd"),
                "--no-defaults",
                f"--user={user}",
                f"--datadir={data}",
                f"--tmpdir={temporary}",
                f"--socket={socket}",
                f"--port={port}",
                f"--pid-file={directory / 'pid'}",
                f"--bind-address={address}",
                "--skip-name-resolve",
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=64M",
                # Unlike ours on purpose: nothing may depend on the server's own settings.
                "--character-set-server=latin1",
                "--default-time-zone=+05:30",
            ],
            directory / "mariadb.log",
        )
        server = MariaDB(address, port, directory, process)
        try:
            process.wait_until(partial(_answers, server))
            break
        except ServerDied:
            if not attempts_left:
                raise
    server.execute(
        f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT ALL ON *.* TO '{USER}'@'%'",
        "CREATE DATABASE fleet CHARACTER SET utf8mb4",
    )
    return server


def _answers(server: MariaDB) -> bool:
    try:
        server.execute("SELECT 1")
    except pymysql.err.OperationalError:
        return False
    return True


@contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """A server in a folder of its own."""
    with short_folder("fleet-sql-") as directory:
        server = start_mariadb(directory)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A running MariaDB of this test run."""
    with running_mariadb() as server:
        yield server


@pytest.fixture
def own_mariadb() -> Iterator[MariaDB]:
    """A server that the test may kill."""
    with running_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_url(mariadb: MariaDB) -> str:
    """The URL of a MariaDB and of one database that all tests share."""
    return mariadb.url


@pytest.fixture
def mariadb_database(mariadb: MariaDB) -> str:
    """The URL of a new, empty database."""
    return mariadb.create_database()


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database: once SQLite, once MariaDB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fleet.sqlite'}"
    url: str = request.getfixturevalue("mariadb_database")
    return url
