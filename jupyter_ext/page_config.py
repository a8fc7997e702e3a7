"""The configuration that a page gets from its lab: URLs and switches, no paths of the host."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path, jupyter_path, jupyter_runtime_dir

# Paths of JupyterLab's own configuration (LabConfig and LabHandler); pages do without them.
_PATHS = frozenset({"serverRoot", "rootUri", "labextensionsPath", "extraLabextensionsPath"})
# The routes are refused, so the page should not offer or ask for them: the list of licenses, and
# what changes the extensions and plugins of the page, or builds it, for everybody.
_REFUSED = frozenset(
    {"licensesUrl", "fullLicensesUrl", "extensionManager", "buildAvailable", "buildCheck"}
)
_DISABLED = (
    "@jupyterlab/apputils-extension:licenses-plugin",
    "@jupyterlab/extensionmanager-extension:plugin",
    "@jupyterlab/help-extension:licenses-commands",
    "@jupyterlab/pluginmanager-extension:plugin",
    # A click on a file with the workspace of somebody else would replace the user's own.
    "@jupyterlab/apputils-extension:workspaces",
)


def host_folders() -> tuple[str, ...]:
    """The folders of the host from which a lab reads files."""
    folders = {sys.prefix, sys.base_prefix, str(Path.home()), jupyter_runtime_dir(), os.getcwd()}
    folders.update(jupyter_path(), jupyter_config_path())
    return tuple(sorted(folders - {"", os.sep}))


def public_page_config(config: dict[str, Any], folders: tuple[str, ...]) -> dict[str, Any]:
    """A copy of `config` without paths of the host.

    JupyterLab's own entries are removed by name; other entries (from an operator's
    `page_config.json` or another extension) if their value is or contains a path in one of
    `folders`. URLs stay. Plugins whose routes a lab refuses are disabled, and the one that opens
    files as workspaces.
    """
    public = {
        name: value
        for name, value in config.items()
        if name not in _REFUSED and (name.endswith("Url") or not _names_path(name, value, folders))
    }
    public["disabledExtensions"] = [*public.get("disabledExtensions", ()), *_DISABLED]
    return public


def _names_path(name: str, value: Any, folders: tuple[str, ...]) -> bool:
    return name in _PATHS or name.endswith("Dir") or _has_path(value, folders)


def _has_path(value: Any, folders: tuple[str, ...]) -> bool:
    if isinstance(value, str):
        value = value.removeprefix("file://")
        return any(value == folder or value.startswith(folder + os.sep) for folder in folders)
    if isinstance(value, dict):
        return any(_has_path(part, folders) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_has_path(part, folders) for part in value)
    return False
