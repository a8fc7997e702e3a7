"""What a session is about: the real path behind the path that a page posts."""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)

MAX_PATH_BYTES = 4096


@dataclass(frozen=True)
class Document:
    """What a kernel is started for: a notebook, console or file by its path and type."""

    path: str
    type: str

    @property
    def key(self) -> str:
        """Its name among kernel starts: sha256, because no index takes a whole path."""
        return hashlib.sha256(f"{self.type}\0{self.path}".encode()).hexdigest()

    @property
    def project(self) -> str:
        """The first folder of its path."""
        return self.path.partition("/")[0]

    @property
    def base(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


def is_placeholder(posted: str) -> bool:
    """Whether a page posts this path only until it says the real one."""
    return _UUID.match(posted.rstrip("/").rpartition("/")[2]) is not None


def moved_path(path: str, old: str, new: str) -> str | None:
    """Where `path` is once `old`, a file or a folder, is called `new`; None if it stays."""
    if path == old:
        return new
    return new + path.removeprefix(old) if path.startswith(f"{old}/") else None


def shown_path(shown: str, old: Document, new: Document) -> str:
    """What a page that knows `old` as `shown` is told of it once it is at `new`.

    A placeholder stays: the page compares the answer with what it posted.
    """
    return shown if old == new or is_placeholder(shown) else new.path


def shown_name(shown: str, name: str, old: Document, new: Document) -> str:
    """The name of a session that was called `name` at `old` and is at `new` now. It changes with
    the path if it was the file's name."""
    return new.base if shown_path(shown, old, new) != shown and name == old.base else name


def real_path(posted: str, name: str | None, type_: str) -> str:
    """The path of the document that a session is for, without outer slashes.

    JupyterLab posts `<folder>/<uuid>` with the notebook's name beside it, and puts the real path in
    place later (sessioncontext.ts), so that two pages would never share a kernel. Consoles have no
    document: two of the same name are two consoles.
    """
    path = "/".join(part for part in posted.split("/") if part)
    folder, base = posixpath.split(path)
    if type_ == "notebook" and name and _UUID.match(base):
        return posixpath.join(folder, name.strip("/"))
    return path
