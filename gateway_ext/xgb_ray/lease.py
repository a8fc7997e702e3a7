"""Keeps the kernel from being culled during background work."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "FLEET_LEASES"
LEASE_SECONDS = 60.0
"""How long the kernel is kept after the last renewal: by then its process hangs or has ended."""
_RENEWAL_SECONDS = 15.0


@contextlib.contextmanager
def lease() -> Iterator[None]:
    """Holds a lease while the block runs, so that the kernel is not culled as idle.

    Does nothing where the kernel is not one of a fleet, or its folder of leases has gone.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        yield
        return
    file = Path(folder) / f"xgb_ray-{uuid.uuid4().hex}"
    ended = threading.Event()

    def renew() -> None:
        while True:
            with contextlib.suppress(OSError):
                file.touch()
                until = time.time() + LEASE_SECONDS
                os.utime(file, (until, until))
            if ended.wait(_RENEWAL_SECONDS):
                break
        with contextlib.suppress(OSError):
            file.unlink()

    renewal = threading.Thread(target=renew, name="xgb_ray lease", daemon=True)
    renewal.start()
    try:
        yield
    finally:
        ended.set()
