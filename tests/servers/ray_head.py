"""A Ray cluster of one machine that a test starts, as an administrator would."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess

# Ray's token, as processes that connect to the cluster have it in their environment.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a-token-of-these-tests-0123456789"}


@dataclass(frozen=True)
class RayHead:
    """`address` for those on the machine, `client` for those outside."""

    address: str
    client: str
    process: ServerProcess


@contextmanager
def ray_head(
    log: Path, cpus: int = 4, environment: Mapping[str, str] | None = None
) -> Iterator[RayHead]:
    """`ray start --head` on free ports; `environment` is added to that of its processes."""
    port, client = free_ports(2)
    # Paths of sockets in it may have 107 characters.
    folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
    process = ServerProcess(
        [
            *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"),
            *(f"--port={port}", f"--ray-client-server-port={client}", f"--num-cpus={cpus}"),
            *("--node-ip-address=127.0.0.1", "--include-dashboard=false"),
            *("--disable-usage-stats", f"--temp-dir={folder.name}"),
            *("--object-store-memory=300000000", "--min-worker-port=0", "--max-worker-port=0"),
        ],
        log,
        # Only Ray and libraries are there: the package comes with whoever connects.
        environment={
            **{k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "PYTHONPATH")},
            **TOKEN,
            "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "120",
            # The head forks a server for each client, and gRPC's fork handlers crash some.
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            **(environment or {}),
        },
        directory=Path(folder.name),
    )
    try:
        process.wait_until(lambda: "Ray runtime started" in log.read_text(errors="replace"))
        yield RayHead(f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}", process)
    finally:
        # `ray stop` would end every Ray of this machine.
        with contextlib.suppress(psutil.NoSuchProcess):
            head = psutil.Process(process.pid)
            everything = [head, *head.children(recursive=True)]
            process.signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(everything, timeout=15)
            for left in alive:
                left.kill()
        process.kill()
        folder.cleanup()
