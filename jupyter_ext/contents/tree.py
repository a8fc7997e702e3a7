"""All SQL about names and saves. Functions take a connection inside of a transaction.

An exception (`Refused`) rolls the transaction back, so a refused request changes nothing.
"""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    LargeBinary,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from jupyter_ext.contents.errors import BadInput, Conflict, NotFound, SaveConflict
from jupyter_ext.contents.paths import MAX_DEPTH, MAX_PATH_BYTES, ContentPath
from jupyter_ext.contents.tables import ROOT_ID, TRASH_ID, deletion, node, version
from jupyter_ext.database.engine import now_utc

DIRECTORY, FILE = "directory", "file"


class LostRace(Exception):
    """Another transaction was faster: retry this one. The text says what both change."""


class NameTaken(LostRace):
    """Another transaction has just created an entry with that name."""


class VersionMoved(LostRace):
    """Another transaction has just changed the version of that file."""


@dataclass(frozen=True)
class Version:
    """One immutable version of a file: `size` in bytes, `hash` the sha256 of its body in hex."""

    id: str
    object_key: str
    size: int
    hash: str
    author: str
    created: datetime
    base_id: str | None = None
    checkpointed: datetime | None = None


@dataclass(frozen=True)
class Node:
    """A folder or a file; a file has its current version."""

    id: str
    parent_id: str | None
    name: str
    type: str
    created: datetime
    modified: datetime
    version: Version | None

    @property
    def is_directory(self) -> bool:
        return self.type == DIRECTORY


@dataclass(frozen=True)
class NewVersion:
    """A body in the store that is to become a version."""

    id: str
    object_key: str
    size: int
    hash: str
    author: str


class Unconditional:
    """The base of a save that may replace anything."""


UNCONDITIONAL = Unconditional()
Base = str | None | Unconditional
"""The version that a save may replace: an id, None if no file may exist, or UNCONDITIONAL."""


def new_id() -> str:
    """32 unique hex digits; later IDs sort after earlier ones."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def to_version(row: Any) -> Version | None:
    """What a row with VERSION_COLUMNS says; None for a folder, and for no row."""
    if row is None or row.version_id is None:
        return None
    return Version(
        row.version_id,
        row.object_key,
        row.size,
        row.hash,
        row.author,
        row.version_created,
        row.base_id,
        row.checkpointed,
    )


def _to_node(row: Any) -> Node:
    return Node(
        row.id,
        row.parent_id,
        row.name,
        row.type,
        row.created,
        row.modified,
        to_version(row),
    )


VERSION_COLUMNS = (
    version.c.id.label("version_id"),
    version.c.object_key,
    version.c.size,
    version.c.hash,
    version.c.author,
    version.c.created.label("version_created"),
    version.c.base_id,
    version.c.checkpointed,
)
_NODE_COLUMNS = (
    node.c.id,
    node.c.parent_id,
    node.c.name,
    node.c.type,
    node.c.created,
    node.c.modified,
)
_SELECT_NODE = select(*_NODE_COLUMNS, *VERSION_COLUMNS).select_from(
    node.outerjoin(version, version.c.id == node.c.version_id)
)


def trail(connection: Connection, path: ContentPath) -> list[str]:
    """The ids of the nodes along the path, from the project's folder on, as far as they exist."""
    levels = [node.alias(f"n{depth}") for depth in range(len(path.names) + 1)]
    joined: Any = levels[0]
    for upper, lower, name in zip(levels, levels[1:], path.names, strict=False):
        joined = joined.outerjoin(
            lower, and_(lower.c.parent_id == upper.c.id, lower.c.name == name)
        )
    query = select(*(level.c.id for level in levels)).select_from(joined)
    at_root = (levels[0].c.parent_id == ROOT_ID, levels[0].c.name == path.project)
    row = connection.execute(query.where(*at_root)).one_or_none()
    return [] if row is None else [id for id in row if id is not None]


def _by_id(connection: Connection, id: str) -> Node:
    return _to_node(connection.execute(_SELECT_NODE.where(node.c.id == id)).one())


def root(connection: Connection) -> Node:
    """The root, which contains the projects' folders; its name is empty."""
    return _by_id(connection, ROOT_ID)


def find(connection: Connection, path: ContentPath) -> Node | None:
    """What is at a path within a project, None if nothing is."""
    ids = trail(connection, path)
    return _by_id(connection, ids[-1]) if len(ids) == len(path.names) + 1 else None


def find_file(connection: Connection, path: ContentPath) -> tuple[Node, Version]:
    """The file at the path and its current version; raises NotFound, or BadInput for a folder."""
    found = find(connection, path)
    if found is None:
        raise NotFound(f"{path} does not exist")
    if found.version is None:
        raise BadInput(f"{path} is a folder, not a file")
    return found, found.version


def entries(connection: Connection, directory: Node) -> list[Node]:
    """What is in the folder, ordered by name."""
    query = _SELECT_NODE.where(node.c.parent_id == directory.id).order_by(node.c.name)
    return [_to_node(row) for row in connection.execute(query)]


def ensure_project(connection: Connection, project: str) -> None:
    """Creates the project's folder when it is first used."""
    path = ContentPath(project, ())
    if not trail(connection, path):
        _insert_node(connection, ROOT_ID, project, DIRECTORY, now_utc(connection))


def _insert_node(
    connection: Connection,
    parent_id: str,
    name: str,
    type: str,
    now: datetime,
    *,
    id: str | None = None,
    version_id: str | None = None,
) -> str:
    values = {
        "id": id or new_id(),
        "parent_id": parent_id,
        "name": name,
        "type": type,
        "version_id": version_id,
        "created": now,
        "modified": now,
    }
    try:
        connection.execute(insert(node).values(values))
    except IntegrityError as error:
        # Also if the id was taken or the folder was removed: the retry finds out which.
        raise NameTaken(name) from error
    return str(values["id"])


def _folder_for(connection: Connection, path: ContentPath) -> list[str]:
    """The ids of the folders from the project's folder to the parent of the path.

    Raises NotFound if the parent does not exist, BadInput if it is a file.
    """
    ids = trail(connection, path.parent)
    if len(ids) != len(path.names):
        raise NotFound(f"the folder {path.parent} does not exist")
    if not _by_id(connection, ids[-1]).is_directory:
        raise BadInput(f"{path.parent} is a file, not a folder")
    return ids


def conflict(path: ContentPath, current: Version | None) -> SaveConflict:
    """The error that describes what is there."""
    if current is None:
        return SaveConflict(str(path))
    return SaveConflict(str(path), current.id, current.created, current.author)


def check_base(path: ContentPath, existing: Node | None, base: Base) -> None:
    """Raises BadInput if a folder is there, SaveConflict if it is not the version `base`."""
    if existing is not None and existing.is_directory:
        raise BadInput(f"{path} is a folder: a file cannot be saved over it")
    current = None if existing is None else existing.version
    if not isinstance(base, Unconditional) and base != (current.id if current else None):
        raise conflict(path, current)


def check_target(connection: Connection, path: ContentPath, base: Base) -> Node | None:
    """The file that a save would replace; raises what `save_file` would raise, writes nothing."""
    existing = find(connection, path)
    check_base(path, existing, base)
    if existing is None and not path.parent.is_project:
        _folder_for(connection, path)
    return existing


def save_file(
    connection: Connection, path: ContentPath, new: NewVersion, base: Base, node_id: str
) -> Node:
    """Makes `new` the current version of the file at `path` and returns the file.

    A new file gets the id `node_id`. Raises SaveConflict if `base` is not the current version,
    NotFound or BadInput if nothing can be saved there, LostRace if another transaction was faster
    and this one must be retried.
    """
    existing = find(connection, path)
    check_base(path, existing, base)
    now = now_utc(connection)
    if existing is None:
        ensure_project(connection, path.project)
        folder = _folder_for(connection, path)[-1]
        target = _insert_node(
            connection, folder, path.name, FILE, now, id=node_id, version_id=new.id
        )
        base_id = None
    else:
        target, base_id = existing.id, existing.version.id if existing.version else None
        changed = connection.execute(
            update(node)
            .where(node.c.id == target, node.c.version_id == base_id)
            .values(version_id=new.id, modified=now)
        )
        if changed.rowcount == 0:
            raise VersionMoved(path.name)
    connection.execute(
        insert(version).values(
            id=new.id,
            node_id=target,
            base_id=base_id,
            object_key=new.object_key,
            size=new.size,
            hash=new.hash,
            author=new.author,
            created=now,
        )
    )
    return _by_id(connection, target)


def make_directory(connection: Connection, path: ContentPath, *, new: bool = False) -> Node:
    """The folder at the path, created if it does not exist.

    Raises BadInput or NotFound, and SaveConflict if it must be `new` and something is there.
    """
    ensure_project(connection, path.project)
    existing = find(connection, path)
    if existing is None:
        folder = _folder_for(connection, path)[-1]
        id = _insert_node(connection, folder, path.name, DIRECTORY, now_utc(connection))
        return _by_id(connection, id)
    if new:
        raise conflict(path, existing.version)
    if not existing.is_directory:
        raise BadInput(f"{path} is a file: a folder cannot be saved over it")
    return existing


def rename(connection: Connection, old: ContentPath, new: ContentPath) -> None:
    """Renames a node or moves it to another folder: changes one row, however much is below it.

    Raises NotFound, Conflict (the new name is taken) or BadInput (a folder cannot be moved into
    itself, nor so deep that its contents could not be reached).
    """
    found = find(connection, old)
    if found is None:
        raise NotFound(f"{old} does not exist")
    if found.is_directory and old.parent != new.parent:
        # Two folders that are moved into each other at the same time would both lose the root.
        connection.execute(select(node.c.id).where(node.c.id == ROOT_ID).with_for_update())
    ensure_project(connection, new.project)
    folders = _folder_for(connection, new)
    if found.id in folders:
        raise BadInput(f"the folder {old} cannot be moved into itself")
    if find(connection, new) is not None:
        raise Conflict(f"{new} already exists")
    if found.is_directory:
        _check_reach(connection, found, old, new)
    try:
        changed = connection.execute(
            update(node)
            .where(
                node.c.id == found.id,
                node.c.parent_id == found.parent_id,
                node.c.name == found.name,
            )
            .values(parent_id=folders[-1], name=new.name)
        )
    except IntegrityError as error:
        raise NameTaken(new.name) from error
    if changed.rowcount == 0:
        raise NotFound(f"{old} does not exist")


def _check_reach(connection: Connection, folder: Node, old: ContentPath, new: ContentPath) -> None:
    """Raises BadInput if a path below the folder would exceed the limits."""
    new_bytes = len(str(new).encode())
    if len(new.names) <= len(old.names) and new_bytes <= len(str(old).encode()):
        return
    below = select(node.c.id, literal(0).label("names"), literal(0).label("bytes")).where(
        node.c.id == folder.id
    )
    walked = below.cte("below", recursive=True)
    # SQLite counts the characters of a text, but the bytes of a BLOB.
    size = func.length(cast(node.c.name, LargeBinary))
    walked = walked.union_all(
        select(node.c.id, walked.c.names + 1, walked.c.bytes + 1 + size).where(
            node.c.parent_id == walked.c.id
        )
    )
    names, extra = connection.execute(
        select(func.max(walked.c.names), func.max(walked.c.bytes))
    ).one()
    what = f"the contents of {old} would be nested too deeply in {new}"
    if 1 + len(new.names) + int(names) > MAX_DEPTH:
        raise BadInput(f"{what}: a path may have {MAX_DEPTH} names at most")
    if new_bytes + int(extra) > MAX_PATH_BYTES:
        raise BadInput(f"{what}: a path may have {MAX_PATH_BYTES} bytes at most")


def remove(connection: Connection, path: ContentPath, author: str) -> None:
    """Marks the node as deleted: changes one row, however much is below it. Versions are kept.

    Raises NotFound.
    """
    found = find(connection, path)
    if found is None:
        raise NotFound(f"{path} does not exist")
    changed = connection.execute(
        update(node)
        .where(
            node.c.id == found.id,
            node.c.parent_id == found.parent_id,
            node.c.name == found.name,
        )
        .values(parent_id=TRASH_ID, name=found.id)
    )
    if changed.rowcount == 0:
        raise NotFound(f"{path} does not exist")
    connection.execute(delete(deletion).where(deletion.c.node_id == found.id))
    connection.execute(
        insert(deletion).values(
            node_id=found.id, path=str(path), deleted=now_utc(connection), author=author
        )
    )
