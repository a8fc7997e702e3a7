"""Reading folders and files."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import models, tree, widget_state
from jupyter_ext.contents.bodies import Decoded, decode_file, decode_notebook
from jupyter_ext.contents.body_threads import BodyThreads
from jupyter_ext.contents.errors import BadInput, NotFound
from jupyter_ext.contents.kept_versions import find_version
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.permissions import may_enter, require
from jupyter_ext.contents.signing import Signing
from jupyter_ext.contents.storage import Storage
from jupyter_ext.contents.tree import Node, Version
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


class Reading:
    """Reads paths for the caller of the request. `is_listed` decides by its name whether an entry
    of a folder is shown."""

    def __init__(
        self,
        storage: Storage,
        threads: BodyThreads,
        signing: Signing,
        is_listed: Callable[[str], bool],
    ) -> None:
        self._storage = storage
        self._threads = threads
        self._signing = signing
        self._is_listed = is_listed

    async def find(self, where: ContentPath) -> Node | None:
        """What is at a path within a project; None if there is nothing that the caller may see."""
        if not may_enter(current_identity(), where.project):
            return None
        return await self._storage.read_sql(lambda c: tree.find(c, where))

    async def is_directory(self, where: ContentPath) -> bool:
        """Whether the caller sees a folder there; a project has one even before its first use."""
        if where.is_root:
            return True
        identity = current_identity()
        if where.is_project and identity is not None and where.project in identity.projects:
            return may_enter(identity, where.project)
        found = await self.find(where)
        return found is not None and found.is_directory

    async def model(
        self,
        where: ContentPath,
        *,
        content: bool,
        type: str | None,
        format: str | None,
        require_hash: bool,
        version: str | None,
    ) -> dict[str, Any]:
        """The model of what is at the path; `version` is an earlier version of a file."""
        identity = current_identity()
        if where.is_root:
            _refuse_file_of_folder(where, type, require_hash)
            return await self._root_model(identity, content)
        identity = require(identity, where, Role.VIEWER)
        writable = identity.may(where.project, Role.EDITOR)

        def look(connection: Connection) -> tuple[Node, list[dict[str, Any]]] | None:
            node = tree.find(connection, where)
            if node is None:
                return None
            if node.is_directory and content:
                return node, self._entry_models(where, tree.entries(connection, node), writable)
            return node, []

        found = await self._storage.read_sql(look)
        if found is None and where.is_project and where.project in identity.projects:
            await self._storage.sql(lambda c: tree.ensure_project(c, where.project))
            found = await self._storage.read_sql(look)
        if found is None:
            raise NotFound(f"{where} does not exist")
        node, entries = found
        if node.version is None:
            _refuse_file_of_folder(where, type, require_hash)
            model = models.model_of(where, node, writable=writable)
            return models.with_entries(model, entries) if content else model
        if type == "directory":
            raise BadInput(f"{where} is not a directory", reason="bad type")
        wanted = node.version
        if version is not None:
            wanted = await self._storage.read_sql(lambda c: find_version(c, where, version))
            node = replace(node, version=wanted, modified=wanted.created)
        model = models.model_of(where, node, writable=writable, type=type)
        return await self._with_content(model, where, wanted, format) if content else model

    async def stored_notebook(self, where: ContentPath, version: Version) -> tuple[Decoded, int]:
        """The notebook as it is stored, and the size of its body in bytes."""
        body = await self._storage.body(where, version)
        return await self._threads.run(lambda: _decode_stored(body), len(body)), len(body)

    async def _with_content(
        self, model: dict[str, Any], where: ContentPath, version: Version, format: str | None
    ) -> dict[str, Any]:
        if model["type"] == "notebook":
            decoded, size = await self.stored_notebook(where, version)
            await self._signing.show(decoded.content, size)
        else:
            body = await self._storage.body(where, version)
            decoded = await self._threads.run(
                lambda: decode_file(body, where.name, format), len(body)
            )
        return models.with_content(model, decoded)

    async def _root_model(self, identity: Identity | None, content: bool) -> dict[str, Any]:
        root = ContentPath("", ())
        own = sorted(identity.projects) if identity is not None else []

        def look(connection: Connection) -> tuple[Node, list[Node]]:
            node = tree.root(connection)
            return node, tree.entries(connection, node)

        node, folders = await self._storage.read_sql(look)
        missing = set(own) - {folder.name for folder in folders}
        if missing:
            for project in sorted(missing):
                await self._storage.sql(lambda c, project=project: tree.ensure_project(c, project))  # type: ignore[misc]
            node, folders = await self._storage.read_sql(look)
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
            if self._is_listed(entry.name)
        ]


def _refuse_file_of_folder(where: ContentPath, type: str | None, require_hash: bool) -> None:
    if type not in (None, "directory"):
        raise BadInput(f"{where or '/'} is a directory, not a {type}", reason="bad type")
    if require_hash:
        raise BadInput(f"{where or '/'} is a directory and has no hash")


def _decode_stored(body: bytes) -> Decoded:
    """The notebook with its widget state under the usual name; a file that was uploaded may have it
    under the other one."""
    decoded = decode_notebook(body)
    widget_state.put_back(decoded.content)
    return decoded
