"""What somebody is answered who tries all that there is to do with a kernel."""

import websocket

from tests.integration.gateway_ext.fleet_of_gateways import Client, Gateways


def statuses(gateways: Gateways, client: Client, kernel_id: str) -> dict[str, int]:
    """What somebody is answered who tries everything that leaves the kernel as it is."""
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    fleet = f"{gateways.urls[0]}/api/fleet/kernels/{kernel_id}"
    found = {
        "get": client.call("GET", url).status_code,
        "interrupt": client.call("POST", f"{url}/interrupt").status_code,
        "restart": client.call("POST", f"{url}/restart").status_code,
        "events": client.call("GET", f"{fleet}/events").status_code,
        "owner": client.call("GET", f"{fleet}/owner").status_code,
    }
    try:
        client.channels(gateways.urls[0], kernel_id).close()
        found["channels"] = 101
    except websocket.WebSocketBadStatusException as error:
        found["channels"] = error.status_code
    return found
