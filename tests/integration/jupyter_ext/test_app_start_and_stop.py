"""How a lab begins, refuses to begin, and ends."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from jupyter_ext.app import CannotStart, JupyterFleet
from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.database.engine import Database
from jupyter_ext.database.metadata import LAB_VERSION_TABLE
from jupyter_ext.platform import published_keys
from jupyter_ext.platform.encryption import create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, wait_until
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_folder("fleet-app-") as directory:
        yield directory


def command(directory: Path, settings: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """How a server with this configuration is started, and its environment."""
    server = {
        "ip": "127.0.0.1",
        "port_retries": 0,
        "open_browser": False,
        "allow_root": True,
        "jpserver_extensions": {"jupyter_ext": True},
    }
    document = {"ServerApp": {**server, **settings.pop("ServerApp", {})}, **settings}
    (directory / "jupyter_server_config.json").write_text(json.dumps(document))
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_CONFIG_DIR": str(directory),
        "JUPYTER_DATA_DIR": str(directory / "data"),
        "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
    }
    return [sys.executable, "-m", "jupyter_ext", "--no-browser"], environment


def fleet(directory: Path, **change: Any) -> JupyterFleet:
    """The extension with a configuration that is good but for `change`."""
    create_keys(directory / "key.pem", directory / "jwks.json")
    create_keys_file(directory / "login_keys.json")
    settings = {
        "database_url": f"sqlite:///{directory}/lab.sqlite",
        "bucket_url": "s3://b-b-b?endpoint=http://127.0.0.1:1&region=r",
        "gateway_urls": ["http://127.0.0.1:1"],
        "token_keys_file": str(directory / "jwks.json"),
        "login_keys_file": str(directory / "login_keys.json"),
    }
    return JupyterFleet(**{**settings, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"database_url": "sqlite:////nowhere/at/all/lab.sqlite"}, "/nowhere/at/all"),
        ({"database_url": "mysql://fleet:hidden@127.0.0.1:1/fleet"}, "cannot be reached"),
        ({"database_url": "nonsense"}, "sqlite:////absolute/path"),
        ({"token_keys_file": "/nowhere/jwks.json"}, "/nowhere/jwks.json"),
        ({"login_keys_file": "/nowhere/keys.json"}, "/nowhere/keys.json"),
        ({"login_keys_file": ""}, "login_keys_file"),
        ({"gateway_urls": []}, "gateway_urls"),
        ({"frame_url": "https://frames.example"}, "FleetIdentityProvider.public_url"),
        ({"bucket_url": "nonsense"}, "s3://BUCKET"),
        ({}, "127.0.0.1:1"),
    ],
)
def test_what_a_lab_needs_is_looked_at_first(
    directory: Path, change: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with pytest.raises(CannotStart) as refused:
        fleet(directory, **change).prepare()
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_lab_reads_the_platforms_keys_before_it_serves_and_in_one_place(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the first request would hold the event loop until the platform answers."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b'{"keys": []}'

    monkeypatch.setattr(published_keys, "_fetch", fetch)
    app = fleet(directory)
    keys = json.loads((directory / "jwks.json").read_bytes())
    issuer = {"jwks_url": "https://platform.example/jwks", "issuer": "x"}
    (directory / "jwks.json").write_text(json.dumps({**keys, "issuers": [issuer]}))
    with pytest.raises(CannotStart, match=r"127\.0\.0\.1:1"):
        app.prepare()
    assert asked == ["https://platform.example/jwks"]
    provider = FleetIdentityProvider(config=app.server_config())
    assert provider.verifier.revocations is app._revocations
    assert provider.verifier is FleetIdentityProvider(config=app.server_config()).verifier
    provider.verifier.verify(TokenSigner(directory / "key.pem").sign("ada", {}, 60))
    assert len(asked) == 1
    provider.verifier.stop()


def write_versions(database_url: str, *versions: str) -> None:
    """Make a database that says it has the tables of these versions."""
    database = Database(database_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {LAB_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"
        )
        for version in versions:
            connection.exec_driver_sql(f"INSERT INTO {LAB_VERSION_TABLE} VALUES ('{version}')")
    database.close()


def run_to_its_end(directory: Path, settings: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a lab that is expected to end by itself."""
    arguments, environment = command(directory, settings)
    return subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_database_from_the_future_is_left_alone(directory: Path) -> None:
    app = fleet(directory)
    write_versions(app.database_url, "9999")
    with pytest.raises(CannotStart, match="newer than this version"):
        app.prepare()


def test_a_lab_that_cannot_work_says_so_and_ends(directory: Path) -> None:
    settings = {"JupyterFleet": {"database_url": "nonsense", "gateway_urls": ["http://h"]}}
    ended = run_to_its_end(directory, settings)
    assert ended.returncode == 1, ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "cannot start" in line]) == 1
    assert "Traceback" not in ended.stderr


def test_whatever_fails_in_a_lab_it_does_not_go_on_as_a_server_of_its_machines_files(
    directory: Path,
) -> None:
    app = fleet(directory)
    # Two heads at once: nothing expects that.
    write_versions(app.database_url, "0001", "0002")
    names = ("database_url", "bucket_url", "gateway_urls", "token_keys_file", "login_keys_file")
    settings = {"JupyterFleet": {name: getattr(app, name) for name in names}}
    ended = run_to_its_end(directory, settings)
    assert ended.returncode == 1, ended.stderr
    assert "Jupyter Fleet cannot start" in ended.stderr


def test_without_a_database_nothing_changes(directory: Path) -> None:
    (port,) = free_ports(1)
    (directory / "files").mkdir()
    settings = {
        "ServerApp": {"port": port, "root_dir": str(directory / "files")},
        "IdentityProvider": {"token": "stock"},
    }
    arguments, environment = command(directory, settings)
    process = ServerProcess(arguments, directory / "log", environment=environment)
    url = f"http://127.0.0.1:{port}"
    headers = {"Authorization": "token stock"}

    def answers() -> bool:
        try:
            return requests.get(f"{url}/api", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        process.wait_until(answers)
        body = {"type": "file", "format": "text", "content": "x"}
        saved = requests.put(f"{url}/api/contents/a.txt", headers=headers, json=body)
        assert saved.status_code == 201
        assert "version" not in saved.json()
        assert (directory / "files" / "a.txt").read_text() == "x"
        assert requests.get(f"{url}/api/config/notebook", headers=headers).ok
        put = requests.put(f"{url}/api/config/notebook", headers=headers, json={"a": 1})
        assert put.status_code == 204
        assert requests.get(f"{url}/login").text.count("Jupyter Fleet") == 0
    finally:
        process.stop()
    log = (directory / "log").read_text()
    assert "jupyter_ext | extension was successfully loaded" in log
    assert "Traceback" not in log


def test_a_lab_does_not_wait_for_the_rest_of_a_request_without_end(
    directory: Path, seaweedfs: SeaweedFS
) -> None:
    limits = {"JupyterFleet": {"request_seconds": 1.0, "body_seconds": 1.0}}
    labs: Labs = start_bare_labs(directory, seaweedfs, 1, limits)
    address = labs.urls[0].removeprefix("http://").partition("/")[0].partition(":")
    put = b"PUT /api/contents/demo/a HTTP/1.1\r\nHost: lab\r\nContent-Length: 100\r\n\r\n{"
    with ExitStack() as stack:
        connections = []
        for half in (b"", b"GET /api HTTP/1.1\r\nHost: lab\r\nX-Long: ", put):
            connection = socket.create_connection((address[0], int(address[2])), timeout=60)
            connections.append(stack.enter_context(connection))
            connection.sendall(half)
        for connection in connections:
            while connection.recv(4096):
                pass
    labs.stop()


class _Body(io.BytesIO):
    """A request's body that tells when all of it was given to the connection."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.sent = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        if not piece:
            self.sent.set()
        return piece


def _unread_bytes(port: int) -> int:
    """What processes of this machine have not read yet from their connections with this port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        int(queues.split(":")[0], 16) + int(queues.split(":")[1], 16)
        for _, here, there, state, queues, *_ in lines
        if f"{port:04X}" in (here[-4:], there[-4:]) and state == "01"
    )


def test_a_lab_that_stops_answers_what_was_asked(directory: Path, seaweedfs: SeaweedFS) -> None:
    # It would wait for longer than the test.
    patient = {"JupyterFleet": {"stop_seconds": 600.0}}
    labs: Labs = start_bare_labs(directory, seaweedfs, 1, patient)
    client, url = labs.client(), labs.urls[0]
    cells = [
        {"cell_type": "markdown", "id": f"c{number}", "metadata": {}, "source": "x" * 200_000}
        for number in range(120)
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = _Body(json.dumps({"type": "notebook", "format": "json", "content": notebook}).encode())
    assert client.call("GET", f"{url}/api/contents/demo").ok
    answers: list[int] = []

    def save() -> None:
        answer = client.call("PUT", f"{url}/api/contents/demo/big.ipynb", data=body)
        answers.append(answer.status_code)

    thread = threading.Thread(target=save)
    log = directory / "lab-0.log"
    # In the middle of the save: the body has arrived, and the store keeps the answer from leaving.
    os.kill(seaweedfs.process.pid, signal.SIGSTOP)
    try:
        thread.start()
        assert body.sent.wait(60)
        port = int(url.rpartition(":")[2])
        deadline = time.monotonic() + 60
        while _unread_bytes(port):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        labs.processes[0].signal(signal.SIGTERM)
        labs.processes[0].wait_until(lambda: "received signal 15" in log.read_text())
        assert answers == []
    finally:
        os.kill(seaweedfs.process.pid, signal.SIGCONT)
    thread.join(60)
    assert answers in ([201], [200])
    # Nothing else is waited for.
    wait_until(lambda: labs.processes[0].exit_code is not None, 60)
    assert labs.processes[0].exit_code == 0
    assert "Traceback" not in log.read_text()
