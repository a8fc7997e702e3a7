"""The stored versions of a file, and the marks that make some of them checkpoints."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import kept_versions, models, tree
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.permissions import require
from jupyter_ext.contents.saving import Saving
from jupyter_ext.contents.storage import Storage
from jupyter_ext.contents.tree import UNCONDITIONAL, Node, Version
from jupyter_ext.platform.roles import Role


class Versions:
    """Lists, restores and marks versions for the caller of the request."""

    def __init__(self, storage: Storage, saving: Saving) -> None:
        self._storage = storage
        self._saving = saving

    async def current(self, where: ContentPath) -> Version:
        """The current version of the file."""
        require(current_identity(), where, Role.VIEWER)
        _, version = await self._storage.read_sql(lambda c: tree.find_file(c, where))
        return version

    async def history(self, where: ContentPath, newest: int | None) -> list[dict[str, Any]]:
        """The newest versions of the file that are kept, or all (None), oldest first."""
        kept = await self._find(
            where, lambda c, file: kept_versions.versions(c, file, newest=newest)
        )
        return [models.version_of(version) for version in kept]

    async def checkpoints(self, where: ContentPath) -> list[dict[str, Any]]:
        """The file's checkpoints, oldest first."""
        marked = await self._find(where, kept_versions.checkpoints)
        return [models.checkpoint_of(version) for version in marked]

    async def restore(self, where: ContentPath, version: str) -> dict[str, Any]:
        """Makes an earlier version current again, as a new version."""
        identity = require(current_identity(), where, Role.EDITOR)

        def look(connection: Connection) -> tuple[Node, Version]:
            file, _ = tree.find_file(connection, where)
            return file, kept_versions.find_version(connection, where, version)

        file, wanted = await self._storage.read_sql(look)
        return await self._saving.version(identity, where, file.id, wanted, UNCONDITIONAL)

    async def mark(self, where: ContentPath, version: str | None) -> dict[str, Any]:
        """Marks the current version as a checkpoint (None), or takes the mark from `version`."""
        require(current_identity(), where, Role.EDITOR)
        return models.checkpoint_of(
            await self._storage.sql(lambda c: kept_versions.set_checkpoint(c, where, version))
        )

    async def _find(
        self, where: ContentPath, find: Callable[[Connection, Node], list[Version]]
    ) -> list[Version]:
        require(current_identity(), where, Role.VIEWER)

        def look(connection: Connection) -> list[Version]:
            file, _ = tree.find_file(connection, where)
            return find(connection, file)

        return await self._storage.read_sql(look)
