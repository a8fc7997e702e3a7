"""Decides which of several callers starts a document's kernel; if it dies, another one does."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store.document_kernels import (
    first_attempt,
    insert_start,
    is_ending,
    lock_starts,
)
from jupyter_ext.sessions.store.started_kernels import note_kernel
from jupyter_ext.sessions.tables import RUNNING, STARTING, kernel_start


class Claim(Enum):
    """What a caller who wants a kernel for a document must do."""

    START = "start"
    """Start the kernel; all others wait."""
    WAIT = "wait"
    """Somebody else is starting it."""
    ATTACH = "attach"
    """The gateways have it, launched or on its way."""


@dataclass(frozen=True)
class Start:
    """The kernel of a document, and the caller's part in starting it. `document` is where it was
    when this was read: a rename moves it."""

    claim: Claim
    kernel_id: str
    attempt: int
    document: Document


def claim_start(
    connection: Connection,
    document: Document,
    lease: timedelta,
    kernel_id: str | None = None,
    waited: Start | None = None,
) -> Start:
    """Ask for the kernel of a document; `kernel_id` is the id for a new one, if the caller has
    chosen it, `waited` the start that the caller has been waiting for.

    A caller that gets `START` must renew its `lease` or finish before it expires. After that the
    next caller starts the kernel with the same kernel id, which gateways treat as the same kernel,
    so nothing is started twice.
    """
    if waited is not None:
        # It may be called otherwise by now.
        document = document_of(connection, waited) or waited.document
    now = now_utc(connection)
    if kernel_id and is_ending(connection, kernel_id):
        # A new kernel with this id would be ended with the old one.
        kernel_id = None
    query = select(kernel_start).where(kernel_start.c.document == document.key).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        kernel_id = kernel_id or str(uuid.uuid4())
        attempt = first_attempt()
        try:
            with connection.begin_nested():
                insert_start(
                    connection,
                    document,
                    kernel_id,
                    state=STARTING,
                    lease_until=now + lease,
                    attempt=attempt,
                )
        except IntegrityError:
            row = connection.execute(query).one_or_none()
            if row is None:
                return Start(Claim.WAIT, "", 0, document)
        else:
            note_kernel(connection, kernel_id)
            return Start(Claim.START, kernel_id, attempt, document)
    if row.state == RUNNING:
        return Start(Claim.ATTACH, row.kernel_id, row.attempt, document)
    if row.lease_until > now:
        return Start(Claim.WAIT, row.kernel_id, row.attempt, document)
    connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == document.key)
        .values(lease_until=now + lease, attempt=row.attempt + 1)
    )
    return Start(Claim.START, row.kernel_id, row.attempt + 1, document)


def _mine(connection: Connection, start: Start) -> ColumnElement[bool]:
    # Not by its document, which may have been renamed since, or is being renamed.
    lock_starts(connection, start.kernel_id)
    return (kernel_start.c.kernel_id == start.kernel_id) & (kernel_start.c.attempt == start.attempt)


def document_of(connection: Connection, start: Start) -> Document | None:
    """What the kernel of a start belongs to now, whatever it is called by now; it then stays so in
    this transaction. None if the document has another kernel or none."""
    rows = lock_starts(connection, start.kernel_id)
    if any(row.document == start.document.key for row in rows):
        return start.document
    moved = [row for row in rows if row.attempt == start.attempt]
    return Document(moved[0].path, moved[0].type) if moved else None


def renew_start(connection: Connection, start: Start, lease: timedelta) -> bool:
    """Renew the `lease` of a start; False if another lab has taken over."""
    changed = connection.execute(
        update(kernel_start)
        .where(_mine(connection, start))
        .values(lease_until=now_utc(connection) + lease)
    )
    return changed.rowcount > 0


def finish_start(connection: Connection, start: Start) -> bool:
    """Record that the gateways have the kernel; False if another lab has taken over."""
    changed = connection.execute(
        update(kernel_start).where(_mine(connection, start)).values(state=RUNNING)
    )
    return changed.rowcount > 0


def drop_start(connection: Connection, start: Start) -> None:
    """The kernel could not be started, or is gone: the next caller starts another one."""
    connection.execute(delete(kernel_start).where(_mine(connection, start)))


def release_start(connection: Connection, start: Start) -> None:
    """The kernel may or may not have been started: the next caller retries with the same id."""
    connection.execute(
        update(kernel_start)
        .where(_mine(connection, start))
        .values(lease_until=now_utc(connection) - timedelta(microseconds=1))
    )
