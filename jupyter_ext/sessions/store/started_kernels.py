"""Kernels that were started for a session, and are ended when no session is left."""

from __future__ import annotations

import contextlib

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.tables import (
    ENDING,
    RUNNING,
    kernel_start,
    personal_session,
    session,
    session_kernel,
)


def note_kernel(connection: Connection, kernel_id: str) -> None:
    """Record that a kernel is about to be started for a session, and ends when it has none."""
    with contextlib.suppress(IntegrityError), connection.begin_nested():
        connection.execute(
            insert(session_kernel).values(kernel_id=kernel_id, created=now_utc(connection))
        )


def forget_kernel(connection: Connection, kernel_id: str) -> None:
    """Delete the record: the kernel is no longer to be ended for lack of a session."""
    connection.execute(delete(session_kernel).where(session_kernel.c.kernel_id == kernel_id))


def unused_kernels(connection: Connection) -> list[str]:
    """Kernels that were started for a session, have none, and are not being started or ended.

    A session that may go back to its former kernel has both.
    """
    used = select(session.c.id).where(session.c.kernel_id == session_kernel.c.kernel_id)
    former = select(session.c.id).where(session.c.former_kernel == session_kernel.c.kernel_id)
    own = select(personal_session.c.id).where(
        personal_session.c.kernel_id == session_kernel.c.kernel_id
    )
    busy = select(kernel_start.c.document).where(
        kernel_start.c.kernel_id == session_kernel.c.kernel_id,
        kernel_start.c.state != RUNNING,
        (kernel_start.c.state == ENDING) | (kernel_start.c.lease_until > now_utc(connection)),
    )
    query = select(session_kernel.c.kernel_id).where(
        ~used.exists(), ~former.exists(), ~own.exists(), ~busy.exists()
    )
    return list(connection.execute(query).scalars())
