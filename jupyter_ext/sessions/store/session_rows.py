"""The rows of sessions: finding, adding, changing and counting them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store.document_kernels import lock_kernel, use_kernel
from jupyter_ext.sessions.tables import ENDING, RUNNING, kernel_start, session


@dataclass(frozen=True)
class Session:
    """One session row. `path` is the document's, `shown_path` the one that the page knows;
    `awaited` says that a client waits to be told whether the kernel runs. `awaited_kernel` is the
    one for which the user `awaited_by` waits, who has asked for another kernel than there was.
    `former_kernel` is the one to go back to if the present one cannot be started."""

    id: str
    kernel_id: str
    project: str
    path: str
    shown_path: str
    name: str
    type: str
    username: str
    created: datetime
    awaited: bool = False
    awaited_kernel: str | None = None
    awaited_by: str | None = None
    former_kernel: str | None = None

    def kernel_awaited_by(self, username: str) -> str | None:
        """The kernel that the user has asked for in place of an earlier one, without having been
        told yet whether it runs. If it could not be started, the session has the earlier one."""
        return self.awaited_kernel if self.awaited_by == username else None

    @property
    def document(self) -> Document:
        """The session's document."""
        return Document(self.path, self.type)


def _session(row: Row[Any]) -> Session:
    values = dict(row._mapping)
    values.pop("document")
    values["awaited"] = bool(values["awaited"])
    return Session(**values)


def _shown(connection: Connection) -> ColumnElement[bool]:
    """Selects the sessions that users can see: those whose kernel is not being ended."""
    ending = select(kernel_start.c.kernel_id).where(
        kernel_start.c.kernel_id == session.c.kernel_id,
        kernel_start.c.state == ENDING,
        kernel_start.c.lease_until > now_utc(connection),
    )
    return ~ending.exists()


def get_session(connection: Connection, session_id: str) -> Session | None:
    """The session of this id, or None."""
    query = select(session).where(session.c.id == session_id, _shown(connection))
    row = connection.execute(query).one_or_none()
    return None if row is None else _session(row)


def hold_session(connection: Connection, session_id: str) -> Session | None:
    """The same, and locks the session, its kernel and its document for this transaction."""
    query = select(session).where(session.c.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    lock_kernel(connection, row.kernel_id)
    held = connection.execute(query.with_for_update()).one_or_none()
    if held is None:
        return None
    if held.kernel_id != row.kernel_id:
        # It got another kernel meanwhile.
        return hold_session(connection, session_id)
    return get_session(connection, session_id)


def find_session(connection: Connection, path: str, username: str) -> Session | None:
    """A session with this path: preferably one of the user's own, and one with the document's
    kernel rather than that of a deleted file with the same name."""
    of_document = select(kernel_start.c.kernel_id).where(
        kernel_start.c.document == session.c.document,
        kernel_start.c.kernel_id == session.c.kernel_id,
    )
    row = connection.execute(
        select(session)
        .where(session.c.shown_path == path, _shown(connection))
        .order_by(
            (session.c.username == username).desc(), of_document.exists().desc(), session.c.created
        )
        .limit(1)
    ).one_or_none()
    return None if row is None else _session(row)


def sessions_of_projects(connection: Connection, projects: Collection[str] | None) -> list[Session]:
    """The sessions of these projects (None: of all), oldest first."""
    query = select(session).where(_shown(connection)).order_by(session.c.created, session.c.id)
    if projects is not None:
        query = query.where(session.c.project.in_(projects))
    return [_session(row) for row in connection.execute(query)]


def count_sessions(connection: Connection, kernel_id: str) -> int:
    """How many sessions use a kernel, or would go back to it."""
    uses = (session.c.kernel_id == kernel_id) | (session.c.former_kernel == kernel_id)
    query = select(func.count()).select_from(session).where(uses)
    return connection.execute(query).scalar_one()


def same_session(
    connection: Connection, kernel_id: str, document: Document, shown_path: str, username: str
) -> Session | None:
    """The session that an equal request of the same user has just made, if any."""
    row = connection.execute(
        select(session)
        .where(
            session.c.kernel_id == kernel_id,
            session.c.document == document.key,
            session.c.shown_path == shown_path,
            session.c.username == username,
        )
        .order_by(session.c.created)
        .with_for_update()
    ).first()
    return None if row is None else _session(row)


def new_session(
    connection: Connection,
    *,
    kernel_id: str,
    document: Document,
    shown_path: str,
    name: str,
    username: str,
    awaited: bool = False,
) -> Session:
    """A session that is not written yet, under a new id."""
    return Session(
        id=str(uuid.uuid4()),
        kernel_id=kernel_id,
        project=document.project,
        path=document.path,
        shown_path=shown_path,
        name=name,
        type=document.type,
        username=username,
        created=now_utc(connection),
        awaited=awaited,
    )


def add_session(connection: Connection, new: Session) -> Session:
    """Insert a session."""
    connection.execute(insert(session).values(document=new.document.key, **vars(new)))
    return new


def change_session(connection: Connection, old: Session, new: Session) -> None:
    """Update a session that this transaction has locked.

    Only this session changes: other pages may have the old document open. The document's kernel
    moves with the last session that uses it there.
    """
    changed = {name: value for name, value in vars(new).items() if value != getattr(old, name)}
    if not changed:
        return
    connection.execute(
        update(session).where(session.c.id == old.id).values(document=new.document.key, **changed)
    )
    if new.kernel_id != old.kernel_id:
        connection.execute(
            update(kernel_start)
            .where(kernel_start.c.document == old.document.key)
            .values(kernel_id=new.kernel_id, state=RUNNING)
        )
    if new.document == old.document:
        return
    others = (
        select(func.count())
        .select_from(session)
        .where(session.c.document == old.document.key, session.c.kernel_id == new.kernel_id)
    )
    start = (kernel_start.c.document == old.document.key) & (
        kernel_start.c.kernel_id == new.kernel_id
    )
    held = connection.execute(select(kernel_start.c.document).where(start).with_for_update())
    if held.one_or_none() is None:
        return
    if not connection.execute(others).scalar_one():
        connection.execute(delete(kernel_start).where(start))
    use_kernel(connection, new.document, new.kernel_id)


def told(connection: Connection, session_id: str) -> None:
    """Nobody waits any more to be told whether the session's kernel runs."""
    connection.execute(update(session).where(session.c.id == session_id).values(awaited=False))


def told_of_kernel(connection: Connection, session_id: str, kernel_id: str) -> None:
    """Whoever asked for this kernel in place of the session's earlier one has been told of it."""
    connection.execute(
        update(session)
        .where(session.c.id == session_id, session.c.awaited_kernel == kernel_id)
        .values(awaited_kernel=None, awaited_by=None)
    )


def follow_document(
    connection: Connection, document: Document, dead: Collection[str], kernel_id: str
) -> None:
    """Give a document's sessions, which have one of these dead kernels, its new one."""
    connection.execute(
        update(session)
        .where(session.c.document == document.key, session.c.kernel_id.in_(dead))
        .values(kernel_id=kernel_id, awaited_kernel=None, awaited_by=None)
    )


def forget_session(connection: Connection, session_id: str) -> None:
    """Delete one session and leave its kernel alone."""
    connection.execute(delete(session).where(session.c.id == session_id))
