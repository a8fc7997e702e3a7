"""The rows of sessions whose kernel one person has alone, at most one of each person for each
document."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.sessions.paths import Document, moved_path, shown_name, shown_path
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.store.started_kernels import note_kernel
from jupyter_ext.sessions.tables import personal_session

ENDED = ""
"""The kernel of a session whose person has ended it, and has not opened the document since."""
_ENDED_FOR = timedelta(days=7)
_CONSOLE = "console"


def of_document(connection: Connection, document: Document, username: str) -> Session | None:
    """The person's own session of a document, or None."""
    return _one(connection, personal_session.c.document == document.key, username)


def of_id(connection: Connection, session_id: str, username: str) -> Session | None:
    """The person's own session with this id, or None."""
    return _one(connection, personal_session.c.id == session_id, username)


def of_path(connection: Connection, path: str, username: str) -> Session | None:
    """One of the person's own sessions that pages know by this path, or None."""
    return _one(connection, personal_session.c.shown_path == path, username)


def of_projects(connection: Connection, projects: Collection[str], username: str) -> list[Session]:
    """The person's own sessions in these projects, oldest first."""
    query = (
        select(personal_session)
        .where(personal_session.c.username == username, personal_session.c.project.in_(projects))
        .order_by(personal_session.c.created, personal_session.c.id)
    )
    return [_session(row) for row in connection.execute(query)]


def put(connection: Connection, wanted: Session, instead_of: str | None) -> Session:
    """Write a session with another kernel, unless that is not the kernel `instead_of` any more
    (None: there was no session); returns the one that there is then. Its kernel is to be started
    under the id in it."""
    present = _held(connection, wanted, moved=instead_of is not None)
    if present is None:
        with contextlib.suppress(IntegrityError), connection.begin_nested():
            connection.execute(
                insert(personal_session).values(
                    **{column.name: getattr(wanted, column.name) for column in _COPIED},
                    document=wanted.document.key,
                )
            )
        return of_document(connection, wanted.document, wanted.username) or wanted
    if present.kernel_id != instead_of:
        return present
    connection.execute(
        update(personal_session).where(_of(present)).values(kernel_id=wanted.kernel_id)
    )
    return replace(present, kernel_id=wanted.kernel_id)


def _held(connection: Connection, wanted: Session, *, moved: bool) -> Session | None:
    """The person's session of the document, locked for this transaction; with `moved` where that is
    by now, if it was renamed since it was looked at."""
    mine = personal_session.c.username == wanted.username
    places = [personal_session.c.document == wanted.document.key]
    if moved:
        places.append(personal_session.c.id == wanted.id)
    for place in places:
        query = select(personal_session).where(place, mine).limit(1).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is not None:
            return _session(row)
    return None


def put_new(connection: Connection, wanted: Session, instead_of: str | None) -> Session:
    """The same, for a kernel that is to be started: it ends when no session has it."""
    became = put(connection, wanted, instead_of)
    if became.kernel_id == wanted.kernel_id:
        note_kernel(connection, wanted.kernel_id)
    return became


def change(connection: Connection, old: Session, new: Session) -> str | None:
    """Rename a session; another one of its person that is there already goes. The kernel that has
    no session by that, which the caller must end."""
    replaced: Session | None = None
    if new.document != old.document:
        replaced = of_document(connection, new.document, old.username)
    if replaced is not None:
        connection.execute(delete(personal_session).where(_of(replaced)))
    connection.execute(
        update(personal_session)
        .where(_of(old))
        .values(
            document=new.document.key,
            path=new.path,
            shown_path=new.shown_path,
            name=new.name,
            type=new.type,
        )
    )
    if replaced is None or replaced.kernel_id == ENDED or uses(connection, replaced.kernel_id):
        return None
    return replaced.kernel_id


def end(connection: Connection, present: Session) -> None:
    """The person has ended the kernel. A page that has the document open does not go on in the
    kernel that all others have in it, or will have; of a console there is no such kernel."""
    same = _of(present) & (personal_session.c.kernel_id == present.kernel_id)
    if present.type == _CONSOLE:
        connection.execute(delete(personal_session).where(same))
    else:
        now = now_utc(connection)
        ended = update(personal_session).where(same).values(kernel_id=ENDED, created=now)
        connection.execute(ended)


def forget(connection: Connection, present: Session) -> None:
    """The person has the document's session again, unless they have another kernel by now."""
    same = _of(present) & (personal_session.c.kernel_id == present.kernel_id)
    connection.execute(delete(personal_session).where(same))


def uses(connection: Connection, kernel_id: str) -> int:
    """How many sessions have a kernel."""
    query = select(func.count()).where(personal_session.c.kernel_id == kernel_id)
    return connection.execute(query.select_from(personal_session)).scalar_one()


def forget_ended(connection: Connection) -> None:
    """Delete the sessions that were ended long ago: no page is left that has one open."""
    connection.execute(
        delete(personal_session).where(
            personal_session.c.kernel_id == ENDED,
            personal_session.c.created < now_utc(connection) - _ENDED_FOR,
        )
    )


def move(connection: Connection, project: str, old: str, new: str) -> list[str]:
    """Contents renames `old`, a file or a folder, to `new`, in the same project. The kernels that
    have no session by that, as `change` says."""
    rows = connection.execute(
        select(personal_session)
        .where(personal_session.c.project == project, at_or_below(personal_session.c.path, old))
        .order_by(personal_session.c.document, personal_session.c.username)
    ).all()
    left = []
    for row in rows:
        present = _session(row)
        here = Document(moved_path(row.path, old, new) or row.path, row.type)
        left.append(change(connection, present, _at(present, here)))
    return [kernel_id for kernel_id in left if kernel_id is not None]


def end_at(connection: Connection, document: Document) -> list[str]:
    """A notebook that has a kernel is moved to the place of this one, which was deleted: what
    people have alone of this one ends. The kernels that have no session by that, as `change` says.
    """
    rows = connection.execute(
        select(personal_session)
        .where(personal_session.c.document == document.key, personal_session.c.kernel_id != ENDED)
        .order_by(personal_session.c.username)
    ).all()
    for row in rows:
        end(connection, _session(row))
    return [row.kernel_id for row in rows if not uses(connection, row.kernel_id)]


def _at(present: Session, here: Document) -> Session:
    shown = shown_path(present.shown_path, present.document, here)
    name = shown_name(present.shown_path, present.name, present.document, here)
    values = {**vars(present), "path": here.path, "shown_path": shown, "name": name}
    return Session(**values)


def at_or_below(column: ColumnElement[str], path: str) -> ColumnElement[bool]:
    """Selects a file or a folder and all that is in it."""
    # Paths are ordered by their bytes, and "0" is the one after "/".
    return (column == path) | ((column > f"{path}/") & (column < f"{path}0"))


_COPIED = [column for column in personal_session.c if column.name != "document"]


def _of(present: Session) -> ColumnElement[bool]:
    return (personal_session.c.document == present.document.key) & (
        personal_session.c.username == present.username
    )


def _one(connection: Connection, which: ColumnElement[bool], username: str) -> Session | None:
    query = select(personal_session).where(which, personal_session.c.username == username)
    row = connection.execute(query.order_by(personal_session.c.created).limit(1)).one_or_none()
    return None if row is None else _session(row)


def _session(row: Row[Any]) -> Session:
    values = dict(row._mapping)
    values.pop("document")
    return Session(**values)
