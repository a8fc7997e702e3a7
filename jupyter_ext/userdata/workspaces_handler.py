"""`/lab/api/workspaces`, per user and in SQL."""

from __future__ import annotations

import json
from functools import partial

from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_ext.database.engine import Database
from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.userdata import store
from jupyter_ext.userdata.store import WorkspaceRoom, WorkspacesFull
from jupyter_ext.userdata.tables import NAME_BYTES
from jupyter_ext.userdata.turns import Turns
from jupyter_ext.userdata.user_handler import UserHandler
from jupyter_ext.userdata.workspaces import (
    WorkspaceError,
    check_workspace,
    empty_workspace,
    workspace_model,
)
from jupyter_ext.userdata.workspaces_list import batches, listed


class FleetWorkspacesHandler(UserHandler):
    """One user's workspaces."""

    _turns = Turns()
    """Each user gets one list at a time from this lab, because lists can be long."""

    def initialize(  # type: ignore[override]
        self, database: Database, threads: FairThreads, room: WorkspaceRoom
    ) -> None:
        """Accept the objects that all requests share; `room` has each user's limits."""
        super().initialize(database, threads)
        self._room = room

    @web.authenticated
    async def get(self, space_name: str = "") -> None:
        """All workspaces, or one; a workspace that was never saved is empty."""
        if space_name:
            found = await self.mine(store.get_workspace, name=space_name)
            model = workspace_model(found) if found else empty_workspace(space_name)
            await self.finish(json.dumps(model))
            return
        async with self._turns.of(self.current_user.username):
            await self._send_list()

    async def _send_list(self) -> None:
        """Send the list in batches, each after the previous one was sent."""
        sizes = await self.mine(store.workspace_sizes)
        groups = batches(sizes)
        ids: list[str] = []
        self.write('{"workspaces": {"values": [')
        for number, names in enumerate(groups, 1):
            found = await self.mine(store.workspaces_called, names=names)
            more, values = await self.work(partial(listed, found))
            if ids and more:
                self.write(", ")
            ids += more
            self.write(", ".join(values))
            if number < len(groups):
                # Chunks are sent before `finish` would set the content type.
                self.set_header("Content-Type", "application/json")
                try:
                    await self.flush()
                except StreamClosedError:
                    return
        await self.finish(f'], "ids": {json.dumps(ids)}}}}}')

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
