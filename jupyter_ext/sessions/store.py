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
from jupyter_ext.sessions.paths import Document, moved_path, shown_name, shown_path
from jupyter_ext.sessions.tables import kernel_start, lab_lease, session, session_kernel


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
    def document(self) -> Document:
        """What the session is about."""
        return Document(self.path, self.type)


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
    """The kernel of a document, and the caller's part in starting it. `document` is where it was
    when this was read: a rename moves it."""

    claim: Claim
    kernel_id: str
    attempt: int
    document: Document


@dataclass(frozen=True)
class Ending:
    """A kernel that is to end because no session needs it, and the documents whose kernel it was.

    The intention is written down before the kernel is ended. Its last session goes after it: should
    the lab die in between, any other one finds both and ends the kernel."""

    kernel_id: str
    documents: tuple[Document, ...] = ()


_STARTING, _RUNNING, _ENDING = "starting", "running", "ending"
_ENDING_LEASE = timedelta(minutes=2)
"""Longer than gateways have for ending a kernel. Then another lab ends it."""


def _session(row: Row[Any]) -> Session:
    values = dict(row._mapping)
    values.pop("document")
    return Session(**values)


def _shown(connection: Connection) -> ColumnElement[bool]:
    """Which sessions exist for users: not those whose kernel somebody is ending now."""
    ending = select(kernel_start.c.kernel_id).where(
        kernel_start.c.kernel_id == session.c.kernel_id,
        kernel_start.c.state == _ENDING,
        kernel_start.c.lease_until > now_utc(connection),
    )
    return ~ending.exists()


def get_session(connection: Connection, session_id: str) -> Session | None:
    """The session of this id, or None."""
    query = select(session).where(session.c.id == session_id, _shown(connection))
    row = connection.execute(query).one_or_none()
    return None if row is None else _session(row)


def hold_session(connection: Connection, session_id: str) -> Session | None:
    """The same, and nobody else changes it, its kernel or its document in this transaction."""
    query = select(session).where(session.c.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    _lock_kernel(connection, row.kernel_id)
    row = connection.execute(query.with_for_update()).one_or_none()
    return None if row is None else get_session(connection, row.id)


def find_session(connection: Connection, path: str, username: str) -> Session | None:
    """A session that is known by this path, one of the user's own if there is one."""
    rows = connection.execute(
        select(session)
        .where(session.c.shown_path == path, _shown(connection))
        .order_by(session.c.created)
    ).all()
    own = [row for row in rows if row.username == username]
    return _session((own or rows)[0]) if rows else None


def sessions_of_projects(connection: Connection, projects: Collection[str] | None) -> list[Session]:
    """The sessions of these projects (None: of all), oldest first."""
    query = select(session).where(_shown(connection)).order_by(session.c.created, session.c.id)
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
    document: Document,
    shown_path: str,
    name: str,
    username: str,
) -> Session:
    """Insert a session under a new id."""
    new = Session(
        id=str(uuid.uuid4()),
        kernel_id=kernel_id,
        project=document.project,
        path=document.path,
        shown_path=shown_path,
        name=name,
        type=document.type,
        username=username,
        created=now_utc(connection),
    )
    connection.execute(insert(session).values(document=document.key, **vars(new)))
    return new


def change_session(connection: Connection, old: Session, new: Session) -> None:
    """Write what is new of a session that this transaction holds.

    Only this session changes: other pages may have the old document open. The document's kernel
    goes with the last session that uses it there.
    """
    changed = {name: value for name, value in vars(new).items() if value != getattr(old, name)}
    if not changed:
        return
    connection.execute(
        update(session).where(session.c.id == old.id).values(document=new.document.key, **changed)
    )
    if new.kernel_id != old.kernel_id:
        connection.execute(
            update(kernel_start)
            .where(kernel_start.c.document == old.document.key)
            .values(kernel_id=new.kernel_id, state=_RUNNING)
        )
    if new.document == old.document:
        return
    others = (
        select(func.count())
        .select_from(session)
        .where(session.c.document == old.document.key, session.c.kernel_id == new.kernel_id)
    )
    start = (kernel_start.c.document == old.document.key) & (
        kernel_start.c.kernel_id == new.kernel_id
    )
    held = connection.execute(select(kernel_start.c.document).where(start).with_for_update())
    if held.one_or_none() is None:
        return
    if not connection.execute(others).scalar_one():
        connection.execute(delete(kernel_start).where(start))
    # In another project it keeps running as the old one: whoever opens the document there needs
    # another kernel.
    if new.project == old.project:
        use_kernel(connection, new.document, new.kernel_id)


def move_documents(connection: Connection, old: str, new: str) -> None:
    """Take sessions and kernels along when contents rename `old`, a file or a folder, to `new`.

    Part of the rename's own transaction, so that a page that opens the new name finds the kernel.
    Pages that know the old path are shown the new one; a placeholder stays what its page posted,
    which is what it compares the answer with. A document that leaves its project leaves its kernel,
    which runs as the old project: its page's own PATCH says so.
    """
    project = old.partition("/")[0]
    if project != new.partition("/")[0]:
        return
    starts = connection.execute(
        select(kernel_start.c.document, kernel_start.c.path, kernel_start.c.type)
        .where(kernel_start.c.state != _ENDING, _at_or_below(kernel_start.c.path, old))
        .order_by(kernel_start.c.document)
    ).all()
    for row in starts:
        _move_start(connection, row.document, Document(_moved(row.path, old, new), row.type))
    sessions = connection.execute(
        select(session)
        .where(session.c.project == project, _at_or_below(session.c.path, old))
        .order_by(session.c.id)
    ).all()
    for row in sessions:
        there = Document(row.path, row.type)
        here = Document(_moved(row.path, old, new), row.type)
        # The start of a lab that did not write the path down.
        _move_start(connection, row.document, here)
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


def _at_or_below(column: ColumnElement[str], path: str) -> ColumnElement[bool]:
    # Paths are ordered by their bytes, and "0" is the one after "/".
    return (column == path) | ((column > f"{path}/") & (column < f"{path}0"))


def _moved(path: str, old: str, new: str) -> str:
    return moved_path(path, old, new) or path


def _move_start(connection: Connection, key: str, target: Document) -> None:
    if (
        key == target.key
        or not connection.execute(
            select(kernel_start.c.document).where(kernel_start.c.document == key).with_for_update()
        ).one_or_none()
    ):
        return
    # Of a file that was deleted or overwritten: the one that moves in brings its own kernel.
    connection.execute(delete(kernel_start).where(kernel_start.c.document == target.key))
    connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == key)
        .values(document=target.key, path=target.path, type=target.type)
    )


def release_session(connection: Connection, session_id: str) -> Ending | None:
    """Delete one session. If it is the last of its kernel it stays until the kernel has ended,
    which is then up to the caller; None if there is nothing to be ended."""
    query = select(session).where(session.c.id == session_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    # Before anything is deleted: whoever is just adding a session is waited for here.
    documents = _lock_kernel(connection, row.kernel_id)
    if connection.execute(query.with_for_update()).one_or_none() is None:
        return None
    if count_sessions(connection, row.kernel_id) > 1:
        connection.execute(delete(session).where(session.c.id == session_id))
        return None
    return _begin_ending(connection, row.kernel_id, documents)


def forget_session(connection: Connection, session_id: str) -> None:
    """Delete one session and leave its kernel alone."""
    connection.execute(delete(session).where(session.c.id == session_id))


def release_kernel(connection: Connection, kernel_id: str) -> Ending | None:
    """What is to be ended of a kernel that no session uses any more; None if one does or if it is
    just being started."""
    documents = _lock_kernel(connection, kernel_id)
    starting = select(kernel_start.c.document).where(
        kernel_start.c.kernel_id == kernel_id,
        kernel_start.c.state == _STARTING,
        kernel_start.c.lease_until > now_utc(connection),
    )
    if count_sessions(connection, kernel_id) or connection.execute(starting).first():
        return None
    return _begin_ending(connection, kernel_id, documents)


def _lock_kernel(connection: Connection, kernel_id: str) -> tuple[Document, ...]:
    """The documents of a kernel. From now on nobody else gives it a session or takes one."""
    starts = connection.execute(
        select(kernel_start.c.path, kernel_start.c.type)
        .where(kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != _ENDING)
        .with_for_update()
    )
    documents = tuple(Document(row.path, row.type) for row in starts if row.path is not None)
    connection.execute(
        select(session.c.id).where(session.c.kernel_id == kernel_id).with_for_update()
    ).all()
    return documents


def _begin_ending(
    connection: Connection, kernel_id: str, documents: tuple[Document, ...]
) -> Ending | None:
    connection.execute(
        delete(kernel_start).where(
            kernel_start.c.kernel_id == kernel_id, kernel_start.c.state != _ENDING
        )
    )
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
        # Somebody else is ending it, or has died over it.
        return take_ending(connection, kernel_id)
    return Ending(kernel_id, documents)


def take_ending(connection: Connection, kernel_id: str) -> Ending | None:
    """The ending of a kernel that another lab has begun and not finished in time; else None."""
    now = now_utc(connection)
    taken = connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == _ending_key(kernel_id), kernel_start.c.lease_until < now)
        .values(lease_until=now + _ENDING_LEASE)
    )
    return Ending(kernel_id) if taken.rowcount else None


def unfinished_endings(connection: Connection) -> list[str]:
    """The kernels whose ending a lab has begun and not finished in time."""
    query = select(kernel_start.c.kernel_id).where(
        kernel_start.c.state == _ENDING, kernel_start.c.lease_until < now_utc(connection)
    )
    return list(connection.execute(query).scalars())


def restore(connection: Connection, ending: Ending) -> None:
    """The kernel could not be ended: it is its documents' again, unless they have another one."""
    connection.execute(
        delete(kernel_start).where(kernel_start.c.document == _ending_key(ending.kernel_id))
    )
    for document in ending.documents:
        use_kernel(connection, document, ending.kernel_id)


def is_ending(connection: Connection, kernel_id: str) -> bool:
    """Whether somebody has decided to end the kernel. Whoever it was may have died since: another
    lab ends it then."""
    query = select(kernel_start.c.document).where(kernel_start.c.document == _ending_key(kernel_id))
    return connection.execute(query).one_or_none() is not None


def _ending_key(kernel_id: str) -> str:
    # No document's key, which is all hexadecimal.
    return "ending-" + hashlib.sha256(kernel_id.encode()).hexdigest()[:57]


def remove_kernel(connection: Connection, kernel_id: str) -> None:
    """Forget a kernel that is known to be gone: its sessions, its start, and that it was ours."""
    connection.execute(delete(session).where(session.c.kernel_id == kernel_id))
    connection.execute(delete(kernel_start).where(kernel_start.c.kernel_id == kernel_id))
    connection.execute(delete(session_kernel).where(session_kernel.c.kernel_id == kernel_id))


def note_kernel(connection: Connection, kernel_id: str) -> None:
    """Write down that a kernel is about to be started for a session: without one it is ended."""
    with contextlib.suppress(IntegrityError), connection.begin_nested():
        connection.execute(
            insert(session_kernel).values(kernel_id=kernel_id, created=now_utc(connection))
        )


def forget_kernel(connection: Connection, kernel_id: str) -> None:
    """A kernel that was started for a session is nobody's to end any more."""
    connection.execute(delete(session_kernel).where(session_kernel.c.kernel_id == kernel_id))


def unused_kernels(connection: Connection) -> list[str]:
    """Kernels that were started for a session and have none, and that nobody starts or ends now."""
    used = select(session.c.id).where(session.c.kernel_id == session_kernel.c.kernel_id)
    busy = select(kernel_start.c.document).where(
        kernel_start.c.kernel_id == session_kernel.c.kernel_id,
        kernel_start.c.state != _RUNNING,
        (kernel_start.c.state == _ENDING) | (kernel_start.c.lease_until > now_utc(connection)),
    )
    query = select(session_kernel.c.kernel_id).where(~used.exists(), ~busy.exists())
    return list(connection.execute(query).scalars())


def hold_lease(connection: Connection, name: str, holder: str, seconds: float) -> bool:
    """Whether `holder` is the one to do the work called `name` for so long from now on. It stays
    the one as long as it asks in time."""
    now = now_utc(connection)
    values = {"holder": holder, "until": now + timedelta(seconds=seconds)}
    free = (lab_lease.c.holder == holder) | (lab_lease.c.until < now)
    taken = connection.execute(
        update(lab_lease).where(lab_lease.c.name == name, free).values(**values)
    )
    if taken.rowcount:
        return True
    if connection.execute(select(lab_lease.c.name).where(lab_lease.c.name == name)).first():
        return False
    try:
        with connection.begin_nested():
            connection.execute(insert(lab_lease).values(name=name, **values))
    except IntegrityError:
        return False
    return True


def _first_attempt() -> int:
    # Drawn, so that whoever drops a start does not drop a later one of the same kernel id.
    return secrets.randbelow(2**48)


def claim_start(
    connection: Connection,
    document: Document,
    lease: timedelta,
    kernel_id: str | None = None,
    waited: Start | None = None,
) -> Start:
    """Ask for the kernel of a document; `kernel_id` is the id for a new one, if the caller has
    chosen it, `waited` the start that the caller has been waiting for.

    Whoever gets `START` has until the end of `lease` to renew it or be done. A starter whose lease
    has run out is followed by the next one with the same kernel id, which gateways take for the
    same kernel, so nothing is started twice.
    """
    if waited is not None:
        # It may be called otherwise by now.
        document = document_of(connection, waited) or waited.document
    now = now_utc(connection)
    if kernel_id and is_ending(connection, kernel_id):
        # A kernel of this id would be ended with the old one.
        kernel_id = None
    query = select(kernel_start).where(kernel_start.c.document == document.key).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        kernel_id = kernel_id or str(uuid.uuid4())
        attempt = _first_attempt()
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(kernel_start).values(
                        document=document.key,
                        path=document.path,
                        type=document.type,
                        kernel_id=kernel_id,
                        state=_STARTING,
                        lease_until=now + lease,
                        attempt=attempt,
                    )
                )
        except IntegrityError:
            row = connection.execute(query).one_or_none()
            if row is None:
                return Start(Claim.WAIT, "", 0, document)
        else:
            note_kernel(connection, kernel_id)
            return Start(Claim.START, kernel_id, attempt, document)
    if row.state == _RUNNING:
        return Start(Claim.ATTACH, row.kernel_id, row.attempt, document)
    if row.lease_until > now:
        return Start(Claim.WAIT, row.kernel_id, row.attempt, document)
    connection.execute(
        update(kernel_start)
        .where(kernel_start.c.document == document.key)
        .values(lease_until=now + lease, attempt=row.attempt + 1)
    )
    return Start(Claim.START, row.kernel_id, row.attempt + 1, document)


def _mine(start: Start) -> ColumnElement[bool]:
    # Not by its document, which may have been renamed since.
    return (kernel_start.c.kernel_id == start.kernel_id) & (kernel_start.c.attempt == start.attempt)


def document_of(connection: Connection, start: Start) -> Document | None:
    """What the kernel of a start belongs to now, whatever it is called by now; it then stays so in
    this transaction. None if the document has another kernel or none."""
    query = select(kernel_start).where(
        kernel_start.c.kernel_id == start.kernel_id, kernel_start.c.state != _ENDING
    )
    rows = connection.execute(query.with_for_update()).all()
    if any(row.document == start.document.key for row in rows):
        return start.document
    moved = [row for row in rows if row.attempt == start.attempt and row.path is not None]
    return Document(moved[0].path, moved[0].type) if moved else None


def renew_start(connection: Connection, start: Start, lease: timedelta) -> bool:
    """Keep a start for another `lease`; False if somebody else has taken over."""
    changed = connection.execute(
        update(kernel_start).where(_mine(start)).values(lease_until=now_utc(connection) + lease)
    )
    return changed.rowcount > 0


def finish_start(connection: Connection, start: Start) -> bool:
    """Say that the kernel runs; False if somebody else has taken over."""
    changed = connection.execute(update(kernel_start).where(_mine(start)).values(state=_RUNNING))
    return changed.rowcount > 0


def drop_start(connection: Connection, start: Start) -> None:
    """The kernel could not be started, or is gone: the next one starts another."""
    connection.execute(delete(kernel_start).where(_mine(start)))


def release_start(connection: Connection, start: Start) -> None:
    """The kernel may have been started or not: the next one tries at once, under the same id."""
    connection.execute(
        update(kernel_start)
        .where(_mine(start))
        .values(lease_until=now_utc(connection) - timedelta(microseconds=1))
    )


def may_use(connection: Connection, kernel_id: str) -> bool:
    """Whether a session may be given to the kernel: not if it is being ended.

    Until the transaction is over nobody decides to end it.
    """
    _lock_kernel(connection, kernel_id)
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
        connection.execute(
            insert(kernel_start).values(
                document=document.key,
                path=document.path,
                type=document.type,
                kernel_id=kernel_id,
                state=_RUNNING,
                lease_until=now_utc(connection),
                attempt=_first_attempt(),
            )
        )
