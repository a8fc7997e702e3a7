"""Keeps what kernels say, gives it to readers, and deletes it when its time is over."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Collection, Sequence
from functools import partial

from jupyter_ext.contents.bucket import HASH_METADATA, Bucket, ObjectMissing, StoreUnavailable
from jupyter_ext.contents.storage import Storage
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.journals import rows
from jupyter_ext.journals.rows import Journal, Kernel, Piece
from jupyter_ext.journals.told import MOST_STORED_BYTES, Told, told
from jupyter_ext.wire.journal_parts import check_part

_log = logging.getLogger("fleet.journals")

MERGE_PARTS = 64
"""So many small objects become one."""
MERGED_BYTES = 8 * 2**20
"""An object that is made of others has at most so many bytes."""
MOST_JOURNALS = 5
"""Of one kernel: each is as big as one may be."""
_DELETED_AT_ONCE = 100
_READS = 3
"""So often a journal is read anew whose objects are being merged meanwhile."""


class KeptJournals:
    """The journals of all kernels. Raises DatabaseUnavailable and StoreUnavailable."""

    def __init__(self, storage: Storage, most_bytes: int) -> None:
        """`most_bytes` is for each journal: what is older than that is deleted."""
        self._storage = storage
        self._most_bytes = most_bytes

    async def keep(self, kernel: Kernel, part: bytes) -> None:
        """Keep a part; once more the same changes nothing. Raises PartError for what is none, and
        rows.AnotherPart, rows.AnotherProject and rows.EarlierOwner."""
        header = check_part(part)
        digest = hashlib.sha256(part).hexdigest()
        journal = await self._storage.sql(
            partial(rows.note_part, kernel=kernel, header=header, size=len(part), sha256=digest)
        )
        piece = Piece(header.first, header.last, len(part), merged=False, sha256=digest)
        key = key_of(journal, piece)
        await self._storage.objects(lambda bucket: bucket.put(key, part, {HASH_METADATA: digest}))
        noted = await self._storage.sql(
            partial(rows.has_piece, kernel_id=kernel.id, journal=journal.journal, piece=piece)
        )
        if not noted:
            # Deleted while it was written: nothing would find it any more.
            await self._storage.objects(lambda bucket: bucket.delete([key]))
            return
        is_new = journal.bytes == len(part)
        if journal.parts < MERGE_PARTS and journal.bytes <= self._most_bytes and not is_new:
            return
        try:
            if is_new:
                await self._drop_older(kernel.id)
            await self._tidy(journal)
        except (DatabaseUnavailable, StoreUnavailable) as error:
            # The part is kept, and the next one tries it again.
            _log.warning("kernel %s: its journal is not tidied yet: %s", kernel.id, error)

    async def _drop_older(self, kernel_id: str) -> None:
        """A kernel has a new journal for each launch, and an agent could invent any number."""
        for journal in (await self.of_kernel(kernel_id))[MOST_JOURNALS:]:
            await self._delete_all(journal)

    async def _delete_all(self, journal: Journal) -> None:
        await self._delete(journal, await self._pieces(journal))
        await self._storage.sql(
            partial(rows.forget_journal, kernel_id=journal.kernel_id, journal=journal.journal)
        )

    async def _tidy(self, journal: Journal) -> None:
        found = await self._pieces(journal)
        surplus = oldest_surplus(found, self._most_bytes)
        if surplus:
            await self._delete(journal, surplus)
        some = to_merge(found[len(surplus) :])
        if len(some) < 2:
            return
        bodies, missing = await self._storage.objects(
            lambda bucket: _bodies(bucket, journal, some, MERGED_BYTES)
        )
        if missing:
            # Another lab, which was given the same part, has merged them, and its object must not
            # be replaced by one without them. It forgets them now, unless it has ended.
            await self._delete(journal, missing)
            return
        body = b"".join(bodies)
        digest = hashlib.sha256(body).hexdigest()
        last = max(piece.last for piece in some)
        merged = Piece(some[0].first, last, len(body), merged=True, sha256=digest)
        await self._storage.sql(
            partial(
                rows.add_merged,
                kernel_id=journal.kernel_id,
                journal=journal.journal,
                merged=merged,
            )
        )
        key = key_of(journal, merged)
        await self._storage.objects(lambda bucket: bucket.put(key, body, {HASH_METADATA: digest}))
        await self._delete(journal, some)

    async def _pieces(self, journal: Journal) -> list[Piece]:
        return await self._storage.read_sql(
            partial(rows.pieces, kernel_id=journal.kernel_id, journal=journal.journal)
        )

    async def _delete(self, journal: Journal, gone: Sequence[Piece]) -> None:
        # First the objects: their rows are how they are found.
        keys = [key_of(journal, piece) for piece in gone]
        await self._storage.objects(lambda bucket: bucket.delete(keys))
        await self._storage.sql(
            partial(
                rows.forget_pieces,
                kernel_id=journal.kernel_id,
                journal=journal.journal,
                gone=gone,
            )
        )

    async def of_kernel(self, kernel_id: str) -> list[Journal]:
        """The journals of a kernel, the newest first: it has another one for each launch."""
        return await self._storage.read_sql(partial(rows.journals_of_kernel, kernel_id=kernel_id))

    async def of_document(self, path: str, most: int) -> list[Journal]:
        """Those of the kernels of a document, the newest first."""
        return await self._storage.read_sql(
            partial(rows.journals_of_document, path=path, most=most)
        )

    async def read(self, journal: Journal, before: int | None) -> tuple[Told | None, bool]:
        """The newest messages of a journal below the number `before`, and whether there are older
        ones."""
        for _ in range(_READS):
            found = [
                piece
                for piece in await self._pieces(journal)
                if before is None or piece.first < before
            ]
            some = newest(found, MOST_STORED_BYTES)
            bodies, missing = await self._storage.objects(
                partial(_bodies, journal=journal, some=some, most_bytes=MOST_STORED_BYTES)
            )
            if not not_elsewhere(missing, some):
                break
        answer = await asyncio.to_thread(told, bodies, before)
        return answer, answer is not None and bool(found) and answer.first > found[0].first

    async def delete_expired(self, days: float) -> int:
        """Delete some journals of kernels that have not lived for so many days; returns how
        many."""
        found = await self._storage.read_sql(
            partial(rows.expired, days=days, most=_DELETED_AT_ONCE)
        )
        for journal in found:
            await self._delete_all(journal)
        return len(found)

    async def delete_surplus(self, most_bytes: int, living: Collection[str]) -> int:
        """Delete the oldest journals of those who have more kept in a project than so many bytes,
        but none of kernels that live; returns how many."""
        found = await self._storage.read_sql(
            partial(rows.people_above, most_bytes=most_bytes, most=_DELETED_AT_ONCE)
        )
        deleted = 0
        for project, username in found:
            journals = await self._storage.read_sql(
                partial(rows.journals_of_person, project=project, username=username)
            )
            for journal in surplus_journals(journals, most_bytes, living):
                await self._delete_all(journal)
                deleted += 1
        return deleted

    async def note_alive(self, kernel_ids: Sequence[str]) -> None:
        """These kernels live."""
        await self._storage.sql(partial(rows.note_alive, kernel_ids=kernel_ids))


def key_of(journal: Journal, piece: Piece) -> str:
    """The key of an object. Nobody's file has a key like that: ids of files are hexadecimal."""
    where = f"{journal.project}/journals/{journal.kernel_id}/{journal.journal}"
    return f"{where}/{piece.first:020d}-{piece.last:020d}"


def oldest_surplus(found: Sequence[Piece], most_bytes: int) -> list[Piece]:
    """The oldest objects without which the others have at most so many bytes; never the newest."""
    left = sum(piece.bytes for piece in found)
    surplus = []
    for piece in found[:-1]:
        if left <= most_bytes:
            break
        surplus.append(piece)
        left -= piece.bytes
    return surplus


def surplus_journals(
    found: Sequence[Journal], most_bytes: int, living: Collection[str]
) -> list[Journal]:
    """The first of the ended kernels' journals without which the others have at most so many
    bytes."""
    left = sum(journal.bytes for journal in found)
    surplus = []
    for journal in found:
        if left <= most_bytes:
            break
        if journal.kernel_id not in living:
            surplus.append(journal)
            left -= journal.bytes
    return surplus


def to_merge(found: Sequence[Piece]) -> list[Piece]:
    """The oldest small objects that follow each other and become one; never the newest, which its
    agent may send again."""
    some: list[Piece] = []
    size = 0
    for piece in found[:-1]:
        full = size + piece.bytes > MERGED_BYTES
        if piece.merged or full:
            if len(some) > 1:
                break
            some, size = [], 0
        if not piece.merged:
            some.append(piece)
            size += piece.bytes
    return some


def newest(found: Sequence[Piece], most_bytes: int) -> list[Piece]:
    """The newest objects with at most so many bytes together, at least one if there is any."""
    some: list[Piece] = []
    size = 0
    for piece in reversed(found):
        size += piece.bytes
        if some and size > most_bytes:
            break
        some.append(piece)
    return some[::-1]


def not_elsewhere(missing: Sequence[Piece], some: Sequence[Piece]) -> list[Piece]:
    """Those of the missing objects that are not a part of another one which is there."""
    there = [piece for piece in some if piece not in missing]
    return [
        piece
        for piece in missing
        if not any(one.first <= piece.first and piece.last <= one.last for one in there)
    ]


def _bodies(
    bucket: Bucket, journal: Journal, some: Sequence[Piece], most_bytes: int
) -> tuple[list[bytes], list[Piece]]:
    """What the objects have, at most so many bytes together unless the first one has more, and
    those that are not there: an object's row comes first, and another lab may be merging."""
    found: list[bytes] = []
    missing: list[Piece] = []
    size = 0
    for piece in some:
        try:
            body = bucket.get(key_of(journal, piece))
        except ObjectMissing:
            missing.append(piece)
            continue
        size += len(body)
        if found and size > most_bytes:
            break
        found.append(body)
    return found, missing
