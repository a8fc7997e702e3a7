"""`/lab/api/workspaces`, per user and in SQL."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.userdata import store
from jupyter_ext.userdata.store import Stored, WorkspaceRoom, WorkspacesFull
from jupyter_ext.userdata.tables import NAME_BYTES
from jupyter_ext.userdata.workspaces import (
    WorkspaceError,
    check_workspace,
    empty_workspace,
    workspace_model,
)


class FleetWorkspacesHandler(APIHandler):
    """One user's workspaces."""

    def initialize(
        self, database: Database, threads: ThreadPoolExecutor, room: WorkspaceRoom
    ) -> None:
        """Take what all requests share; `threads` parse what somebody may have many of, and `room`
        is what each user may keep."""
        self._database = database
        self._room = room
        self._threads = threads

    @web.authenticated
    async def get(self, space_name: str = "") -> None:
        """All workspaces, or one; a workspace that was never saved is empty."""
        username = self.current_user.username
        if space_name:
            found = await self._run(
                partial(store.get_workspace, username=username, name=space_name)
            )
            text = json.dumps(workspace_model(found) if found else empty_workspace(space_name))
        else:
            found_all = await self._run(partial(store.workspaces_of, username=username))
            text = await asyncio.get_running_loop().run_in_executor(
                self._threads, _list_of, found_all
            )
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
            await self._run(
                partial(
                    store.save_workspace,
                    username=self.current_user.username,
                    name=space_name,
                    raw=raw,
                    room=self._room,
                )
            )
        except WorkspacesFull as error:
            raise web.HTTPError(413, str(error)) from error
        self.set_status(204)

    @web.authenticated
    async def delete(self, space_name: str = "") -> None:
        """Delete a workspace."""
        self._require_name(space_name)
        username = self.current_user.username
        if not await self._run(partial(store.delete_workspace, username=username, name=space_name)):
            raise web.HTTPError(404, f"Workspace {space_name!r} not found")
        self.set_status(204)

    def _require_name(self, space_name: str) -> None:
        if not space_name or len(space_name.encode()) > NAME_BYTES:
            raise web.HTTPError(400, f"a workspace needs a name of up to {NAME_BYTES} bytes")

    async def _run(self, function: Any) -> Any:
        try:
            return await self._database.run(function)
        except DatabaseUnavailable as error:
            raise web.HTTPError(503, str(error)) from error


def _list_of(found: list[Stored]) -> str:
    values = [workspace_model(stored) for stored in found]
    ids = [value["metadata"]["id"] for value in values]
    return json.dumps({"workspaces": {"ids": ids, "values": values}})
