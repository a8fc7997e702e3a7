"""Records of kernels that are ended because no session needs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import personal_rows
from jupyter_ext.sessions.store.document_kernels import ending_key, lock_kernel, use_kernel
from jupyter_ext.sessions.store.former_kernels import give_back, pending_changes
from jupyter_ext.sessions.store.session_rows import count_sessions
from jupyter_ext.sessions.tables import ENDING, STARTING, kernel_start, session, session_kernel


@dataclass(frozen=True)
class Ending:
    """A kernel that is to end because no session needs it, and the documents whose kernel it was.

    The intention is recorded before the kernel is ended, and its last session is deleted after
    that: if the lab dies in between, another lab finds both and ends the kernel."""

    kernel_id: str
    documents: tuple[Document, ...] = ()
    change: Change | None = None
    """Of its session, if that had a former kernel: it goes on if the kernel does not end."""


@dataclass(frozen=True)
class Change:
    """A session that might go back to its `former` kernel, and the ending of that, if it ends with
    the session."""

    session_id: str
    former: str
    ending: Ending | None


_LEASE = timedelta(minutes=2)
"""Longer than gateways may take to end a kernel. After this time another lab ends it."""


def release_session(connection: Connection, session_id: str) -> list[Ending]:
    """Delete one session. The last session of a kernel stays until the kernel has ended: then
    returns the ending, which the caller must carry out, and after it that of a former kernel of the
    session. Empty if no kernel has to end."""
    query = select(session).where(session.c.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return []
    # Locked before anything is deleted, to wait for transactions that are adding a session.
    documents = lock_kernel(connection, row.kernel_id)
    held = connection.execute(query.with_for_update()).one_or_none()
    if held is None:
        return []
    if held.kernel_id != row.kernel_id:
        # It got another kernel meanwhile.
        return release_session(connection, session_id)
    former: Ending | None = None
    change: Change | None = None
    if held.former_kernel is not None:
        connection.execute(
            update(session).where(session.c.id == session_id).values(former_kernel=None)
        )
        former = release_kernel(connection, held.former_kernel)
        change = Change(session_id, held.former_kernel, former)
    ending: Ending | None = None
    if count_sessions(connection, row.kernel_id) > 1:
        connection.execute(delete(session).where(session.c.id == session_id))
    else:
        ending = _begin_ending(connection, row.kernel_id, documents)
    if ending is not None:
        ending = replace(ending, change=change)
    return [each for each in (ending, former) if each is not None]


def release_shared(connection: Connection, session_id: str, kernel_id: str) -> bool:
    """Delete one session of a kernel that other sessions use. False, and it stays, if none does, or
    if the session has been changed meanwhile."""
    lock_kernel(connection, kernel_id)
    if count_sessions(connection, kernel_id) < 2:
        return False
    deleted = connection.execute(
        delete(session).where(
            session.c.id == session_id,
            session.c.kernel_id == kernel_id,
            session.c.former_kernel.is_(None),
        )
    )
    return deleted.rowcount > 0


def is_unused(connection: Connection, kernel_id: str) -> bool:
    """Whether no session uses a kernel and nobody is starting it. Nobody else gives it a session
    until the transaction is over."""
    lock_kernel(connection, kernel_id)
    return not _is_used(connection, kernel_id)


def release_kernel(connection: Connection, kernel_id: str) -> Ending | None:
    """The ending of a kernel that no session uses any more; None if one does, or if the kernel is
    being started."""
    documents = lock_kernel(connection, kernel_id)
    if _is_used(connection, kernel_id):
        return None
    return _begin_ending(connection, kernel_id, documents)


def _is_used(connection: Connection, kernel_id: str) -> bool:
    starting = select(kernel_start.c.document).where(
        kernel_start.c.kernel_id == kernel_id,
        kernel_start.c.state == STARTING,
        kernel_start.c.lease_until > now_utc(connection),
    )
    return bool(
        count_sessions(connection, kernel_id)
        or personal_rows.uses(connection, kernel_id)
        or connection.execute(starting).first()
    )


def end_later(connection: Connection, kernel_id: str) -> None:
    """Record that a kernel, which has no session any more, is to end: whoever took the last one may
    not be permitted to. The session sweep ends it, unless somebody does before."""
    _begin_ending(connection, kernel_id, (), lease=-_LEASE)


def forget_failed(connection: Connection, session_id: str, kernel_id: str) -> None:
    """Delete a session whose client has been told that the kernel could not be started. Whoever
    wants a kernel for the document then starts another one."""
    lock_kernel(connection, kernel_id)
    connection.execute(
        delete(session).where(
            session.c.id == session_id,
            session.c.kernel_id == kernel_id,
            session.c.awaited,
            session.c.former_kernel.is_(None),
        )
    )
    if not count_sessions(connection, kernel_id):
        connection.execute(
            delete(kernel_start).where(
                kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != ENDING
            )
        )


def _begin_ending(
    connection: Connection,
    kernel_id: str,
    documents: tuple[Document, ...],
    lease: timedelta = _LEASE,
) -> Ending | None:
    connection.execute(
        delete(kernel_start).where(
            kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != ENDING
        )
    )
    try:
        with connection.begin_nested():
            connection.execute(
                insert(kernel_start).values(
                    document=ending_key(kernel_id),
                    kernel_id=kernel_id,
                    state=ENDING,
                    lease_until=now_utc(connection) + lease,
                    attempt=1,
                )
            )
    except IntegrityError:
        # Another lab is ending it, or died while doing so.
        return take_ending(connection, kernel_id)
    return Ending(kernel_id, documents)


def take_ending(connection: Connection, kernel_id: str) -> Ending | None:
    """The ending of a kernel that another lab has begun and not finished in time; else None."""
    now = now_utc(connection)
    taken = connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == ending_key(kernel_id), kernel_start.c.lease_until < now)
        .values(lease_until=now + _LEASE)
    )
    return Ending(kernel_id) if taken.rowcount else None


def unfinished_endings(connection: Connection) -> list[str]:
    """The kernels whose ending a lab has begun and not finished in time."""
    query = select(kernel_start.c.kernel_id).where(
        kernel_start.c.state == ENDING, kernel_start.c.lease_until < now_utc(connection)
    )
    return list(connection.execute(query).scalars())


def restore(connection: Connection, ending: Ending) -> None:
    """The kernel could not be ended: give it back to its documents that have no other one, and the
    former kernel, which nobody has ended yet, to its session."""
    connection.execute(
        delete(kernel_start).where(kernel_start.c.document == ending_key(ending.kernel_id))
    )
    for document in ending.documents:
        use_kernel(connection, document, ending.kernel_id)
    if ending.change is None:
        return
    if ending.change.ending is not None:
        restore(connection, ending.change.ending)
    connection.execute(
        update(session)
        .where(
            session.c.id == ending.change.session_id,
            session.c.kernel_id == ending.kernel_id,
            session.c.former_kernel.is_(None),
        )
        .values(former_kernel=ending.change.former)
    )


def remove_kernel(connection: Connection, kernel_id: str) -> None:
    """Delete all records of a kernel that is gone: its sessions, its start, its origin. Sessions
    that have a former kernel go back to that."""
    lock_kernel(connection, kernel_id)
    changes = pending_changes(connection, kernel_id)
    for session_id, former in changes:
        give_back(connection, session_id, kernel_id, former)
    connection.execute(
        update(session).where(session.c.former_kernel == kernel_id).values(former_kernel=None)
    )
    # One that has got the kernel since, in place of another one, goes back to that when somebody
    # looks: a kernel that a client started without a session has no row to be locked by.
    without_former = session.c.former_kernel.is_(None)
    looked_at = session.c.id.in_([session_id for session_id, _ in changes])
    connection.execute(
        delete(session).where(session.c.kernel_id == kernel_id, without_former | looked_at)
    )
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))
    connection.execute(delete(session_kernel).where(session_kernel.c.kernel_id == kernel_id))
