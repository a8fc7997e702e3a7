"""All SQL of sessions and kernel starts. Every function is one step of a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import start_key
from jupyter_ext.sessions.tables import kernel_start, session


@dataclass(frozen=True)
class Session:
    """One session row. `path` is the document's, `shown_path` the one that the page knows."""

    id: str
    kernel_id: str
    project: str
    path: str
    shown_path: str
    name: str
    type: str
    username: str
    created: datetime

    @property
    def document(self) -> str:
        """The key of the document among kernel starts."""
        return start_key(self.path, self.type)


class Claim(Enum):
    """What somebody who wants a kernel for a document has to do."""

    START = "start"
    """Start the kernel; everybody else waits."""
    WAIT = "wait"
    """Somebody else is starting it."""
    ATTACH = "attach"
    """It has been started."""


@dataclass(frozen=True)
class Start:
    """The kernel of a document, and the caller's part in starting it."""

    claim: Claim
    kernel_id: str
    attempt: int


def _session(row: Row[Any]) -> Session:
    values = dict(row._mapping)
    values.pop("document")
    return Session(**values)


def get_session(connection: Connection, session_id: str) -> Session | None:
    """The session of this id, or None."""
    row = connection.execute(select(session).where(session.c.id == session_id)).one_or_none()
    return None if row is None else _session(row)


def find_session(connection: Connection, path: str, username: str) -> Session | None:
    """A session that is known by this path, one of the user's own if there is one."""
    rows = connection.execute(
        select(session).where(session.c.shown_path == path).order_by(session.c.created)
    ).all()
    own = [row for row in rows if row.username == username]
    return _session((own or rows)[0]) if rows else None


def sessions_of_projects(connection: Connection, projects: Collection[str] | None) -> list[Session]:
    """The sessions of these projects (None: of all), oldest first."""
    query = select(session).order_by(session.c.created, session.c.id)
    if projects is not None:
        query = query.where(session.c.project.in_(projects))
    return [_session(row) for row in connection.execute(query)]


def count_sessions(connection: Connection, kernel_id: str) -> int:
    """How many sessions use a kernel."""
    query = select(func.count()).select_from(session).where(session.c.kernel_id == kernel_id)
    return connection.execute(query).scalar_one()


def add_session(
    connection: Connection,
    *,
    kernel_id: str,
    project: str,
    path: str,
    shown_path: str,
    name: str,
    type_: str,
    username: str,
) -> Session:
    """Insert a session under a new id."""
    new = Session(
        id=str(uuid.uuid4()),
        kernel_id=kernel_id,
        project=project,
        path=path,
        shown_path=shown_path,
        name=name,
        type=type_,
        username=username,
        created=now_utc(connection),
    )
    connection.execute(insert(session).values(document=new.document, **vars(new)))
    return new


def change_session(connection: Connection, old: Session, new: Session) -> None:
    """Replace a session's row. If its document has another path now, the document's other sessions
    and its kernel go with it, so that a renamed notebook keeps its kernel."""
    connection.execute(
        update(session)
        .where(session.c.id == old.id)
        .values(document=new.document, **{k: v for k, v in vars(new).items() if k != "id"})
    )
    if new.kernel_id != old.kernel_id:
        connection.execute(
            update(kernel_start)
            .where(kernel_start.c.document == old.document)
            .values(kernel_id=new.kernel_id, state="running")
        )
    if new.document == old.document:
        return
    if new.project != old.project:
        # The kernel runs as the old project: whoever opens the document there needs another one.
        connection.execute(delete(kernel_start).where(kernel_start.c.document == old.document))
        return
    others = (session.c.document == old.document) & (session.c.kernel_id == new.kernel_id)
    connection.execute(
        update(session)
        .where(others & (session.c.shown_path == old.path))
        .values(shown_path=new.path, name=new.name)
    )
    connection.execute(update(session).where(others).values(document=new.document, path=new.path))
    moved = connection.execute(
        select(kernel_start.c.kernel_id).where(kernel_start.c.document == old.document)
    ).scalar_one_or_none()
    if moved == new.kernel_id:
        connection.execute(delete(kernel_start).where(kernel_start.c.document == new.document))
        connection.execute(
            update(kernel_start)
            .where(kernel_start.c.document == old.document)
            .values(document=new.document)
        )


def remove_session(connection: Connection, session_id: str) -> bool:
    """Delete one session; whether it was there."""
    return connection.execute(delete(session).where(session.c.id == session_id)).rowcount > 0


def remove_kernel(connection: Connection, kernel_id: str) -> None:
    """Forget a kernel that is known to be gone: its sessions and its start."""
    connection.execute(delete(session).where(session.c.kernel_id == kernel_id))
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))


def claim_start(
    connection: Connection, document: str, lease: timedelta, kernel_id: str | None = None
) -> Start:
    """Ask for the kernel of a document; `kernel_id` is the id for a new one, if the caller has
    chosen it.

    Whoever gets `START` has until the end of `lease` to renew it or be done. A starter whose lease
    has run out is followed by the next one with the same kernel id, which gateways take for the
    same kernel, so nothing is started twice.
    """
    now = now_utc(connection)
    query = select(kernel_start).where(kernel_start.c.document == document).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        kernel_id = kernel_id or str(uuid.uuid4())
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(kernel_start).values(
                        document=document,
                        kernel_id=kernel_id,
                        state="starting",
                        lease_until=now + lease,
                        attempt=1,
                    )
                )
        except IntegrityError:
            row = connection.execute(query).one_or_none()
            if row is None:
                return Start(Claim.WAIT, "", 0)
        else:
            return Start(Claim.START, kernel_id, 1)
    if row.state == "running":
        return Start(Claim.ATTACH, row.kernel_id, row.attempt)
    if row.lease_until > now:
        return Start(Claim.WAIT, row.kernel_id, row.attempt)
    connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == document)
        .values(lease_until=now + lease, attempt=row.attempt + 1)
    )
    return Start(Claim.START, row.kernel_id, row.attempt + 1)


def _mine(document: str, start: Start) -> ColumnElement[bool]:
    return (
        (kernel_start.c.document == document)
        & (kernel_start.c.kernel_id == start.kernel_id)
        & (kernel_start.c.attempt == start.attempt)
    )


def renew_start(connection: Connection, document: str, start: Start, lease: timedelta) -> bool:
    """Keep a start for another `lease`; False if somebody else has taken over."""
    changed = connection.execute(
        update(kernel_start)
        .where(_mine(document, start))
        .values(lease_until=now_utc(connection) + lease)
    )
    return changed.rowcount > 0


def finish_start(connection: Connection, document: str, start: Start) -> bool:
    """Say that the kernel runs; False if somebody else has taken over."""
    changed = connection.execute(
        update(kernel_start).where(_mine(document, start)).values(state="running")
    )
    return changed.rowcount > 0


def drop_start(connection: Connection, document: str, start: Start) -> None:
    """The kernel could not be started, or is gone: the next one starts another."""
    connection.execute(delete(kernel_start).where(_mine(document, start)))


def release_start(connection: Connection, document: str, start: Start) -> None:
    """The kernel may have been started or not: the next one tries at once, under the same id."""
    connection.execute(
        update(kernel_start)
        .where(_mine(document, start))
        .values(lease_until=now_utc(connection) - timedelta(microseconds=1))
    )


def use_kernel(connection: Connection, document: str, kernel_id: str) -> None:
    """Make a kernel that runs already the one of a document that has none."""
    if connection.execute(
        select(kernel_start.c.document).where(kernel_start.c.document == document)
    ).one_or_none():
        return
    connection.execute(
        insert(kernel_start).values(
            document=document,
            kernel_id=kernel_id,
            state="running",
            lease_until=now_utc(connection),
            attempt=1,
        )
    )
