"""All SQL of sessions and kernel starts. Every function is one step of a transaction."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
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


@dataclass(frozen=True)
class Ending:
    """A kernel that nobody uses any more, and what was taken from it."""

    kernel_id: str
    documents: tuple[str, ...]
    last: Session | None


_ENDING = "ending"
_ENDING_LEASE = timedelta(minutes=2)
"""Longer than gateways have for ending a kernel. A lab that dies meanwhile leaves its mark."""


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


def remove_session(connection: Connection, session_id: str) -> Ending | None:
    """Delete one session; what its kernel leaves if it was the kernel's last, else None."""
    row = connection.execute(select(session).where(session.c.id == session_id)).one_or_none()
    if row is None:
        return None
    # Before anything is deleted: whoever is just adding a session is waited for here.
    documents = _lock_kernel(connection, row.kernel_id)
    if not connection.execute(delete(session).where(session.c.id == session_id)).rowcount:
        return None
    return _end_if_unused(connection, row.kernel_id, documents, _session(row))


def forget_session(connection: Connection, session_id: str) -> None:
    """Delete one session and leave its kernel alone."""
    connection.execute(delete(session).where(session.c.id == session_id))


def release_kernel(connection: Connection, kernel_id: str) -> Ending | None:
    """What a kernel leaves that no session uses any more; None if one does."""
    documents = _lock_kernel(connection, kernel_id)
    return _end_if_unused(connection, kernel_id, documents, None)


def _lock_kernel(connection: Connection, kernel_id: str) -> list[str]:
    """The documents of a kernel. From now on nobody else gives it a session or takes one."""
    starts = connection.execute(
        select(kernel_start.c.document)
        .where(kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != _ENDING)
        .with_for_update()
    )
    documents = list(starts.scalars())
    connection.execute(
        select(session.c.id).where(session.c.kernel_id == kernel_id).with_for_update()
    ).all()
    return documents


def _end_if_unused(
    connection: Connection, kernel_id: str, documents: list[str], last: Session | None
) -> Ending | None:
    if count_sessions(connection, kernel_id):
        return None
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))
    try:
        with connection.begin_nested():
            connection.execute(
                insert(kernel_start).values(
                    document=_ending_key(kernel_id),
                    kernel_id=kernel_id,
                    state=_ENDING,
                    lease_until=now_utc(connection) + _ENDING_LEASE,
                    attempt=1,
                )
            )
    except IntegrityError:
        # Somebody else is ending it.
        return None
    return Ending(kernel_id, tuple(documents), last)


def restore(connection: Connection, ending: Ending) -> None:
    """The kernel could not be ended: it is its documents' again, unless they have another one."""
    connection.execute(
        delete(kernel_start).where(kernel_start.c.document == _ending_key(ending.kernel_id))
    )
    for document in ending.documents:
        use_kernel(connection, document, ending.kernel_id)
    if ending.last is not None:
        last = ending.last
        connection.execute(insert(session).values(document=last.document, **vars(last)))


def is_ending(connection: Connection, kernel_id: str) -> bool:
    """Whether somebody has decided to end the kernel and is at it."""
    row = connection.execute(
        select(kernel_start.c.lease_until).where(kernel_start.c.document == _ending_key(kernel_id))
    ).one_or_none()
    return row is not None and row.lease_until > now_utc(connection)


def _ending_key(kernel_id: str) -> str:
    # No document's key, which is all hexadecimal.
    return "ending-" + hashlib.sha256(kernel_id.encode()).hexdigest()[:57]


def remove_kernel(connection: Connection, kernel_id: str) -> None:
    """Forget a kernel that is known to be gone: its sessions and its start."""
    connection.execute(delete(session).where(session.c.kernel_id == kernel_id))
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))


def _first_attempt() -> int:
    # Drawn, so that whoever drops a start does not drop a later one of the same kernel id.
    return secrets.randbelow(2**48)


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
    if kernel_id and is_ending(connection, kernel_id):
        # A kernel of this id would be ended with the old one.
        kernel_id = None
    query = select(kernel_start).where(kernel_start.c.document == document).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        kernel_id = kernel_id or str(uuid.uuid4())
        attempt = _first_attempt()
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(kernel_start).values(
                        document=document,
                        kernel_id=kernel_id,
                        state="starting",
                        lease_until=now + lease,
                        attempt=attempt,
                    )
                )
        except IntegrityError:
            row = connection.execute(query).one_or_none()
            if row is None:
                return Start(Claim.WAIT, "", 0)
        else:
            return Start(Claim.START, kernel_id, attempt)
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


def may_use(connection: Connection, kernel_id: str) -> bool:
    """Whether a session may be given to the kernel: not if it is being ended.

    Until the transaction is over nobody decides to end it.
    """
    _lock_kernel(connection, kernel_id)
    return not is_ending(connection, kernel_id)


def is_kernel_of(connection: Connection, document: str, kernel_id: str) -> bool:
    """Whether the document's kernel is still this one; it then stays so in this transaction."""
    query = select(kernel_start.c.kernel_id).where(kernel_start.c.document == document)
    return connection.execute(query.with_for_update()).scalar_one_or_none() == kernel_id


def use_kernel(connection: Connection, document: str, kernel_id: str) -> None:
    """Make a kernel that runs already the one of a document that has none."""
    if connection.execute(
        select(kernel_start.c.document).where(kernel_start.c.document == document)
    ).one_or_none():
        return
    # Who inserted one just now was first.
    with contextlib.suppress(IntegrityError), connection.begin_nested():
        connection.execute(
            insert(kernel_start).values(
                document=document,
                kernel_id=kernel_id,
                state="running",
                lease_until=now_utc(connection),
                attempt=_first_attempt(),
            )
        )
