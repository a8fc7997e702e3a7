"""Kernels that end because no session needs them: what is written down before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store.document_kernels import ending_key, lock_kernel, use_kernel
from jupyter_ext.sessions.store.session_rows import count_sessions
from jupyter_ext.sessions.tables import ENDING, STARTING, kernel_start, session, session_kernel


@dataclass(frozen=True)
class Ending:
    """A kernel that is to end because no session needs it, and the documents whose kernel it was.

    The intention is written down before the kernel is ended. Its last session goes after it: should
    the lab die in between, any other one finds both and ends the kernel."""

    kernel_id: str
    documents: tuple[Document, ...] = ()


_LEASE = timedelta(minutes=2)
"""Longer than gateways have for ending a kernel. Then another lab ends it."""


def release_session(connection: Connection, session_id: str) -> Ending | None:
    """Delete one session. If it is the last of its kernel it stays until the kernel has ended,
    which is then up to the caller; None if there is nothing to be ended."""
    query = select(session).where(session.c.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # Before anything is deleted: whoever is just adding a session is waited for here.
    documents = lock_kernel(connection, row.kernel_id)
    if connection.execute(query.with_for_update()).one_or_none() is None:
        return None
    if count_sessions(connection, row.kernel_id) > 1:
        connection.execute(delete(session).where(session.c.id == session_id))
        return None
    return _begin_ending(connection, row.kernel_id, documents)


def release_kernel(connection: Connection, kernel_id: str) -> Ending | None:
    """What is to be ended of a kernel that no session uses any more; None if one does or if it is
    just being started."""
    documents = lock_kernel(connection, kernel_id)
    starting = select(kernel_start.c.document).where(
        kernel_start.c.kernel_id == kernel_id,
        kernel_start.c.state == STARTING,
        kernel_start.c.lease_until > now_utc(connection),
    )
    if count_sessions(connection, kernel_id) or connection.execute(starting).first():
        return None
    return _begin_ending(connection, kernel_id, documents)


def _begin_ending(
    connection: Connection, kernel_id: str, documents: tuple[Document, ...]
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
                    lease_until=now_utc(connection) + _LEASE,
                    attempt=1,
                )
            )
    except IntegrityError:
        # Somebody else is ending it, or has died over it.
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
    """The kernel could not be ended: it is its documents' again, unless they have another one."""
    connection.execute(
        delete(kernel_start).where(kernel_start.c.document == ending_key(ending.kernel_id))
    )
    for document in ending.documents:
        use_kernel(connection, document, ending.kernel_id)


def remove_kernel(connection: Connection, kernel_id: str) -> None:
    """Forget a kernel that is known to be gone: its sessions, its start, and that it was ours."""
    connection.execute(delete(session).where(session.c.kernel_id == kernel_id))
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))
    connection.execute(delete(session_kernel).where(session_kernel.c.kernel_id == kernel_id))
