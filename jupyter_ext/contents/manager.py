"""The contents manager of a lab."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar, cast

from jupyter_server.services.contents.manager import AsyncContentsManager
from nbformat.v4 import new_notebook
from sqlalchemy import Connection
from traitlets import Callable as CallableTrait
from traitlets import Type, Unicode, default

from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import models, names, tree, uploads, widget_state
from jupyter_ext.contents.bodies import (
    Decoded,
    decode_file,
    decode_notebook,
    encode_file,
    encode_notebook,
    read_notebook,
)
from jupyter_ext.contents.bucket import (
    CONNECTIONS,
    HASH_METADATA,
    Bucket,
    ObjectMissing,
    StoreUnavailable,
)
from jupyter_ext.contents.checkpoints import FleetCheckpoints
from jupyter_ext.contents.errors import (
    BadInput,
    BodyMissing,
    Conflict,
    Contended,
    NotFound,
    Refused,
    SaveConflict,
)
from jupyter_ext.contents.http_errors import raises_http_errors
from jupyter_ext.contents.notary import FleetNotary
from jupyter_ext.contents.paths import ContentPath, is_hidden, parse
from jupyter_ext.contents.permissions import may_enter, require
from jupyter_ext.contents.tree import UNCONDITIONAL, Base, NewVersion, Node, Version, new_id
from jupyter_ext.database.engine import Database, shared
from jupyter_ext.database.unavailable import AwayLog
from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity

T = TypeVar("T")

ATTEMPTS = 30
"""How often a transaction runs again because another one took its name or moved its version."""
NAMES_TRIED = 100

WORK_THREADS = 4
WORK_THREADS_OF_ONE_USER = 2
SMALL_BODY = 256 * 1024
"""Bytes of a body that has threads of its own: work on it ends soon, and several users with costly
notebooks may have all other threads for a minute."""

request_bytes: ContextVar[int | None] = ContextVar("request_bytes", default=None)
"""The size of the body of the request that is being answered, if that is known."""


class FleetContentsManager(AsyncContentsManager):
    """Names and versions in SQL, bodies in an object store; the first folder is the project.

    Every method acts for the caller of the request that is being answered (`current_identity`).
    Errors are HTTPError: 400 bad input, 403 role too low, 404 nothing there (or not the caller's),
    409 conflict, 503 database or store away.
    """

    database_url = Unicode(
        config=True, help="URL of the lab's database; by default JupyterFleet.database_url"
    )
    bucket_url = Unicode(
        config=True, help="URL of the bucket for bodies; by default JupyterFleet.bucket_url"
    )
    checkpoints_class = Type(FleetCheckpoints, config=True)
    on_rename = CallableTrait(
        lambda _connection, _old, _new: None,
        config=True,
        help="Called in the transaction of each rename with its connection and both paths: what"
        " belongs to files by their paths moves with them.",
    )

    @default("files_handler_params")
    def _default_files_handler_params(self) -> dict[str, str]:
        # The stock handler of /files/ asks this manager, but its base class insists on a folder.
        return {"path": ""}

    @default("notary")
    def _default_notary(self) -> FleetNotary:
        return FleetNotary(parent=self)

    @default("database_url")
    def _default_database_url(self) -> str:
        return str(self.config.get("JupyterFleet", {}).get("database_url", ""))

    @default("bucket_url")
    def _default_bucket_url(self) -> str:
        return str(self.config.get("JupyterFleet", {}).get("bucket_url", ""))

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.database: Database = shared(self.database_url)
        self.bucket = Bucket(self.bucket_url)
        self._store_away = AwayLog(logging.getLogger("fleet.store"))
        self._store_threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fleet-store")
        self._work_threads = FairThreads(
            WORK_THREADS, WORK_THREADS_OF_ONE_USER, thread_name_prefix="fleet-body"
        )
        self._small_work_threads = FairThreads(
            WORK_THREADS, WORK_THREADS_OF_ONE_USER, thread_name_prefix="fleet-small-body"
        )
        # One thread: the stock store of signatures is an SQLite connection, bound to its thread.
        self._signing_thread = ThreadPoolExecutor(1, thread_name_prefix="fleet-sign")
        self._notary: FleetNotary | None = None

    # --- where work is done -------------------------------------------------------------------

    async def work(self, function: Callable[[], T], size: int | None) -> T:
        """Runs what would hold the event loop (JSON, hashes, base64) on a thread.

        Callers take turns, however much one of them wants. Work on bodies of up to `SMALL_BODY`
        bytes does not wait for bigger ones; None is a `size` that is not known. Cancelled, it does
        not begin.
        """
        identity = current_identity()
        whose = None if identity is None else identity.user
        small = size is not None and size <= SMALL_BODY
        threads = self._small_work_threads if small else self._work_threads
        return await threads.run(whose, function)

    async def _ask_notary(self, function: Callable[[], T]) -> T:
        """Runs what asks the notary's store on its thread, for the caller of this request: trust is
        one user's. What takes time (signatures) is to be done before, by `work`."""
        run = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._signing_thread, run, function)

    async def _made_notary(self) -> FleetNotary:
        """The notary, made on the thread of its store, and with its secret read."""
        if self._notary is None:

            def make() -> FleetNotary:
                notary = cast(FleetNotary, self.notary)
                # Threads that find no secret would write one each.
                _ = notary.secret
                return notary

            self._notary = await self._ask_notary(make)
        return self._notary

    async def store(self, function: Callable[[], T]) -> T:
        """Runs calls of the object store on a thread; raises StoreUnavailable."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._store_threads, function)
        except StoreUnavailable as error:
            self._store_away.note(error)
            raise

    async def _sql(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                return await self.database.run(function, read_only=read_only)
            except tree.LostRace as error:
                if not attempts_left:
                    raise Contended(
                        f"too many other requests change {error} at the same time: try again"
                    ) from error
        raise AssertionError

    async def _read_sql(self, function: Callable[[Connection], T]) -> T:
        return await self._sql(function, read_only=True)

    async def _discard(self, *keys: str) -> None:
        """Removes objects that nothing refers to; one that stays is only waste."""
        with suppress(StoreUnavailable):
            await self.store(lambda: self.bucket.delete(keys))

    # --- looking ------------------------------------------------------------------------------

    @raises_http_errors
    async def dir_exists(self, path: str) -> bool:
        where = parse(path)
        identity = current_identity()
        if where.is_root:
            return True
        if not may_enter(identity, where.project):
            return False
        if where.is_project and identity is not None and where.project in identity.projects:
            return True
        found = await self._read_sql(lambda c: tree.find(c, where))
        return found is not None and found.is_directory

    @raises_http_errors
    async def file_exists(self, path: str) -> bool:
        where = parse(path)
        if not where.names or not may_enter(current_identity(), where.project):
            return False
        found = await self._read_sql(lambda c: tree.find(c, where))
        return found is not None and not found.is_directory

    @raises_http_errors
    async def exists(self, path: str) -> bool:
        where = parse(path)
        if not where.names:
            return await self.dir_exists(path)
        if not may_enter(current_identity(), where.project):
            return False
        return await self._read_sql(lambda c: tree.find(c, where)) is not None

    @raises_http_errors
    async def is_hidden(self, path: str) -> bool:
        return is_hidden(parse(path))

    @raises_http_errors
    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,
        format: str | None = None,
        require_hash: bool = False,
        version: str | None = None,
    ) -> dict[str, Any]:
        """The model of what is at `path`, always with `version` and `hash` of a file.

        `version` asks for an earlier version of a file instead of the current one.
        """
        where = parse(path)
        identity = current_identity()
        if where.is_root:
            self._refuse_file_of_folder(where, type, require_hash)
            return await self._root_model(identity, bool(content))
        identity = require(identity, where, Role.VIEWER)
        writable = identity.may(where.project, Role.EDITOR)

        def look(connection: Connection) -> tuple[Node, list[dict[str, Any]]] | None:
            node = tree.find(connection, where)
            if node is None:
                return None
            if node.is_directory and content:
                return node, self._entry_models(where, tree.entries(connection, node), writable)
            return node, []

        found = await self._read_sql(look)
        if found is None and where.is_project and where.project in identity.projects:
            await self._sql(lambda c: tree.ensure_project(c, where.project))
            found = await self._read_sql(look)
        if found is None:
            raise NotFound(f"{where} does not exist")
        node, entries = found
        if node.version is None:
            self._refuse_file_of_folder(where, type, require_hash)
            model = models.model_of(where, node, writable=writable)
            return models.with_entries(model, entries) if content else model
        if type == "directory":
            raise BadInput(f"{where} is not a directory", reason="bad type")
        wanted = node.version
        if version is not None:
            wanted = await self._read_sql(lambda c: tree.find_version(c, where, version))
            node = Node(**{**node.__dict__, "version": wanted, "modified": wanted.created})
        model = models.model_of(where, node, writable=writable, type=type)
        if content:
            model = await self._fill(model, where, wanted, format)
        self.emit(data={"action": "get", "path": str(where)})
        return model

    def _refuse_file_of_folder(
        self, where: ContentPath, type: str | None, require_hash: bool
    ) -> None:
        if type not in (None, "directory"):
            raise BadInput(f"{where or '/'} is a directory, not a {type}", reason="bad type")
        if require_hash:
            raise BadInput(f"{where or '/'} is a directory and has no hash")

    async def _root_model(self, identity: Identity | None, content: bool) -> dict[str, Any]:
        root = ContentPath("", ())
        own = sorted(identity.projects) if identity is not None else []

        def look(connection: Connection) -> tuple[Node, list[Node]]:
            node = tree.root(connection)
            return node, tree.entries(connection, node)

        node, folders = await self._read_sql(look)
        missing = set(own) - {folder.name for folder in folders}
        if missing:
            for project in sorted(missing):
                await self._sql(lambda c, project=project: tree.ensure_project(c, project))  # type: ignore[misc]
            node, folders = await self._read_sql(look)
        model = models.model_of(root, node, writable=False)
        if not content:
            return model
        return models.with_entries(
            model,
            (
                models.model_of(
                    ContentPath(folder.name, ()),
                    folder,
                    writable=identity is not None and identity.may(folder.name, Role.EDITOR),
                )
                for folder in folders
                if may_enter(identity, folder.name)
            ),
        )

    def _entry_models(
        self, folder: ContentPath, entries: list[Node], writable: bool
    ) -> list[dict[str, Any]]:
        return [
            models.model_of(
                ContentPath(folder.project, (*folder.names, entry.name)), entry, writable=writable
            )
            for entry in entries
            if self.should_list(entry.name)
            and (self.allow_hidden or not entry.name.startswith("."))
        ]

    async def _body(self, where: ContentPath, version: Version) -> bytes:
        try:
            return await self.store(lambda: self.bucket.get(version.object_key))
        except ObjectMissing as error:
            raise BodyMissing(
                f"the body of {where} (version {version.id}) is missing in the store"
            ) from error

    async def _fill(
        self, model: dict[str, Any], where: ContentPath, version: Version, format: str | None
    ) -> dict[str, Any]:
        body = await self._body(where, version)
        if model["type"] == "notebook":
            notary = await self._made_notary()
            decoded = await self.work(lambda: _decode_stored(body), len(body))
            digests = await self.work(lambda: notary.digests(decoded.content), len(body))
            trust = await self._ask_notary(lambda: notary.trust_of(digests))
            await self.work(lambda: notary.show(decoded.content, trust), len(body))
        else:
            decoded = await self.work(lambda: decode_file(body, where.name, format), len(body))
        return models.with_content(model, decoded)

    # --- saving -------------------------------------------------------------------------------

    @raises_http_errors
    async def save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        """Saves a file, a notebook or a folder; the new model, without content.

        `base_version` in the model: absent, and whatever is there is replaced; null, and nothing
        may be there; a version, and it must be the current one. Else HTTP 409.
        """
        return await self._save(model, parse(path))

    async def _save(self, model: dict[str, Any], where: ContentPath) -> dict[str, Any]:
        identity = require(current_identity(), where, Role.EDITOR)
        kind = model.get("type")
        if kind not in ("directory", "file", "notebook"):
            raise BadInput("type must be 'directory', 'file' or 'notebook'")
        if kind == "directory":
            self.run_pre_save_hooks(model=model, path=str(where))
            folder = await self._sql(lambda c: tree.make_directory(c, where))
            return self._saved(where, folder, identity)
        if where.is_project:
            raise BadInput(f"{where} is a folder: a file cannot be saved over it")
        if model.get("content") is None:
            raise BadInput(f"no content for {where} was sent")
        base = base_of(model)
        if "chunk" in model:
            return await self._save_chunk(model, where, identity, base)
        self.run_pre_save_hooks(model=model, path=str(where))
        (body, digest, message), node_id = await asyncio.gather(
            self._encode(model, where), self._node_id_for(where, base)
        )
        new = _new_version(where, node_id, len(body), digest, identity)
        await self.store(lambda: self.bucket.put(new.object_key, body, _metadata(where, new)))
        saved = await self._publish(lambda c: tree.save_file(c, where, new, base, node_id), new)
        answer = self._saved(where, saved, identity, kind)
        if message is not None:
            answer["message"] = message
        self.run_post_save_hooks(model=answer, os_path=str(where))
        return answer

    async def _encode(
        self, model: dict[str, Any], where: ContentPath
    ) -> tuple[bytes, str, str | None]:
        """The body, its sha256 in hex, and a complaint about a notebook."""
        content, size = model["content"], request_bytes.get()
        if model["type"] == "notebook":
            notebook, message = await self.work(lambda: read_notebook(content), size)
            widgets_seen = not widget_state.put_back(notebook)
            # Before it is signed: what cannot be written is not to be trusted.
            body = await self.work(lambda: encode_notebook(notebook), size)
            notary = await self._made_notary()
            try:
                signature = await self.work(
                    lambda: notary.to_sign(notebook, widgets_seen=widgets_seen), size
                )
            except (AttributeError, KeyError, TypeError, UnicodeError, RecursionError) as error:
                raise BadInput(f"this is not a notebook: {error!r}") from error
            if signature is None:
                self.log.info("%s is saved, but not trusted", where)
            else:
                await self._ask_notary(lambda: notary.remember(signature))
        else:
            message = None
            body = await self.work(lambda: encode_file(content, model.get("format")), size)
        digest = await self.work(lambda: hashlib.sha256(body).hexdigest(), len(body))
        return body, digest, message

    async def _node_id_for(self, where: ContentPath, base: Base) -> str:
        """The id of the file at the path, or a new one; refuses early what cannot be saved."""
        node = await self._read_sql(lambda c: tree.check_target(c, where, base))
        return node.id if node is not None else new_id()

    async def _publish(self, function: Callable[[Connection], Node], new: NewVersion) -> Node:
        """Runs the transaction that makes a stored body current, and clears up if it refuses."""
        try:
            return await self._sql(function)
        except Refused:
            # With the database away nobody knows whether the body became current: it is kept then.
            await self._discard(new.object_key)
            raise

    def _saved(
        self, where: ContentPath, node: Node, identity: Identity, type: str | None = None
    ) -> dict[str, Any]:
        self.emit(data={"action": "save", "path": str(where)})
        return models.model_of(
            where, node, writable=identity.may(where.project, Role.EDITOR), type=type
        )

    async def _save_chunk(
        self, model: dict[str, Any], where: ContentPath, identity: Identity, base: Base
    ) -> dict[str, Any]:
        chunk, content = model["chunk"], model["content"]
        if not isinstance(chunk, int) or isinstance(chunk, bool) or (chunk < 1 and chunk != -1):
            raise BadInput("chunk must be 1, 2, 3 …, and -1 for the last one")
        if model["type"] != "file":
            raise BadInput("only type 'file' can be sent in chunks")
        body = await self.work(
            lambda: encode_file(content, model.get("format")), request_bytes.get()
        )
        slot = uploads.slot(where, identity.user)
        if chunk == 1:
            self.run_pre_save_hooks(model=model, path=str(where))
            await self._node_id_for(where, base)
            stale = await self._sql(lambda c: uploads.begin(c, slot))
            await self._discard(*stale)
        found = await self._read_sql(lambda c: uploads.expect(c, slot, chunk, where))
        if chunk != uploads.LAST:
            key = f"{where.project}/.parts/{found.id}/{new_id()}"
            await self.store(lambda: self.bucket.put(key, body, {}))
            try:
                size = await self._sql(lambda c: uploads.add_part(c, found, key, len(body), where))
            except Refused:
                await self._discard(key)
                raise
            return _chunk_model(where, size)
        node_id = await self._node_id_for(where, base)
        keys = await self._read_sql(lambda c: uploads.part_keys(c, found.id))
        try:
            file = await self.store(lambda: self.bucket.join(keys))
        except ObjectMissing as error:
            raise Conflict(
                f"a part of the upload of {where} is missing: start again with chunk 1"
            ) from error
        try:
            size, digest = await self.work(lambda: _complete(file, body), None)
            new = _new_version(where, node_id, size, digest, identity)
            await self.store(
                lambda: self.bucket.put_file(new.object_key, file, _metadata(where, new))
            )
        finally:
            file.close()

        def publish(connection: Connection) -> Node:
            uploads.finish(connection, found, where)
            return tree.save_file(connection, where, new, base, node_id)

        saved = await self._publish(publish, new)
        await self._discard(*keys)
        answer = self._saved(where, saved, identity, "file")
        self.run_post_save_hooks(model=answer, os_path=str(where))
        return answer

    # --- new names ----------------------------------------------------------------------------

    @raises_http_errors
    async def new_untitled(self, path: str = "", type: str = "", ext: str = "") -> dict[str, Any]:
        """Makes an empty file, notebook or folder with a name that is free."""
        folder = parse(path)
        kind = type or ("notebook" if ext == ".ipynb" else "file")
        if kind == "directory":
            wanted, insert = self.untitled_directory, " "
        elif kind == "notebook":
            wanted, insert = self.untitled_notebook + ".ipynb", ""
        elif kind == "file":
            wanted, insert = self.untitled_file + ext, ""
        else:
            raise BadInput(f"Unexpected model type: {kind!r}")

        async def make(where: ContentPath) -> dict[str, Any]:
            if kind == "directory":
                return await self._make_new_directory(where)
            return await self._save({**_empty(kind), "base_version": None}, where)

        return await self._first_free(folder, wanted, insert, make)

    async def _make_new_directory(self, where: ContentPath) -> dict[str, Any]:
        identity = require(current_identity(), where, Role.EDITOR)
        made = await self._sql(lambda c: tree.make_directory(c, where, new=True))
        return self._saved(where, made, identity)

    async def _first_free(
        self,
        folder: ContentPath,
        wanted: str,
        insert: str,
        make: Callable[[ContentPath], Any],
    ) -> dict[str, Any]:
        """What `make` answers for the first name like `wanted` that nobody else takes first."""
        if folder.is_root:
            raise BadInput("files live in projects: open a project's folder first")
        require(current_identity(), folder, Role.EDITOR)
        taken = await self._names_in(folder)
        free = (name for name in names.candidates(wanted, insert) if name not in taken)
        for name in islice(free, NAMES_TRIED):
            try:
                model: dict[str, Any] = await make(folder.child(name))
                return model
            except SaveConflict:
                continue
        raise Contended(f"too many other requests create files with names like {wanted}: try again")

    async def _names_in(self, folder: ContentPath) -> set[str]:
        def look(connection: Connection) -> set[str]:
            node = tree.find(connection, folder)
            if node is None and folder.is_project:
                return set()
            if node is None or not node.is_directory:
                raise NotFound(f"the folder {folder} does not exist")
            return {entry.name for entry in tree.entries(connection, node)}

        return await self._read_sql(look)

    @raises_http_errors
    async def increment_filename(self, filename: str, path: str = "", insert: str = "") -> str:
        """A name like `filename` that was free in the folder `path` when it was looked up."""
        folder = parse(path)
        require(current_identity(), folder, Role.VIEWER)
        taken = await self._names_in(folder)
        return next(name for name in names.candidates(filename, insert) if name not in taken)

    @raises_http_errors
    async def copy(self, from_path: str, to_path: str | None = None) -> dict[str, Any]:
        """Copies a file inside of the store: into a folder under a free name, or to a free path."""
        source = parse(from_path)
        require(current_identity(), source, Role.VIEWER)
        _, version = await self._read_sql(lambda c: tree.find_file(c, source))
        target = source.parent if to_path is None else parse(to_path)

        async def make(where: ContentPath) -> dict[str, Any]:
            return await self._copy_version(where, new_id(), version, None)

        if await self.dir_exists(str(target)):
            wanted = names.without_copy_suffix(source.name)
            model = await self._first_free(target, wanted, "-Copy", make)
        else:
            model = await make(target)
        self.emit(data={"action": "copy", "path": model["path"], "source_path": str(source)})
        return model

    async def _copy_version(
        self, where: ContentPath, node_id: str, version: Version, base: Base
    ) -> dict[str, Any]:
        """Saves the body of an existing version at `where`."""
        identity = require(current_identity(), where, Role.EDITOR)
        new = _new_version(where, node_id, version.size, version.hash, identity)
        try:
            await self.store(
                lambda: self.bucket.copy(version.object_key, new.object_key, _metadata(where, new))
            )
        except ObjectMissing as error:
            raise BodyMissing(f"the body of version {version.id} is missing") from error
        saved = await self._publish(lambda c: tree.save_file(c, where, new, base, node_id), new)
        return self._saved(where, saved, identity)

    # --- changing the tree --------------------------------------------------------------------

    @raises_http_errors
    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Renames or moves; HTTP 409 if the new name is taken."""
        old, new = parse(old_path), parse(new_path)
        for where in (old, new):
            require(current_identity(), where, Role.EDITOR)
            if not where.names:
                raise BadInput(f"{where or '/'} is a project: projects cannot be renamed")
        if old == new:
            return

        def rename(connection: Connection) -> None:
            tree.rename(connection, old, new)
            self.on_rename(connection, str(old), str(new))

        await self._sql(rename)

    @raises_http_errors
    async def rename(self, old_path: str, new_path: str) -> None:
        await self.rename_file(old_path, new_path)
        data = {"action": "rename", "path": str(parse(new_path))}
        self.emit(data={**data, "source_path": str(parse(old_path))})

    @raises_http_errors
    async def delete_file(self, path: str) -> None:
        """Deletes a file, or a folder with everything in it."""
        where = parse(path)
        if where.is_root:
            raise BadInput("the root cannot be deleted")
        identity = require(current_identity(), where, Role.EDITOR)
        if where.is_project:
            raise BadInput(f"{where} is a project: projects cannot be deleted here")
        await self._sql(lambda c: tree.remove(c, where, identity.user))

    @raises_http_errors
    async def delete(self, path: str) -> None:
        await self.delete_file(path)
        self.emit(data={"action": "delete", "path": str(parse(path))})

    # --- versions -----------------------------------------------------------------------------

    @raises_http_errors
    async def list_versions(self, path: str) -> list[dict[str, Any]]:
        """Every version of the file that is kept, oldest first."""
        where = parse(path)
        require(current_identity(), where, Role.VIEWER)

        def look(connection: Connection) -> list[Version]:
            file, _ = tree.find_file(connection, where)
            return tree.versions(connection, file)

        return [models.version_of(version) for version in await self._read_sql(look)]

    @raises_http_errors
    async def restore_version(self, path: str, version: str) -> dict[str, Any]:
        """Makes an earlier version current again, as a new version."""
        where = parse(path)
        require(current_identity(), where, Role.EDITOR)

        def look(connection: Connection) -> tuple[Node, Version]:
            file, _ = tree.find_file(connection, where)
            return file, tree.find_version(connection, where, version)

        file, wanted = await self._read_sql(look)
        return await self._copy_version(where, file.id, wanted, UNCONDITIONAL)

    @raises_http_errors
    async def mark_checkpoint(self, path: str, version: str | None) -> dict[str, Any]:
        """Marks the current version as a checkpoint (None), or takes the mark from `version`."""
        where = parse(path)
        require(current_identity(), where, Role.EDITOR)
        return models.checkpoint_of(
            await self._sql(lambda c: tree.set_checkpoint(c, where, version))
        )

    @raises_http_errors
    async def marked_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """The file's checkpoints, oldest first."""
        where = parse(path)
        require(current_identity(), where, Role.VIEWER)

        def look(connection: Connection) -> list[Version]:
            file, _ = tree.find_file(connection, where)
            return tree.versions(connection, file, checkpoints_only=True)

        return [models.checkpoint_of(version) for version in await self._read_sql(look)]

    @raises_http_errors
    async def trust_notebook(self, path: str) -> None:
        """Signs the notebook: its outputs are shown to the caller as trusted from now on, and its
        widget state is loaded."""
        where = parse(path)
        require(current_identity(), where, Role.VIEWER)
        _, version = await self._read_sql(lambda c: tree.find_file(c, where))
        body = await self._body(where, version)

        notary = await self._made_notary()
        decoded = await self.work(lambda: _decode_stored(body), len(body))
        signature = await self.work(lambda: notary.to_trust(decoded.content), len(body))
        await self._ask_notary(lambda: notary.remember(signature))


def _decode_stored(body: bytes) -> Decoded:
    """A notebook with its widget state under the usual name: a lab of an earlier version may have
    stored what a page sent under the other one, and so may whoever uploaded it as a file."""
    decoded = decode_notebook(body)
    widget_state.put_back(decoded.content)
    return decoded


def _empty(kind: str) -> dict[str, Any]:
    """The model of a new notebook or file."""
    if kind == "notebook":
        return {"type": kind, "content": new_notebook(), "format": "json"}
    return {"type": kind, "content": "", "format": "text"}


def base_of(model: dict[str, Any]) -> Base:
    """Over which version the save is meant; raises BadInput."""
    if "base_version" not in model:
        return UNCONDITIONAL
    base = model["base_version"]
    if base is not None and not isinstance(base, str):
        raise BadInput("base_version must be a version or null")
    return base


def _new_version(
    where: ContentPath, node_id: str, size: int, digest: str, identity: Identity
) -> NewVersion:
    id = new_id()
    return NewVersion(id, f"{where.project}/{node_id}/{id}", size, digest, identity.user)


def _metadata(where: ContentPath, new: NewVersion) -> dict[str, str]:
    """What the object says of itself, so that the database can be rebuilt from the bucket.

    S3 keeps ASCII only, 2 KB in all: path and author are base64 of UTF-8.
    """
    return {
        "fleet-path": base64.urlsafe_b64encode(str(where).encode()).decode(),
        "fleet-author": base64.urlsafe_b64encode(new.author.encode()[:255]).decode(),
        HASH_METADATA: new.hash,
    }


def _complete(file: Any, last: bytes) -> tuple[int, str]:
    """Adds the last chunk; the file's size in bytes and its sha256 in hex."""
    file.seek(0, 2)
    file.write(last)
    size = file.tell()
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return size, digest


def _chunk_model(where: ContentPath, size: int) -> dict[str, Any]:
    """The answer to a chunk that is not the last: nothing of the file is visible yet."""
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
