"""Finds unused names in a folder."""

from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import names, tree
from jupyter_ext.contents.errors import BadInput, Contended, NotFound, SaveConflict
from jupyter_ext.contents.paths import ContentPath
from jupyter_ext.contents.permissions import require
from jupyter_ext.contents.storage import Storage
from jupyter_ext.platform.roles import Role

NAMES_TRIED = 100


class FreeNames:
    """Looks for unused names similar to a wanted one, as the caller of the request."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def make_first(
        self,
        folder: ContentPath,
        wanted: str,
        insert: str,
        make: Callable[[ContentPath], Coroutine[Any, Any, dict[str, Any]]],
    ) -> dict[str, Any]:
        """The result of `make` with the first unused name like `wanted`; if another request takes
        that name first, tries the next one."""
        if folder.is_root:
            raise BadInput("files live in projects: open a project's folder first")
        require(current_identity(), folder, Role.EDITOR)
        taken = await self._names_in(folder)
        free = (name for name in names.candidates(wanted, insert) if name not in taken)
        for name in islice(free, NAMES_TRIED):
            try:
                return await make(folder.child(name))
            except SaveConflict:
                continue
        raise Contended(f"too many other requests create files with names like {wanted}: try again")

    async def look_up(self, folder: ContentPath, wanted: str, insert: str) -> str:
        """The first name like `wanted` that is free now."""
        require(current_identity(), folder, Role.VIEWER)
        taken = await self._names_in(folder)
        return next(name for name in names.candidates(wanted, insert) if name not in taken)

    async def _names_in(self, folder: ContentPath) -> set[str]:
        def look(connection: Connection) -> set[str]:
            node = tree.find(connection, folder)
            if node is None and folder.is_project:
                return set()
            if node is None or not node.is_directory:
                raise NotFound(f"the folder {folder} does not exist")
            return {entry.name for entry in tree.entries(connection, node)}

        return await self._storage.read_sql(look)
