"""Open websockets of kernels end with the login, at labs and at gateways."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
import websocket

from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.jupyter_ext.auth.browsers import TYPED
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, running_fleet
from tests.servers.seaweedfs import SeaweedFS

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

RECHECKED = 20.0
"""Seconds within which a removed key must end a websocket; the servers look every ten."""
FOUND_OUT = 90.0
"""And a sign-out at another lab; labs look every minute."""


@pytest.fixture(scope="module")
def own_fleet(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    """One whose keys may be removed."""
    with running_fleet(seaweedfs, gateway_count=1, lab_count=2) as fleet:
        yield fleet


def dial(url: str, kernel_id: str, **options: object) -> websocket.WebSocket:
    """A stock client's websocket."""
    address = f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels?session_id=s"
    return websocket.create_connection(address, timeout=30, **options)


def close_code(socket: websocket.WebSocket, seconds: float) -> int:
    """The code with which the server closes; other messages are skipped."""
    socket.settimeout(seconds)
    while True:
        opcode, data = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")


def test_whoever_signs_out_leaves_no_open_kernel_behind(own_fleet: Fleet) -> None:
    first, second = own_fleet.urls
    with own_fleet.kernel(name="python") as kernel_id:
        token = own_fleet.gateways.signer.sign("ada", {"demo": "owner"}, 3600)
        session = requests.Session()
        session.get(f"{first}/login?{urlencode({'token': token})}", headers=TYPED)
        cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
        with_cookie = dial(first, kernel_id, cookie=cookie)
        with_token = dial(first, kernel_id, header={"Authorization": f"Bearer {token}"})
        form = {"_xsrf": session.cookies["_xsrf"]}
        gone = session.post(
            f"{second}/logout", data=form, headers={"Origin": second}, allow_redirects=False
        )
        assert gone.status_code == 303
        assert close_code(with_cookie, FOUND_OUT) == 4401
        with_token.ping()
        assert with_token.connected, "a token of its own is no part of the login"
        with_token.close()


def test_a_removed_key_ends_websockets_at_labs_and_gateways(own_fleet: Fleet) -> None:
    keys = own_fleet.gateways.directory / "jwks.json"
    with own_fleet.kernel(name="python") as kernel_id:
        signer = extra_signer(own_fleet.gateways.directory, keys)
        header = {"Authorization": f"Bearer {signer.sign('eve', {'demo': 'editor'}, 3600)}"}
        urls = [own_fleet.urls[0], own_fleet.gateways.urls[0]]
        sockets = [dial(url, kernel_id, header=header) for url in urls]
        remove_last_key(keys)
        for socket in sockets:
            assert close_code(socket, RECHECKED) == 4401


def extra_signer(directory: Path, keys: Path) -> TokenSigner:
    """Another signer, whose key every server knows from now on."""
    create_keys(directory / "extra.pem", directory / "extra.json")
    document = json.loads(keys.read_text())
    document["keys"] += json.loads((directory / "extra.json").read_text())["keys"]
    replace(keys, document)
    return TokenSigner(directory / "extra.pem")


def remove_last_key(keys: Path) -> None:
    document = json.loads(keys.read_text())
    document["keys"].pop()
    replace(keys, document)


def replace(keys: Path, document: object) -> None:
    new = keys.with_name("jwks.new")
    new.write_text(json.dumps(document))
    new.replace(keys)
