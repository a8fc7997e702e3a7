"""A folder that kernels of a fleet see within their walls, in which each has a /tmp of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

SHOWN_FOLDERS = [] if os.geteuid() == 0 else [Path.home() / ".cache" / "jupyter-fleet-tests"]
"""What fleets of tests have to show their kernels: without root a home is hidden from them."""


@contextmanager
def folder_for_kernels(prefix: str) -> Iterator[Path]:
    """A new folder that every user may look into, removed at the end."""
    # Root's home is closed to the users under which kernels run.
    parent = next(iter(SHOWN_FOLDERS), Path("/var/lib"))
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
