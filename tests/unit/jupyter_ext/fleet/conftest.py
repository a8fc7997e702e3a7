"""A fleet that is down, its keys, and servers that would have values encrypted with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ext.fleet import secret_rotation
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import SecretFiles
from tests.unit.jupyter_ext.fleet.keys_of_a_fleet import Servers


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    data_dir = DataDir.at(tmp_path / "d")
    data_dir.create()
    SecretFiles(data_dir.secrets).create()
    return data_dir


@pytest.fixture
def files(data_dir: DataDir) -> SecretFiles:
    return SecretFiles(data_dir.secrets)


@pytest.fixture
def servers(files: SecretFiles, monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers(files)
    monkeypatch.setattr(secret_rotation, "call", servers.call)
    return servers
