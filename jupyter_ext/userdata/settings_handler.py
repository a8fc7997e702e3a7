"""`/lab/api/settings`, per user and in SQL."""

from __future__ import annotations

import json

from tornado import web

from jupyter_ext.database.engine import Database
from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.userdata import store
from jupyter_ext.userdata.settings import (
    SettingsError,
    SettingsPlaces,
    check_settings,
    locale_of,
    with_user_settings,
)
from jupyter_ext.userdata.store import Stored
from jupyter_ext.userdata.tables import NAME_BYTES
from jupyter_ext.userdata.user_handler import UserHandler


class SettingsReader(UserHandler):
    """Base of the handlers that read a user's settings."""

    def initialize(  # type: ignore[override]
        self, database: Database, places: SettingsPlaces, threads: FairThreads
    ) -> None:
        """Accept the objects that all requests share."""
        super().initialize(database, threads)
        self._places = places

    async def stored(self) -> dict[str, Stored]:
        """Everything that the user has set."""
        return await self.mine(store.settings_of)


class FleetSettingsHandler(SettingsReader):
    """One user's settings, with schemas and defaults from disk."""

    @web.authenticated
    async def get(self, schema_name: str = "") -> None:
        """All settings, or those of one schema."""
        stored = await self.stored()
        ids_only = self.get_argument("ids_only", "") == "true"
        await self.finish(await self.work(lambda: self._answer(schema_name, ids_only, stored)))

    def _answer(self, schema_name: str, ids_only: bool, stored: dict[str, Stored]) -> str:
        document = self._places.read(schema_name, ids_only=ids_only, locale=locale_of(stored))
        if schema_name:
            document = with_user_settings(document, stored.get(schema_name))
        else:
            document["settings"] = [
                with_user_settings(entry, stored.get(entry["id"]))
                for entry in document.get("settings", [])
            ]
        return json.dumps(document)

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
            raise web.HTTPError(400, "raw must be a string, and the schema's name must be short")
        await self.work(lambda: self._check(schema_name, raw))
        await self.mine(store.save_setting, schema_name=schema_name, raw=raw)
        self.set_status(204)

    def _check(self, schema_name: str, raw: str) -> None:
        document = self._places.read(schema_name, locale="en")
        try:
            check_settings(raw, document["schema"])
        except SettingsError as error:
            raise web.HTTPError(400, str(error)) from error
