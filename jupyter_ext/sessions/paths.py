"""What a session is about: the real path behind the path that a page posts."""

from __future__ import annotations

import hashlib
import posixpath
import re

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)

MAX_PATH_BYTES = 4096


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


def start_key(path: str, type_: str) -> str:
    """The name of a document among kernel starts: sha256, because no index takes a whole path."""
    return hashlib.sha256(f"{type_}\0{path}".encode()).hexdigest()
