"""Sessions that may go back to the kernel that they had before a change."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from jupyter_ext.sessions.store.document_kernels import may_use, use_kernel
from jupyter_ext.sessions.store.session_rows import Session, hold_session
from jupyter_ext.sessions.tables import RUNNING, kernel_start, session


def pending_changes(connection: Connection, kernel_id: str) -> list[tuple[str, str]]:
    """The sessions that this kernel is on its way to, by id, each with its former kernel."""
    query = select(session.c.id, session.c.former_kernel).where(
        session.c.kernel_id == kernel_id, session.c.former_kernel.is_not(None)
    )
    return [(row.id, row.former_kernel) for row in connection.execute(query)]


def forget_former(connection: Connection, session_id: str, kernel_id: str, former: str) -> bool:
    """The session stays with this kernel for good. False if it has been changed meanwhile."""
    if _held(connection, session_id, kernel_id, former) is None:
        return False
    connection.execute(update(session).where(session.c.id == session_id).values(former_kernel=None))
    return True


def give_back(connection: Connection, session_id: str, kernel_id: str, former: str) -> bool:
    """The kernel could not be started: the session, and its document, have the former one again.
    False if the session has been changed meanwhile, or if the former kernel is being ended."""
    held = _held(connection, session_id, kernel_id, former)
    return held is not None and _has_again(connection, held, former, None)


def take_back(connection: Connection, old: Session, kernel_id: str) -> bool:
    """The kernel ended as the session got it: the session, and its document, have again what it had
    before. False if the session has been changed meanwhile, or if that is being ended as well."""
    held = hold_session(connection, old.id)
    if held is None or held.kernel_id != kernel_id:
        return False
    return _has_again(connection, held, old.kernel_id, old.former_kernel)


def _has_again(connection: Connection, held: Session, kernel_id: str, former: str | None) -> bool:
    if not may_use(connection, kernel_id):
        return False
    connection.execute(
        update(session)
        .where(session.c.id == held.id)
        .values(kernel_id=kernel_id, former_kernel=former)
    )
    connection.execute(
        update(kernel_start)
        .where(
            kernel_start.c.document == held.document.key,
            kernel_start.c.kernel_id == held.kernel_id,
        )
        .values(kernel_id=kernel_id, state=RUNNING)
    )
    # Somebody may have dropped the kernel that the session had until now.
    use_kernel(connection, held.document, kernel_id)
    return True


def keep_left(connection: Connection, session_id: str, left: str) -> tuple[bool, str | None]:
    """The session, which has got another kernel, goes back to the one that it has `left` if that
    cannot be started. Whether it does, and the former kernel that it had until now, if it is
    another one. Not if the session is gone or the kernel is being ended."""
    held = hold_session(connection, session_id)
    if held is None or not may_use(connection, left):
        return False, None
    if left in (held.kernel_id, held.former_kernel):
        return True, None
    connection.execute(update(session).where(session.c.id == session_id).values(former_kernel=left))
    return True, held.former_kernel


def _held(connection: Connection, session_id: str, kernel_id: str, former: str) -> Session | None:
    """The session, locked, if this change of its kernel is still pending."""
    held = hold_session(connection, session_id)
    if held is None or (held.kernel_id, held.former_kernel) != (kernel_id, former):
        return None
    return held
