"""All SQL about the versions that a file has had. Functions take a connection inside of a
transaction."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from jupyter_ext.contents.errors import NotFound
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.tables import version
from jupyter_ext.contents.tree import VERSION_COLUMNS, Node, Version, find_file, to_version
from jupyter_ext.database.engine import now_utc

_SELECT_VERSION = select(*VERSION_COLUMNS).select_from(version)


def versions(connection: Connection, file: Node, *, newest: int | None = None) -> list[Version]:
    """The file's versions, oldest first; only so many of the newest unless that is None."""
    query = _SELECT_VERSION.where(version.c.node_id == file.id)
    newest_first = query.order_by(version.c.created.desc(), version.c.id.desc())
    return _to_versions(connection.execute(newest_first.limit(newest)))[::-1]


def checkpoints(connection: Connection, file: Node) -> list[Version]:
    """The file's checkpoints, oldest mark first."""
    query = _SELECT_VERSION.where(
        version.c.node_id == file.id, version.c.checkpointed.is_not(None)
    ).order_by(version.c.checkpointed, version.c.created, version.c.id)
    return _to_versions(connection.execute(query))


def _to_versions(rows: Iterable[Any]) -> list[Version]:
    return [found for row in rows if (found := to_version(row)) is not None]


def find_version(connection: Connection, path: ContentPath, id: str) -> Version:
    """One version of the file at the path, current or replaced; raises NotFound or BadInput."""
    file, _ = find_file(connection, path)
    query = _SELECT_VERSION.where(version.c.node_id == file.id, version.c.id == id)
    found = to_version(connection.execute(query).one_or_none())
    if found is None:
        raise NotFound(f"{path} has no version {id}")
    return found


def set_checkpoint(connection: Connection, path: ContentPath, id: str | None) -> Version:
    """Marks the current version (id None) as a checkpoint, or takes the mark from version `id`.

    Answers with the version; raises NotFound or BadInput.
    """
    if id is None:
        _, target = find_file(connection, path)
        mark = now_utc(connection)
    else:
        target = find_version(connection, path, id)
        mark = None
        if target.checkpointed is None:
            raise NotFound(f"{path} has no checkpoint {id}")
    connection.execute(update(version).where(version.c.id == target.id).values(checkpointed=mark))
    return Version(**{**target.__dict__, "checkpointed": mark})
