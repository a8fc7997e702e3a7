"""Saving: put the body into the object store, then make it the current version in a transaction."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from jupyter_ext.contents import models, tree, widget_state
from jupyter_ext.contents.bodies import encode_file, encode_notebook, read_notebook
from jupyter_ext.contents.body_threads import BodyThreads, request_bytes
from jupyter_ext.contents.bucket import HASH_METADATA, ObjectMissing
from jupyter_ext.contents.errors import BadInput, BodyMissing, Refused
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.signing import Signing
from jupyter_ext.contents.storage import Storage
from jupyter_ext.contents.tree import UNCONDITIONAL, Base, NewVersion, Node, Version, new_id
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


class Saving:
    """Saves for an `identity` that is an editor. Methods return models without content."""

    def __init__(
        self, storage: Storage, threads: BodyThreads, signing: Signing, log: logging.Logger
    ) -> None:
        self._storage = storage
        self._threads = threads
        self._signing = signing
        self._log = log

    async def directory(
        self, identity: Identity, where: ContentPath, *, new: bool = False
    ) -> dict[str, Any]:
        """Creates a folder; if it exists already, that is an error only if it must be `new`."""
        made = await self._storage.sql(lambda c: tree.make_directory(c, where, new=new))
        return answer(where, made, identity)

    async def file(
        self, identity: Identity, where: ContentPath, model: dict[str, Any], base: Base
    ) -> dict[str, Any]:
        """Saves a file or notebook that was sent as a whole, over the version `base`."""
        (body, digest, message), node_id = await asyncio.gather(
            self._encode(model, where), self.node_id_for(where, base)
        )
        new = new_version(where, node_id, len(body), digest, identity)
        await self._storage.objects(
            lambda bucket: bucket.put(new.object_key, body, metadata(where, new))
        )
        saved = await self.publish(lambda c: tree.save_file(c, where, new, base, node_id), new)
        answered = answer(where, saved, identity, model["type"])
        return answered if message is None else {**answered, "message": message}

    async def version(
        self,
        identity: Identity,
        where: ContentPath,
        node_id: str,
        version: Version,
        base: Base,
    ) -> dict[str, Any]:
        """Saves the body of an existing version, of this or another file."""
        new = new_version(where, node_id, version.size, version.hash, identity)
        try:
            await self._storage.objects(
                lambda bucket: bucket.copy(version.object_key, new.object_key, metadata(where, new))
            )
        except ObjectMissing as error:
            raise BodyMissing(f"the body of version {version.id} is missing") from error
        saved = await self.publish(lambda c: tree.save_file(c, where, new, base, node_id), new)
        return answer(where, saved, identity)

    async def node_id_for(self, where: ContentPath, base: Base) -> str:
        """The id of the file at the path, or a new one; raises early if it cannot be saved."""
        node = await self._storage.read_sql(lambda c: tree.check_target(c, where, base))
        return node.id if node is not None else new_id()

    async def publish(self, function: Callable[[Connection], Node], new: NewVersion) -> Node:
        """Runs the transaction that makes a stored body current; removes the body if that fails."""
        try:
            return await self._storage.sql(function)
        except Refused:
            # Without the database it is unknown whether the body became current, so it is kept.
            await self._storage.discard(new.object_key)
            raise

    async def _encode(
        self, model: dict[str, Any], where: ContentPath
    ) -> tuple[bytes, str, str | None]:
        """The body, its sha256 in hex, and a warning about the notebook, if any."""
        content, size = model["content"], request_bytes.get()
        if model["type"] == "notebook":
            notebook, message = await self._threads.run(lambda: read_notebook(content), size)
            widgets_seen = not widget_state.put_back(notebook)
            # Before it is signed: a notebook that cannot be written must not become trusted.
            body = await self._threads.run(lambda: encode_notebook(notebook), size)
            if not await self._signing.sign(notebook, size, widgets_seen=widgets_seen):
                self._log.info("%s is saved, but not trusted", where)
        else:
            message = None
            body = await self._threads.run(lambda: encode_file(content, model.get("format")), size)
        digest = await self._threads.run(lambda: hashlib.sha256(body).hexdigest(), len(body))
        return body, digest, message


def base_of(model: dict[str, Any]) -> Base:
    """The version that the save may replace; raises BadInput."""
    if "base_version" not in model:
        return UNCONDITIONAL
    base = model["base_version"]
    if base is not None and not isinstance(base, str):
        raise BadInput("base_version must be a version or null")
    return base


def answer(
    where: ContentPath, node: Node, identity: Identity, type: str | None = None
) -> dict[str, Any]:
    """The model of what was saved."""
    writable = identity.may(where.project, Role.EDITOR)
    return models.model_of(where, node, writable=writable, type=type)


def new_version(
    where: ContentPath, node_id: str, size: int, digest: str, identity: Identity
) -> NewVersion:
    """A version with a unique object key."""
    id = new_id()
    return NewVersion(id, f"{where.project}/{node_id}/{id}", size, digest, identity.user)


def metadata(where: ContentPath, new: NewVersion) -> dict[str, str]:
    """The object's metadata, from which the database can be rebuilt.

    S3 keeps ASCII only, 2 KB in all: path and author are base64 of UTF-8.
    """
    return {
        "fleet-path": base64.urlsafe_b64encode(str(where).encode()).decode(),
        "fleet-author": base64.urlsafe_b64encode(new.author.encode()[:255]).decode(),
        HASH_METADATA: new.hash,
    }
