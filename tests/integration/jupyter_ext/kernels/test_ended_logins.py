"""Open websockets of kernels end with the login, at labs and at gateways."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
import websocket

from jupyter_ext.platform.revocations import Revoked
from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until
from tests.integration.jupyter_ext.auth.browsers import TYPED
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

REVOKED = 5.0
"""Seconds within which a revocation must reach every open websocket."""
RECHECKED = 20.0
"""Seconds within which a removed key must end a websocket; the servers look every ten."""
FOUND_OUT = 90.0
"""And a sign-out at another lab; labs look every minute."""


@pytest.fixture(scope="module")
def own_fleet(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    """One whose keys may be removed."""
    with short_folder("fleet-ended-") as directory:
        ports = free_ports(2)
        token_file = directory / "gateway-token"
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        changes = {"lab_urls": urls, "service_token_file": str(token_file)}
        gateways = Gateways(directory, 2, changes={"FleetGatewayApp": changes})
        try:
            token_file.write_text(gateways.signer.sign("gateway", {}, 3600, service="gateway"))
            labs = Labs(directory, gateways.signer, gateways.urls, seaweedfs, 2, ports=ports)
            try:
                yield Fleet(labs, gateways)
            finally:
                labs.stop()
        finally:
            gateways.stop()


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


def ended(socket: websocket.WebSocket) -> tuple[int, float]:
    """The code with which the server closes, and when."""
    return close_code(socket, 30), time.monotonic()


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


def test_a_revocation_ends_open_websockets_everywhere_within_five_seconds(
    own_fleet: Fleet,
) -> None:
    signer, urls = own_fleet.gateways.signer, [*own_fleet.urls, *own_fleet.gateways.urls]
    service = {"Authorization": f"Bearer {signer.sign('lab', {}, 600, service='lab')}"}
    for url in own_fleet.gateways.urls:
        state = f"{url}/api/fleet/revocations"
        wait_until(
            lambda state=state: (
                requests.get(state, headers=service).json()["read_seconds_ago"] is not None
            )
        )
    with own_fleet.kernel(name="python") as kernel_id:
        for kind, name, code in ((Revoked.PROJECT, "demo", 4403), (Revoked.USER, "zoe", 4401)):
            token = signer.sign("zoe", {"demo": "editor"}, 600)
            header = {"Authorization": f"Bearer {token}"}
            sockets = {f"kernel at {url}": dial(url, kernel_id, header=header) for url in urls}
            stranger = dial(
                urls[0],
                kernel_id,
                header={"Authorization": f"Bearer {signer.sign('max', {'demo': 'owner'}, 600)}"},
            )
            if kind is Revoked.USER:
                events = f"{urls[0].replace('http', 'ws', 1)}/api/events/subscribe"
                sockets["events"] = websocket.create_connection(events, header=header, timeout=30)
            body = {"revocation": signer.sign_revocation(kind, name)}
            answer = requests.post(f"{urls[0]}/api/fleet/revocations", json=body, timeout=10)
            assert answer.status_code == 201, answer.text
            posted = time.monotonic()
            with ThreadPoolExecutor(len(sockets)) as many:
                ends = many.map(
                    lambda one: (close_code(one, 30), time.monotonic()), sockets.values()
                )
                for where, (found, at) in zip(sockets, ends, strict=True):
                    print(f"{kind} revoked: {where} ended after {at - posted:.2f} s")
                    assert found == code
                    assert at - posted < REVOKED
            if kind is Revoked.USER:
                stranger.ping()
                assert stranger.connected
            stranger.close()
            # The next token must be younger than the revocation.
            wait_until(lambda posted=posted: time.monotonic() > posted + 2)


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
