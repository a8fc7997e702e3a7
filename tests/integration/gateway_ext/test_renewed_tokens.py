"""A client goes on with a newer token over the websocket that is open."""

import json
import uuid

import websocket

from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.jupyter_ext.kernels.cursor_page import close_of, dial


def test_a_newer_token_of_the_same_person_keeps_the_websocket_open(gateways: Gateways) -> None:
    kernel_id, url = gateways.start_kernel(0), gateways.urls[0]
    first, newer = (gateways.signer.sign("ada", {"demo": "owner"}, s) for s in (4, 600))
    others = gateways.signer.sign("eve", {"demo": "owner"}, 600)

    def dialed() -> websocket.WebSocket:
        query = {"session_id": uuid.uuid4().hex, "stream": uuid.uuid4().hex, "cursor": "1"}
        return dial(url, kernel_id, {"Authorization": f"Bearer {first}"}, query)

    renewed, deceived, left = dialed(), dialed(), dialed()
    assert renewed.getheaders()["x-fleet-takes-tokens"] == "1"
    renewed.send(json.dumps({"type": "token", "token": newer}))
    deceived.send(json.dumps({"type": "token", "token": others}))
    for socket in (deceived, left):
        code, reason = close_of(socket)
        assert (code, "expired" in reason) == (4401, True)
    renewed.ping("still there")
    while True:
        opcode, data = renewed.recv_data(control_frame=True)
        assert opcode != websocket.ABNF.OPCODE_CLOSE, data
        if opcode == websocket.ABNF.OPCODE_PONG and data == b"still there":
            break
    renewed.close()
