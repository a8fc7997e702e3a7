"""The lab: what makes one JupyterLab server a replaceable member of a fleet.

Importing this package imports nothing: gateways, which live in another environment, use
`jupyter_ext.platform`, `jupyter_ext.database`, `jupyter_ext.wire` and the streams of
`jupyter_ext.kernels`, and agents, in the kernel's environment, use `jupyter_ext.wire`. Nothing in
here may import `gateway_ext`: labs and gateways meet over HTTP only.
"""


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Name the server extension; called by jupyter_server only."""
    from .app import JupyterFleet

    return [{"module": "jupyter_ext", "app": JupyterFleet}]
