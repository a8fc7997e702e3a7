"""Managers over real databases and a real object store, and callers for them."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.base.call_context import CallContext
from sqlalchemy import Connection, delete, select
from traitlets.config import Config

from jupyter_ext.contents.bucket import Bucket
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.contents.tables import (
    ROOT_ID,
    TRASH_ID,
    deletion,
    node,
    upload,
    upload_part,
    version,
)
from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade_lab
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from tests.servers.mariadb import MariaDB
from tests.servers.seaweedfs import SeaweedFS

ActAs = Callable[..., Identity]


def make_identity(
    user: str, projects: Mapping[str, Role] | None = None, service: str | None = None
) -> Identity:
    return Identity(
        user=user,
        display_name=user.title(),
        projects={"demo": Role.OWNER} if projects is None else projects,
        service=service,
        expires=4e9,
        token="none",
    )


def act_as(identity: Identity | None) -> None:
    """From now on this test's calls are the caller's."""
    user = None if identity is None else SimpleNamespace(identity=identity)
    CallContext.set(CallContext.JUPYTER_HANDLER, SimpleNamespace(current_user=user))


@pytest.fixture(scope="session")
def contents_bucket(seaweedfs: SeaweedFS) -> str:
    """The URL of the bucket `contents`, which exists."""
    url = seaweedfs.bucket_url("contents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(seaweedfs.credentials_file))
        Bucket(url).create_if_missing()
    return url


@pytest.fixture
def store_url(contents_bucket: str, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place of its own in one bucket: a bucket for each test would take longer than the test."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(seaweedfs.credentials_file))
    return contents_bucket.replace("s3://contents", f"s3://contents/{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with the lab's tables and nothing in them, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "lab.sqlite"
    database = Database(f"sqlite:///{file}")
    upgrade_lab(database)
    # The last connection to go writes the log into the file.
    database.close()
    return file


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: MariaDB) -> str:
    """The URL of a MariaDB database with the lab's tables: to make them takes seconds."""
    url = mariadb.create_database()
    database = Database(url)
    upgrade_lab(database)
    database.close()
    return url


@pytest.fixture(params=["sqlite", "mariadb"])
def lab_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the lab's tables and no content: once SQLite, once MariaDB."""
    if request.param == "sqlite":
        copy = tmp_path / "lab.sqlite"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), copy)
        return f"sqlite:///{copy}"
    url: str = request.getfixturevalue("migrated_mariadb")
    database = Database(url)
    database.run_blocking(_empty)
    database.close()
    return url


def _empty(connection: Connection) -> None:
    for table in (upload_part, upload, deletion, version):
        connection.execute(delete(table))
    fixed = (ROOT_ID, TRASH_ID)
    # Children first: a folder with entries cannot go.
    while connection.execute(
        delete(node).where(
            node.c.id.not_in(fixed),
            node.c.id.not_in(
                select(select(node.c.parent_id).where(node.c.parent_id.is_not(None)).subquery())
            ),
        )
    ).rowcount:
        pass


@pytest.fixture
def new_manager(
    lab_database_url: str, store_url: str, tmp_path: Path
) -> Iterator[Callable[[], FleetContentsManager]]:
    """Makes managers of different labs: each has its own connections, all share what is stored."""
    opened: list[Database] = []

    def make() -> FleetContentsManager:
        config = Config()
        config.JupyterFleet.database_url = lab_database_url
        config.JupyterFleet.bucket_url = store_url
        config.NotebookNotary.data_dir = str(tmp_path)
        manager = FleetContentsManager(config=config)
        manager.storage.database = Database(lab_database_url)
        opened.append(manager.storage.database)
        return manager

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def manager(new_manager: Callable[[], FleetContentsManager]) -> Iterator[FleetContentsManager]:
    """One manager; calls are those of ada, owner of the project demo."""
    act_as(make_identity("ada"))
    yield new_manager()
    act_as(None)
