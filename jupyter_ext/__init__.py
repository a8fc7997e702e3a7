"""The lab: what makes one JupyterLab server a replaceable member of a fleet.

Importing this package imports nothing of Jupyter: gateways, which live in another environment, use
`jupyter_ext.platform`, `jupyter_ext.database` and the streams of `jupyter_ext.kernels`. Nothing in
here may import `gateway_ext`: labs and gateways meet over HTTP only.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Name the server extension; called by jupyter_server only."""
    from .app import JupyterFleet

    return [{"module": "jupyter_ext", "app": JupyterFleet}]
