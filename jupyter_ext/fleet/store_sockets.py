"""The Unix sockets that an embedded object store leaves behind."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from jupyter_ext.fleet.ports import GRPC_OFFSET

SOCKETS = Path("/tmp")  # noqa: S108 (SeaweedFS knows no other folder)


def remove_sockets(ports: Mapping[str, int], folder: Path = SOCKETS) -> None:
    """Remove the Unix sockets of a store that has ended; ``ports`` are those of `Settings`."""
    for name, port in ports.items():
        store, _, server = name.partition("-")
        if store == "store":
            # A file of another user stays.
            with contextlib.suppress(OSError):
                (folder / f"seaweedfs-{server}-grpc-{port + GRPC_OFFSET}.sock").unlink()
