"""A user's settings, on top of the schemas and defaults that jupyterlab_server finds on disk."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import json5
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from jupyterlab_server.settings_utils import get_settings
from jupyterlab_server.translation_utils import (
    DEFAULT_LOCALE,
    L10N_SCHEMA_NAME,
    PSEUDO_LANGUAGE,
    SYS_LOCALE,
    is_valid_locale,
    translator,
)
from tornado import web

from jupyter_ext.platform.json_bodies import JsonLimits, JsonRefused, check
from jupyter_ext.unique_items import unique_items
from jupyter_ext.userdata.store import Stored

JSON5_BYTES = 16 * 1024
"""json5 is written in Python and takes up to 35 µs per byte: half a second for this many."""
RAW = JsonLimits(bytes=256 * 1024, depth=100, containers=10_000, values=50_000)
"""Settings of one schema."""
LOOK_AGAIN_SECONDS = 5.0
"""Minimum time between two searches of the disk for an unknown schema."""
_COMPLAINT_LETTERS = 500
# jsonschema's own `uniqueItems` is quadratic.
_Validator = extend(Draft7Validator, {"uniqueItems": unique_items})

# The translator's language is one for the whole process.
_translating = threading.Lock()


class SettingsError(ValueError):
    """The schema does not allow the user's settings; the text says why."""


@dataclass
class _Known:
    ids: frozenset[str] = frozenset()
    looked: float = float("-inf")


@dataclass(frozen=True)
class SettingsPlaces:
    """Where jupyterlab_server looks for schemas and defaults."""

    app_settings_dir: str
    schemas_dir: str
    labextensions_path: list[str]
    overrides: dict[str, Any]
    _known: _Known = field(default_factory=_Known, repr=False, compare=False)

    def read(self, schema_name: str = "", *, ids_only: bool = False, locale: str) -> dict[str, Any]:
        """jupyterlab_server's response for a user without settings. Blocks.

        Raises HTTPError 404 for a name that is not one of the installed schemas: jupyterlab_server
        would turn any name into a path, and so into any file of the host.
        """
        with _translating:
            if schema_name and not self._has(schema_name):
                raise web.HTTPError(404, f"no schema is called {schema_name!r}")
            translator.set_locale(locale)
            return self._ask(schema_name, ids_only)

    def _has(self, schema_name: str) -> bool:
        known = self._known
        now = time.monotonic()
        # Somebody may have installed an extension meanwhile.
        if schema_name not in known.ids and now - known.looked > LOOK_AGAIN_SECONDS:
            settings = self._ask("", ids_only=True)["settings"]
            known.ids = frozenset(entry["id"] for entry in settings)
            known.looked = now
        return schema_name in known.ids

    def _ask(self, schema_name: str, ids_only: bool) -> dict[str, Any]:
        document, _ = get_settings(
            self.app_settings_dir,
            self.schemas_dir,
            "",
            labextensions_path=self.labextensions_path,
            schema_name=schema_name,
            overrides=self.overrides,
            translator=translator.translate_schema,
            ids_only=ids_only,
        )
        return document


def locale_of(settings: dict[str, Stored]) -> str:
    """The language that a user has chosen."""
    chosen = SYS_LOCALE
    if L10N_SCHEMA_NAME in settings:
        try:
            chosen = parse_settings(settings[L10N_SCHEMA_NAME].raw).get("locale") or SYS_LOCALE
        except (ValueError, AttributeError):
            chosen = SYS_LOCALE
    return valid_locale(chosen)


def valid_locale(chosen: Any) -> str:
    """A valid language for translations: the one chosen, or English."""
    if not isinstance(chosen, str):
        return DEFAULT_LOCALE
    if chosen == "default":
        chosen = SYS_LOCALE
    if chosen != PSEUDO_LANGUAGE and not is_valid_locale(chosen):
        chosen = DEFAULT_LOCALE
    return chosen


def with_user_settings(entry: dict[str, Any], stored: Stored | None) -> dict[str, Any]:
    """One schema's entry with the user's settings.

    Settings that no longer match the schema are left out, as in jupyterlab_server.
    """
    if stored is None or "schema" not in entry:
        return entry
    raw, settings = stored.raw, {}
    try:
        settings = check_settings(raw, entry["schema"])
    except SettingsError:
        raw = "{}"
    return {
        **entry,
        "raw": raw,
        "settings": settings,
        "created": stored.created.isoformat(),
        "last_modified": stored.modified.isoformat(),
    }


def check_settings(raw: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Parse settings and check them against a schema; raises SettingsError. Blocks."""
    settings = parse_settings(raw)
    try:
        _Validator(schema).validate(settings)
    except ValidationError as error:
        complaint = error.message[:_COMPLAINT_LETTERS]
        raise SettingsError(f"Failed validating input: {complaint}") from error
    if not isinstance(settings, dict):
        raise SettingsError("Failed validating input: settings are an object")
    return settings


def parse_settings(raw: str) -> Any:
    """The value of a settings text: JSON, or JSON5 (comments, commas at the end) if it is short.

    Raises SettingsError. Blocks, up to half a second for JSON5 that was not parsed before.
    """
    try:
        body = (raw or "{}").encode()
        check(body, RAW)
        return json.loads(body)
    except (JsonRefused, UnicodeEncodeError) as error:
        raise SettingsError(f"Failed parsing settings: {error}") from error
    except ValueError as error:
        if len(body) > JSON5_BYTES:
            raise SettingsError(
                f"Failed parsing settings: {error}. More than {JSON5_BYTES} bytes must be plain "
                "JSON, without comments"
            ) from error
    return _parse_json5(raw)


@lru_cache(maxsize=256)
def _parse_json5(raw: str) -> Any:
    try:
        return json5.loads(raw)
    except (ValueError, RecursionError) as error:
        complaint = str(error)[:_COMPLAINT_LETTERS]
        raise SettingsError(f"Failed parsing settings: {complaint}") from error
