"""The fleet that somebody has who follows a walk of docs/clusters.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clusters.walk import REPOSITORY, Reader


@contextmanager
def walking_fleet(home: Path, **environment: str) -> Iterator[Reader]:
    """A reader in whose home a fleet runs, as `make up` starts it, with one lab. It is stopped at
    the end; the kernels that the walk left are ended."""
    reader = Reader(home, {"JUPYTER_FLEET_DATA": str(home / "data"), **environment})
    reader.run(f'export PATH="{REPOSITORY}/.envs/lab/bin:$PATH"')
    reader.run("jupyter fleet up --detach --labs 1")
    try:
        yield reader
    finally:
        reader.run("jupyter fleet status >/dev/null && jupyter fleet down --kernels || true")
        reader.run("jupyter fleet down")
