"""Routes of JupyterLab that a lab serves itself: settings, workspaces and the like of each user."""

from __future__ import annotations

import logging
from typing import Any

from jupyterlab_server.settings_utils import _get_overrides

from jupyter_ext.database.engine import Database
from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.themes_handler import FleetThemesHandler, ThemeFolders
from jupyter_ext.userdata.settings import SettingsPlaces
from jupyter_ext.userdata.settings_handler import FleetSettingsHandler
from jupyter_ext.userdata.store import WorkspaceRoom
from jupyter_ext.userdata.translations_handler import FleetTranslationsHandler
from jupyter_ext.userdata.workspaces_handler import FleetWorkspacesHandler


def handlers_of_jupyterlab(
    lab: Any, database: Database, room: WorkspaceRoom, log: logging.Logger
) -> list[tuple[Any, ...]]:
    """Those for `lab`, JupyterLab's application. `room` is what workspaces of one user may take."""
    labextensions = lab.extra_labextensions_path + lab.labextensions_path
    for_themes = {
        "folders": ThemeFolders(labextensions, lab.themes_dir),
        "themes_url": lab.themes_url,
        "no_cache_paths": [] if lab.cache_files else ["/"],
    }
    places = SettingsPlaces(
        app_settings_dir=lab.app_settings_dir,
        schemas_dir=lab.schemas_dir,
        labextensions_path=labextensions,
        overrides=_overrides(lab, log),
    )
    threads = FairThreads(2, 1, thread_name_prefix="fleet-settings")
    for_settings = {"database": database, "places": places, "threads": threads}
    # Others' settings do not wait for somebody's many workspaces.
    own_threads = FairThreads(2, 1, thread_name_prefix="fleet-workspaces")
    for_workspaces = {"database": database, "threads": own_threads, "room": room}
    return [
        (r"/lab/api/themes/(.*)", FleetThemesHandler, for_themes),
        (r"/lab/api/settings/?", FleetSettingsHandler, for_settings),
        (r"/lab/api/settings/(?P<schema_name>.+)", FleetSettingsHandler, for_settings),
        (r"/lab/api/translations/?", FleetTranslationsHandler, for_settings),
        (r"/lab/api/translations/(?P<locale>.*)", FleetTranslationsHandler, for_settings),
        (r"/lab/api/workspaces/?", FleetWorkspacesHandler, for_workspaces),
        (r"/lab/api/workspaces/(?P<space_name>.+)", FleetWorkspacesHandler, for_workspaces),
    ]


def _overrides(lab: Any, log: logging.Logger) -> dict[str, Any]:
    """Settings that differ from their schemas' defaults for everybody."""
    overrides: dict[str, Any]
    overrides, error = _get_overrides(lab.app_settings_dir)
    if error:
        log.warning("Failed loading overrides: %s", error)
    # Labs fetch no news, so nobody is asked whether they want them.
    overrides.setdefault(
        "@jupyterlab/apputils-extension:notification",
        {"fetchNews": "false", "checkForUpdates": False},
    )
    return overrides
