"""Updates sessions and kernels when files are renamed."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from jupyter_ext.sessions.paths import Document, moved_path, shown_name, shown_path
from jupyter_ext.sessions.store import endings, launch_choices, personal_rows
from jupyter_ext.sessions.store.personal_rows import at_or_below
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.tables import ENDING, kernel_start, session


def move_documents(connection: Connection, old: str, new: str) -> None:
    """Move sessions and kernels along when contents renames `old`, a file or a folder, to `new`.

    Runs in the rename's transaction, so that a page that opens the new name finds the kernel. Pages
    that know the old path get the new one; a placeholder does not change, because its page compares
    the response with what it posted. A document that moves to another project loses its kernel,
    which runs as the old project; the page's own PATCH reports that.
    """
    launch_choices.move(connection, old, new)
    project = old.partition("/")[0]
    if project != new.partition("/")[0]:
        return
    starts = connection.execute(
        select(kernel_start.c.document, kernel_start.c.path, kernel_start.c.type)
        .where(kernel_start.c.state != ENDING, at_or_below(kernel_start.c.path, old))
        .order_by(kernel_start.c.document)
    ).all()
    left = []
    for row in starts:
        target = Document(_moved(row.path, old, new), row.type)
        if _move_start(connection, row.document, target):
            left += personal_rows.end_at(connection, target)
    left += personal_rows.move(connection, project, old, new)
    for kernel_id in left:
        # Of a file that was deleted or overwritten. Whoever renames may not end others' kernels.
        endings.end_later(connection, kernel_id)
    sessions = connection.execute(
        select(session)
        .where(session.c.project == project, at_or_below(session.c.path, old))
        .order_by(session.c.id)
        # Their pages may be renaming them as well.
        .with_for_update()
    ).all()
    for row in sessions:
        there = Document(row.path, row.type)
        here = Document(_moved(row.path, old, new), row.type)
        connection.execute(
            update(session)
            .where(session.c.id == row.id, session.c.document == row.document)
            .values(
                path=here.path,
                document=here.key,
                shown_path=shown_path(row.shown_path, there, here),
                name=shown_name(row.shown_path, row.name, there, here),
            )
        )


def move_own(connection: Connection, old: Session, new: Session) -> str | None:
    """A person renames their own session. The kernel of another one of theirs that was there, which
    is recorded to end."""
    left = personal_rows.change(connection, old, new)
    if left is not None:
        endings.end_later(connection, left)
    return left


def _moved(path: str, old: str, new: str) -> str:
    return moved_path(path, old, new) or path


def _move_start(connection: Connection, key: str, target: Document) -> bool:
    """Move a kernel to the document's new name; False if nothing is to be moved."""
    if (
        key == target.key
        or not connection.execute(
            select(kernel_start.c.document).where(kernel_start.c.document == key).with_for_update()
        ).one_or_none()
    ):
        return False
    # The target was deleted or overwritten; the moved file keeps its own kernel.
    connection.execute(delete(kernel_start).where(kernel_start.c.document == target.key))
    connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == key)
        .values(document=target.key, path=target.path, type=target.type)
    )
    return True
