"""All SQL of kept journals. Each function runs within a transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.database.engine import now_utc
from jupyter_ext.journals.tables import REASON_BYTES, journal_object, kernel_journal
from jupyter_ext.platform.personal_kernels import MARK
from jupyter_ext.wire.journal_parts import PartHeader

OUTDATES = timedelta(days=1)
"""So long an owner's part outdates earlier owners: far longer than their tickets are valid. Epochs
begin anew when the gateways' database is restored from a backup."""
_MANY = 500
_MOST_LISTED = 50
"""Of the journals of a kernel, whose agent chooses their ids."""


@dataclass(frozen=True)
class Kernel:
    """Whose a kernel is, as its gateway says."""

    id: str
    project: str
    path: str
    username: str
    kernel_name: str
    epoch: int = 0
    """Of the owner whose ticket this comes from; 0 from gateways of the version before, which say
    none."""


@dataclass(frozen=True)
class Journal:
    """One kept journal."""

    kernel_id: str
    journal: str
    project: str
    path: str
    username: str
    kernel_name: str
    created: datetime
    changed: datetime
    last: int
    bytes: int
    parts: int
    process: str
    reason: str
    complete: bool


@dataclass(frozen=True)
class Piece:
    """One object of a journal: the numbers from `first` to `last`."""

    first: int
    last: int
    bytes: int
    merged: bool
    sha256: str


class AnotherPart(Exception):
    """Another part with the same numbers is kept already."""


class AnotherProject(Exception):
    """The journal belongs to a kernel of another project."""


class EarlierOwner(Exception):
    """The kernel has had another owner since: whoever sent this may be the agent of a launch that
    was given up."""


def document_key(path: str) -> str:
    """By what journals of a document are found."""
    return hashlib.sha256(path.encode()).hexdigest()


def note_part(
    connection: Connection, kernel: Kernel, header: PartHeader, size: int, sha256: str
) -> Journal:
    """Note that there will be a part of so many bytes with this digest. Once more for the same part
    changes nothing. Raises AnotherPart, AnotherProject and EarlierOwner."""
    now = now_utc(connection)
    if _locked(connection, kernel.id, header.journal) is None:
        _add(connection, kernel, header.journal, now)
    if kernel.epoch:
        _refuse_earlier_owner(connection, kernel, now)
    is_new = _add_piece(connection, kernel.id, header, size, sha256)
    reason = header.reason.encode()[:REASON_BYTES].decode(errors="ignore")
    grown = {
        "bytes": kernel_journal.c.bytes + size,
        "parts": kernel_journal.c.parts + 1,
    }
    # A copy of an older part may come after newer ones: from a lab that was slow.
    newest = kernel_journal.c.last <= header.last
    told = {"process": header.process, "reason": reason, "complete": header.complete}
    connection.execute(
        update(kernel_journal)
        .where(*_of(kernel_journal, kernel.id, header.journal))
        .values(
            changed=now,
            alive=now,
            last=case((newest, header.last), else_=kernel_journal.c.last),
            **{
                column.name: case((newest, literal(told[column.name], column.type)), else_=column)
                for column in kernel_journal.c
                if column.name in told
            },
            **({"epoch": kernel.epoch} if kernel.epoch else {}),
            **(grown if is_new else {}),
        )
    )
    found = _locked(connection, kernel.id, header.journal)
    if found is None or found.project != kernel.project:
        raise AnotherProject(f"the kernel {kernel.id} is not one of the project {kernel.project!r}")
    return found


def _refuse_earlier_owner(connection: Connection, kernel: Kernel, now: datetime) -> None:
    # In all its journals: each launch has one of its own.
    seen = connection.execute(
        select(func.max(kernel_journal.c.epoch)).where(
            kernel_journal.c.kernel_id == kernel.id, kernel_journal.c.changed > now - OUTDATES
        )
    ).scalar_one()
    if seen is not None and seen > kernel.epoch:
        raise EarlierOwner(
            f"the kernel {kernel.id} has an owner with the epoch {seen}: the ticket's is"
            f" {kernel.epoch}"
        )


def _add(connection: Connection, kernel: Kernel, journal: str, now: datetime) -> None:
    try:
        with connection.begin_nested():
            connection.execute(
                insert(kernel_journal).values(
                    kernel_id=kernel.id,
                    journal=journal,
                    project=kernel.project,
                    path=kernel.path,
                    document=document_key(kernel.path),
                    username=kernel.username,
                    kernel_name=kernel.kernel_name,
                    created=now,
                    changed=now,
                    alive=now,
                    last=0,
                    bytes=0,
                    parts=0,
                    process="",
                    reason="",
                    complete=False,
                )
            )
    except IntegrityError:
        # Another lab was faster.
        return


def _add_piece(
    connection: Connection, kernel_id: str, header: PartHeader, size: int, sha256: str
) -> bool:
    values = {
        "kernel_id": kernel_id,
        "journal": header.journal,
        "first": header.first,
        "last": header.last,
        "bytes": size,
        "merged": False,
        "sha256": sha256,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(journal_object).values(**values))
    except IntegrityError:
        same = and_(journal_object.c.first == header.first, journal_object.c.last == header.last)
        where = _of(journal_object, kernel_id, header.journal)
        query = select(journal_object.c.sha256).where(*where, same).with_for_update()
        # The limits count what the row says, so its object must not change.
        if connection.execute(query).scalar_one_or_none() != sha256:
            raise AnotherPart(
                f"another part with the messages {header.first} to {header.last} is kept already"
            ) from None
        return False
    return True


def has_piece(connection: Connection, kernel_id: str, journal: str, piece: Piece) -> bool:
    """Whether the object is one of the journal's."""
    same = and_(journal_object.c.first == piece.first, journal_object.c.last == piece.last)
    query = select(journal_object.c.first).where(*_of(journal_object, kernel_id, journal), same)
    return connection.execute(query).first() is not None


def _of(table: Any, kernel_id: str, journal: str) -> list[Any]:
    return [table.c.kernel_id == kernel_id, table.c.journal == journal]


_JOURNAL = [kernel_journal.c[name] for name in Journal.__dataclass_fields__]
_PIECE = [journal_object.c[name] for name in Piece.__dataclass_fields__]


def _locked(connection: Connection, kernel_id: str, journal: str) -> Journal | None:
    query = select(*_JOURNAL).where(*_of(kernel_journal, kernel_id, journal)).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else Journal(*row)


def journals_of_kernel(connection: Connection, kernel_id: str) -> list[Journal]:
    """The newest ones, the newest first."""
    query = select(*_JOURNAL).where(kernel_journal.c.kernel_id == kernel_id)
    ordered = query.order_by(kernel_journal.c.created.desc()).limit(_MOST_LISTED)
    return [Journal(*row) for row in connection.execute(ordered)]


def journals_of_document(connection: Connection, path: str, most: int) -> list[Journal]:
    """Those of the kernels that were started for a document, the newest first."""
    query = (
        select(*_JOURNAL)
        .where(kernel_journal.c.document == document_key(path), kernel_journal.c.path == path)
        .order_by(kernel_journal.c.created.desc())
        .limit(most)
    )
    return [Journal(*row) for row in connection.execute(query)]


def pieces(connection: Connection, kernel_id: str, journal: str) -> list[Piece]:
    """The objects of a journal, by their first numbers; some numbers may be in two of them."""
    query = select(*_PIECE).where(*_of(journal_object, kernel_id, journal))
    ordered = query.order_by(journal_object.c.first, journal_object.c.last)
    return [Piece(*row) for row in connection.execute(ordered)]


def add_merged(connection: Connection, kernel_id: str, journal: str, merged: Piece) -> None:
    """Note that there will be an object which has what several others have."""
    _locked(connection, kernel_id, journal)
    where = _of(journal_object, kernel_id, journal)
    same = and_(journal_object.c.first == merged.first, journal_object.c.last == merged.last)
    known = connection.execute(select(journal_object.c.first).where(*where, same)).first()
    if known is None:
        connection.execute(
            insert(journal_object).values(
                kernel_id=kernel_id,
                journal=journal,
                first=merged.first,
                last=merged.last,
                bytes=merged.bytes,
                merged=True,
                sha256=merged.sha256,
            )
        )


def forget_pieces(
    connection: Connection, kernel_id: str, journal: str, gone: Iterable[Piece]
) -> None:
    """These objects were deleted."""
    _locked(connection, kernel_id, journal)
    where = _of(journal_object, kernel_id, journal)
    for piece in gone:
        connection.execute(
            delete(journal_object).where(
                *where,
                journal_object.c.first == piece.first,
                journal_object.c.last == piece.last,
            )
        )
    left = pieces(connection, kernel_id, journal)
    connection.execute(
        update(kernel_journal)
        .where(*_of(kernel_journal, kernel_id, journal))
        .values(
            bytes=sum(piece.bytes for piece in left),
            parts=sum(not piece.merged for piece in left),
        )
    )


def note_alive(connection: Connection, kernel_ids: Sequence[str]) -> None:
    """These kernels live: the time for which their journals are kept has not begun."""
    now = now_utc(connection)
    for start in range(0, len(kernel_ids), _MANY):
        some = kernel_ids[start : start + _MANY]
        connection.execute(
            update(kernel_journal).where(kernel_journal.c.kernel_id.in_(some)).values(alive=now)
        )


def expired(connection: Connection, days: float, most: int) -> list[Journal]:
    """Journals whose kernels have not been known to live for so many days."""
    before = now_utc(connection) - timedelta(days=days)
    query = select(*_JOURNAL).where(kernel_journal.c.alive < before)
    return [
        Journal(*row)
        for row in connection.execute(query.order_by(kernel_journal.c.alive).limit(most))
    ]


def people_above(connection: Connection, most_bytes: int, most: int) -> list[tuple[str, str]]:
    """Project and user of those whose kernels in the project have more than so many bytes."""
    who = (kernel_journal.c.project, kernel_journal.c.username)
    query = select(*who).group_by(*who).having(func.sum(kernel_journal.c.bytes) > most_bytes)
    return [(row.project, row.username) for row in connection.execute(query.limit(most))]


def journals_of_person(connection: Connection, project: str, username: str) -> list[Journal]:
    """Those of a person's kernels in a project; first the one whose kernel ended first."""
    query = select(*_JOURNAL).where(
        kernel_journal.c.project == project, kernel_journal.c.username == username
    )
    return [Journal(*row) for row in connection.execute(query.order_by(kernel_journal.c.alive))]


def forget_journal(connection: Connection, kernel_id: str, journal: str) -> bool:
    """The journal has no objects any more. False if it has got one meanwhile."""
    _locked(connection, kernel_id, journal)
    if pieces(connection, kernel_id, journal):
        return False
    connection.execute(delete(kernel_journal).where(*_of(kernel_journal, kernel_id, journal)))
    return True


def move_documents(connection: Connection, old: str, new: str) -> None:
    """Contents renames `old`, a file or a folder, to `new`: the journals of its documents are found
    by the new path. They stay in their project."""
    column = kernel_journal.c.path
    # Paths are ordered by their bytes, and "0" is the one after "/".
    below = (column == old) | ((column > f"{old}/") & (column < f"{old}0"))
    project = old.partition("/")[0]
    if project != new.partition("/")[0]:
        return
    mine = kernel_journal.c.project
    # Or of one person in it.
    there = (mine == project) | ((mine >= MARK) & (mine < chr(ord(MARK) + 1)))
    query = select(kernel_journal.c.kernel_id, kernel_journal.c.journal, column)
    for row in connection.execute(query.where(there, below)).all():
        path = new + row.path[len(old) :]
        connection.execute(
            update(kernel_journal)
            .where(*_of(kernel_journal, row.kernel_id, row.journal))
            .values(path=path, document=document_key(path))
        )
