"""A user's settings over the schemas and defaults that jupyterlab_server finds on disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import json5
from jsonschema import Draft7Validator, ValidationError
from jupyterlab_server.settings_utils import get_settings
from jupyterlab_server.translation_utils import (
    DEFAULT_LOCALE,
    L10N_SCHEMA_NAME,
    PSEUDO_LANGUAGE,
    SYS_LOCALE,
    is_valid_locale,
    translator,
)

from jupyter_ext.userdata.store import Stored

# The translator's language is one for the whole process.
_translating = threading.Lock()


class SettingsError(ValueError):
    """What a user wants to set is not what the schema allows; the text says why."""


@dataclass(frozen=True)
class SettingsPlaces:
    """Where jupyterlab_server looks for schemas and defaults."""

    app_settings_dir: str
    schemas_dir: str
    labextensions_path: list[str]
    overrides: dict[str, Any]

    def read(self, schema_name: str = "", *, ids_only: bool = False, locale: str) -> dict[str, Any]:
        """What jupyterlab_server answers for somebody who has set nothing. Blocks.

        Raises HTTPError 404 for an unknown schema.
        """
        with _translating:
            translator.set_locale(locale)
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
            chosen = json5.loads(settings[L10N_SCHEMA_NAME].raw).get("locale") or SYS_LOCALE
        except (ValueError, AttributeError):
            chosen = SYS_LOCALE
    if chosen == "default":
        chosen = SYS_LOCALE
    if chosen != PSEUDO_LANGUAGE and not is_valid_locale(chosen):
        chosen = DEFAULT_LOCALE
    return chosen


def with_user_settings(entry: dict[str, Any], stored: Stored | None) -> dict[str, Any]:
    """One schema's entry with what the user has set for it.

    What no longer fits the schema is left out, as jupyterlab_server does.
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
    """Parse settings (JSON with comments) and hold them against a schema; raises SettingsError."""
    try:
        settings = json5.loads(raw or "{}")
        Draft7Validator(schema).validate(settings)
    except ValidationError as error:
        raise SettingsError(f"Failed validating input: {error.message}") from error
    except ValueError as error:
        raise SettingsError(f"Failed parsing settings: {error}") from error
    if not isinstance(settings, dict):
        raise SettingsError("Failed validating input: settings are an object")
    return settings
