"""None of a lab's doors takes a forged or broken token, and none breaks at one."""

from urllib.parse import urlencode

import pytest
import requests
import websocket

from tests.integration.jupyter_ext.auth.browsers import SESSION, TYPED
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.unit.jupyter_ext.platform.token_attacks import Attacker, sendable


@pytest.fixture(scope="module")
def attacks(bare_labs: Labs) -> dict[str, str]:
    found = sendable(Attacker(bare_labs.directory).all())
    assert len(found) >= 150
    return found


def test_no_link_and_no_form_signs_in_with_one(bare_labs: Labs, attacks: dict[str, str]) -> None:
    url = f"{bare_labs.urls[0]}/login"
    wrong = []
    for name, forged in attacks.items():
        by_link = requests.get(
            f"{url}?{urlencode({'token': forged})}", headers=TYPED, allow_redirects=False
        )
        by_form = requests.post(
            url,
            data={"token": forged, "next": "/lab"},
            headers={"Origin": bare_labs.urls[0]},
            allow_redirects=False,
            timeout=20,
        )
        for door, answer in (("link", by_link), ("form", by_form)):
            signed_in = any(SESSION in cookie for cookie in answer.cookies.keys())  # noqa: SIM118
            if answer.status_code != 401 or signed_in:
                wrong.append((door, name, answer.status_code))
    assert wrong == []


def test_no_websocket_opens_with_one(bare_labs: Labs, attacks: dict[str, str]) -> None:
    url = bare_labs.urls[0].replace("http", "ws", 1)
    kernel = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
    wrong = []
    for name, forged in attacks.items():
        for path in ("/api/events/subscribe", f"/api/kernels/{kernel}/channels"):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                websocket.create_connection(
                    f"{url}{path}", header={"Authorization": f"Bearer {forged}"}, timeout=20
                )
            if refused.value.status_code != 401:
                wrong.append((path, name, refused.value.status_code))
    assert wrong == []


def test_none_is_a_revocation(bare_labs: Labs, attacks: dict[str, str]) -> None:
    url = f"{bare_labs.urls[0]}/api/fleet/revocations"
    answers = {
        name: requests.post(url, json={"revocation": forged}, timeout=20).status_code
        for name, forged in attacks.items()
    }
    assert {name: status for name, status in answers.items() if status != 401} == {}
