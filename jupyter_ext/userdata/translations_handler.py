"""`/lab/api/translations`: language packs, in the language of each user's own settings."""

from __future__ import annotations

import json
from typing import Any

from jupyterlab_server.translation_utils import (
    SYS_LOCALE,
    get_language_pack,
    get_language_packs,
)
from tornado import web

from jupyter_ext.userdata.settings import locale_of
from jupyter_ext.userdata.settings_handler import SettingsReader

_BROKEN = "a language pack of this server cannot be read: the server's log says why"


class FleetTranslationsHandler(SettingsReader):
    """Language packs per user. The stock handler reads a settings file that all users share, sets
    one user's language for everybody, and answers errors with tracebacks that contain paths."""

    @web.authenticated
    async def get(self, locale: str | None = None) -> None:
        """The installed language packs, or what is in one of them."""
        if locale is None:
            shown = locale_of(await self.stored())
            data, message = await self.work(lambda: self._read(get_language_packs, shown))
        else:
            wanted = SYS_LOCALE if locale in ("", "default") else locale
            packs, message = await self.work(lambda: self._read(get_language_packs, SYS_LOCALE))
            data = {}
            if wanted in packs:
                data, message = await self.work(lambda: self._read(get_language_pack, wanted))
            if not data and not message:
                message = f"Language pack {wanted!r} not installed!"
        await self.finish(json.dumps({"data": data, "message": message}))

    def _read(self, function: Any, locale: str) -> tuple[dict[str, Any], str]:
        try:
            data, message = function(locale)
        except Exception:
            self.log.exception("language packs cannot be read")
            return {}, _BROKEN
        if "Traceback" in message:
            self.log.error("%s", message)
            message = _BROKEN
        return data, message
