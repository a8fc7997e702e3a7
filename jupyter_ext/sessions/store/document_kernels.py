"""Which kernel a document has, and whether a session may still be given to it."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.tables import ENDING, RUNNING, kernel_start, session, session_kernel


def lock_starts(connection: Connection, kernel_id: str) -> Sequence[Row[Any]]:
    """The rows of a kernel's documents. From now on nobody else changes them.

    A rename moves a row to another key. MariaDB lets the reader wait at the old key until the
    rename is committed, but does not look at the new key if the reader is already past it.
    """
    query = (
        select(kernel_start)
        .where(kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != ENDING)
        .with_for_update()
    )
    rows = connection.execute(query).all()
    while True:
        again = connection.execute(query).all()
        if len(again) == len(rows):
            return again
        rows = again


def lock_kernel(connection: Connection, kernel_id: str) -> tuple[Document, ...]:
    """The documents of a kernel. From now on nobody else gives it a session or takes one."""
    # The one row that a kernel has while it has neither document nor session: MariaDB locks rows
    # that there are, and does not keep others from adding the first one.
    noted = select(session_kernel.c.kernel_id).where(session_kernel.c.kernel_id == kernel_id)
    connection.execute(noted.with_for_update()).all()
    starts = lock_starts(connection, kernel_id)
    documents = tuple(Document(row.path, row.type) for row in starts)
    for column in (session.c.kernel_id, session.c.former_kernel):
        # One at a time: each has an index, and nobody else's rows are locked.
        connection.execute(select(session.c.id).where(column == kernel_id).with_for_update()).all()
    return documents


def is_ending(connection: Connection, kernel_id: str) -> bool:
    """Whether somebody has decided to end the kernel. Whoever it was may have died since: another
    lab ends it then."""
    query = select(kernel_start.c.document).where(kernel_start.c.document == ending_key(kernel_id))
    return connection.execute(query).one_or_none() is not None


def ending_key(kernel_id: str) -> str:
    """The key of the row that says that the kernel is ending."""
    # No document's key, which is all hexadecimal.
    return "ending-" + hashlib.sha256(kernel_id.encode()).hexdigest()[:57]


def may_use(connection: Connection, kernel_id: str) -> bool:
    """Whether a session may be given to the kernel: not if it is being ended.

    Until the transaction is over nobody decides to end it.
    """
    lock_kernel(connection, kernel_id)
    return not is_ending(connection, kernel_id)


def chosen_document(connection: Connection, document: Document, kernel_id: str) -> Document | None:
    """The document, which somebody gives a kernel that runs already; None if that may not be."""
    if not may_use(connection, kernel_id):
        return None
    use_kernel(connection, document, kernel_id)
    return document


def use_kernel(connection: Connection, document: Document, kernel_id: str) -> None:
    """Make a kernel that runs already the one of a document that has none."""
    if connection.execute(
        select(kernel_start.c.document).where(kernel_start.c.document == document.key)
    ).one_or_none():
        return
    # Who inserted one just now was first.
    with contextlib.suppress(IntegrityError), connection.begin_nested():
        insert_start(
            connection,
            document,
            kernel_id,
            state=RUNNING,
            lease_until=now_utc(connection),
            attempt=first_attempt(),
        )


def insert_start(connection: Connection, document: Document, kernel_id: str, **more: Any) -> None:
    """Add the row of a document's kernel; IntegrityError if the document has one."""
    connection.execute(
        insert(kernel_start).values(
            document=document.key,
            path=document.path,
            type=document.type,
            kernel_id=kernel_id,
            **more,
        )
    )


def first_attempt() -> int:
    """The attempt of a start that nobody else has tried."""
    # Drawn, so that whoever drops a start does not drop a later one of the same kernel id.
    return secrets.randbelow(2**48)
