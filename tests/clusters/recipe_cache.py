"""Where what the clusters need is kept: outside the checkout, named by the hash of its recipe."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class UnavailableError(Exception):
    """This machine cannot have it: the message says what is missing."""


class OutOfTimeError(Exception):
    """The time budget ended first; what was built so far is kept."""


class BuildError(Exception):
    """The recipe is broken: the message is what the build said."""


def cache_root() -> Path:
    """The folder of all recipes, made if it is missing."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base) / "jupyter-fleet" / "clusters"
    root.mkdir(parents=True, exist_ok=True)
    return root


def recipe_folder(name: str, files: Iterable[Path], settings: str = "") -> Path:
    """The folder of what these files and settings make; another recipe has another folder."""
    digest = hashlib.sha256(settings.encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    folder = cache_root() / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def alone_in(folder: Path, deadline: float) -> Iterator[None]:
    """One process at a time builds in a folder, whichever checkout it belongs to.

    Raises OutOfTimeError if another one is still at it at `deadline` (seconds of time.monotonic()).
    """
    with (folder / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise OutOfTimeError(f"another build in {folder} is not done") from None
                time.sleep(0.5)
        yield
