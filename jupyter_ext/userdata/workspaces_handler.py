"""`/lab/api/workspaces`, per user and in SQL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tornado import web

from jupyter_ext.database.engine import Database
from jupyter_ext.userdata import store
from jupyter_ext.userdata.store import Stored, WorkspaceRoom, WorkspacesFull
from jupyter_ext.userdata.tables import NAME_BYTES
from jupyter_ext.userdata.user_handler import UserHandler
from jupyter_ext.userdata.workspaces import (
    WorkspaceError,
    check_workspace,
    empty_workspace,
    workspace_model,
)


class FleetWorkspacesHandler(UserHandler):
    """One user's workspaces."""

    def initialize(  # type: ignore[override]
        self, database: Database, threads: ThreadPoolExecutor, room: WorkspaceRoom
    ) -> None:
        """Take what all requests share; `room` is what each user may keep."""
        super().initialize(database, threads)
        self._room = room

    @web.authenticated
    async def get(self, space_name: str = "") -> None:
        """All workspaces, or one; a workspace that was never saved is empty."""
        if space_name:
            found = await self.mine(store.get_workspace, name=space_name)
            text = json.dumps(workspace_model(found) if found else empty_workspace(space_name))
        else:
            found_all = await self.mine(store.workspaces_of)
            text = await self.work(lambda: _list_of(found_all))
        await self.finish(text)

    @web.authenticated
    async def put(self, space_name: str = "") -> None:
        """Replace a workspace."""
        self._require_name(space_name)
        raw = self.request.body.decode(errors="replace")
        try:
            check_workspace(space_name, raw)
        except WorkspaceError as error:
            raise web.HTTPError(400, str(error)) from error
        try:
            await self.mine(store.save_workspace, name=space_name, raw=raw, room=self._room)
        except WorkspacesFull as error:
            raise web.HTTPError(413, str(error)) from error
        self.set_status(204)

    @web.authenticated
    async def delete(self, space_name: str = "") -> None:
        """Delete a workspace."""
        self._require_name(space_name)
        if not await self.mine(store.delete_workspace, name=space_name):
            raise web.HTTPError(404, f"Workspace {space_name!r} not found")
        self.set_status(204)

    def _require_name(self, space_name: str) -> None:
        if not space_name or len(space_name.encode()) > NAME_BYTES:
            raise web.HTTPError(400, f"a workspace needs a name of up to {NAME_BYTES} bytes")


def _list_of(found: list[Stored]) -> str:
    values = [workspace_model(stored) for stored in found]
    ids = [value["metadata"]["id"] for value in values]
    return json.dumps({"workspaces": {"ids": ids, "values": values}})
