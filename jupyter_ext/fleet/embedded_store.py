"""The embedded object store: its bucket, whether it takes data, and what it leaves behind."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from jupyter_ext.contents.bucket import Bucket, StoreUnavailable
from jupyter_ext.fleet.ports import GRPC_OFFSET

PAUSE = 0.2
SOCKETS = Path("/tmp")  # noqa: S108 (SeaweedFS knows no other folder)


def prepare_bucket(url: str, seconds: float) -> None:
    """Make the bucket and write to it; raises `StoreUnavailable` if that fails for ``seconds``.

    boto3 finds the credentials in its usual places. The first write makes the store allocate its
    volumes, which takes some seconds: no save should have to wait for that.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            bucket = Bucket(url)
            bucket.create_if_missing()
            key = f".fleet-probe/{uuid.uuid4().hex}"
            bucket.put(key, b"warm", {})
            bucket.delete([key])
            return
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def remove_sockets(ports: Mapping[str, int], folder: Path = SOCKETS) -> None:
    """Remove the Unix sockets of a store that has ended; ``ports`` are those of `Settings`."""
    for name, port in ports.items():
        store, _, server = name.partition("-")
        if store == "store":
            # A file of another user stays.
            with contextlib.suppress(OSError):
                (folder / f"seaweedfs-{server}-grpc-{port + GRPC_OFFSET}.sock").unlink()
