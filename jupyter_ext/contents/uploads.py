"""SQL of uploads in chunks: which chunk is next, and where the earlier ones are stored.

The chunks of one upload may reach different labs. Nothing is visible before the last one.
"""

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jupyter_ext.contents.errors import Conflict
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.tables import upload, upload_part
from jupyter_ext.contents.tree import LostRace, new_id
from jupyter_ext.database.engine import now_utc

ABANDONED_AFTER = timedelta(days=1)
LAST = -1
"""The number of the last chunk; the others count 1, 2, 3 …"""


def slot(path: ContentPath, user: str) -> str:
    """The key of an upload: each user can upload one file per path at a time."""
    return hashlib.sha256(f"{user}\0{path}".encode()).hexdigest()


def begin(connection: Connection, slot_: str) -> list[str]:
    """Records a new upload; returns the keys of parts to remove from the store.

    Those belong to an earlier upload of the same file, or to abandoned uploads.
    """
    now = now_utc(connection)
    stale = connection.execute(
        select(upload.c.id).where(
            (upload.c.slot == slot_) | (upload.c.changed < now - ABANDONED_AFTER)
        )
    ).scalars()
    keys = [key for id in list(stale) for key in end(connection, id)]
    try:
        connection.execute(
            insert(upload).values(
                id=new_id(), slot=slot_, next_chunk=1, size=0, started=now, changed=now
            )
        )
    except IntegrityError as error:
        raise LostRace(slot_) from error
    return keys


def expect(connection: Connection, slot_: str, chunk: int, path: ContentPath) -> Row[Any]:
    """The upload that waits for `chunk` (or for its last one); raises Conflict."""
    found = connection.execute(select(upload).where(upload.c.slot == slot_)).one_or_none()
    if found is None:
        raise Conflict(f"no upload of {path} is in progress: start again with chunk 1")
    if chunk not in (LAST, found.next_chunk):
        raise Conflict(
            f"the upload of {path} expects chunk {found.next_chunk}, not {chunk}: start again "
            "with chunk 1",
        )
    return found


def add_part(
    connection: Connection,
    found: Row[Any],
    object_key: str,
    size: int,
    path: ContentPath,
) -> int:
    """Records that the next chunk is in the store; returns the upload's size in bytes so far.

    Raises Conflict if another request has recorded the same chunk.
    """
    changed = connection.execute(
        update(upload)
        .where(upload.c.id == found.id, upload.c.next_chunk == found.next_chunk)
        .values(
            next_chunk=found.next_chunk + 1, size=found.size + size, changed=now_utc(connection)
        )
    )
    if changed.rowcount == 0:
        raise Conflict(
            f"chunk {found.next_chunk} of {path} was sent twice: start again with chunk 1"
        )
    connection.execute(
        insert(upload_part).values(
            upload_id=found.id, number=found.next_chunk, object_key=object_key
        )
    )
    return int(found.size + size)


def part_keys(connection: Connection, upload_id: str) -> list[str]:
    """The keys of the chunks, in order."""
    query = (
        select(upload_part.c.object_key)
        .where(upload_part.c.upload_id == upload_id)
        .order_by(upload_part.c.number)
    )
    return list(connection.execute(query).scalars())


def end(connection: Connection, upload_id: str) -> list[str]:
    """Deletes the upload; returns the keys of its parts, to be removed from the store."""
    keys = part_keys(connection, upload_id)
    connection.execute(delete(upload).where(upload.c.id == upload_id))
    return keys


def finish(connection: Connection, found: Row[Any], path: ContentPath) -> None:
    """Deletes the upload after its parts were joined; raises Conflict if another request has
    continued or finished it."""
    ended = connection.execute(
        delete(upload).where(upload.c.id == found.id, upload.c.next_chunk == found.next_chunk)
    )
    if ended.rowcount == 0:
        raise Conflict(f"another request continued the upload of {path}: start again with chunk 1")
