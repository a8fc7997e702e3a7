"""The document of a session: finds the real path for the path that a page posts."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection
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
        """Its key among kernel starts: a sha256, because a whole path is too long for an index."""
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
    """Whether this is a placeholder that a page posts before it sends the real path."""
    return _UUID.match(posted.rstrip("/").rpartition("/")[2]) is not None


def moved_path(path: str, old: str, new: str) -> str | None:
    """The path after `old`, a file or a folder, is renamed to `new`; None if it does not change."""
    if path == old:
        return new
    return new + path.removeprefix(old) if path.startswith(f"{old}/") else None


def present_path(started_for: str, documents: Collection[Document]) -> str:
    """The path to show of a kernel that has these documents. One that it was not started for, such
    as a console beside its notebook, is shown only if there is nothing better."""
    if not documents or any(one.path == started_for for one in documents):
        return started_for
    return min(documents, key=lambda one: one.type != "notebook").path


def shown_path(shown: str, old: Document, new: Document) -> str:
    """The path to show, after a rename from `old` to `new`, to a page that knows `old` as `shown`.

    A placeholder does not change: the page compares the response with what it posted.
    """
    return shown if old == new or is_placeholder(shown) else new.path


def shown_name(shown: str, name: str, old: Document, new: Document) -> str:
    """The new name of a session whose document moved from `old` to `new`. It changes with the path
    if `name` was the file's name."""
    return new.base if shown_path(shown, old, new) != shown and name == old.base else name


def real_path(posted: str, name: str | None, type_: str) -> str:
    """The path of the document that a session is for, without outer slashes.

    JupyterLab first posts `<folder>/<uuid>` with the notebook's name and sends the real path later
    (sessioncontext.ts), so by the posted paths two pages would never share a kernel. Consoles have
    no document: two of the same name are two consoles.
    """
    path = "/".join(part for part in posted.split("/") if part)
    folder, base = posixpath.split(path)
    if type_ == "notebook" and name and _UUID.match(base):
        return posixpath.join(folder, name.strip("/"))
    return path
