"""The settings of a fleet in its data directory, where they outlive it."""

from __future__ import annotations

import json
from dataclasses import asdict

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.private_file import write_private

FORMAT = 6
"""Increased when older versions can no longer read the file, as with each new setting; they then
report that."""


def load_settings(data_dir: DataDir) -> Settings | None:
    """The settings kept in ``data_dir``, None if there are none yet; raises `FleetError` for a file
    that is broken, OSError for one that cannot be read."""
    try:
        document = json.loads(data_dir.settings.read_bytes())
        kept_format = document.pop("format")
        if kept_format > FORMAT:
            raise FleetError(
                f"{data_dir.settings} was written by a newer Jupyter Fleet: use that version"
            )
        return Settings(**document)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FleetError(
            f"{data_dir.settings} cannot be read ({error}): restore it, or move it away, so "
            "that new ports are chosen"
        ) from error


def save_settings(data_dir: DataDir, settings: Settings) -> None:
    """Keep ``settings`` in ``data_dir``."""
    document = {"format": FORMAT, **asdict(settings)}
    write_private(data_dir.settings, json.dumps(document, indent=2))
