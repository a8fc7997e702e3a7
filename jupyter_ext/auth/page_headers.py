"""The policy that a page of JupyterLab gets: it depends on the address at which a browser asks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, cast

from jupyter_server.services.security import csp_report_uri
from jupyter_server.utils import url_path_join
from jupyterlab_server import LabServerApp
from jupyterlab_server.handlers import LabHandler

from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.page_policy import page_policy, script_sources


def send_page_policy(
    handler: LabHandler, page_config: dict[str, Any], *, only_installed_scripts: bool
) -> None:
    """Set the policy of a page with this configuration.

    `only_installed_scripts`: whether nothing that anybody has written runs in the page itself.
    """
    origin = cast(FleetIdentityProvider, handler.identity_provider).own_origin(handler)
    scripts = None
    if only_installed_scripts:
        folders = [f"{page_config[name].rstrip('/')}/" for name in _FOLDERS]
        template = _template(cast(LabServerApp, handler.extensionapp).static_dir)
        scripts = script_sources(origin, folders, template)
    report_uri = url_path_join(handler.base_url, csp_report_uri)
    policy = page_policy(report_uri, origin, scripts, frames=page_config.get("fleetFrameUrl", ""))
    handler.set_header("Content-Security-Policy", policy)


_FOLDERS = ("fullStaticUrl", "fullLabextensionsUrl")


@cache
def _template(folder: str) -> str:
    return (Path(folder) / "index.html").read_text("utf-8")
