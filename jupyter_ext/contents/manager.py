"""The contents manager of a lab: Jupyter's interface to contents, with HTTP errors."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from jupyter_server.services.contents.manager import AsyncContentsManager
from sqlalchemy import Connection
from traitlets import Callable as CallableTrait
from traitlets import Type, Unicode, default

from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import models, names, tree
from jupyter_ext.contents.body_threads import BodyThreads
from jupyter_ext.contents.checkpoints import FleetCheckpoints
from jupyter_ext.contents.chunked_saving import ChunkedSaving
from jupyter_ext.contents.errors import BadInput
from jupyter_ext.contents.free_names import FreeNames
from jupyter_ext.contents.http_errors import raises_http_errors
from jupyter_ext.contents.notary import FleetNotary
from jupyter_ext.contents.paths import ContentPath, is_hidden, parse
from jupyter_ext.contents.permissions import require
from jupyter_ext.contents.reading import Reading
from jupyter_ext.contents.saving import Saving, base_of
from jupyter_ext.contents.signing import Signing
from jupyter_ext.contents.storage import Storage
from jupyter_ext.contents.tree import new_id
from jupyter_ext.contents.versions import Versions
from jupyter_ext.platform.roles import Role

T = TypeVar("T")


class FleetContentsManager(AsyncContentsManager):
    """Names and versions in SQL, bodies in an object store; the first folder is the project.

    Every method acts for the caller of the current request (`current_identity`). Errors are
    HTTPError: 400 bad input, 403 role too low, 404 nothing there (or not visible to the caller),
    409 conflict, 503 database or store unavailable.
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
        help="Called in the transaction of each rename with its connection and both paths, to "
        "update whatever refers to files by their paths.",
    )

    on_delete = CallableTrait(
        lambda _connection, _path: None,
        config=True,
        help="Called in the transaction of each deletion with its connection and the path of the "
        "file or folder, to remove what belongs to files by their paths.",
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
        self.storage = Storage(self.database_url, self.bucket_url)
        self._threads = BodyThreads()
        self._signing = Signing(self._threads, lambda: cast(FleetNotary, self.notary))
        self._reading = Reading(self.storage, self._threads, self._signing, self._is_listed)
        self._saving = Saving(self.storage, self._threads, self._signing, self.log)
        self._chunked_saving = ChunkedSaving(self.storage, self._threads, self._saving)
        self._free_names = FreeNames(self.storage)
        self._versions = Versions(self.storage, self._saving)

    async def work(self, function: Callable[[], T], size: int | None) -> T:
        """Runs work on a body of `size` bytes on a thread, see `BodyThreads.run`."""
        return await self._threads.run(function, size)

    def _is_listed(self, name: str) -> bool:
        return self.should_list(name) and (self.allow_hidden or not name.startswith("."))

    def _emit(self, action: str, path: str, **more: str) -> None:
        self.emit(data={"action": action, "path": path, **more})

    # --- reading ------------------------------------------------------------------------------

    @raises_http_errors
    async def dir_exists(self, path: str) -> bool:
        return await self._reading.is_directory(parse(path))

    @raises_http_errors
    async def file_exists(self, path: str) -> bool:
        where = parse(path)
        found = await self._reading.find(where) if where.names else None
        return found is not None and not found.is_directory

    @raises_http_errors
    async def exists(self, path: str) -> bool:
        where = parse(path)
        if not where.names:
            return await self._reading.is_directory(where)
        return await self._reading.find(where) is not None

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
        """The model of what is at `path`; for a file always with `version` and `hash`.

        `version` asks for an earlier version of a file instead of the current one.
        """
        where = parse(path)
        model = await self._reading.model(
            where,
            content=bool(content),
            type=type,
            format=format,
            require_hash=require_hash,
            version=version,
        )
        if model["type"] != "directory":
            self._emit("get", str(where))
        return model

    # --- saving -------------------------------------------------------------------------------

    @raises_http_errors
    async def save(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        """Saves a file, a notebook or a folder; the new model, without content.

        `base_version` in the model says what may be replaced: absent, anything; null, nothing (no
        file may exist); a version, only that one. Otherwise HTTP 409.
        """
        return await self._save(model, parse(path))

    async def _save(self, model: dict[str, Any], where: ContentPath) -> dict[str, Any]:
        identity = require(current_identity(), where, Role.EDITOR)
        kind = model.get("type")
        if kind not in ("directory", "file", "notebook"):
            raise BadInput("type must be 'directory', 'file' or 'notebook'")
        if kind == "directory":
            self.run_pre_save_hooks(model=model, path=str(where))
            answer = await self._saving.directory(identity, where)
            self._emit("save", str(where))
            return answer
        if where.is_project:
            raise BadInput(f"{where} is a folder: a file cannot be saved over it")
        if model.get("content") is None:
            raise BadInput(f"no content for {where} was sent")
        base = base_of(model)
        if "chunk" in model:
            chunk = await self._chunked_saving.chunk_of(model)
            if chunk.number == 1:
                self.run_pre_save_hooks(model=model, path=str(where))
            answer = await self._chunked_saving.save(identity, where, chunk, base)
            if not chunk.is_last:
                return answer
        else:
            self.run_pre_save_hooks(model=model, path=str(where))
            answer = await self._saving.file(identity, where, model, base)
        self._emit("save", str(where))
        self.run_post_save_hooks(model=answer, os_path=str(where))
        return answer

    @raises_http_errors
    async def trust_notebook(self, path: str) -> None:
        """Signs the notebook: its outputs are shown to the caller as trusted from now on, and its
        widget state is loaded."""
        where = parse(path)
        version = await self._versions.current(where)
        decoded, size = await self._reading.stored_notebook(where, version)
        await self._signing.trust(decoded.content, size)

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
            if kind != "directory":
                return await self._save({**models.empty(kind), "base_version": None}, where)
            identity = require(current_identity(), where, Role.EDITOR)
            made = await self._saving.directory(identity, where, new=True)
            self._emit("save", str(where))
            return made

        return await self._free_names.make_first(folder, wanted, insert, make)

    @raises_http_errors
    async def increment_filename(self, filename: str, path: str = "", insert: str = "") -> str:
        """A name like `filename` that is currently unused in the folder `path`."""
        return await self._free_names.look_up(parse(path), filename, insert)

    @raises_http_errors
    async def copy(self, from_path: str, to_path: str | None = None) -> dict[str, Any]:
        """Copies a file inside of the store: into a folder under a free name, or to a free path."""
        source = parse(from_path)
        version = await self._versions.current(source)
        target = source.parent if to_path is None else parse(to_path)

        async def make(where: ContentPath) -> dict[str, Any]:
            identity = require(current_identity(), where, Role.EDITOR)
            made = await self._saving.version(identity, where, new_id(), version, None)
            self._emit("save", str(where))
            return made

        if await self._reading.is_directory(target):
            wanted = names.without_copy_suffix(source.name)
            model = await self._free_names.make_first(target, wanted, "-Copy", make)
        else:
            model = await make(target)
        self._emit("copy", model["path"], source_path=str(source))
        return model

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

        await self.storage.sql(rename)

    @raises_http_errors
    async def rename(self, old_path: str, new_path: str) -> None:
        await self.rename_file(old_path, new_path)
        self._emit("rename", str(parse(new_path)), source_path=str(parse(old_path)))

    @raises_http_errors
    async def delete_file(self, path: str) -> None:
        """Deletes a file, or a folder with everything in it."""
        where = parse(path)
        if where.is_root:
            raise BadInput("the root cannot be deleted")
        identity = require(current_identity(), where, Role.EDITOR)
        if where.is_project:
            raise BadInput(f"{where} is a project: projects cannot be deleted here")

        def remove(connection: Connection) -> None:
            tree.remove(connection, where, identity.user)
            self.on_delete(connection, str(where))

        await self.storage.sql(remove)

    @raises_http_errors
    async def delete(self, path: str) -> None:
        await self.delete_file(path)
        self._emit("delete", str(parse(path)))

    # --- versions -----------------------------------------------------------------------------

    @raises_http_errors
    async def list_versions(self, path: str, newest: int | None = None) -> list[dict[str, Any]]:
        """The newest versions of the file that are kept, or all (None), oldest first."""
        return await self._versions.history(parse(path), newest)

    @raises_http_errors
    async def restore_version(self, path: str, version: str) -> dict[str, Any]:
        """Makes an earlier version current again, as a new version."""
        where = parse(path)
        answer = await self._versions.restore(where, version)
        self._emit("save", str(where))
        return answer

    @raises_http_errors
    async def mark_checkpoint(self, path: str, version: str | None) -> dict[str, Any]:
        """Marks the current version as a checkpoint (None), or takes the mark from `version`."""
        return await self._versions.mark(parse(path), version)

    @raises_http_errors
    async def marked_checkpoints(self, path: str) -> list[dict[str, Any]]:
        """The file's checkpoints, oldest first."""
        return await self._versions.checkpoints(parse(path))
