"""Managers over real databases and a real object store, and callers for them."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.base.call_context import CallContext
from traitlets.config import Config

from jupyter_ext.contents.bucket import Bucket
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from tests.servers.seaweedfs import SeaweedFS


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
