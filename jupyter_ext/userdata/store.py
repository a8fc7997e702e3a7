"""All SQL of settings, workspaces and signatures. Every function is one transaction's body."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    cast,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.userdata.tables import setting, trusted_notebook, workspace

# A signature that nobody has renewed for so long is forgotten, as stock Jupyter forgets the oldest.
SIGNATURES_KEPT = timedelta(days=365)

SIGNATURES_EACH = 10_000
"""How many signatures one user may have, the newest: each save of a notebook makes another one. For
a short time there may be some more: they are counted at one in SIGNATURES_COUNTED new ones."""

SIGNATURES_COUNTED = 100
_REMOVED_AT_ONCE = 10 * SIGNATURES_COUNTED


@dataclass(frozen=True)
class WorkspaceRoom:
    """Limits for one user: the number of workspaces, and their total size in bytes."""

    workspaces: int
    bytes: int


class WorkspacesFull(Exception):
    """A workspace exceeds its user's limits; the text says what to do."""


@dataclass(frozen=True)
class Stored:
    """One text of a user, by its name."""

    name: str
    raw: str
    created: datetime
    modified: datetime


def _upsert(connection: Connection, table: Table, key: dict[str, str], raw: str) -> None:
    now = now_utc(connection)
    condition = [table.c[name] == value for name, value in key.items()]
    change = update(table).where(*condition).values(raw=raw, modified=now)
    # MySQL counts changed rows; the time is always another one.
    if connection.execute(change).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(**key, raw=raw, created=now, modified=now))
    except IntegrityError:
        connection.execute(change)


def settings_of(connection: Connection, username: str) -> dict[str, Stored]:
    """Everything that a user has set, by schema name."""
    rows = connection.execute(select(setting).where(setting.c.username == username))
    return {
        row.schema_name: Stored(row.schema_name, row.raw, row.created, row.modified) for row in rows
    }


def save_setting(connection: Connection, username: str, schema_name: str, raw: str) -> None:
    """Replace what a user has set for one schema."""
    _upsert(connection, setting, {"username": username, "schema_name": schema_name}, raw)


# SQLite counts the letters of a text.
_WORKSPACE_BYTES = func.length(cast(workspace.c.raw, LargeBinary))


def workspace_sizes(connection: Connection, username: str) -> list[tuple[str, int]]:
    """The name of each of a user's workspaces and the bytes of its text, by name."""
    query = (
        select(workspace.c.name, _WORKSPACE_BYTES)
        .where(workspace.c.username == username)
        .order_by(workspace.c.name)
    )
    return [(name, size) for name, size in connection.execute(query)]


def workspaces_called(connection: Connection, username: str, names: list[str]) -> list[Stored]:
    """The user's workspaces with these names, by name."""
    query = (
        select(workspace)
        .where(workspace.c.username == username, workspace.c.name.in_(names))
        .order_by(workspace.c.name)
    )
    return [
        Stored(row.name, row.raw, row.created, row.modified) for row in connection.execute(query)
    ]


def get_workspace(connection: Connection, username: str, name: str) -> Stored | None:
    """One workspace of a user, or None."""
    row = connection.execute(
        select(workspace).where(workspace.c.username == username, workspace.c.name == name)
    ).one_or_none()
    return None if row is None else Stored(row.name, row.raw, row.created, row.modified)


def save_workspace(
    connection: Connection, username: str, name: str, raw: str, room: WorkspaceRoom
) -> None:
    """Replace one workspace of a user; raises WorkspacesFull.

    Concurrent saves may slightly exceed the limits, which only protect the database's size.
    """
    length = _WORKSPACE_BYTES
    mine, named = workspace.c.username == username, workspace.c.name == name
    present = connection.execute(select(length).where(mine, named)).scalar()
    others = select(func.count(), func.coalesce(func.sum(length), 0)).where(mine, ~named)
    count, size = connection.execute(others).one()
    advice = "delete some that you no longer need (DELETE /lab/api/workspaces/NAME)"
    if present is None and count >= room.workspaces:
        raise WorkspacesFull(
            f"you have {count} workspaces, and the limit is {room.workspaces}: {advice}"
        )
    # Users above the limits can still save workspaces that exist.
    saved = len(raw.encode())
    if size + saved > room.bytes and saved > (present or 0):
        raise WorkspacesFull(
            f"with this one your workspaces would have {size + saved} bytes, and the limit is "
            f"{room.bytes}: {advice}"
        )
    _upsert(connection, workspace, {"username": username, "name": name}, raw)


def delete_workspace(connection: Connection, username: str, name: str) -> bool:
    """Delete one workspace of a user; returns whether it existed."""
    condition = (workspace.c.username == username) & (workspace.c.name == name)
    return connection.execute(delete(workspace).where(condition)).rowcount > 0


def add_signature(connection: Connection, username: str, algorithm: str, digest: str) -> None:
    """Remember a notebook that a user trusts, and forget those that nobody has trusted or changed
    for a long time, and the oldest of a user who has too many."""
    now = now_utc(connection)
    changed = update(trusted_notebook).where(*_is(username, algorithm, digest)).values(seen=now)
    if connection.execute(changed).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(
                insert(trusted_notebook).values(
                    username=username, algorithm=algorithm, digest=digest, seen=now
                )
            )
    except IntegrityError:
        return
    connection.execute(
        delete(trusted_notebook).where(trusted_notebook.c.seen < now - SIGNATURES_KEPT)
    )
    if secrets.randbelow(SIGNATURES_COUNTED) == 0:
        _remove_oldest_signatures(connection, username)


def _remove_oldest_signatures(connection: Connection, username: str) -> None:
    table = trusted_notebook.c
    mine = table.username == username
    count = connection.execute(
        select(func.count()).select_from(trusted_notebook).where(mine)
    ).scalar_one()
    if count <= SIGNATURES_EACH:
        return
    oldest = connection.execute(
        select(table.algorithm, table.digest)
        .where(mine)
        .order_by(table.seen)
        .limit(min(count - SIGNATURES_EACH, _REMOVED_AT_ONCE))
    ).all()
    # MySQL deletes from no table that the same statement reads.
    keys = [tuple(row) for row in oldest]
    connection.execute(
        delete(trusted_notebook).where(mine, tuple_(table.algorithm, table.digest).in_(keys))
    )


def has_signature(connection: Connection, username: str, algorithm: str, digest: str) -> bool:
    """Whether the user trusts the notebook."""
    query = select(trusted_notebook.c.digest).where(*_is(username, algorithm, digest))
    return connection.execute(query).first() is not None


def remove_signature(connection: Connection, username: str, algorithm: str, digest: str) -> None:
    """Forget that the user trusts the notebook; other users' trust stays."""
    connection.execute(delete(trusted_notebook).where(*_is(username, algorithm, digest)))


def _is(username: str, algorithm: str, digest: str) -> tuple[ColumnElement[bool], ...]:
    table = trusted_notebook.c
    return table.username == username, table.algorithm == algorithm, table.digest == digest
