"""What an operator may allow: tokens in addresses, and a proxy that ends TLS in front of labs."""

from collections.abc import Iterator

import pytest
import requests
import websocket

from tests.integration.jupyter_ext.auth.browsers import browser, token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

PUBLIC = "https://fleet.example"


@pytest.fixture(scope="module")
def open_lab(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    with short_folder("fleet-open-") as directory:
        provider = {"allow_token_in_url": True, "public_url": PUBLIC}
        changes = {"FleetIdentityProvider": provider, "ServerApp": {"allow_remote_access": True}}
        labs = start_bare_labs(directory, seaweedfs, 1, changes)
        try:
            yield labs
        finally:
            labs.stop()


def test_a_desktop_editor_sends_its_token_in_the_address_and_no_log_has_it(open_lab: Labs) -> None:
    url, secret = open_lab.urls[0], token(open_lab)
    query = f"?token={secret}"
    assert requests.get(f"{url}/api/contents/demo{query}").status_code == 200
    body = {"type": "directory"}
    assert requests.post(f"{url}/api/contents/demo{query}", json=body).status_code == 201
    address = f"{url.replace('http', 'ws')}/api/events/subscribe{query}"
    websocket.create_connection(address, timeout=15).close()
    refused = requests.get(f"{url}/api/contents/demo?token=nonsense")
    assert refused.status_code == 401
    assert requests.get(f"{url}/api/contents/nowhere{query}").status_code == 404
    log = (open_lab.directory / "lab-0.log").read_text()
    assert "/api/contents/nowhere" in log
    assert secret not in log
    assert secret.rpartition(".")[2] not in log


def test_behind_a_proxy_that_ends_tls_its_address_is_the_own_one(open_lab: Labs) -> None:
    url = open_lab.urls[0]
    session = browser(open_lab)
    names = {cookie.name: cookie for cookie in session.cookies}
    assert names["__Host-jupyter-fleet-session"].secure
    # The proxy sends the cookie over plain HTTP; `requests` would not.
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    headers = {"Cookie": cookies, "X-XSRFToken": session.cookies["_xsrf"]}
    body = {"type": "directory"}
    for origin, status in ((PUBLIC, 201), (url, 403), ("http://fleet.example", 403)):
        answer = requests.post(
            f"{url}/api/contents/demo",
            json=body,
            headers={**headers, "Origin": origin, "Host": "fleet.example"},
        )
        assert answer.status_code == status, (origin, answer.text)
