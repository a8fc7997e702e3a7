"""Points jupyter_server's client of gateways at a lab, for tools that use its kernel managers."""

import os
from functools import partial

import websocket
from jupyter_server.gateway.gateway_client import GatewayClient


def connect(url: str, token: str) -> None:
    """From now on `GatewayKernelManager` starts kernels at this server."""
    client = GatewayClient.instance()
    client.url, client.auth_token, client.auth_scheme = url, token, "Bearer"
    client.init_connection_args()
    # jupyter_server has no setting for the header with which this client's websocket says who it
    # is.
    websocket.create_connection = partial(
        websocket.create_connection, header={"Authorization": f"Bearer {token}"}
    )
    os.environ.setdefault("KERNEL_USERNAME", "somebody else")
