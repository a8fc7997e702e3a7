"""`/lab/api/settings`, per user and in SQL."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.userdata import store
from jupyter_ext.userdata.settings import (
    SettingsError,
    SettingsPlaces,
    check_settings,
    locale_of,
    with_user_settings,
)
from jupyter_ext.userdata.tables import NAME_BYTES


class FleetSettingsHandler(APIHandler):
    """One user's settings, with schemas and defaults from disk."""

    def initialize(self, database: Database, places: SettingsPlaces) -> None:
        """Take what all requests share."""
        self._database = database
        self._places = places

    @web.authenticated
    async def get(self, schema_name: str = "") -> None:
        """All settings, or those of one schema."""
        stored = await self._run(partial(store.settings_of, username=self.current_user.username))
        document = await asyncio.to_thread(
            self._places.read,
            schema_name,
            ids_only=self.get_argument("ids_only", "") == "true",
            locale=locale_of(stored),
        )
        if schema_name:
            document = with_user_settings(document, stored.get(schema_name))
        else:
            document["settings"] = [
                with_user_settings(entry, stored.get(entry["id"]))
                for entry in document.get("settings", [])
            ]
        await self.finish(json.dumps(document))

    @web.authenticated
    async def put(self, schema_name: str) -> None:
        """Replace the user's settings of one schema."""
        try:
            raw = json.loads(self.request.body.decode())["raw"]
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPError(
                400, "Invalid format for JSON payload. Must be in the form {'raw': ...}"
            ) from error
        if not isinstance(raw, str) or len(schema_name.encode()) > NAME_BYTES:
            raise web.HTTPError(400, "raw must be a text, and the schema's name a short one")
        document = await asyncio.to_thread(self._places.read, schema_name, locale="en")
        try:
            check_settings(raw, document["schema"])
        except SettingsError as error:
            raise web.HTTPError(400, str(error)) from error
        await self._run(
            partial(
                store.save_setting,
                username=self.current_user.username,
                schema_name=schema_name,
                raw=raw,
            )
        )
        self.set_status(204)

    async def _run(self, function: Any) -> Any:
        try:
            return await self._database.run(function)
        except DatabaseUnavailable as error:
            raise web.HTTPError(503, str(error)) from error
