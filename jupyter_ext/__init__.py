"""The lab: the server extension that makes a JupyterLab server a replaceable part of a fleet.

Importing this package imports nothing else, because parts of it are used in other environments:
gateways use `jupyter_ext.platform`, `jupyter_ext.database`, `jupyter_ext.wire` and the streams of
`jupyter_ext.kernels`; agents use `jupyter_ext.wire`. Nothing in here may import `gateway_ext`: labs
and gateways communicate over HTTP only.
"""

import importlib


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Name the server extension; called by jupyter_server only."""
    # Named in a string: type checkers follow even an import in a function, and in the kernel's
    # environment they would not find the lab's dependencies.
    app = importlib.import_module("jupyter_ext.app")
    return [{"module": "jupyter_ext", "app": app.JupyterFleet}]
