"""The lab: what makes one JupyterLab server a replaceable member of a fleet.

Importing this package imports nothing: gateways, which live in another environment, use
`jupyter_ext.platform`, `jupyter_ext.database`, `jupyter_ext.wire` and the streams of
`jupyter_ext.kernels`, and agents, in the kernel's environment, use `jupyter_ext.wire`. Nothing in
here may import `gateway_ext`: labs and gateways meet over HTTP only.
"""

import importlib


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Name the server extension; called by jupyter_server only."""
    # By name: type checkers follow an import even in a function, and in the kernel's environment
    # they would look for all that a lab needs.
    app = importlib.import_module("jupyter_ext.app")
    return [{"module": "jupyter_ext", "app": app.JupyterFleet}]
