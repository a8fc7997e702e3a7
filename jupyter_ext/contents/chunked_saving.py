"""Saving a file that is sent in chunks: nothing of it is visible before the last one."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from jupyter_ext.contents import tree, uploads
from jupyter_ext.contents.bodies import encode_file
from jupyter_ext.contents.body_threads import BodyThreads, request_bytes
from jupyter_ext.contents.bucket import ObjectMissing
from jupyter_ext.contents.errors import BadInput, Conflict, Refused
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.saving import Saving, answer, metadata, new_version
from jupyter_ext.contents.storage import Storage
from jupyter_ext.contents.tree import Base, Node, new_id
from jupyter_ext.platform.tokens import Identity


@dataclass(frozen=True)
class Chunk:
    """One chunk of a file, of the body's bytes."""

    number: int
    body: bytes

    @property
    def is_last(self) -> bool:
        return self.number == uploads.LAST


class ChunkedSaving:
    """Stores each chunk, and saves the file with the last one."""

    def __init__(self, storage: Storage, threads: BodyThreads, saving: Saving) -> None:
        self._storage = storage
        self._threads = threads
        self._saving = saving

    async def chunk_of(self, model: dict[str, Any]) -> Chunk:
        """The chunk that a model carries; raises BadInput."""
        number, content = model["chunk"], model["content"]
        if not isinstance(number, int) or isinstance(number, bool) or (number < 1 and number != -1):
            raise BadInput("chunk must be 1, 2, 3 …, and -1 for the last one")
        if model["type"] != "file":
            raise BadInput("only type 'file' can be sent in chunks")
        body = await self._threads.run(
            lambda: encode_file(content, model.get("format")), request_bytes.get()
        )
        return Chunk(number, body)

    async def save(
        self, identity: Identity, where: ContentPath, chunk: Chunk, base: Base
    ) -> dict[str, Any]:
        """Takes a chunk from an editor. Answers with the model of the file after the last one, else
        with the path and the size of what has arrived."""
        slot = uploads.slot(where, identity.user)
        if chunk.number == 1:
            await self._saving.node_id_for(where, base)
            stale = await self._storage.sql(lambda c: uploads.begin(c, slot))
            await self._storage.discard(*stale)
        found = await self._storage.read_sql(lambda c: uploads.expect(c, slot, chunk.number, where))
        if not chunk.is_last:
            return _chunk_answer(where, await self._keep(found, chunk, where))
        node_id = await self._saving.node_id_for(where, base)
        keys = await self._storage.read_sql(lambda c: uploads.part_keys(c, found.id))
        try:
            file = await self._storage.objects(lambda bucket: bucket.join(keys))
        except ObjectMissing as error:
            raise Conflict(
                f"a part of the upload of {where} is missing: start again with chunk 1"
            ) from error
        try:
            size, digest = await self._threads.run(lambda: _complete(file, chunk.body), None)
            new = new_version(where, node_id, size, digest, identity)
            await self._storage.objects(
                lambda bucket: bucket.put_file(new.object_key, file, metadata(where, new))
            )
        finally:
            file.close()

        def publish(connection: Connection) -> Node:
            uploads.finish(connection, found, where)
            return tree.save_file(connection, where, new, base, node_id)

        saved = await self._saving.publish(publish, new)
        await self._storage.discard(*keys)
        return answer(where, saved, identity, "file")

    async def _keep(self, upload: Row[Any], chunk: Chunk, where: ContentPath) -> int:
        """Stores a chunk that is not the last; the upload's size in bytes so far."""
        key = f"{where.project}/.parts/{upload.id}/{new_id()}"
        await self._storage.objects(lambda bucket: bucket.put(key, chunk.body, {}))
        try:
            return await self._storage.sql(
                lambda c: uploads.add_part(c, upload, key, len(chunk.body), where)
            )
        except Refused:
            await self._storage.discard(key)
            raise


def _complete(file: Any, last: bytes) -> tuple[int, str]:
    """Adds the last chunk; the file's size in bytes and its sha256 in hex."""
    file.seek(0, 2)
    file.write(last)
    size = file.tell()
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return size, digest


def _chunk_answer(where: ContentPath, size: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "name": where.name,
        "path": str(where),
        "type": "file",
        "created": now,
        "last_modified": now,
        "content": None,
        "format": None,
        "mimetype": None,
        "size": size,
        "writable": True,
        "hash": None,
        "hash_algorithm": None,
        "version": None,
    }
